"""Temperature scaling: making scores of classes mean what they say as probabilities."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

COLDEST, HOTTEST = 1e-3, 1e3  # temperatures between which the best is sought


def fit_temperature(scores: npt.ArrayLike, codes: npt.ArrayLike) -> float:
    """Find the temperature at which `softmax(scores / temperature)` fits the classes best.

    Guo et al. 2017, "On calibration of modern neural networks", section 4.2: one number, so that
    some dozen clips are enough and no clip's most probable class changes. The cross-entropy is
    taken against smoothed classes, `(n_c + 1) / (n_c + n_classes)` for the true one and the rest
    shared by the others, as Platt 1999, "Probabilistic outputs for support vector machines", does
    for two: without it, scores that are right throughout would become certainty.

    Parameters
    ----------
    scores : array [shape=(n, n_classes)]
        Of clips that the scores were not learned from; logarithms of probabilities, or margins.
    codes : array of int [shape=(n,)]
        Column of each clip's class.

    Returns
    -------
    float
        In [0.001, 1000]. Above 1 makes answers less sure, below 1 surer.

    Examples
    --------
    >>> sure = np.log([[0.99, 0.01]] * 40 + [[0.01, 0.99]] * 40)
    >>> codes = [0, 0, 0, 1] * 10 + [1, 1, 1, 0] * 10
    >>> temperature = fit_temperature(sure, codes)
    >>> np.exp(log_softmax(sure[0] / temperature)).round(2).tolist()
    [0.74, 0.26]
    """
    scores = np.asarray(scores, dtype=np.float64)
    truth = np.asarray(codes, dtype=np.intp)
    n, n_classes = scores.shape
    counts = np.bincount(truth, minlength=n_classes)
    own = ((counts + 1) / (counts + n_classes))[truth]
    targets = np.repeat(((1 - own) / (n_classes - 1))[:, np.newaxis], n_classes, axis=1)
    targets[np.arange(n), truth] = own

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(scores * np.exp(-log_temperature), axis=1)
        return float(-(targets * scaled).sum(axis=1).mean())

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
