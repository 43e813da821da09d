"""Shapley values of any model, estimated by adding one feature after another in random orders."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

N_ORDERS = 5  # each is gone through forwards and backwards


class Sampled(NamedTuple):
    """Estimated Shapley values.

    Attributes
    ----------
    values : numpy.ndarray [shape=(n, n_features, n_classes)]
    baseline : numpy.ndarray [shape=(n_classes,)]
        Mean answer to the background.
    errors : numpy.ndarray [shape=(n, n_features, n_classes)]
        Standard error of each value, from the spread over the orders; NaN of one order alone.
    """

    values: FloatArray
    baseline: FloatArray
    errors: FloatArray


def permutation_shap(
    answer: Callable[[FloatArray], FloatArray],
    X: FloatArray,
    background: FloatArray,
    *,
    n_orders: int = N_ORDERS,
    seed: int = 0,
) -> Sampled:
    """Estimate Shapley values by antithetic permutation sampling.

    Mitchell et al. 2022, "Sampling permutations for Shapley value estimation": in a random order
    the features of a background clip are replaced by those of the explained clip, and each
    feature gets what the mean answer gains at its turn; the reverse order is gone through as
    well. Along every order the gains add up to the answer less the baseline, so the sum is right
    by construction and says nothing of the error of its parts. One order and its reverse are
    exact for answers in which at most two features interact.

    The numbers are those that `shap.PermutationExplainer` estimates. That one compiles its loops
    for some ten seconds in each process and draws from numpy's global generator, on which other
    code then depends.

    Parameters
    ----------
    answer : callable
        From vectors [shape=(n, n_features)] to answers [shape=(n, n_classes)].
    X : numpy.ndarray [shape=(n, n_features)]
        Clips to explain, each by the same orders, so that its values do not depend on the others.
    background : numpy.ndarray [shape=(n_background, n_features)]
        Clips whose features stand in for what is not known.
    n_orders : int
        Random orders; each costs `2 * n_features` evaluations of every background clip.
    seed : int

    Returns
    -------
    Sampled

    Examples
    --------
    >>> def product(vectors):
    ...     return vectors[:, :1] * vectors[:, 1:2]
    >>> found = permutation_shap(product, np.array([[2.0, 3.0]]), np.zeros((1, 2)))
    >>> found.values[0, :, 0].tolist(), found.baseline.tolist(), found.errors.max().item()
    ([3.0, 3.0], [0.0], 0.0)
    """
    rng = np.random.default_rng(seed)
    n_features = X.shape[1]
    orders = [rng.permutation(n_features) for _ in range(n_orders)]
    baseline = answer(background).mean(axis=0)
    values = np.zeros((len(X), n_features, len(baseline)))
    errors = np.full_like(values, np.nan)
    steps = np.arange(n_features)[:, np.newaxis]

    def gains(clip: FloatArray, order: npt.NDArray[np.intp]) -> FloatArray:
        """What the mean answer gains by each feature when it is added in this order."""
        place = np.argsort(order)
        # After step k the clip's features up to place k of the order are known.
        mixed = np.where((place <= steps)[:, np.newaxis], clip, background)
        answers = answer(mixed.reshape(-1, n_features))
        means = answers.reshape(n_features, len(background), -1).mean(axis=1)
        found: FloatArray = np.diff(np.concatenate([baseline[np.newaxis], means]), axis=0)[place]
        return found

    for row, clip in enumerate(X):
        pairs = np.array([(gains(clip, one) + gains(clip, one[::-1])) / 2 for one in orders])
        values[row] = pairs.mean(axis=0)
        if n_orders > 1:
            errors[row] = pairs.std(axis=0, ddof=1) / np.sqrt(n_orders)
    return Sampled(values, baseline, errors)
