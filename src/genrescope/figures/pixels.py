"""Spectrograms and maps without axes, for pages that draw their own around them."""

import io

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from genrescope.figures.maps import SHOWN_DB, map_layers

Pixels = npt.NDArray[np.uint8]


def spectrogram_png(log_mel: npt.NDArray[np.floating]) -> bytes:
    r"""A mel spectrogram as PNG, one pixel for each band and frame, low frequencies below.

    Parameters
    ----------
    log_mel : numpy.ndarray [shape=(n_mels, n_frames)]
        Decibels; what lies 80 dB below the loudest place is black.

    Examples
    --------
    >>> spectrogram_png(np.zeros((128, 128)))[:4]
    b'\x89PNG'
    """
    share = np.clip(1 + (log_mel - log_mel.max()) / SHOWN_DB, 0, 1)
    return _png(_eight_bits(mpl.colormaps["magma"](share))[..., :3])


def map_png(values: npt.NDArray[np.floating]) -> bytes | None:
    """A map as a picture to lay over its spectrogram; None where nothing in it is above 0.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n_mels, n_frames)]
        What lies below 0 is not drawn.
    """
    share = _share(values)
    if share is None:
        return None
    veil, hue = (Image.fromarray(_eight_bits(layer)) for layer in map_layers(share))
    return _png(np.asarray(Image.alpha_composite(veil, hue)))


def contour_path(values: npt.NDArray[np.floating], *, level: float = 0.5) -> str:
    """The contour of a map as the `d` of an SVG path.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n_mels, n_frames)]
    level : float
        As a share of the maximum.

    Returns
    -------
    str
        In units of frames from the left and bands from the top; empty for an empty map.

    Examples
    --------
    >>> values = np.zeros((4, 4))
    >>> values[1:3, 1:3] = 1
    >>> contour_path(values).startswith("M")
    True
    """
    share = _share(values)
    if share is None:
        return ""
    rows, columns = share.shape
    # Beyond the edge there is nothing, so that a region at the edge is closed.
    padded = np.pad(share, 1)
    axes = Figure().add_subplot()
    (found,) = axes.contour(padded, levels=[level]).get_paths()
    lines = []
    for polygon in found.to_polygons(closed_only=False):
        line = np.asarray(polygon, dtype=np.float64)
        x = np.clip(line[:, 0] - 0.5, 0, columns)
        y = np.clip(rows - (line[:, 1] - 0.5), 0, rows)
        lines.append("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)))
    return "".join(lines)


def _share(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64] | None:
    positive = np.maximum(np.nan_to_num(values.astype(np.float64)), 0)
    most = float(positive.max(initial=0.0))
    return positive / most if most > 0 else None


def _eight_bits(colours: npt.NDArray[np.floating]) -> Pixels:
    # The first band is the lowest, the first row of a picture the highest.
    return np.round(255 * colours[::-1]).astype(np.uint8)


def _png(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
