"""One explained clip: what was heard, what spoke for the answer, and how sure the model was."""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genrescope.features.logmel import shown_seconds
from genrescope.figures.maps import HUE, draw_map, draw_spectrogram, label_hertz
from genrescope.figures.style import (
    MUTED,
    RULE,
    bare,
    genre_colours,
    house_style,
    new_figure,
    number,
    readable,
)
from genrescope.settings import AudioSettings, FeatureSettings

PANEL_IN, BARS_IN, HEIGHT_IN = 2.8, 3.7, 3.4
COLUMNS_PER_IN = 13.5  # of the sentences' type
WAVE_POINTS = 1200
UNITS = {
    "log-odds": "each family adds (log-odds)",
    "probability": "each family adds (probability)",
    "share of the map": "where the map lies (share)",
}


def explained_figure(
    log_mel: npt.NDArray[np.floating],
    maps: Mapping[str, npt.NDArray[np.floating]],
    *,
    waveform: npt.NDArray[np.floating],
    beats_s: npt.NDArray[np.floating],
    bars: "pd.Series[float]",
    probabilities: "pd.Series[float]",
    target: str,
    sentences: Sequence[str] = (),
    title: str = "",
    audio: AudioSettings | None = None,
    features: FeatureSettings | None = None,
) -> Figure:
    r"""Draw an explained clip: spectrogram and maps over waveform and time, bars, probabilities.

    Parameters
    ----------
    log_mel : numpy.ndarray [shape=(n_mels, n_frames)]
        Decibels.
    maps : mapping of str to numpy.ndarray [shape=(n_mels, n_frames)]
        By method, in the method's own units; none where features were explained.
    waveform : numpy.ndarray [shape=(clip_samples,)]
        Full scale at -1 and 1.
    beats_s : numpy.ndarray [shape=(n_beats,)]
        Seconds.
    bars : Series
        Contributions or shares by name; its own name, one of `UNITS`, says which.
    probabilities : Series
        By genre, in display order.
    target : str
        The genre asked about.
    sentences : sequence of str
        Printed under the title.
    title : str
        Printed above.
    audio, features : AudioSettings, FeatureSettings, optional
        How the spectrogram was made.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where a map has another shape than the spectrogram.

    Examples
    --------
    >>> figure = explained_figure(
    ...     np.full((128, 128), -40.0), {"Grad-CAM": np.zeros((128, 128))},
    ...     waveform=np.zeros(110250), beats_s=np.array([1.0, 2.0]),
    ...     bars=pd.Series({"bass": 0.0}, name="share of the map"),
    ...     probabilities=pd.Series({"Blues-like": 0.4, "Rock/Metal": 0.6}), target="Rock/Metal",
    ... )
    >>> [text.get_text() for text in figure.axes[1].texts]
    ['empty map:\nno positive evidence']
    """
    audio, features = audio or AudioSettings(), features or FeatureSettings()
    for method, values in maps.items():
        if log_mel.shape != values.shape:
            raise ValueError(
                f"spectrogram {log_mel.shape} and {method} map {values.shape} differ in shape"
            )
    seconds = shown_seconds(audio, features)
    n_panels = 1 + len(maps)
    width = PANEL_IN * n_panels + BARS_IN + 1.2 * (not maps)
    text = "\n".join(wrapped(" ".join(sentences), int(COLUMNS_PER_IN * width)))
    with house_style():
        figure = new_figure(width, HEIGHT_IN, title=title, subtitle=text)
        ratios = [PANEL_IN + 1.2 * (not maps)] * n_panels + [BARS_IN - 1.2]
        grid = figure.add_gridspec(2, n_panels + 1, width_ratios=ratios, height_ratios=[2.7, 1])
        panels = [figure.add_subplot(grid[0, place]) for place in range(n_panels)]
        below = [figure.add_subplot(grid[1, place]) for place in range(n_panels)]
        for axes in panels:
            draw_spectrogram(axes, log_mel, seconds=seconds)
            axes.set_xticks([])
            label_hertz(axes, log_mel.shape[0], audio.sample_rate)
        for axes in panels[1:]:
            axes.set_yticks([])
            axes.set_ylabel("")
        panels[0].set_title("what was heard: mel spectrogram")
        _draw_wave(below[0], waveform, beats_s, audio.sample_rate, seconds)
        for upper, lower, (method, values) in zip(panels[1:], below[1:], maps.items(), strict=True):
            draw_map(upper, values, method, seconds=seconds)
            _draw_course(lower, values, seconds)
        _draw_bars(figure.add_subplot(grid[0, n_panels]), bars, target, list(probabilities.index))
        _draw_probabilities(figure.add_subplot(grid[1, n_panels]), probabilities, target)
    return figure


def wrapped(text: str, columns: int) -> list[str]:
    """Lines of at most so many columns, of which wide characters such as Hangul take two.

    Where no font has Hangul, its romanisation is what counts.

    Examples
    --------
    >>> wrapped("one two three", 8)
    ['one two', 'three']
    """
    lines: list[str] = []
    room = 0
    for word in text.split():
        drawn = readable(word)
        size = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in drawn)
        if lines and size + 1 <= room:
            lines[-1] += f" {word}"
            room -= size + 1
        else:
            lines.append(word)
            room = columns - size
    return lines


def _draw_wave(
    axes: Axes,
    waveform: npt.NDArray[np.floating],
    beats_s: npt.NDArray[np.floating],
    sample_rate: int,
    seconds: float,
) -> None:
    shown = waveform[: round(seconds * sample_rate)]
    points = shown[: len(shown) // WAVE_POINTS * WAVE_POINTS].reshape(WAVE_POINTS, -1)
    times = (np.arange(WAVE_POINTS) + 0.5) * points.shape[1] / sample_rate
    axes.fill_between(times, points.min(axis=1), points.max(axis=1), color=MUTED, linewidth=0)
    peak = float(np.abs(shown).max(initial=0.0)) or 1.0
    for beat in beats_s[beats_s <= seconds]:
        axes.axvline(beat, color=HUE, linewidth=1.2, zorder=0)
    axes.set_ylim(-1.05 * peak, 1.05 * peak)
    named = "waveform, beats in blue" if len(beats_s) else "waveform (no clear beat)"
    axes.set_title(named, fontsize=9, color=MUTED)
    axes.set_yticks([])
    _label_seconds(axes, seconds)


def _draw_course(axes: Axes, values: npt.NDArray[np.floating], seconds: float) -> None:
    """When the map speaks: its positive part summed over the bands, the largest sum at 1."""
    course = np.maximum(np.nan_to_num(values), 0).sum(axis=0)
    times = (np.arange(len(course)) + 0.5) * seconds / len(course)
    axes.fill_between(times, course / (course.max() or 1.0), color=HUE, linewidth=0)
    axes.set_ylim(0, 1.08)
    axes.set_yticks([])
    axes.set_title("when: the map over all frequencies", fontsize=9, color=MUTED)
    _label_seconds(axes, seconds)


def _label_seconds(axes: Axes, seconds: float) -> None:
    axes.set_xlim(0, seconds)
    axes.set_xlabel("time (s)")
    for side in ("left", "bottom"):
        axes.spines[side].set_color(RULE)


def _draw_bars(axes: Axes, bars: "pd.Series[float]", target: str, genres: Sequence[str]) -> None:
    unit = str(bars.name)
    values = bars.to_numpy(dtype=np.float64)
    if unit == "share of the map":
        colours = [HUE] * len(bars)
    else:
        own = genre_colours(genres)[target]
        colours = [own if value >= 0 else MUTED for value in values]
    limit = float(np.abs(values).max(initial=0.0)) or 1.0
    axes.barh(range(len(bars)), values, color=colours, height=0.62)
    for place, value in enumerate(values.tolist()):
        text = number(value) if unit != "log-odds" else f"{value:+.2f}".replace("-", "−")
        side = 1 if value >= 0 else -1
        axes.text(
            value + side * 0.03 * limit,
            place,
            text,
            va="center",
            ha="left" if side > 0 else "right",
            fontsize=8.5,
        )
    axes.axvline(0, color=MUTED, linewidth=0.8)
    least = min(0.0, float(values.min(initial=0.0)))
    most = max(0.0, float(values.max(initial=0.0)))
    axes.set_xlim(least - 0.28 * limit * (least < 0), most + 0.28 * limit)
    _list_names(axes, [str(name) for name in bars.index])
    axes.set_title(UNITS.get(unit, unit), fontsize=9.5)


def _draw_probabilities(axes: Axes, probabilities: "pd.Series[float]", target: str) -> None:
    genres = [str(genre) for genre in probabilities.index]
    colours = genre_colours(genres)
    values = [float(value) for value in probabilities]
    axes.barh(range(len(genres)), values, color=[colours[g] for g in genres], height=0.62)
    for place, value in enumerate(values):
        axes.text(value + 0.02, place, number(value), va="center", fontsize=8.5)
    axes.set_xlim(0, 1.16)
    _list_names(axes, genres)
    for label, genre in zip(axes.get_yticklabels(), genres, strict=True):
        label.set_fontweight("bold" if genre == target else "normal")
    axes.set_title("probability of each genre", fontsize=9.5)


def _list_names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [readable(name) for name in names], fontsize=8.5)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xticks([])
    bare(axes)
