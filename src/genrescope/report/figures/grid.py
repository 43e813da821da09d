"""The results grid: every model, source and target and what a change of culture costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genrescope.report.figures.style import (
    INK,
    MUTED,
    OKABE_ITO,
    RULE,
    SCORES,
    bare,
    house_style,
    ink_on,
    new_figure,
    number,
    readable,
)


def _in_order(column: "pd.Series[str]") -> list[str]:
    return list(dict.fromkeys(column))


def results_heat_map(
    results: pd.DataFrame,
    *,
    metric: str = "macro_f1",
    guesses: Mapping[str, float] | None = None,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """A panel per model: rows are what it was trained on, columns what it was tested on.

    Parameters
    ----------
    results : DataFrame
        One row per cell: `model`, `source`, `target`, `n`, the metric, `<metric>_low` and
        `<metric>_high`.
    metric : str
        `macro_f1` or `accuracy`.
    guesses : mapping of str to float, optional
        What guessing scores on each target, printed below it.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where a cell has more than one row.

    Examples
    --------
    >>> results = pd.DataFrame({"model": ["forest"], "source": ["a"], "target": ["b"], "n": [90],
    ...     "macro_f1": [0.64], "macro_f1_low": [0.52], "macro_f1_high": [0.75]})
    >>> [text.get_text() for text in results_heat_map(results).axes[0].texts]
    ['.64', '[.52, .75]', 'n = 90']
    """
    if results.duplicated(["model", "source", "target"]).any():
        raise ValueError("a cell has more than one row: choose one part and seed")
    models, sources, targets = (_in_order(results[key]) for key in ("model", "source", "target"))
    with house_style():
        figure = new_figure(
            1.5 + 1.2 * len(targets) * len(models),
            0.8 + 0.85 * len(sources),
            title=title,
            subtitle=subtitle,
        )
        panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
        for axes, model in zip(panels, models, strict=True):
            _panel(axes, results[results["model"] == model], sources, targets, metric)
            axes.set_title(readable(model), fontweight="bold")
            names = [
                readable(name)
                + (f"\nguess {number(guesses[name])}" if guesses and name in guesses else "")
                for name in targets
            ]
            axes.set_xticks(range(len(targets)), names)
            axes.set_yticks(range(len(sources)), [readable(name) for name in sources])
            axes.set_xlabel("tested on", color=MUTED)
        panels[0].set_ylabel("trained on", color=MUTED)
    return figure


def _panel(
    axes: Axes, rows: pd.DataFrame, sources: Sequence[str], targets: Sequence[str], metric: str
) -> None:
    grid = np.full((len(sources), len(targets)), np.nan)
    for row in rows.to_dict("records"):
        grid[sources.index(str(row["source"])), targets.index(str(row["target"]))] = row[metric]
    axes.imshow(grid, cmap=SCORES, vmin=0, vmax=1, aspect="auto")
    for row in rows.to_dict("records"):
        x, y = targets.index(str(row["target"])), sources.index(str(row["source"]))
        value = float(row[metric])
        ink = ink_on(value)
        axes.text(x, y - 0.14, number(value), ha="center", va="center", fontsize=14, color=ink)
        interval = (
            f"[{number(float(row[metric + '_low']))}, {number(float(row[metric + '_high']))}]"
        )
        axes.text(x, y + 0.14, interval, ha="center", va="center", fontsize=8, color=ink)
        axes.text(
            x, y + 0.34, f"n = {int(row['n']):,}", ha="center", va="center", fontsize=7, color=ink
        )
    axes.set_xticks([place - 0.5 for place in range(1, len(targets))], minor=True)
    axes.set_yticks([place - 0.5 for place in range(1, len(sources))], minor=True)
    axes.grid(which="minor", color="white", linewidth=2.5)
    axes.tick_params(which="both", length=0)
    bare(axes)


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
