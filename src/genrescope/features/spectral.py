"""Quantities of a frame's spectrum or samples: brightness, spread, noisiness, level.

All give one value per frame of the shared spectrum.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genrescope.features import kernels
from genrescope.features.frames import Spectrum, framed_sums, in_blocks
from genrescope.features.kernels import Doubles

ROLLOFF_SHARE = 0.85  # of the magnitude below the roll-off frequency
ZERO = 1e-10  # samples this small count as zero, and zero as positive
SMALLEST = np.finfo(np.float32).tiny


@dataclass(frozen=True)
class Shape:
    """What of a spectrum's magnitude its centroid, bandwidth and roll-off are made of.

    Attributes
    ----------
    moments : numpy.ndarray [shape=(3, frames), dtype=float64]
        Sum of the magnitude times frequency to the power 0, 1 and 2.
    rolloff_bins : numpy.ndarray [shape=(frames,)]
        The first bin up to which 85% of the magnitude lies.
    """

    moments: Doubles
    rolloff_bins: npt.NDArray[np.integer]


def spectral_shape(clip: Spectrum) -> Shape:
    """Gather the sums over bins that three quantities share.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    Shape
        For `spectral_centroid`, `spectral_bandwidth` and `spectral_rolloff`.
    """
    if kernels.fits(clip.n_fft):
        return Shape(*kernels.spectral_shape(clip.power, clip.frequencies, ROLLOFF_SHARE))
    magnitude = np.sqrt(clip.power)
    # In double precision: the bandwidth is a small difference of the last two.
    powers = np.stack([clip.frequencies**order for order in range(3)])
    running = np.cumsum(magnitude, axis=0)
    rolloff_bins = (running >= np.float32(ROLLOFF_SHARE) * running[-1]).argmax(axis=0)
    return Shape(powers @ magnitude.astype(np.float64), rolloff_bins)


def spectral_centroid(shape: Shape) -> Doubles:
    """Centre of gravity of the magnitude spectrum: how bright the sound is.

    Parameters
    ----------
    shape : Shape
        From `spectral_shape`.

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
    >>> round(float(spectral_centroid(spectral_shape(spectrum(tone)))[20]))
    1000
    """
    mass, first, _ = shape.moments
    return np.where(mass < SMALLEST, 0.0, first / np.where(mass < SMALLEST, 1.0, mass))


def spectral_bandwidth(shape: Shape) -> Doubles:
    """Spread of the magnitude spectrum about its centroid, as a standard deviation.

    Parameters
    ----------
    shape : Shape
        From `spectral_shape`.

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
    >>> bool(spectral_bandwidth(spectral_shape(spectrum(tone)))[20] < 50)
    True
    """
    mass, _, second = shape.moments
    centroid = spectral_centroid(shape)
    mean_square = np.where(mass < SMALLEST, 0.0, second / np.where(mass < SMALLEST, 1.0, mass))
    return np.sqrt(np.maximum(mean_square - centroid**2, 0.0))


def spectral_rolloff(clip: Spectrum, shape: Shape) -> Doubles:
    """Frequency below which 85% of the magnitude lies.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.
    shape : Shape
        From `spectral_shape`.

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
    >>> clip = spectrum(click)
    >>> round(float(spectral_rolloff(clip, spectral_shape(clip))[21]) / 11025, 2)
    0.85
    """
    rolloff: Doubles = clip.frequencies[shape.rolloff_bins]
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
    negative = clip.y < -ZERO
    crossing = np.zeros(len(negative), np.uint8)
    np.not_equal(negative[1:], negative[:-1], out=crossing[1:].view(bool))
    sums = framed_sums(in_blocks(crossing, clip).sum(axis=1, dtype=np.uint32), clip)
    # What happens between a frame's first sample and the one before is not in the frame.
    begins = np.arange(clip.n_frames) * clip.hop_length - clip.n_fft // 2
    inside = begins >= 0
    sums[inside] -= crossing[begins[inside]]
    return sums / clip.n_fft


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
    blocks = in_blocks(clip.y, clip)
    return np.sqrt(framed_sums(np.vecdot(blocks, blocks), clip) / clip.n_fft)


def spectral_flatness_db(clip: Spectrum) -> Doubles:
    """How much like noise the spectrum is: its geometric over its arithmetic mean, in decibels.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(frames,), dtype=float64]
        Decibels, at most 0: that of a flat spectrum, and of silence; white noise gives -2.5.

    Notes
    -----
    Johnston (1988), "Transform coding of audio signals using perceptual noise criteria"; of the
    power spectrum, no bin counting as less than 1e-10.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> noise = np.random.default_rng(0).normal(size=22050)
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> [round(float(spectral_flatness_db(spectrum(y))[20])) for y in (noise, tone)]
    [-3, -117]
    """
    power = np.maximum(clip.power, np.float32(ZERO))
    arithmetic = np.log10(power.mean(axis=0, dtype=np.float64))
    geometric = np.log10(power, out=power).mean(axis=0, dtype=np.float64)
    flatness: Doubles = 10 * (geometric - arithmetic)
    return flatness
