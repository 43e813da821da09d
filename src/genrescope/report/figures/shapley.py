"""SHAP: which of the features decided, for each genre."""

import re
import textwrap
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from genrescope.report.figures.style import (
    MUTED,
    bare,
    genre_colours,
    house_style,
    new_figure,
    readable,
)

TITLE_WIDTH = 14  # characters of a genre in a line
PITCHES = ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B")
WORDS = {
    "spec_cent": "brightness (spectral centroid)",
    "spec_bw": "spread of frequencies (bandwidth)",
    "spec_roll": "upper edge of the spectrum (roll-off)",
    "zcr": "noisiness (zero crossings)",
    "rms": "loudness (RMS)",
}
STATISTICS = {"mean": "average", "std": "variation"}
UNITS = {
    "margin": "mean |SHAP| (log-odds)",
    "probability": "mean |SHAP| (probability)",
}


def feature_words(name: str) -> str:
    """What a feature measures, in words; empty for a name that is not one of the 75.

    Examples
    --------
    >>> feature_words("rms_std"), feature_words("chroma_mean_9"), feature_words("mfcc7_var")
    ('loudness (RMS), variation', 'pitch class A, average', '')
    """
    if name == "tempo":
        return "tempo"
    match = re.fullmatch(r"(mfcc|chroma)_(mean|std)_(\d+)|(\w+)_(mean|std)", name)
    if match is None:
        return ""
    kind, statistic, place, plain, plain_statistic = match.groups()
    if plain is not None:
        return f"{WORDS[plain]}, {STATISTICS[plain_statistic]}" if plain in WORDS else ""
    if kind == "chroma":
        return f"pitch class {PITCHES[int(place) % 12]}, {STATISTICS[statistic]}"
    subject = "overall level (MFCC 0)" if place == "0" else f"timbre (MFCC {place})"
    return f"{subject}, {STATISTICS[statistic]}"


def shap_figure(
    per_class: pd.DataFrame,
    *,
    title: str = "",
    subtitle: str = "",
    scale: str = "margin",
    top: int | None = None,
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
        _name_rows(figure, [str(name) for name in shown])
        figure.supxlabel(UNITS.get(scale, f"mean |SHAP| ({scale})"), fontsize=9, color=MUTED)
    return figure


def _name_rows(figure: Figure, names: Sequence[str]) -> None:
    first, last = figure.axes[0], figure.axes[-1]
    first.set_yticks(range(len(names)), [readable(name) for name in names], fontsize=8.5)
    words = last.secondary_yaxis("right")
    words.set_yticks(range(len(names)), [feature_words(name) for name in names], fontsize=7.5)
    words.tick_params(length=0, labelcolor=MUTED)
    words.spines["right"].set_visible(False)
