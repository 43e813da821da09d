"""What a change of culture costs each model."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genrescope.figures.style import (
    INK,
    OKABE_ITO,
    RULE,
    house_style,
    new_figure,
    readable,
)


def _in_order(column: "pd.Series[str]") -> list[str]:
    return list(dict.fromkeys(column))


def drop_figure(drops: pd.DataFrame, *, title: str = "", subtitle: str = "") -> Figure:
    """In-domain and cross-cultural scores of each model joined by a line: the drop.

    Parameters
    ----------
    drops : DataFrame
        One row per model, source and target: `model`, `source`, `target`, `in_domain`,
        `in_domain_low`, `in_domain_high`, `cross`, `cross_low`, `cross_high` (macro-F1) and
        `guess`, the macro-F1 of the best guess on the target.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> drops = pd.DataFrame({"model": ["forest"], "source": ["a"], "target": ["b"],
    ...     "in_domain": [0.8], "in_domain_low": [0.7], "in_domain_high": [0.9],
    ...     "cross": [0.4], "cross_low": [0.3], "cross_high": [0.5], "guess": [0.25]})
    >>> drop_figure(drops).axes[0].get_xlabel()
    'macro-F1 (95% interval)'
    """
    pairs = drops.groupby(["source", "target"], sort=False)
    sizes = [len(rows) for _, rows in pairs]
    with house_style():
        figure = new_figure(
            8.0, 0.9 + sum(0.42 * size + 0.35 for size in sizes), title=title, subtitle=subtitle
        )
        panels = figure.subplots(
            len(sizes), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": sizes}
        )[:, 0]
        for axes, ((source, target), rows) in zip(panels, pairs, strict=True):
            _drops(axes, rows)
            axes.set_title(f"{readable(str(source))} → {readable(str(target))}", fontweight="bold")
        panels[-1].set_xlabel("macro-F1 (95% interval)")
        figure.legend(
            handles=[
                Line2D(
                    [],
                    [],
                    marker="o",
                    color=OKABE_ITO["blue"],
                    label="in-domain: tested on its own corpus",
                ),
                Line2D(
                    [],
                    [],
                    marker="D",
                    mfc="white",
                    color=OKABE_ITO["vermillion"],
                    label="tested on the other",
                ),
                Line2D(
                    [],
                    [],
                    marker="|",
                    ms=12,
                    mew=1.5,
                    linestyle="none",
                    color=INK,
                    label="best guess",
                ),
            ],
            loc="outside lower left",
            ncols=3,
            fontsize=8.5,
        )
    return figure


def _drops(axes: Axes, rows: pd.DataFrame) -> None:
    kinds: tuple[tuple[str, float, dict[str, Any]], ...] = (
        ("in_domain", 0.11, {"marker": "o", "color": OKABE_ITO["blue"]}),
        ("cross", -0.11, {"marker": "D", "color": OKABE_ITO["vermillion"], "mfc": "white"}),
    )
    for place, row in enumerate(rows.to_dict("records")):
        axes.plot(
            [row["cross"], row["in_domain"]], [place, place], color=RULE, linewidth=5, zorder=1
        )
        for name, shift, look in kinds:
            value, low, high = (row[name + end] for end in ("", "_low", "_high"))
            axes.plot([low, high], [place + shift] * 2, color=look["color"], linewidth=1.4)
            axes.plot(
                value,
                place + shift,
                markersize=6.5,
                linestyle="none",
                clip_on=False,
                zorder=3,
                **look,
            )
        axes.plot(row["guess"], place, "|", color=INK, markersize=14, markeredgewidth=1.5)
    axes.set_yticks(range(len(rows)), [readable(str(name)) for name in rows["model"]])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(0, 1)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
