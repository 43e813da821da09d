"""Whether the features that a model leans on are the ones that moved."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genrescope.figures.style import INK, MUTED, OKABE_ITO, RULE, house_style, new_figure, readable

# A mark and a colour for each family: never colour alone.
FAMILY_LOOKS = {
    "timbre": (OKABE_ITO["blue"], "o"),
    "brightness": (OKABE_ITO["orange"], "^"),
    "noisiness": (OKABE_ITO["black"], "X"),
    "harmony": (OKABE_ITO["green"], "s"),
    "dynamics": (OKABE_ITO["vermillion"], "D"),
    "rhythm": (OKABE_ITO["purple"], "P"),
    "other": (MUTED, "v"),
}
COLUMNS = ("feature", "family", "importance", "distance", "floor", "moved")
LABELLED = 8
HEIGHT_IN = 4.6
GAP_IN = 0.2  # least distance of two names, one above the other
LEADER = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkB": 6}
NAME_SHARE = 0.25  # of the axis' width, what a name takes


def feature_shift_figure(
    table: pd.DataFrame, *, title: str = "", subtitle: str = "", labelled: int = LABELLED
) -> Figure:
    """Each feature's importance against how far it moved from source to target.

    Parameters
    ----------
    table : DataFrame
        As `FeatureShift.table` has it: `feature`, `family`, `importance`, `distance` (in standard
        deviations of the source), `floor`, `moved`. Features that did not move are hollow.
    title, subtitle : str
        Printed above.
    labelled : int
        How many features are named: the most important ones.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where a column is missing.

    Examples
    --------
    >>> table = pd.DataFrame({"feature": ["tempo", "rms_mean"], "family": ["rhythm", "dynamics"],
    ...     "importance": [0.02, 0.01], "distance": [0.1, 0.9], "floor": [0.2, 0.2],
    ...     "moved": [False, True]})
    >>> [text.get_text() for text in feature_shift_figure(table).axes[0].texts]
    ['tempo', 'rms_mean']
    """
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise ValueError(f"the table lacks the columns {', '.join(missing)}")
    table = table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)
    with house_style():
        figure = new_figure(8.0, HEIGHT_IN, title=title, subtitle=subtitle)
        axes = figure.subplots()
        for family, (colour, mark) in FAMILY_LOOKS.items():
            rows = table[table["family"] == family]
            if not len(rows):
                continue
            fill = np.where(rows["moved"], colour, "none")
            axes.scatter([], [], marker=mark, s=42, color=colour, label=family)
            axes.scatter(
                rows["distance"],
                rows["importance"],
                marker=mark,
                s=42,
                facecolors=fill.tolist(),
                edgecolors=colour,
                zorder=3,
            )
        axes.scatter(
            [],
            [],
            marker="o",
            s=42,
            facecolors="none",
            edgecolors=INK,
            label="hollow: no further\nthan chance",
        )
        axes.set_ylim(0, float(table["importance"].max()) * 1.1)
        axes.set_xlim(0, float(table["distance"].max()) * 1.25)
        axes.set_xlabel(
            "shift: distance of the two distributions (standard deviations of the source)"
        )
        axes.set_ylabel("importance: mean |SHAP|")
        axes.grid(color=RULE)
        axes.set_axisbelow(True)
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            fontsize=8.5,
            title="family",
            alignment="left",
        )
        _label(axes, table.head(labelled), HEIGHT_IN)
    return figure


def _label(axes: Axes, rows: pd.DataFrame, height_in: float) -> None:
    """Names right of the marks, moved down where they would stand on one another."""
    width = axes.get_xlim()[1] * NAME_SHARE
    gap = axes.get_ylim()[1] * GAP_IN / height_in
    placed: list[tuple[float, float]] = []
    for row in rows.to_dict("records"):
        x, y = row["distance"], row["importance"]
        height = y
        for left, taken in placed:
            if abs(left - x) < width and abs(taken - height) < gap:
                height = taken - gap
        placed.append((x, height))
        axes.annotate(
            readable(str(row["feature"])),
            (x, y),
            (x + 0.015 * axes.get_xlim()[1], height),
            va="center",
            fontsize=8.5,
            arrowprops=LEADER if height < y else None,
        )
