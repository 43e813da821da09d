"""How strongly each of the twelve pitch classes sounds, and how the instruments are tuned."""

from functools import lru_cache

import numpy as np

from genrescope.features import kernels
from genrescope.features.frames import Spectrum
from genrescope.features.kernels import Doubles, Floats

PITCH_CLASSES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
N_CHROMA = len(PITCH_CLASSES)
A4_HZ = 440.0
CENTRE_OCTAVE = 5.0  # octaves above 27.5 Hz: 880 Hz, about where the ear weighs pitches most
OCTAVE_WIDTH = 2.0  # standard deviation of that weighting, in octaves

PITCH_RANGE_HZ = (150.0, 4000.0)
PEAK_SHARE = 0.1  # of a frame's strongest bin: peaks below are no pitches
TUNING_EDGES = np.linspace(-0.5, 0.5, 101)  # semitones
SMALLEST = np.finfo(np.float32).tiny


def estimate_tuning(clip: Spectrum) -> float:
    """How far the clip's pitches lie from those of A at 440 Hz.

    Peaks of the power spectrum are placed between bins by a parabola; the louder half of them
    vote in a histogram of their distance to the nearest semitone.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    float
        Semitones from -0.5 to 0.49 in steps of 0.01; 0 where no pitch sounds. Of equally full
        classes the lowest wins, so one vote can move the estimate far in unpitched sound.

    Notes
    -----
    Smith, "Spectral Audio Signal Processing" (2011), on quadratic interpolation of peaks.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> sharp = 8 * A4_HZ * 2 ** (0.205 / 12)
    >>> tone = np.sin(2 * np.pi * sharp * np.arange(110250) / 22050)
    >>> round(estimate_tuning(spectrum(tone)), 2)
    0.2
    """
    pitches, heights = _spectral_peaks(clip)
    if not len(pitches):
        return 0.0
    loud = pitches[heights >= np.median(heights)]
    # Single precision, as the reference implementation: class borders are decided alike.
    octaves = np.log2(loud / (A4_HZ / 16))
    distance = np.mod(N_CHROMA * octaves, 1.0)
    distance[distance >= 0.5] -= 1.0
    votes = np.bincount(np.searchsorted(TUNING_EDGES, distance, side="right"))
    return float(TUNING_EDGES[votes.argmax() - 1])


def _spectral_peaks(clip: Spectrum) -> tuple[Floats, Floats]:
    """Hertz and interpolated power of all local maxima in the range of pitches."""
    power = clip.power
    low, high = (int(place) for place in np.searchsorted(clip.frequencies, PITCH_RANGE_HZ))
    high = min(high, len(power) - 1)
    if kernels.fits(clip.n_fft):
        return kernels.spectral_peaks(
            power, (low, high), PEAK_SHARE, sample_rate=clip.sample_rate, n_fft=clip.n_fft
        )
    centre, left, right = (power[low + k : high + k] for k in (0, -1, 1))
    peaks = centre > left
    peaks &= centre >= right
    peaks &= centre > np.float32(PEAK_SHARE) * power.max(axis=0)
    offset, frame = np.nonzero(peaks)
    at = centre[offset, frame]
    before, after = left[offset, frame], right[offset, frame]
    curvature = (after + before) - 2.0 * at.astype(np.float64)
    slope = (after.astype(np.float64) - before) / 2
    inside = np.abs(slope) < np.abs(curvature)
    shift = np.where(inside, -slope / np.where(inside, curvature, 1.0), 0.0).astype(np.float32)
    hertz = (low + offset + shift.astype(np.float64)) * clip.sample_rate / clip.n_fft
    heights = at + np.float32(0.5) * ((after - before) / np.float32(2)) * shift
    return hertz.astype(np.float32), heights


@lru_cache(maxsize=256)
def chroma_weights(sample_rate: int, n_fft: int, tuning: float) -> Floats:
    """Filters that gather the bins of each pitch class over all octaves.

    Parameters
    ----------
    sample_rate : int
        Hertz.
    n_fft : int
        Samples per frame.
    tuning : float
        Semitones from A at 440 Hz.

    Returns
    -------
    numpy.ndarray [shape=(12, 1 + n_fft // 2), dtype=float32]
        Weights; rows from C to B.

    Notes
    -----
    Ellis (2007), "Chroma feature analysis and synthesis": a Gaussian about each pitch class, one
    semitone wide or one bin where bins are wider, each bin's weights of unit length, and a
    Gaussian over octaves.

    Examples
    --------
    >>> weights = chroma_weights(22050, 2048, 0.0)
    >>> PITCH_CLASSES[weights[:, 41].argmax()]  # 441 Hz
    'A'
    """
    bins = n_fft // 2 + 1
    a0 = A4_HZ * 2 ** (tuning / N_CHROMA) / 16
    semitones = np.empty(bins + 1)
    semitones[1:] = N_CHROMA * np.log2(np.arange(1, bins + 1) * (sample_rate / n_fft) / a0)
    semitones[0] = semitones[1] - 1.5 * N_CHROMA  # 0 Hz has no pitch: far below, and broad
    width = np.maximum(np.diff(semitones), 1.0)
    semitones = semitones[:bins]
    half = N_CHROMA / 2
    from_a = semitones[:, np.newaxis] - np.arange(N_CHROMA)
    distance = np.mod(from_a + half, N_CHROMA) - half
    weights: Doubles = np.exp(-0.5 * (2 * distance / width[:, np.newaxis]) ** 2)
    weights /= np.sqrt(np.square(weights).sum(axis=1, keepdims=True))
    octave = semitones / N_CHROMA
    weights *= np.exp(-0.5 * ((octave - CENTRE_OCTAVE) / OCTAVE_WIDTH) ** 2)[:, np.newaxis]
    from_c = np.roll(weights, -N_CHROMA // 4, axis=1)  # C is three semitones above A
    return np.ascontiguousarray(from_c.T, dtype=np.float32)


def chroma(clip: Spectrum) -> Floats:
    """Strength of the twelve pitch classes, the strongest of each frame at 1.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(12, frames), dtype=float32]
        From 0 to 1, from C to B, tuned to the clip; 0 throughout in silent frames.

    Notes
    -----
    Ellis (2007), as above.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> tone = np.sin(2 * np.pi * A4_HZ * np.arange(22050) / 22050)
    >>> PITCH_CLASSES[chroma(spectrum(tone))[:, 20].argmax()]
    'A'
    """
    weights = chroma_weights(clip.sample_rate, clip.n_fft, estimate_tuning(clip))
    energy = weights @ clip.power
    strongest = energy.max(axis=0)
    strongest[strongest < SMALLEST] = 1
    energy /= strongest
    return energy
