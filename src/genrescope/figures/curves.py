"""Training curves."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genrescope.figures.style import MUTED, OKABE_ITO, house_style, new_figure

STEPS = ("epoch", "round")
LINES = {
    "train": (OKABE_ITO["blue"], "-"),
    "validation": (OKABE_ITO["vermillion"], "--"),
}


def training_curve_figure(curve: pd.DataFrame, *, title: str = "", subtitle: str = "") -> Figure:
    """Loss, and accuracy where known, over the epochs or rounds of a training.

    Parameters
    ----------
    curve : DataFrame
        Columns `epoch` or `round`, `train_loss`, `validation_loss`, and perhaps
        `train_accuracy`, `validation_accuracy`; empty columns are left out.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the curve has neither epochs nor rounds, or no loss.

    Examples
    --------
    >>> curve = pd.DataFrame({"epoch": [1, 2], "train_loss": [1.2, 0.9],
    ...                       "validation_loss": [1.3, 1.1]})
    >>> [axes.get_ylabel() for axes in training_curve_figure(curve).axes]
    ['loss (cross-entropy)']
    """
    step = next((name for name in STEPS if name in curve), None)
    if step is None:
        raise ValueError("a training curve has a column epoch or round")
    shown = [
        quantity
        for quantity in ("loss", "accuracy")
        if any(_drawn(curve, f"{part}_{quantity}") for part in LINES)
    ]
    if not shown:
        raise ValueError("a training curve has a column train_loss or validation_loss")
    with house_style():
        figure = new_figure(3.9 * len(shown), 2.5, title=title, subtitle=subtitle)
        for place, quantity in enumerate(shown):
            axes = figure.add_subplot(1, len(shown), place + 1)
            for part, (colour, dash) in LINES.items():
                if _drawn(curve, f"{part}_{quantity}"):
                    axes.plot(
                        curve[step], curve[f"{part}_{quantity}"], dash, color=colour, label=part
                    )
            _mark_best(axes, curve, step, quantity)
            axes.set_xlabel(step)
            axes.set_ylabel("loss (cross-entropy)" if quantity == "loss" else "accuracy")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
            axes.grid(axis="y")
            if quantity == "accuracy":
                axes.set_ylim(0, 1)
            else:
                axes.set_ylim(bottom=0)
            axes.legend(loc="best", fontsize=8.5)
    return figure


def _drawn(curve: pd.DataFrame, column: str) -> bool:
    return column in curve and bool(curve[column].notna().any())


def _mark_best(axes: Axes, curve: pd.DataFrame, step: str, quantity: str) -> None:
    if not _drawn(curve, "validation_loss"):
        return
    best = curve.iloc[int(np.nanargmin(curve["validation_loss"].to_numpy(dtype="float64")))]
    axes.axvline(float(best[step]), color=MUTED, linewidth=0.8, linestyle=":")
    if quantity == "loss":
        axes.plot(best[step], best["validation_loss"], "o", color=LINES["validation"][0], ms=5)
        late = best[step] > curve[step].quantile(0.6)
        axes.annotate(
            f"lowest at {step} {int(best[step])}",
            (float(best[step]), 1),
            xycoords=("data", "axes fraction"),
            xytext=(-4 if late else 4, -2),
            textcoords="offset points",
            ha="right" if late else "left",
            va="top",
            fontsize=8,
            color=MUTED,
        )
