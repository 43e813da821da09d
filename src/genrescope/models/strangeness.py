"""How far a sound lies from what a model learned from, and how little the model can decide."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from genrescope.models.statistics import LEVELS

if TYPE_CHECKING:
    from genrescope.models.statistics import FeatureStatistics

Floats = npt.NDArray[np.float64]

LOW, MIDDLE, HIGH = (LEVELS.index(level) for level in (0.05, 0.5, 0.95))
NORMAL_RANGE = 3.29  # standard deviations between the 5% and the 95% quantile of a normal


def deviations(statistics: "FeatureStatistics", vectors: npt.ArrayLike) -> Floats:
    """How far each feature of a clip lies from the genre whose medians are nearest.

    The unit is, feature by feature, that of a standard deviation: the range of the middle 90% of
    a genre's clips, averaged over the genres, over 3.29. Medians and ranges rather than means and
    standard deviations, so that a few odd training clips do not move them.

    Parameters
    ----------
    statistics : FeatureStatistics
        Of the training clips.
    vectors : array [shape=(n, n_features)]
        Of clips, with the features of the statistics in their order.

    Returns
    -------
    numpy.ndarray [shape=(n, n_features)]
        0 for a feature that hardly varied in training: it has no unit to measure by. The root of
        the sum of squares of a row is the clip's distance.

    Examples
    --------
    >>> import pandas as pd
    >>> from genrescope.models.statistics import FeatureStatistics
    >>> clips = pd.DataFrame({"tempo": [60.0, 80.0, 100.0, 160.0, 180.0, 200.0]})
    >>> statistics = FeatureStatistics.from_clips(clips, ["slow"] * 3 + ["fast"] * 3)
    >>> deviations(statistics, [[80.0], [170.0]]).round(2).tolist()
    [[0.0], [-0.91]]
    """
    quantiles = statistics.quantiles.astype(np.float64)
    unit = (quantiles[..., HIGH] - quantiles[..., LOW]).mean(axis=0) / NORMAL_RANGE
    unit[unit == 0] = np.inf
    clips = np.asarray(vectors, dtype=np.float64)
    nearest = np.zeros_like(clips)
    least = np.full(len(clips), np.inf)
    for medians in quantiles[..., MIDDLE]:
        found = (clips - medians) / unit
        squared = (found**2).sum(axis=1)
        nearer = squared < least
        nearest[nearer], least[nearer] = found[nearer], squared[nearer]
    return nearest


def indecision(probabilities: npt.ArrayLike) -> Floats:
    """Entropy of answers, in nats [shape=(n,)]: 0 where one genre is certain.

    Examples
    --------
    >>> indecision([[1.0, 0.0], [0.5, 0.5]]).round(3).tolist()
    [0.0, 0.693]
    """
    found: Floats = entr(np.asarray(probabilities, dtype=np.float64)).sum(axis=1)
    return found
