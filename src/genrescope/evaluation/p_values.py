"""How surprising a figure would be by chance: bootstrap inversion and permutation of groups."""

import numpy as np

from genrescope.evaluation.counts import BLOCK_WEIGHTS, FloatArray, GroupCounts, Statistic

TOLERANCE = 1e-12  # differences closer than this are ties: rounding must not break them


def inverted_p_value(values: FloatArray, at: float = 0.0) -> float:
    """Two-sided p-value of a bootstrap against a figure of `at`.

    Twice the smaller share of resampled values on one side of it, with the observed value counted
    as one more (Efron and Tibshirani 1993, section 15.4).

    Parameters
    ----------
    values : numpy.ndarray [shape=(n_resamples,)]
        NaN values are left out.
    at : float

    Returns
    -------
    float
        At least `2 / (n_resamples + 1)`.

    Examples
    --------
    >>> inverted_p_value(np.arange(1, 100.0)), inverted_p_value(np.arange(1, 100.0), at=50)
    (0.02, 1.0)
    """
    values = values[~np.isnan(values)] - at
    smaller = min((values <= TOLERANCE).sum(), (values >= -TOLERANCE).sum())
    return float(min(1.0, 2 * (smaller + 1) / (len(values) + 1)))


def permutation_p_value(
    first: GroupCounts,
    second: GroupCounts,
    statistic: Statistic,
    *,
    n_permutations: int = 9999,
    seed: int = 0,
) -> float:
    """Two-sided p-value of a difference between two models on the same clips.

    The two models' answers are swapped on whole groups with probability one half; the observed
    arrangement counts as one more permutation (Phipson and Smyth 2010, "Permutation P-values
    should never be zero").

    Parameters
    ----------
    first, second : GroupCounts
        Of the same clips.
    statistic : callable
        Of confusion matrices.
    n_permutations : int
    seed : int
        Same seed, same result.

    Returns
    -------
    float
        In (0, 1]; 1 without clips.
    """
    if not first.n_groups:
        return 1.0
    rng = np.random.default_rng(seed)
    total_first, total_second = first.total(), second.total()
    gap = GroupCounts(second.matrix - first.matrix, first.n_genres, first.n_seeds)

    def size(one: FloatArray, two: FloatArray) -> FloatArray:
        # Kappa can be undefined in an arrangement: it then tells nothing against chance.
        change = first.values(statistic, one) - first.values(statistic, two)
        return np.abs(np.nan_to_num(change, nan=np.inf))

    observed = size(total_first[np.newaxis], total_second[np.newaxis])
    as_large = 0
    rows = max(1, BLOCK_WEIGHTS // first.n_groups)
    for start in range(0, n_permutations, rows):
        block = min(rows, n_permutations - start)
        moved = gap.weighted(rng.integers(2, size=(block, first.n_groups), dtype=np.int8))
        sizes = size(total_first + moved, total_second - moved)
        as_large += int((sizes >= observed - TOLERANCE).sum())
    return (as_large + 1) / (n_permutations + 1)
