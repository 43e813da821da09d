"""Dynamics that a change of volume leaves as they are."""

from typing import NamedTuple

import numpy as np

from genrescope.features.frames import Spectrum
from genrescope.features.kernels import Doubles

SMALLEST = np.finfo(np.float32).tiny


class Dynamics(NamedTuple):
    """How the level of a clip behaves.

    Attributes
    ----------
    variation : float
        Standard deviation of the frames' RMS over its mean.
    low_energy : float
        Share of frames below the mean RMS, from 0 to 1: high where loud moments are rare.
    crest_db : float
        Peak over RMS of the whole clip, in decibels; 3 for a sine, low for compressed sound.
    """

    variation: float
    low_energy: float
    crest_db: float


def dynamics(clip: Spectrum, levels: Doubles) -> Dynamics:
    """Dynamics of a clip, relative to its own level.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.
    levels : numpy.ndarray [shape=(frames,)]
        From `genrescope.features.spectral.rms`.

    Returns
    -------
    Dynamics
        All 0 in silence.

    Notes
    -----
    Tzanetakis & Cook (2002), "Musical genre classification of audio signals", for the share of
    frames of low energy.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> from genrescope.features.spectral import rms
    >>> clip = spectrum(np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050))
    >>> round(dynamics(clip, rms(clip)).crest_db, 1)
    3.0
    """
    mean = float(levels.mean())
    peak = max(float(clip.y.max()), -float(clip.y.min()))
    if mean < SMALLEST or peak < SMALLEST:
        return Dynamics(0.0, 0.0, 0.0)
    whole = float(np.sqrt(np.vdot(clip.y, clip.y) / len(clip.y)))
    return Dynamics(
        variation=float(levels.std()) / mean,
        low_energy=float(np.mean(levels < mean)),
        crest_db=20 * float(np.log10(peak / whole)),
    )
