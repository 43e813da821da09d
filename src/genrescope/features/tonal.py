"""What chroma says of harmony: how it moves, and which intervals it favours in whatever key."""

import numpy as np

from genrescope.features.chroma import N_CHROMA, SMALLEST
from genrescope.features.kernels import Doubles, Floats

CIRCLES = ((7, 1.0), (9, 1.0), (4, 0.5))  # twelfths of a turn per semitone, and radius
N_TONNETZ = 2 * len(CIRCLES)
N_INTERVALS = N_CHROMA // 2


def tonnetz(strengths: Floats) -> Doubles:
    """Tonal centroids: where the harmony lies on the circles of fifths and of thirds.

    Parameters
    ----------
    strengths : numpy.ndarray [shape=(12, frames)]
        From `genrescope.features.chroma.chroma`.

    Returns
    -------
    numpy.ndarray [shape=(6, frames), dtype=float64]
        Sine and cosine on the circle of fifths and on that of minor thirds, from -1 to 1, and on
        that of major thirds, from -0.5 to 0.5; 0 in silent frames.

    Notes
    -----
    Harte, Sandler & Gasser (2006), "Detecting harmonic change in musical audio".

    Examples
    --------
    >>> from genrescope.features.chroma import PITCH_CLASSES
    >>> a = np.zeros((12, 1), np.float32)
    >>> a[PITCH_CLASSES.index("A")] = 1.0  # a quarter turn: C, G, D, A are neighbours
    >>> abs(tonnetz(a)[:, 0]).round(6).tolist()
    [1.0, 0.0, 1.0, 0.0, 0.0, 0.5]
    """
    total = strengths.sum(axis=0, dtype=np.float64)
    shares = strengths / np.where(total < SMALLEST, 1.0, total)
    turns = 2 * np.pi / N_CHROMA * np.arange(N_CHROMA)
    rows = [
        radius * function(step * turns) for step, radius in CIRCLES for function in (np.sin, np.cos)
    ]
    centroids: Doubles = np.stack(rows) @ shares
    return centroids


def interval_strengths(strengths: Floats) -> Doubles:
    """Which division of the octave the pitch classes gather on, the same in every key.

    Parameters
    ----------
    strengths : numpy.ndarray [shape=(12, frames)]
        From `genrescope.features.chroma.chroma`.

    Returns
    -------
    numpy.ndarray [shape=(6,), dtype=float64]
        Magnitude of the Fourier transform of the clip's mean chroma, from 0 to 1: place k - 1 is
        how well it fits k equal steps of the octave. The fifth is high for diatonic music, the
        third for augmented and the fourth for diminished chords, the sixth for whole tones; the
        first for a cluster.

    Notes
    -----
    Quinn (2006), "General equal-tempered harmony"; Amiot (2016), "Music through Fourier space".

    Examples
    --------
    >>> from genrescope.features.chroma import PITCH_CLASSES
    >>> scale = np.zeros((12, 1), np.float32)
    >>> scale[[PITCH_CLASSES.index(name) for name in "CDEFGAB"]] = 1.0
    >>> interval_strengths(scale).round(2).tolist()
    [0.04, 0.14, 0.14, 0.14, 0.53, 0.14]
    """
    mean = strengths.mean(axis=1, dtype=np.float64)
    total = mean.sum()
    spectrum = np.abs(np.fft.rfft(mean / (total if total >= SMALLEST else 1.0)))
    found: Doubles = spectrum[1 : N_INTERVALS + 1]
    return found
