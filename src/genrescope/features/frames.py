"""One short-time spectrum per clip, shared by every feature."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.fft

from genrescope.errors import AudioError
from genrescope.features import kernels
from genrescope.features.kernels import Doubles, Floats

FRAMES_AT_A_TIME = 32  # so few that scipy's transform of them stays in the processor's cache


@dataclass(frozen=True)
class Spectrum:
    """A clip and its short-time power spectrum.

    Attributes
    ----------
    y : numpy.ndarray [shape=(n,), dtype=float32]
        The samples.
    sample_rate : int
        Hertz.
    n_fft, hop_length : int
        Frame length and distance, in samples. Frames are centred: frame t is about sample
        `t * hop_length`, with silence before the first and after the last sample.
    power : numpy.ndarray [shape=(1 + n_fft // 2, frames), dtype=float32]
        Squared magnitude of the Hann-windowed frames.
    """

    y: Floats
    sample_rate: int
    n_fft: int
    hop_length: int
    power: Floats

    @property
    def n_frames(self) -> int:
        """Frames of the clip."""
        return int(self.power.shape[1])

    @property
    def frequencies(self) -> Doubles:
        """Hertz of each bin [shape=(1 + n_fft // 2,)]."""
        return _frequencies(self.sample_rate, self.n_fft)


@lru_cache(maxsize=8)
def _frequencies(sample_rate: int, n_fft: int) -> Doubles:
    hertz: Doubles = np.arange(n_fft // 2 + 1, dtype=np.float64) * (sample_rate / n_fft)
    return hertz


def spectrum(
    y: npt.NDArray[np.floating],
    *,
    sample_rate: int = 22050,
    n_fft: int = 2048,
    hop_length: int = 512,
) -> Spectrum:
    """Short-time Fourier transform of one clip.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Finite samples.
    sample_rate : int
        Hertz.
    n_fft, hop_length : int
        Frame length and distance, in samples.

    Returns
    -------
    Spectrum
        With `1 + n // hop_length` frames.

    Raises
    ------
    AudioError
        `non-finite` where a sample is NaN or infinite.
    ValueError
        Where `y` is empty or not one-dimensional.

    Notes
    -----
    Allen & Rabiner (1977), "A unified approach to short-time Fourier analysis and synthesis".

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> clip = spectrum(tone)
    >>> clip.power.shape, round(float(clip.frequencies[clip.power[:, 20].argmax()]))
    ((1025, 44), 1001)
    """
    y = np.ascontiguousarray(y, dtype=np.float32)
    if y.ndim != 1 or not y.size:
        raise ValueError(f"y has shape {y.shape}, it should have one dimension and a sample")
    if not np.isfinite(y).all():
        raise AudioError("the samples include NaN or infinite values", kind="non-finite")
    if kernels.fits(n_fft):
        power = kernels.power_spectrum(y, hann(n_fft), hop_length)
    else:
        power = _power_spectrum(y, hann(n_fft), hop_length)
    return Spectrum(y, sample_rate, n_fft, hop_length, power)


def _power_spectrum(y: Floats, window: Floats, hop_length: int) -> Floats:
    padded = np.pad(y, len(window) // 2)
    views = np.lib.stride_tricks.sliding_window_view(padded, len(window))
    framed = views[::hop_length][: 1 + len(y) // hop_length]
    power = np.empty((len(framed), len(window) // 2 + 1), np.float32)
    for first in range(0, len(framed), FRAMES_AT_A_TIME):
        part = slice(first, first + FRAMES_AT_A_TIME)
        transform = scipy.fft.rfft(framed[part] * window, axis=-1)
        np.square(transform.real, out=power[part])
        power[part] += np.square(transform.imag)
    return np.ascontiguousarray(power.T)


@lru_cache(maxsize=8)
def hann(length: int) -> Floats:
    """Periodic Hann window [shape=(length,)]."""
    angle = 2 * np.pi * np.arange(length) / length
    return (0.5 - 0.5 * np.cos(angle)).astype(np.float32)


def framed_sums(sums: npt.NDArray[Any], clip: Spectrum) -> Doubles:
    """Sums over a clip's centred frames from sums over its blocks, with zeros around the clip.

    Parameters
    ----------
    sums : numpy.ndarray [shape=(blocks,)]
        The sum over each of `in_blocks(clip.y, clip)`.
    clip : Spectrum
        Says how frames lie.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float64]
        The sums.

    Examples
    --------
    >>> clip = spectrum(np.ones(2048), n_fft=1024, hop_length=512)
    >>> framed_sums(in_blocks(clip.y, clip).sum(axis=1), clip)
    array([ 512., 1024., 1024., 1024.,  512.])
    """
    block = _block_length(clip)
    around = np.zeros(clip.n_fft // 2 // block)
    padded = np.concatenate([around, sums, around, around])
    windows = np.lib.stride_tricks.sliding_window_view(padded, clip.n_fft // block)
    framed: Doubles = windows[:: clip.hop_length // block][: clip.n_frames].sum(axis=1)
    return framed


def in_blocks(values: npt.NDArray[Any], clip: Spectrum) -> npt.NDArray[Any]:
    """Cut a value per sample into the longest blocks that frames are made of.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n,)]
        As many as the clip has samples.
    clip : Spectrum
        Says how frames lie.

    Returns
    -------
    numpy.ndarray [shape=(blocks, block)]
        Filled up with zeros to a whole block.
    """
    block = _block_length(clip)
    n_blocks = -(-len(values) // block)
    cut = np.zeros((n_blocks, block), values.dtype)
    cut.reshape(-1)[: len(values)] = values
    return cut


def _block_length(clip: Spectrum) -> int:
    return math.gcd(clip.n_fft, clip.n_fft // 2, clip.hop_length)
