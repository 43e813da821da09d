"""Quantities of a frame's spectrum or samples: brightness, spread, noisiness, level.

All give one value per frame of the shared spectrum.
"""

import numpy as np

from genrescope.features.frames import Doubles, Spectrum, framed_sums

BLOCK = 32  # bins
ROLLOFF_SHARE = 0.85  # of the magnitude below the roll-off frequency
ZERO = 1e-10  # samples this small count as zero, and zero as positive
SMALLEST = np.finfo(np.float32).tiny


def spectral_centroid(clip: Spectrum) -> Doubles:
    """Centre of gravity of the magnitude spectrum: how bright the sound is.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float64]
        Hertz; 0 for silent frames.

    Notes
    -----
    Klapuri & Davy (2006), "Signal Processing Methods for Music Transcription", chapter 5.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> round(float(spectral_centroid(spectrum(tone))[20]))
    1000
    """
    mass, first, _ = clip.moments
    return np.where(mass < SMALLEST, 0.0, first / np.where(mass < SMALLEST, 1.0, mass))


def spectral_bandwidth(clip: Spectrum) -> Doubles:
    """Spread of the magnitude spectrum about its centroid, as a standard deviation.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float64]
        Hertz; 0 for silent frames.

    Notes
    -----
    Klapuri & Davy (2006), as above. The variance is computed as the mean square less the squared
    mean.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> bool(spectral_bandwidth(spectrum(tone))[20] < 50)
    True
    """
    mass, _, second = clip.moments
    centroid = spectral_centroid(clip)
    mean_square = np.where(mass < SMALLEST, 0.0, second / np.where(mass < SMALLEST, 1.0, mass))
    return np.sqrt(np.maximum(mean_square - centroid**2, 0.0))


def spectral_rolloff(clip: Spectrum) -> Doubles:
    """Frequency below which 85% of the magnitude lies.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float64]
        Hertz, always that of a bin; 0 for silent frames.

    Notes
    -----
    Scheirer & Slaney (1997), "Construction and evaluation of a robust multifeature speech/music
    discriminator", with 85% in place of 95%.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> click = np.zeros(22050)
    >>> click[11000] = 1.0  # a flat spectrum
    >>> round(float(spectral_rolloff(spectrum(click))[21]) / 11025, 2)
    0.85
    """
    magnitude = clip.magnitude
    n_frames, n_bins = magnitude.shape
    # Summed by blocks of bins first: a running sum over all bins would take four times as long.
    by_block = np.cumsum(np.add.reduceat(magnitude, np.arange(0, n_bins, BLOCK), axis=1), axis=1)
    threshold = np.float32(ROLLOFF_SHARE) * by_block[:, -1]
    frame = np.arange(n_frames)
    block = (by_block >= threshold[:, np.newaxis]).argmax(axis=1)
    below = np.where(block > 0, by_block[frame, block - 1], np.float32(0))
    bins = block[:, np.newaxis] * BLOCK + np.arange(BLOCK)
    inside = np.take_along_axis(magnitude, np.minimum(bins, n_bins - 1), axis=1)
    reached = below[:, np.newaxis] + np.cumsum(inside, axis=1) >= threshold[:, np.newaxis]
    # Rounding may leave the block's own sum a hair above the running one: then its last bin.
    first = np.where(reached.any(axis=1), reached.argmax(axis=1), BLOCK - 1)
    rolloff: Doubles = clip.frequencies[np.minimum(bins[frame, first], n_bins - 1)]
    return rolloff


def zero_crossing_rate(clip: Spectrum) -> Doubles:
    """Share of a frame's samples at which the sign differs from the sample before.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float64]
        From 0 to 1; a tone of f hertz gives `2 * f / sample_rate`.

    Notes
    -----
    Zero counts as positive, and before and after the clip its outermost samples go on.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> round(float(zero_crossing_rate(spectrum(tone))[20]), 2)
    0.09
    """
    length, hop = clip.n_fft, clip.hop_length
    negative = np.pad(clip.y < -ZERO, length // 2, mode="edge")
    crossing = np.zeros(len(negative), bool)
    np.not_equal(negative[1:], negative[:-1], out=crossing[1:])
    sums = framed_sums(crossing, length, hop)
    # What happens between a frame's first sample and the one before is not in the frame.
    sums -= crossing[: hop * len(sums) : hop]
    return sums / length


def rms(clip: Spectrum) -> Doubles:
    """Root mean square of the samples: how loud the sound is.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float64]
        1 at full scale; the silence around the clip counts in the first and last frames.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> round(float(rms(spectrum(tone))[20]), 3)
    0.707
    """
    squares = np.square(np.pad(clip.y, clip.n_fft // 2), dtype=np.float64)
    return np.sqrt(framed_sums(squares, clip.n_fft, clip.hop_length) / clip.n_fft)
