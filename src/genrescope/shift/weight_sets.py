"""Logistic regressions and areas under ROC curves of the same clips under many sets of weights."""

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from genrescope.shift.adaptation import Matrix

ROUNDS, STILL = 50, 1e-4  # Newton steps at most, and the step at which they end
HALVINGS = 20  # of a step


def weighted_logistic(
    X: Matrix, y: npt.NDArray[np.bool_], weights: Matrix, *, penalty: float
) -> Matrix:
    """Ridge logistic regressions of the same clips under many sets of weights.

    Minimises `sum_i w_i log(1 + exp(-s_i (b_0 + x_i b))) + penalty / 2 * |b|^2`, s_i being 1 or
    -1, by Newton's method (iteratively reweighted least squares: Hastie, Tibshirani and Friedman
    2009, "The elements of statistical learning", section 4.4.1). The Hessians of all sets are one
    matrix product, which is what makes a refit in every bootstrap resample affordable.

    Parameters
    ----------
    X : numpy.ndarray [shape=(n, n_features)]
        Of unit scale.
    y : numpy.ndarray of bool [shape=(n,)]
    weights : numpy.ndarray [shape=(n_sets, n)]
        0 or more.
    penalty : float
        Above 0; the intercept is free.

    Returns
    -------
    numpy.ndarray [shape=(n_sets, 1 + n_features)]
        Intercepts, then coefficients.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> y = np.array([False, True, False, True])
    >>> weighted_logistic(X, y, np.ones((1, 4)), penalty=1.0).round(2).tolist()
    [[-0.68, 0.45]]
    """
    design = np.column_stack([np.ones(len(X)), X])
    size = design.shape[1]
    rows, columns = np.triu_indices(size)
    products = design[:, rows] * design[:, columns]
    ridge = penalty * np.diag(np.r_[0.0, np.ones(size - 1)])
    found = np.zeros((len(weights), size))
    if len(weights) > 1:
        # Resamples resemble what was measured: its solution is a good place to begin.
        found += weighted_logistic(X, y, weights[:1], penalty=penalty)
    hessian = np.empty((len(weights), size, size))
    for _ in range(ROUNDS):
        chance = expit(found @ design.T)
        gradient = (weights * (chance - y)) @ design + found @ ridge
        upper = (weights * chance * (1.0 - chance)) @ products
        hessian[:, rows, columns] = hessian[:, columns, rows] = upper
        step = np.linalg.solve(hessian + ridge, gradient[..., np.newaxis])[..., 0]
        # Near separable classes a whole step can lead away: half of it as often as needed.
        before = _loss(found, design, y, weights, penalty)
        worse = np.arange(len(found))
        for _ in range(HALVINGS):
            after = _loss(found[worse] - step[worse], design, y, weights[worse], penalty)
            worse = worse[after > before[worse] * (1.0 + 1e-12)]
            if not len(worse):
                break
            step[worse] /= 2.0
        found -= step
        if np.abs(step).max(initial=0.0) < STILL:
            break
    return found


def _loss(
    found: Matrix, design: Matrix, y: npt.NDArray[np.bool_], weights: Matrix, penalty: float
) -> Matrix:
    wrong = np.logaddexp(0.0, (found @ design.T) * np.where(y, -1.0, 1.0))
    loss: Matrix = (weights * wrong).sum(axis=1) + penalty / 2.0 * (found[:, 1:] ** 2).sum(axis=1)
    return loss


def weighted_areas(scores: Matrix, positive: npt.NDArray[np.bool_], weights: Matrix) -> Matrix:
    """Areas under the ROC curves of many sets of scores and weights.

    The chance that a positive has a higher score than a negative, equal scores counting half
    (Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating
    characteristic (ROC) curve").

    Parameters
    ----------
    scores, weights : numpy.ndarray [shape=(n_sets, n)]
    positive : numpy.ndarray of bool [shape=(n,)]

    Returns
    -------
    numpy.ndarray [shape=(n_sets,)]

    Examples
    --------
    >>> scores = np.array([[0.1, 0.4, 0.4, 0.8]])
    >>> weighted_areas(scores, np.array([False, True, False, True]), np.ones((1, 4))).tolist()
    [0.875]
    """
    pairs = np.zeros(len(scores))
    # A stable sort puts equals in the order they came in: once each way is half for each.
    for way in (slice(None), slice(None, None, -1)):
        order = np.argsort(scores[:, way], axis=1, kind="stable")
        weight = np.take_along_axis(weights[:, way], order, axis=1)
        above = positive[way][order]
        pairs += ((weight * ~above).cumsum(axis=1) * weight * above).sum(axis=1)
    sums = [weights[:, part].sum(axis=1) for part in (positive, ~positive)]
    areas: Matrix = pairs / 2.0 / sums[0] / sums[1]
    return areas
