"""The mel spectrogram in decibels, and the cepstral coefficients made from it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from genrescope.features.frames import Doubles, Floats, Spectrum

# Slaney's Auditory Toolbox: linear up to 1 kHz, 27 steps per factor of 6.4 above.
HZ_PER_MEL = 200 / 3
CORNER_HZ = 1000.0
CORNER_MEL = CORNER_HZ / HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27

QUIETEST_POWER = 1e-10  # -100 dB
RANGE_DB = 80.0  # what lies further below the clip's loudest point is raised to this depth
BANDS_PER_BLOCK = 16


@dataclass(frozen=True)
class FilterBank:
    """A mel filter bank as dense blocks of neighbouring bands; all else in it is zero."""

    n_mels: int
    blocks: tuple[tuple[slice, slice, Floats], ...]  # bands, bins, weights (bins, bands)

    def apply(self, power: Floats) -> Floats:
        """Mel power [shape=(frames, n_mels)] of a power spectrum [shape=(frames, bins)]."""
        mel = np.empty((len(power), self.n_mels), np.float32)
        for bands, bins, weights in self.blocks:
            mel[:, bands] = power[:, bins] @ weights
        return mel


def mel_from_hz(frequency: npt.ArrayLike) -> Doubles:
    """Slaney's mel scale.

    Parameters
    ----------
    frequency : array-like
        Hertz, from 0.

    Returns
    -------
    numpy.ndarray
        Mel; 15 at 1 kHz.

    Notes
    -----
    Slaney (1998), "Auditory Toolbox", version 2.

    Examples
    --------
    >>> mel_from_hz([0, 1000, 6400]).round(6).tolist()
    [0.0, 15.0, 42.0]
    """
    hertz = np.asarray(frequency, np.float64)
    logarithmic = CORNER_MEL + np.log(np.maximum(hertz, CORNER_HZ) / CORNER_HZ) / LOG_STEP
    return np.where(hertz < CORNER_HZ, hertz / HZ_PER_MEL, logarithmic)


def hz_from_mel(mel: npt.ArrayLike) -> Doubles:
    """Inverse of `mel_from_hz`.

    Parameters
    ----------
    mel : array-like
        Mel, from 0.

    Returns
    -------
    numpy.ndarray
        Hertz.

    Examples
    --------
    >>> hz_from_mel([15, 42]).round(6).tolist()
    [1000.0, 6400.0]
    """
    mels = np.asarray(mel, np.float64)
    logarithmic = CORNER_HZ * np.exp(LOG_STEP * (np.maximum(mels, CORNER_MEL) - CORNER_MEL))
    return np.where(mels < CORNER_MEL, mels * HZ_PER_MEL, logarithmic)


def mel_corners(sample_rate: int, n_mels: int) -> Doubles:
    """Hertz where triangles begin, peak and end [shape=(n_mels + 2,)]; band k peaks at k + 1."""
    return hz_from_mel(np.linspace(0, float(mel_from_hz(sample_rate / 2)), n_mels + 2))


@lru_cache(maxsize=8)
def mel_weights(sample_rate: int, n_fft: int, n_mels: int) -> Floats:
    """Triangular mel filters of equal area [shape=(n_mels, 1 + n_fft // 2)].

    Parameters
    ----------
    sample_rate : int
        Hertz.
    n_fft : int
        Samples per frame.
    n_mels : int
        Bands, from 0 Hz to half the sample rate.

    Returns
    -------
    numpy.ndarray [shape=(n_mels, 1 + n_fft // 2), dtype=float32]
        Weights per hertz: each triangle has area 1.

    Notes
    -----
    Davis & Mermelstein (1980) for the triangles, Slaney (1998) for the scale and the area.

    Examples
    --------
    >>> weights = mel_weights(22050, 2048, 128)
    >>> area = weights.sum(axis=1) * 22050 / 2048
    >>> bool(abs(area[60:] - 1).max() < 0.02)
    True
    """
    corners = mel_corners(sample_rate, n_mels)
    bins = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    begin, peak, end = (corners[k : k + n_mels, np.newaxis] for k in range(3))
    rising = (bins - begin) / (peak - begin)
    falling = (end - bins) / (end - peak)
    triangles = np.maximum(np.minimum(rising, falling), 0.0)
    weights: Floats = (triangles * (2 / (end - begin))).astype(np.float32)
    return weights


@lru_cache(maxsize=8)
def filter_bank(sample_rate: int, n_fft: int, n_mels: int) -> FilterBank:
    """`mel_weights` without most of its zeros."""
    weights = mel_weights(sample_rate, n_fft, n_mels)
    blocks = []
    for first in range(0, n_mels, BANDS_PER_BLOCK):
        bands = slice(first, min(first + BANDS_PER_BLOCK, n_mels))
        used = np.flatnonzero(weights[bands].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)
        blocks.append((bands, bins, np.ascontiguousarray(weights[bands, bins].T)))
    return FilterBank(n_mels, tuple(blocks))


def mel_db(clip: Spectrum, *, n_mels: int = 128) -> Floats:
    """Mel spectrogram in decibels of power, at most 80 dB deep.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.
    n_mels : int
        Mel bands.

    Returns
    -------
    numpy.ndarray [shape=(frames, n_mels), dtype=float32]
        Decibels relative to a power of 1.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> decibels = mel_db(spectrum(tone))
    >>> decibels.shape, round(float(decibels.max() - decibels.min()), 3)
    ((44, 128), 80.0)
    """
    power = filter_bank(clip.sample_rate, clip.n_fft, n_mels).apply(clip.power)
    decibels: Floats = 10 * np.log10(np.maximum(power, np.float32(QUIETEST_POWER)))
    deep: Floats = np.maximum(decibels, decibels.max() - np.float32(RANGE_DB))
    return deep


@lru_cache(maxsize=8)
def cosine_basis(n_mels: int, n_mfcc: int) -> Floats:
    """First columns of the orthonormal DCT-II [shape=(n_mels, n_mfcc)]."""
    position = (np.arange(n_mels) + 0.5)[:, np.newaxis]
    basis = np.cos(np.pi / n_mels * position * np.arange(n_mfcc)) * np.sqrt(2 / n_mels)
    basis[:, 0] = np.sqrt(1 / n_mels)
    columns: Floats = basis.astype(np.float32)
    return columns


def mfcc(decibels: Floats, *, n_mfcc: int = 20) -> Floats:
    """Mel-frequency cepstral coefficients: the coarse shape of the spectrum, its timbre.

    Parameters
    ----------
    decibels : numpy.ndarray [shape=(frames, n_mels)]
        From `mel_db`.
    n_mfcc : int
        Coefficients.

    Returns
    -------
    numpy.ndarray [shape=(frames, n_mfcc), dtype=float32]
        Coefficient 0 is level, 1 the balance of low against high, and so on to finer shapes.

    Notes
    -----
    Davis & Mermelstein (1980), "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", with an orthonormal cosine transform.

    Examples
    --------
    >>> mfcc(np.ones((1, 64), np.float32), n_mfcc=2).round(3).tolist()
    [[8.0, 0.0]]
    """
    coefficients: Floats = decibels @ cosine_basis(decibels.shape[1], n_mfcc)
    return coefficients
