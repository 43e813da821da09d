"""Maps of what spoke for a genre, over mel spectrograms, in seconds and hertz."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.image import AxesImage

from genrescope.features.mel import mel_from_hz
from genrescope.figures.style import OKABE_ITO

HUE = OKABE_ITO["sky"]
TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
SHOWN_DB = 80.0  # decibels below the loudest cell that still have a shade


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
    return mel_from_hz(frequency_hz) / mel_from_hz(sample_rate / 2) * (n_mels + 1) - 1


def draw_spectrogram(axes: Axes, log_mel: npt.NDArray[np.floating], *, seconds: float) -> AxesImage:
    """A mel spectrogram in its house colours; the time axis is in seconds.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    log_mel : numpy.ndarray [shape=(n_mels, n_frames)]
        Decibels; what lies 80 dB below the loudest place is black.
    seconds : float
        That the frames span.
    """
    top = float(np.max(log_mel))
    return axes.imshow(
        log_mel,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top - SHOWN_DB,
        vmax=top,
        extent=(0, seconds, -0.5, log_mel.shape[0] - 0.5),
    )


def draw_map(axes: Axes, values: npt.NDArray[np.floating], method: str, *, seconds: float) -> None:
    """A map over a spectrogram: dimmed where it is weak, a contour at half of its maximum.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        That hold the spectrogram.
    values : numpy.ndarray [shape=(n_mels, n_frames)]
        What lies below 0 is not drawn. An empty map is said to be empty.
    method : str
        Printed above, with the maximum.
    seconds : float
        That the frames span.
    """
    _draw(axes, np.maximum(np.nan_to_num(values), 0), method, clip_seconds=seconds)


def _draw(
    axes: Axes, values: npt.NDArray[np.floating], method: str, *, clip_seconds: float
) -> None:
    strength = float(values.max(initial=0.0))
    if strength > 0:
        axes.set_title(f"{method}, at most {strength:.2g}")
        _overlay(axes, values, full=strength, clip_seconds=clip_seconds)
        return
    axes.set_title(method)
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


def map_layers(
    share: npt.NDArray[np.floating],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What a map lays over a spectrogram: a dark veil where it is weak, a hue where it is strong.

    Parameters
    ----------
    share : numpy.ndarray [shape=(n_mels, n_frames)]
        Of the map's maximum, from 0 to 1.

    Returns
    -------
    tuple of numpy.ndarray [shape=(n_mels, n_frames, 4)]
        Red, green, blue and opacity from 0 to 1, the lower layer first.

    Examples
    --------
    >>> veil, hue = map_layers(np.array([[0.0, 1.0]]))
    >>> veil[0, :, 3].tolist(), hue[0, :, 3].tolist()
    ([0.45, 0.0], [0.0, 0.65])
    """
    # The spectrogram is dimmed where the map is weak, so that one hue and the original remain.
    veil = np.zeros((*share.shape, 4))
    veil[..., 3] = 0.45 * (1 - share)
    hue = np.empty((*share.shape, 4))
    hue[..., :3] = to_rgb(HUE)
    hue[..., 3] = 0.65 * share
    return veil, hue


def shown_ticks(n_mels: int, sample_rate: int) -> dict[int, float]:
    """Frequencies that a vertical axis names, in hertz, and the mel band each stands at."""
    ticks = [hz for hz in TICKS_HZ if hz <= sample_rate / 2 and hz >= 250]
    places = mel_position(ticks, n_mels=n_mels, sample_rate=sample_rate)
    return dict(zip(ticks, places.tolist(), strict=True))


def label_hertz(axes: Axes, n_mels: int, sample_rate: int) -> None:
    """Write frequencies in hertz at the mel bands of the vertical axis."""
    ticks = shown_ticks(n_mels, sample_rate)
    axes.set_yticks(list(ticks.values()), [f"{hz:,}" for hz in ticks])
    axes.set_ylabel("frequency (Hz, mel scale)")


def _overlay(
    axes: Axes, values: npt.NDArray[np.floating], *, full: float, clip_seconds: float
) -> None:
    extent = (0, clip_seconds, -0.5, values.shape[0] - 0.5)
    for layer in map_layers(values / full):
        axes.imshow(layer, origin="lower", aspect="auto", extent=extent)
    axes.contour(
        values,
        levels=[full / 2],
        colors="white",
        linewidths=1.1,
        extent=extent,
        origin="lower",
    )
