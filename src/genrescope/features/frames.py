"""One short-time spectrum per clip, shared by every feature."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import scipy.fft

from genrescope.errors import AudioError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

FRAMES_AT_A_TIME = 32  # so few that their transform stays in the processor's cache


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
    power : numpy.ndarray [shape=(frames, 1 + n_fft // 2), dtype=float32]
        Squared magnitude of the Hann-windowed frames.
    """

    y: Floats
    sample_rate: int
    n_fft: int
    hop_length: int
    power: Floats

    @cached_property
    def magnitude(self) -> Floats:
        """Square root of `power`, of the same shape."""
        magnitude: Floats = np.sqrt(self.power)
        return magnitude

    @cached_property
    def frequencies(self) -> Doubles:
        """Hertz of each bin [shape=(1 + n_fft // 2,)]."""
        bins = np.arange(self.n_fft // 2 + 1, dtype=np.float64)
        hertz: Doubles = bins * (self.sample_rate / self.n_fft)
        return hertz

    @cached_property
    def moments(self) -> Doubles:
        """Sum of the magnitude times frequency to the power 0, 1 and 2 [shape=(3, frames)]."""
        # In double precision: the bandwidth is a small difference of the last two.
        powers: Doubles = np.stack([self.frequencies**k for k in range(3)])
        moments: Doubles = powers @ self.magnitude.astype(np.float64).T
        return moments


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
    >>> clip.power.shape, round(float(clip.frequencies[clip.power[20].argmax()]))
    ((44, 1025), 1001)
    """
    y = np.ascontiguousarray(y, dtype=np.float32)
    if y.ndim != 1 or not y.size:
        raise ValueError(f"y has shape {y.shape}, it should have one dimension and a sample")
    if not np.isfinite(y).all():
        raise AudioError("the samples include NaN or infinite values", kind="non-finite")
    framed = centred_frames(y, n_fft, hop_length)
    power = np.empty((len(framed), n_fft // 2 + 1), np.float32)
    for first in range(0, len(framed), FRAMES_AT_A_TIME):
        rows = slice(first, first + FRAMES_AT_A_TIME)
        transform = scipy.fft.rfft(framed[rows] * hann(n_fft), axis=-1)
        np.square(transform.real, out=power[rows])
        power[rows] += np.square(transform.imag)
    return Spectrum(y, sample_rate, n_fft, hop_length, power)


def centred_frames(y: Floats, frame_length: int, hop_length: int) -> Floats:
    """Overlapping views of `y` with silence around it [shape=(frames, frame_length)]."""
    padded = np.pad(y, frame_length // 2)
    views = np.lib.stride_tricks.sliding_window_view(padded, frame_length)
    return views[::hop_length][: 1 + len(y) // hop_length]


@lru_cache(maxsize=8)
def hann(length: int) -> Floats:
    """Periodic Hann window [shape=(length,)]."""
    angle = 2 * np.pi * np.arange(length) / length
    return (0.5 - 0.5 * np.cos(angle)).astype(np.float32)


def framed_sums(values: npt.NDArray[np.generic], frame_length: int, hop_length: int) -> Doubles:
    """Sums over overlapping frames, each sample added once per block instead of once per frame.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n,)]
        At least `frame_length` of them.
    frame_length, hop_length : int
        In samples.

    Returns
    -------
    numpy.ndarray [shape=(1 + (n - frame_length) // hop_length,), dtype=float64]
        The sums.

    Examples
    --------
    >>> framed_sums(np.arange(8), 4, 2)
    array([ 6., 14., 22.])
    """
    block = math.gcd(frame_length, hop_length)
    whole = len(values) // block
    blocks = values[: whole * block].reshape(whole, block).sum(axis=1, dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(blocks, frame_length // block)
    sums: Doubles = windows[:: hop_length // block].sum(axis=1)
    return sums
