"""How far the peaks of the spectrum stand above its valleys, octave by octave."""

import numpy as np

from genrescope.features.frames import Spectrum
from genrescope.features.kernels import Doubles
from genrescope.features.mel import QUIETEST_POWER, RANGE_DB

LOWEST_HZ = 200.0  # upper edge of the first band; each of the others spans an octave
N_CONTRAST = 7
SHARE = 0.02  # of a band's bins: as many make its peak and its valley


def spectral_contrast(clip: Spectrum) -> Doubles:
    """Level of each band's strongest bins over that of its weakest.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.

    Returns
    -------
    numpy.ndarray [shape=(7, frames), dtype=float64]
        Decibels as librosa has them, ten times the logarithm of a ratio of magnitudes. Bands up to
        200, 400, 800, 1,600, 3,200 and 6,400 Hz, and above. Clear tones give high values, noise
        and dense sound low ones.

    Raises
    ------
    ValueError
        Where half the sample rate does not lie above 6,400 Hz, or bins are wider than 200 Hz.

    Notes
    -----
    Jiang et al. (2002), "Music type classification by spectral contrast feature".

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> noise = np.random.default_rng(0).normal(size=22050)
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(22050) / 22050)
    >>> [round(float(spectral_contrast(spectrum(y))[3, 20])) for y in (noise, tone)]
    [14, 60]
    """
    edges = LOWEST_HZ * 2.0 ** np.arange(N_CONTRAST - 1)
    if clip.sample_rate / 2 <= edges[-1] or clip.sample_rate / clip.n_fft > LOWEST_HZ:
        raise ValueError(
            f"{clip.n_fft} samples at {clip.sample_rate} Hz do not resolve octaves from "
            f"{LOWEST_HZ:g} to {edges[-1]:g} Hz"
        )
    valleys, peaks = np.empty((2, N_CONTRAST, clip.n_frames))
    by_frame = np.ascontiguousarray(clip.power.T)
    ends = [int(end) for end in np.searchsorted(clip.frequencies, edges, side="right")]
    # Bands share no bin: each begins at the last bin below its edge, where the one before ends.
    begins = [0, *(end - 1 for end in ends)]
    for band, begin in enumerate(begins):
        last = band == N_CONTRAST - 1
        bins = by_frame[:, begin : None if last else begins[band + 1]]
        bins.sort(axis=1)
        count = max(1, round(SHARE * (bins.shape[1] + (not last))))
        valleys[band] = np.sqrt(bins[:, :count]).mean(axis=1)
        peaks[band] = np.sqrt(bins[:, -count:]).mean(axis=1)
    return _decibels(peaks) - _decibels(valleys)


def _decibels(magnitude: Doubles) -> Doubles:
    decibels = 10 * np.log10(np.maximum(magnitude, QUIETEST_POWER))
    floored: Doubles = np.maximum(decibels, decibels.max() - RANGE_DB)
    return floored
