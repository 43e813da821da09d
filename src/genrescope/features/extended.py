"""The features that the extended set adds to the paper's 75.

The 75 say where a sound lies on average and how far it strays. These say how it moves from frame to
frame, which rhythms its levels follow, how clear its tones are, and how its harmony is built, in
numbers that the volume of a recording does not change. Means of deltas and of tonal centroids are
left out: a mean slope is the difference between the two ends of a clip, a mean centroid is its key.
"""

import numpy as np

from genrescope.features.contrast import N_CONTRAST, spectral_contrast
from genrescope.features.courses import Courses
from genrescope.features.dynamics import dynamics
from genrescope.features.frames import Spectrum
from genrescope.features.kernels import Doubles
from genrescope.features.mel import deltas
from genrescope.features.modulation import RANGES, RATES_HZ, modulation_depth
from genrescope.features.onsets import onset_frames
from genrescope.features.rhythm import METRIC_RATIOS, tempogram_ratios
from genrescope.features.spectral import spectral_flatness_db
from genrescope.features.tonal import N_INTERVALS, N_TONNETZ, interval_strengths, tonnetz


def extended_names(n_mfcc: int = 20) -> tuple[str, ...]:
    """Names of the added features, in their order.

    Parameters
    ----------
    n_mfcc : int
        Cepstral coefficients.

    Returns
    -------
    tuple of str
        107 with 20 coefficients: `2 * n_mfcc + 67`.

    Examples
    --------
    >>> names = extended_names()
    >>> len(names), names[0], names[-1]
    (107, 'mfcc_delta_std_0', 'crest')
    """
    return (
        *(f"mfcc_{order}_std_{k}" for order in ("delta", "delta2") for k in range(n_mfcc)),
        *(f"contrast_{statistic}_{k}" for statistic in ("mean", "std") for k in range(N_CONTRAST)),
        *("spec_flat_mean", "spec_flat_std"),
        *("onset_mean", "onset_std", "onset_rate"),
        *(f"tempogram_ratio_{k}" for k in range(len(METRIC_RATIOS))),
        *(f"modulation_{name}_{rate}" for name in RANGES for rate in RATES_HZ),
        *(f"tonnetz_std_{k}" for k in range(N_TONNETZ)),
        *(f"interval_{k}" for k in range(1, N_INTERVALS + 1)),
        *("rms_variation", "low_energy", "crest"),
    )


def extended_features(clip: Spectrum, courses: Courses) -> Doubles:
    """The added features of one clip.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`.
    courses : Courses
        Of the same clip.

    Returns
    -------
    numpy.ndarray [shape=(n,), dtype=float64]
        As `extended_names` says.

    Raises
    ------
    ValueError
        Where the clip is too short, or its frames too far apart, for a feature.
    """
    grid = {"sample_rate": clip.sample_rate, "hop_length": clip.hop_length}
    contrast = spectral_contrast(clip)
    flatness = spectral_flatness_db(clip)
    onsets = courses.onsets.astype(np.float64)
    begins = onset_frames(courses.onsets, **grid)
    return np.concatenate(
        [
            *(deltas(courses.mfcc, order=order).std(axis=1) for order in (1, 2)),
            contrast.mean(axis=1),
            contrast.std(axis=1),
            [flatness.mean(), flatness.std()],
            [onsets.mean(), onsets.std(), len(begins) * clip.sample_rate / len(clip.y)],
            tempogram_ratios(courses.periodicity, tempo_bpm=courses.tempo, **grid),
            modulation_depth(clip).ravel(),
            tonnetz(courses.chroma).std(axis=1),
            interval_strengths(courses.chroma),
            dynamics(clip, courses.scalars["rms"]),
        ]
    )
