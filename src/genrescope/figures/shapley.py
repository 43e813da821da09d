"""SHAP: which of the features decided, for each genre."""

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genrescope.figures.style import (
    MUTED,
    bare,
    genre_colours,
    house_style,
    new_figure,
    readable,
)

TITLE_WIDTH = 14  # characters of a genre in a line
UNITS = {
    "margin": "mean |SHAP| (log-odds)",
    "probability": "mean |SHAP| (probability)",
}


def shap_figure(
    per_class: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    scale: str = "margin",
    top: int | None = None,
    words: Mapping[str, str] | None = None,
) -> Figure:
    """Mean absolute SHAP value of each feature: overall, then a column per genre.

    Features are ordered by their mean over the genres. All columns but the first share a scale.

    Parameters
    ----------
    per_class : DataFrame [shape=(n_features, n_genres)]
        Mean absolute SHAP values; the index, or a column `feature`, names the features.
    title, subtitle : str
        Printed above.
    scale : str
        `margin` (log-odds) or `probability`: the unit of the values.
    top : int, optional
        Show only the strongest; all where not given.
    words : mapping of str to str, optional
        What features measure, printed on the right; nothing for a feature it lacks.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> table = pd.DataFrame({"feature": ["tempo", "rms_std"], "Blues-like": [0.1, 0.3],
    ...                       "Rock/Metal": [0.2, 0.4]})
    >>> figure = shap_figure(table)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['rms_std', 'tempo']
    """
    if "feature" in per_class:
        per_class = per_class.set_index("feature")
    overall = per_class.mean(axis=1).sort_values(ascending=False, kind="stable")
    shown = overall.index[:top]
    table = per_class.loc[shown]
    genres = [str(genre) for genre in table.columns]
    limit = float(table.to_numpy().max()) or 1.0
    # No tick near the right edge: its label would run into the next column's zero.
    ticks = [tick for tick in MaxNLocator(nbins=2).tick_values(0, limit) if tick <= 0.8 * limit]
    labels = [f"{tick:.4g}".removeprefix("0") or "0" for tick in ticks]
    with house_style():
        figure = new_figure(
            4.4 + 1.15 * len(genres), 0.75 + 0.215 * len(table), title=title, subtitle=subtitle
        )
        panels = figure.subplots(1, 1 + len(genres), sharey=True, squeeze=False)[0]
        colours = genre_colours(genres)
        for place, axes in enumerate(panels):
            values = overall[shown] if place == 0 else table.iloc[:, place - 1]
            colour = MUTED if place == 0 else colours[genres[place - 1]]
            axes.barh(range(len(table)), values, color=colour, height=0.72)
            axes.set_xlim(0, limit * 1.04)
            axes.set_ylim(len(table) - 0.4, -0.6)
            name = "all genres" if place == 0 else genres[place - 1]
            axes.set_title(readable(textwrap.fill(name, TITLE_WIDTH)), fontsize=9)
            axes.grid(axis="x")
            axes.set_axisbelow(True)
            axes.set_xticks(ticks, labels)
            bare(axes)
            axes.spines["left"].set_visible(True)
            axes.tick_params(axis="x", labelsize=8)
        _name_rows(figure, [str(name) for name in shown], words or {})
        figure.supxlabel(UNITS.get(scale, f"mean |SHAP| ({scale})"), fontsize=9, color=MUTED)
    return figure


def _name_rows(figure: Figure, names: Sequence[str], words: Mapping[str, str]) -> None:
    first, last = figure.axes[0], figure.axes[-1]
    first.set_yticks(range(len(names)), [readable(name) for name in names], fontsize=8.5)
    labels = [readable(words.get(name, "")) for name in names]
    if any(labels):
        right = last.secondary_yaxis("right")
        right.set_yticks(range(len(names)), labels, fontsize=7.5)
        right.tick_params(length=0, labelcolor=MUTED)
        right.spines["right"].set_visible(False)
