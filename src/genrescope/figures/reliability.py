"""How far stated probabilities can be trusted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from genrescope.evaluation.calibration import Calibration
from genrescope.figures.style import (
    INK,
    MUTED,
    OKABE_ITO,
    PAPER,
    RULE,
    house_style,
    new_figure,
    number,
    readable,
)

# Colour and shape say the same: pointing down is surer than right.
OVER: dict[str, Any] = {"color": OKABE_ITO["vermillion"], "marker": "v"}
UNDER: dict[str, Any] = {"color": OKABE_ITO["blue"], "marker": "^"}
PANEL_IN = (2.75, 2.9)


def reliability_figure(
    calibrations: Mapping[tuple[str, str], Calibration], *, title: str = "", subtitle: str = ""
) -> Figure:
    """Accuracy of answers by their stated probability, a panel per cell, with clips per bin.

    Parameters
    ----------
    calibrations : mapping of (str, str) to Calibration
        By row and column of the panel, such as "→ korean" and "forest", which together are its
        title. Missing pairs stay empty.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import pandas as pd
    >>> from genrescope.evaluation.calibration import calibrate
    >>> frame = pd.DataFrame({"seed": 0, "clip_id": list("1234"), "group": list("aabb"),
    ...     "genre": list("xxxy"), "predicted": list("xxxx"), "x": 0.8, "y": 0.2})
    >>> figure = reliability_figure({("→ b", "forest"): calibrate(frame, ["x", "y"])})
    >>> figure.axes[0].get_title(loc="left")
    'forest → b'
    """
    rows = list(dict.fromkeys(row for row, _ in calibrations))
    columns = list(dict.fromkeys(column for _, column in calibrations))
    width, height = max(4.4, PANEL_IN[0] * len(columns)), PANEL_IN[1] * len(rows) + 0.3
    with house_style():
        figure = new_figure(width, height, title=title, subtitle=subtitle)
        grid = figure.add_gridspec(2 * len(rows), len(columns), height_ratios=[4, 1] * len(rows))
        for place, row in enumerate(rows):
            for across, column in enumerate(columns):
                calibration = calibrations.get((row, column))
                if calibration is None:
                    continue
                curve = figure.add_subplot(grid[2 * place, across])
                counts = figure.add_subplot(grid[2 * place + 1, across], sharex=curve)
                _curve(curve, calibration, f"{column} {row}", labelled=across == 0)
                _counts(counts, calibration, labelled=across == 0)
                if place == len(rows) - 1:
                    counts.set_xlabel("stated probability")
        handles = [
            Line2D([], [], linestyle="none", label="surer than right", **OVER),
            Line2D([], [], linestyle="none", label="less sure than right", **UNDER),
            Line2D([], [], color=MUTED, linestyle="--", label="as sure as right"),
        ]
        figure.legend(handles=handles, loc="outside lower left", ncols=3, fontsize=8.5)
    return figure


def _curve(axes: Axes, calibration: Calibration, title: str, *, labelled: bool) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1, zorder=1)
    for row in calibration.bins[calibration.bins["n"] > 0].to_dict("records"):
        stated, right = row["confidence"], row["accuracy"]
        look = OVER if stated > right else UNDER
        axes.plot([stated] * 2, [stated, right], color=look["color"], alpha=0.35, linewidth=4)
        ends = [row["accuracy_low"], row["accuracy_high"]]
        axes.plot([stated] * 2, ends, color=look["color"], linewidth=1.1)
        axes.plot(stated, right, linestyle="none", markersize=5.5, clip_on=False, **look)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_title(readable(title), fontsize=9.5, fontweight="bold")
    paper = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 1}
    axes.text(0.03, 0.97, _error(calibration), va="top", fontsize=8, color=INK, bbox=paper)
    axes.tick_params(labelbottom=False, labelleft=labelled)
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    if labelled:
        axes.set_ylabel("share that is right")


def _error(calibration: Calibration) -> str:
    said = f"ECE {number(calibration.ece)}"
    if not np.isnan(calibration.ece_low):
        said += f" [{number(calibration.ece_low)}, {number(calibration.ece_high)}]"
    seeds = f" × {calibration.n_seeds} seeds" if calibration.n_seeds > 1 else ""
    return f"{said}\nn = {calibration.n:,}{seeds}"


def _counts(axes: Axes, calibration: Calibration, *, labelled: bool) -> None:
    bins = calibration.bins
    width = bins["high"] - bins["low"]
    axes.bar(bins["low"], bins["n"], width=width, align="edge", color=RULE, edgecolor="white")
    for row in bins[bins["n"] > 0].to_dict("records"):
        middle = (row["low"] + row["high"]) / 2
        axes.annotate(
            _short(row["n"]),
            (middle, row["n"]),
            xytext=(0, 1.5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            rotation=90,
            fontsize=5.8,
            color=INK,
        )
    axes.set_ylim(0, 1.75 * max(1, int(bins["n"].max())))
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    if labelled:
        axes.set_ylabel("answers", fontsize=8)


def _short(count: int) -> str:
    return f"{count}" if count < 1000 else f"{count / 1000:.1f}k"
