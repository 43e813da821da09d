"""From one score to another, step by step."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from genrescope.figures.style import (
    INK,
    MUTED,
    OKABE_ITO,
    RULE,
    house_style,
    new_figure,
    number,
    readable,
)

STEP_COLUMNS = ("name", "score", "low", "high", "drop", "drop_low", "drop_high")
LOST, GAINED = OKABE_ITO["vermillion"], OKABE_ITO["blue"]
PALE = 0.35  # opacity of a step whose interval holds 0


def waterfall_figure(
    steps: pd.DataFrame, *, title: str = "", subtitle: str = "", metric: str = "macro-F1"
) -> Figure:
    """Scores as points, and between them a bar for what each step loses or gains.

    A bar runs from the score before the step to the score after it; the line across its end is
    the interval of the step. Steps whose interval holds 0 are pale.

    Parameters
    ----------
    steps : DataFrame
        `name`, `score`, `low`, `high`, `drop`, `drop_low`, `drop_high`, a row per step in order.
        `score` is what the step leaves, `drop` the score before it minus the score after it. A
        row without a drop (NaN) is a level: the first one is the start, the last one usually the
        end. Bounds that are not known are NaN.
    title, subtitle : str
        Printed above.
    metric : str
        What the scores are, for the axis.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where a column is missing or the first row is no level.

    Examples
    --------
    >>> steps = pd.DataFrame([["in-domain", 0.8, 0.7, 0.9, None, None, None],
    ...                       ["shorter clips", 0.7, 0.6, 0.8, 0.1, 0.05, 0.15]],
    ...                      columns=STEP_COLUMNS)
    >>> [text.get_text() for text in waterfall_figure(steps).axes[0].texts]
    ['.80 [.70, .90]', '−.10 [−.15, −.05]']
    """
    missing = [name for name in STEP_COLUMNS if name not in steps]
    if missing:
        raise ValueError(f"the steps lack the columns {', '.join(missing)}")
    if not len(steps) or pd.notna(steps["drop"].iloc[0]):
        raise ValueError("the first step is the start, a score without a drop")
    with house_style():
        figure = new_figure(8.0, 0.85 + 0.4 * len(steps), title=title, subtitle=subtitle)
        axes = figure.subplots()
        before = float("nan")
        for place, row in enumerate(steps.to_dict("records")):
            if place:
                axes.plot([before] * 2, [place - 1, place], ":", color=MUTED, lw=1, zorder=1)
            draw = _level if pd.isna(row["drop"]) else _step
            label = draw(axes, place, {name: row[name] for name in STEP_COLUMNS[1:]}, before)
            axes.text(1.02, place, label, transform=axes.get_yaxis_transform(), va="center")
            before = row["score"]
        _finish(axes, steps, metric)
        hidden = steps["drop_low"].lt(0) & steps["drop_high"].gt(0)
        looks = {
            "lost": (LOST, 1.0, steps["drop"].gt(0).any()),
            "gained": (GAINED, 1.0, steps["drop"].lt(0).any()),
            "pale: could be nothing (95% interval)": (MUTED, PALE, hidden.any()),
        }
        handles = [
            Patch(color=colour, alpha=alpha, label=name)
            for name, (colour, alpha, wanted) in looks.items()
            if wanted
        ]
        if handles:
            figure.legend(
                handles=handles, loc="outside lower left", ncols=len(handles), fontsize=8.5
            )
    return figure


def _level(axes: Axes, place: int, row: dict[str, float], before: float) -> str:  # noqa: ARG001
    axes.plot([row["low"], row["high"]], [place, place], color=INK, linewidth=1.4)
    axes.plot(row["score"], place, "o", color=INK, markersize=7, zorder=3)
    return _with_interval(row["score"], row["low"], row["high"])


def _step(axes: Axes, place: int, row: dict[str, float], before: float) -> str:
    colour = LOST if row["drop"] > 0 else GAINED
    holds_zero = row["drop_low"] < 0 < row["drop_high"]
    alpha = PALE if holds_zero else 1.0
    axes.barh(place, row["score"] - before, left=before, height=0.5, color=colour, alpha=alpha)
    bounds = [before - row["drop_high"], before - row["drop_low"]]
    axes.plot(bounds, [place, place], color=INK, linewidth=1.2, zorder=3)
    axes.plot(row["score"], place, "|", color=INK, markersize=13, markeredgewidth=1.6, zorder=3)
    return _with_interval(-row["drop"], -row["drop_high"], -row["drop_low"], sign=True)


def _with_interval(value: float, low: float, high: float, *, sign: bool = False) -> str:
    plus = "+" if sign and round(value, 2) > 0 else ""
    interval = f" [{number(low)}, {number(high)}]" if low == low and high == high else ""
    return f"{plus}{number(value)}{interval}"


def _finish(axes: Axes, steps: pd.DataFrame, metric: str) -> None:
    names = [readable(str(name)) for name in steps["name"]]
    axes.set_yticks(range(len(steps)), names)
    for label, drop in zip(axes.get_yticklabels(), steps["drop"], strict=True):
        label.set_fontweight("bold" if pd.isna(drop) else "normal")
    axes.set_ylim(len(steps) - 0.4, -0.6)
    low, high = axes.get_xlim()
    # A step of a hundredth shall not fill the page.
    pad = max(0.0, 0.1 - (high - low)) / 2
    axes.set_xlim(max(low - pad, 0.0), min(high + pad, 1.0))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.set_xlabel(f"{metric} (lines: 95% intervals)")
    axes.grid(axis="x", color=RULE)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
