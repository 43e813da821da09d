"""Maps of what spoke for a genre, over mel spectrograms, in seconds and hertz."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from genrescope.figures.style import MUTED, OKABE_ITO, house_style, new_figure

HUE = OKABE_ITO["sky"]
TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
SHOWN_DB = 80.0  # decibels below the loudest cell that still have a shade


def hz_to_mel(frequency_hz: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above.

    As in the Auditory Toolbox (Slaney 1998), librosa's default.

    Parameters
    ----------
    frequency_hz : array
        Hertz, not negative.

    Returns
    -------
    numpy.ndarray
        Mels; 1 kHz is 15.

    Examples
    --------
    >>> hz_to_mel([0.0, 500.0, 1000.0, 6400.0]).round(6).tolist()
    [0.0, 7.5, 15.0, 42.0]
    """
    hz = np.asarray(frequency_hz, dtype=np.float64)
    return np.where(
        hz < 1000.0, hz * 3 / 200, 15 + 27 * np.log(np.maximum(hz, 1) / 1000) / np.log(6.4)
    )


def mel_position(
    frequency_hz: npt.ArrayLike, *, n_mels: int, sample_rate: int
) -> npt.NDArray[np.float64]:
    """Where a frequency stands among mel bands that fill 0 Hz to half the sample rate.

    Returns
    -------
    numpy.ndarray
        Band number, fractional; the centre of band k is k.

    Examples
    --------
    >>> float(mel_position(11025.0, n_mels=128, sample_rate=22050))
    128.0
    """
    return hz_to_mel(frequency_hz) / hz_to_mel(sample_rate / 2) * (n_mels + 1) - 1


def map_figure(
    log_mel: npt.NDArray[np.floating],
    maps: Mapping[str, npt.NDArray[np.floating]],
    *,
    clip_seconds: float = 5.0,
    sample_rate: int = 22050,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    r"""A mel spectrogram, and beside it the same with the parts that spoke for a genre.

    Parameters
    ----------
    log_mel : numpy.ndarray [shape=(n_mels, n_frames)]
        Decibels.
    maps : mapping of str to numpy.ndarray [shape=(n_mels, n_frames)]
        By method, in the method's own units; what lies below 0 is not drawn. Each is drawn in
        full strength at its maximum, which is printed above it.
    clip_seconds : float
        Seconds that the frames span.
    sample_rate : int
        Hertz; the mel bands fill 0 to half of it.
    title, subtitle : str
        Printed above.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        Where the shapes differ.

    Examples
    --------
    >>> log_mel, empty = np.full((128, 128), -40.0), np.zeros((128, 128))
    >>> figure = map_figure(log_mel, {"Grad-CAM": empty})
    >>> [text.get_text() for text in figure.axes[1].texts]
    ['empty map:\nno positive evidence']
    """
    for method, values in maps.items():
        if log_mel.shape != values.shape:
            raise ValueError(
                f"spectrogram {log_mel.shape} and {method} map {values.shape} differ in shape"
            )
    top = float(np.max(log_mel))
    with house_style():
        figure = new_figure(4.2 * (1 + len(maps)), 2.75, title=title, subtitle=subtitle)
        left, *others = figure.subplots(1, 1 + len(maps), sharey=True)
        for axes in (left, *others):
            image = axes.imshow(
                log_mel,
                origin="lower",
                aspect="auto",
                cmap="magma",
                vmin=top - SHOWN_DB,
                vmax=top,
                extent=(0, clip_seconds, -0.5, log_mel.shape[0] - 0.5),
            )
            axes.set_xlabel("time (s)")
        _hertz(left, log_mel.shape[0], sample_rate)
        left.set_title("what was heard: log-mel spectrogram")
        bar = figure.colorbar(image, ax=left, pad=0.015, aspect=28)
        bar.set_label("level (dB)", color=MUTED, fontsize=8.5)
        bar.outline.set_visible(False)
        for axes, (method, values) in zip(others, maps.items(), strict=True):
            _draw(axes, np.maximum(np.nan_to_num(values), 0), method, clip_seconds=clip_seconds)
    return figure


def _draw(
    axes: Axes, values: npt.NDArray[np.floating], method: str, *, clip_seconds: float
) -> None:
    strength = float(values.max(initial=0.0))
    if strength > 0:
        axes.set_title(f"what spoke for it: {method}, at most {strength:.2g}")
        _overlay(axes, values, full=strength, clip_seconds=clip_seconds)
        return
    axes.set_title(f"what spoke for it: {method}")
    axes.text(
        0.5,
        0.5,
        "empty map:\nno positive evidence",
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=11,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 6},
    )


def _hertz(axes: Axes, n_mels: int, sample_rate: int) -> None:
    ticks = [hz for hz in TICKS_HZ if hz <= sample_rate / 2 and hz >= 250]
    axes.set_yticks(
        mel_position(ticks, n_mels=n_mels, sample_rate=sample_rate), [f"{hz:,}" for hz in ticks]
    )
    axes.set_ylabel("frequency (Hz, mel scale)")


def _overlay(
    axes: Axes, values: npt.NDArray[np.floating], *, full: float, clip_seconds: float
) -> None:
    # The spectrogram is dimmed where the map is weak, so that one hue and the original remain.
    share = values / full
    extent = (0, clip_seconds, -0.5, values.shape[0] - 0.5)
    veil = np.zeros((*values.shape, 4))
    veil[..., 3] = 0.45 * (1 - share)
    axes.imshow(veil, origin="lower", aspect="auto", extent=extent)
    hue = np.empty((*values.shape, 4))
    hue[..., :3] = to_rgb(HUE)
    hue[..., 3] = 0.65 * share
    axes.imshow(hue, origin="lower", aspect="auto", extent=extent)
    axes.contour(
        values,
        levels=[full / 2],
        colors="white",
        linewidths=1.1,
        extent=extent,
        origin="lower",
    )
