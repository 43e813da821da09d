"""What helps away from home: methods beside none, and labelled clips of the target."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from genrescope.figures.style import (
    INK,
    MUTED,
    OKABE_ITO,
    house_style,
    new_figure,
    number,
    readable,
)

LOOKS: tuple[dict[str, Any], ...] = (
    {"color": OKABE_ITO["blue"], "marker": "o", "linestyle": "-"},
    {"color": OKABE_ITO["vermillion"], "marker": "D", "linestyle": "--"},
    {"color": OKABE_ITO["green"], "marker": "s", "linestyle": ":"},
)


def repairs_figure(
    results: pd.DataFrame, *, chosen: str | None = None, title: str = "", subtitle: str = ""
) -> Figure:
    """How much each method adds to the score without it.

    Parameters
    ----------
    results : DataFrame
        `method`, `macro_f1`, `difference`, `low`, `high`; a method without a difference is the
        one the others are compared with.
    chosen : str, optional
        The method that was chosen without labels: marked.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> results = pd.DataFrame({"method": ["none", "coral"], "macro_f1": [0.4, 0.5],
    ...     "difference": [None, 0.1], "low": [None, 0.05], "high": [None, 0.15]})
    >>> repairs_figure(results).axes[0].get_xlabel()
    'macro-F1 gained (95% interval)'
    """
    shown = results[results["difference"].notna()].reset_index(drop=True)
    with house_style():
        figure = new_figure(8.0, 0.8 + 0.3 * max(len(shown), 1), title=title, subtitle=subtitle)
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for place, row in enumerate(shown.to_dict("records")):
            sure = row["low"] > 0 or row["high"] < 0
            colour = OKABE_ITO["blue" if row["difference"] > 0 else "vermillion"] if sure else MUTED
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.6)
            face = colour if sure else "white"
            axes.plot(row["difference"], place, "o", color=colour, mfc=face, markersize=6.5)
            axes.text(
                1.02,
                place,
                f"{number(row['macro_f1'])}{'  ← chosen' if row['method'] == chosen else ''}",
                transform=axes.get_yaxis_transform(),
                va="center",
            )
        axes.set_yticks(range(len(shown)), [readable(str(name)) for name in shown["method"]])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.set_xlabel("macro-F1 gained (95% interval)")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.text(1.02, 1.01, "macro-F1", transform=axes.transAxes, color=MUTED, fontsize=8.5)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    return figure


def few_shot_figure(
    curves: Mapping[str, pd.DataFrame], *, goal: float, title: str = "", subtitle: str = ""
) -> Figure:
    """Scores over the number of labelled target clips per genre.

    Parameters
    ----------
    curves : mapping of str to DataFrame
        By what was trained on: `per_genre`, `macro_f1`, `low`, `high`.
    goal : float
        The score to reach: drawn as a line.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> curve = pd.DataFrame({"per_genre": [0, 10], "macro_f1": [0.4, 0.6],
    ...                       "low": [0.3, 0.5], "high": [0.5, 0.7]})
    >>> few_shot_figure({"source and labelled clips": curve}, goal=0.7).axes[0].get_xlabel()
    'labelled target clips per genre'
    """
    with house_style():
        figure = new_figure(8.0, 3.0, title=title, subtitle=subtitle)
        axes = figure.subplots()
        axes.axhline(goal, color=INK, linewidth=1)
        axes.text(
            1.01, goal, f"goal {number(goal)}", transform=axes.get_yaxis_transform(), va="center"
        )
        for (name, curve), look in zip(curves.items(), LOOKS, strict=False):
            shots = curve["per_genre"].to_numpy(dtype="float64")
            axes.fill_between(shots, curve["low"], curve["high"], color=look["color"], alpha=0.15)
            axes.plot(shots, curve["macro_f1"], label=readable(name), markersize=5, **look)
        axes.set_xticks(sorted({int(n) for curve in curves.values() for n in curve["per_genre"]}))
        axes.set_xlabel("labelled target clips per genre")
        axes.set_ylabel("macro-F1 (band: 95%)")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        figure.legend(loc="outside lower left", ncols=2, fontsize=8.5)
    return figure
