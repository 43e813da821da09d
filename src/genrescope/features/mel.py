"""The mel spectrogram in decibels, and the cepstral coefficients made from it."""

from functools import lru_cache
from math import factorial

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from genrescope.features import kernels
from genrescope.features.frames import Spectrum
from genrescope.features.kernels import Doubles, Floats

# Slaney's Auditory Toolbox: linear up to 1 kHz, 27 steps per factor of 6.4 above.
HZ_PER_MEL = 200 / 3
CORNER_HZ = 1000.0
CORNER_MEL = CORNER_HZ / HZ_PER_MEL
LOG_STEP = np.log(6.4) / 27

QUIETEST_POWER = 1e-10  # -100 dB
DELTA_FRAMES = 9  # over which a slope is fitted
RANGE_DB = 80.0  # what lies further below the clip's loudest point is raised to this depth


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
def mel_filters(sample_rate: int, n_fft: int, n_mels: int) -> csr_array:
    """`mel_weights` without the zeros that most of them are."""
    return csr_array(mel_weights(sample_rate, n_fft, n_mels))


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
    numpy.ndarray [shape=(n_mels, frames), dtype=float32]
        Decibels relative to a power of 1.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> decibels = mel_db(spectrum(tone))
    >>> decibels.shape, round(float(decibels.max() - decibels.min()), 3)
    ((128, 44), 80.0)
    """
    filters = mel_filters(clip.sample_rate, clip.n_fft, n_mels)
    if kernels.fits(clip.n_fft):
        decibels = kernels.filter_bank(clip.power, filters)
    else:
        decibels = filters @ clip.power
    np.maximum(decibels, np.float32(QUIETEST_POWER), out=decibels)
    np.log10(decibels, out=decibels)
    decibels *= 10
    np.maximum(decibels, decibels.max() - np.float32(RANGE_DB), out=decibels)
    return decibels


@lru_cache(maxsize=8)
def cosine_basis(n_mels: int, n_mfcc: int) -> Floats:
    """First rows of the orthonormal DCT-II [shape=(n_mfcc, n_mels)]."""
    position = np.arange(n_mels) + 0.5
    basis = np.cos(np.pi / n_mels * np.outer(np.arange(n_mfcc), position)) * np.sqrt(2 / n_mels)
    basis[0] = np.sqrt(1 / n_mels)
    rows: Floats = basis.astype(np.float32)
    return rows


def mfcc(decibels: Floats, *, n_mfcc: int = 20) -> Floats:
    """Mel-frequency cepstral coefficients: the coarse shape of the spectrum, its timbre.

    Parameters
    ----------
    decibels : numpy.ndarray [shape=(n_mels, frames)]
        From `mel_db`.
    n_mfcc : int
        Coefficients.

    Returns
    -------
    numpy.ndarray [shape=(n_mfcc, frames), dtype=float32]
        Coefficient 0 is level, 1 the balance of low against high, and so on to finer shapes.

    Notes
    -----
    Davis & Mermelstein (1980), "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", with an orthonormal cosine transform.

    Examples
    --------
    >>> mfcc(np.ones((64, 1), np.float32), n_mfcc=2).round(3).tolist()
    [[8.0], [0.0]]
    """
    coefficients: Floats = cosine_basis(len(decibels), n_mfcc) @ decibels
    return coefficients


def deltas(courses: npt.NDArray[np.floating], *, order: int = 1) -> Doubles:
    """How fast courses of values change: the slope about each frame, or the slope's own change.

    Parameters
    ----------
    courses : numpy.ndarray [shape=(n, frames)]
        Such as `mfcc` gives; nine frames at least.
    order : {1, 2}
        Slope, or curvature.

    Returns
    -------
    numpy.ndarray [shape=(n, frames), dtype=float64]
        Per frame, or per frame squared.

    Raises
    ------
    ValueError
        Where there are fewer frames.

    Notes
    -----
    Furui (1986), "Speaker-independent isolated word recognition using dynamic features of speech
    spectrum", with the fit of Savitzky & Golay (1964) over nine frames.

    Examples
    --------
    >>> rising = 3.0 * np.arange(12)[np.newaxis]
    >>> deltas(rising)[0, :3].round(6).tolist(), abs(deltas(rising, order=2)).max() < 1e-9
    ([3.0, 3.0, 3.0], np.True_)
    """
    return courses @ _delta_weights(courses.shape[1], order)


@lru_cache(maxsize=8)
def _delta_weights(n_frames: int, order: int) -> Doubles:
    """The filter as a matrix [shape=(n_frames, n_frames)]: it is linear."""
    if n_frames < DELTA_FRAMES:
        raise ValueError(f"{n_frames} frames, it takes {DELTA_FRAMES}")
    places = np.arange(DELTA_FRAMES) - DELTA_FRAMES // 2
    # Of a polynomial of this order its derivative of this order is one number, so the first and
    # the last fit say it of the frames at the ends too.
    fit = factorial(order) * np.linalg.pinv(np.vander(places, order + 1))[0]
    weights = np.zeros((n_frames, n_frames))
    for frame in range(n_frames):
        start = min(max(frame + int(places[0]), 0), n_frames - DELTA_FRAMES)
        weights[start : start + DELTA_FRAMES, frame] = fit
    return weights
