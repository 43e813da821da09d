"""Means of figures measured clip by clip, where the clips of a group are alike."""

import numpy as np
import numpy.typing as npt

from genrescope.evaluation.counts import BLOCK_WEIGHTS, percentile_interval, resample_weights
from genrescope.evaluation.differences import Difference
from genrescope.evaluation.p_values import TOLERANCE

EXACT_GROUPS = 13  # 8,192 arrangements: all of them are counted up to here


def grouped_mean(
    values: npt.ArrayLike,
    groups: npt.ArrayLike,
    *,
    n_resamples: int = 1000,
    n_permutations: int = 9999,
    seed: int = 0,
) -> Difference:
    """Mean of a figure over clips, with its interval over groups and a test against 0.

    For a paired comparison the values are differences of two figures of the same clip. The
    interval is a bootstrap of whole groups (Field and Welsh 2007, "Bootstrapping clustered
    data"); the p-value is that of flipping the signs of whole groups, which would leave the
    distribution as it is if neither were larger.

    Parameters
    ----------
    values : array [shape=(n,)]
        NaN values are left out.
    groups : array [shape=(n,)]
        Group of each clip.
    n_resamples, n_permutations : int
        Of the bootstrap, and of the test where there are too many arrangements to count all.
    seed : int

    Returns
    -------
    Difference
        NaN throughout without values; no interval with fewer than two groups.

    Examples
    --------
    >>> found = grouped_mean([1.0, 1.2, 0.8, 1.1, 0.9, 1.0], list("aabbcd"))
    >>> found.value, found.n, found.n_groups, found.p_value
    (1.0, 6, 4, 0.125)
    """
    measured = np.asarray(values, dtype=np.float64)
    known = ~np.isnan(measured)
    _, codes = np.unique(np.asarray(groups)[known], return_inverse=True)
    measured = measured[known]
    n, n_groups = len(measured), int(codes.max(initial=-1)) + 1
    if not n:
        return Difference(np.nan, np.nan, np.nan, np.nan, 0, 0)
    sums = np.bincount(codes, weights=measured).astype(np.float64)
    sizes = np.bincount(codes)
    low = high = np.nan
    if n_groups >= 2:
        drawn = resample_weights(n_groups, n_resamples, seed=seed)
        means = np.concatenate([(weights @ sums) / (weights @ sizes) for weights in drawn])
        low, high = percentile_interval(means)
    p_value = _sign_flip_p(sums, n_permutations, seed)
    return Difference(float(measured.mean()), low, high, p_value, n, n_groups)


def _sign_flip_p(sums: npt.NDArray[np.float64], n_permutations: int, seed: int) -> float:
    n_groups = len(sums)
    observed = abs(sums.sum())
    slack = TOLERANCE * max(1.0, np.abs(sums).sum())
    if n_groups <= EXACT_GROUPS:
        bits = np.arange(2**n_groups)[:, np.newaxis] >> np.arange(n_groups) & 1
        return float((np.abs((2 * bits - 1) @ sums) >= observed - slack).mean())
    rng = np.random.default_rng(seed)
    as_large = 0
    # The generator draws four of these at once, so blocks of fours draw what one block would.
    rows = max(BLOCK_WEIGHTS // n_groups // 4, 1) * 4
    for start in range(0, n_permutations, rows):
        block = min(rows, n_permutations - start)
        signs = 2 * rng.integers(2, size=(block, n_groups), dtype=np.int8) - 1
        as_large += int((np.abs(signs @ sums) >= observed - slack).sum())
    return (as_large + 1) / (n_permutations + 1)
