"""Confusion matrices by group, the metrics they hold, and the bootstrap over groups.

Every metric is a function of a confusion matrix, so a resample of groups is a weighted sum of the
groups' own confusion matrices, and a thousand resamples are one matrix product.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from genrescope.evaluation.rates import divide, rates_of

FloatArray = npt.NDArray[np.float64]
Statistic = Callable[[FloatArray], FloatArray]  # (..., n_genres, n_genres) counts to (...) values

SCORE_METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa")
COUNT_METRICS = (*SCORE_METRICS, "macro_precision", "macro_recall")
INTERVAL_PERCENT = (2.5, 97.5)
BLOCK_WEIGHTS = 4_000_000  # weights held at once: 32 MB


@dataclass(frozen=True)
class GroupCounts:
    """Confusion matrices of each group, the material of every resample.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array [shape=(n_groups, n_genres * n_genres)]
        Clips per group and (true genre, predicted genre), row-major; with several seeds, the
        matrices of the seeds one after the other.
    n_genres : int
        Genres on each side of the matrices.
    n_seeds : int, optional
        Seeds that are kept apart; all clips are in one matrix where not given.
    """

    matrix: Any
    n_genres: int
    n_seeds: int | None = None

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return int(self.matrix.shape[0])

    def total(self) -> FloatArray:
        """Confusion matrix of all clips, as a resample of `weighted`; rows are the truth."""
        counts: FloatArray = self.weighted(np.ones((1, self.n_groups)))[0]
        return counts

    def weighted(self, weights: npt.ArrayLike) -> FloatArray:
        """Confusion matrices under weights of the groups.

        Parameters
        ----------
        weights : array [shape=(n_resamples, n_groups)]

        Returns
        -------
        numpy.ndarray [shape=(n_resamples, n_genres, n_genres)]
            With seeds kept apart [shape=(n_resamples, n_seeds, n_genres, n_genres)].
        """
        weights = np.asarray(weights, dtype=np.float64)
        sums: FloatArray = np.asarray((self.matrix.T @ weights.T).T, dtype=np.float64)
        seeds = () if self.n_seeds is None else (self.n_seeds,)
        counts: FloatArray = sums.reshape(len(weights), *seeds, self.n_genres, self.n_genres)
        return counts

    def values(self, statistic: Statistic, counts: FloatArray) -> FloatArray:
        """A statistic of matrices that `total`, `weighted` or `bootstrap` gave, by resample.

        With seeds kept apart it is the mean over seeds; those it is undefined for are left out.
        """
        found = statistic(counts)
        if self.n_seeds is None:
            return found
        known = ~np.isnan(found)
        return divide(np.where(known, found, 0.0).sum(axis=-1), known.sum(axis=-1))


def group_counts(
    predictions: pd.DataFrame, genres: Sequence[str], *, by_seed: bool = False
) -> GroupCounts:
    """Count each group's clips by true and predicted genre.

    Groups are taken in sorted order, so the order of the rows changes nothing that follows.

    Parameters
    ----------
    predictions : DataFrame
        Columns `group`, `genre`, `predicted`, and `seed` to keep seeds apart.
    genres : sequence of str
        The genres, in display order.
    by_seed : bool
        Keep the seeds apart, in rising order. A resample then draws each group with its clips of
        all seeds: another seed is another split and another model, but no new music.

    Returns
    -------
    GroupCounts

    Raises
    ------
    ValueError
        Where a column is missing, a group is null or a genre is not among `genres`.

    Examples
    --------
    >>> frame = pd.DataFrame({"group": ["a", "a", "b"], "genre": ["x", "y", "y"],
    ...                       "predicted": ["x", "x", "y"]})
    >>> group_counts(frame, ["x", "y"]).total().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    missing = [name for name in ("group", "genre", "predicted") if name not in predictions]
    if missing:
        raise ValueError(f"predictions lack the columns {', '.join(missing)}")
    if predictions["group"].isna().any():
        raise ValueError("predictions hold clips without a group")
    n_genres = len(genres)
    true = codes(predictions["genre"], genres)
    predicted = codes(predictions["predicted"], genres)
    group, names = pd.factorize(predictions["group"], sort=True)
    place, n_seeds = true * n_genres + predicted, None
    if by_seed:
        seed, seeds = pd.factorize(predictions["seed"], sort=True)
        place, n_seeds = place + seed * n_genres**2, len(seeds)
    counts = sparse.coo_array(
        (np.ones(len(predictions)), (group, place)),
        shape=(len(names), (n_seeds or 1) * n_genres * n_genres),
    ).tocsr()
    return GroupCounts(counts, n_genres, n_seeds)


def codes(column: "pd.Series[Any]", genres: Sequence[str]) -> npt.NDArray[np.intp]:
    """Positions of a column's genres in `genres` [shape=(n,)].

    Raises
    ------
    ValueError
        Where a value is not among `genres`, which hold each genre once.

    Examples
    --------
    >>> codes(pd.Series(["b", "a", "b"]), ["a", "b"]).tolist()
    [1, 0, 1]
    """
    found = pd.Index(list(genres)).get_indexer(pd.Index(column))
    if (found < 0).any():
        strange = sorted({str(value) for value in column[found < 0]})
        raise ValueError(f"{column.name} holds {', '.join(strange)}, not among the study's genres")
    return found


def metrics_of(counts: FloatArray) -> dict[str, FloatArray]:
    """Metrics of confusion matrices, many at a time.

    Macro-averages run over the genres that a matrix has clips of; a genre that is predicted but
    never true lowers the others through their counts only. Cohen's kappa is NaN where chance
    agreement is total (one genre, always predicted), and everything is NaN without clips.

    Parameters
    ----------
    counts : numpy.ndarray [shape=(..., n_genres, n_genres)]
        Rows are the truth, columns the prediction.

    Returns
    -------
    dict of str to numpy.ndarray [shape=(...)]
        `accuracy`, `balanced_accuracy`, `macro_f1`, `weighted_f1` in [0, 1], `kappa` in [-1, 1]
        (Cohen 1960, "A coefficient of agreement for nominal scales"); `macro_precision` and
        `macro_recall` in [0, 1], the second being balanced accuracy under its other name.

    Examples
    --------
    >>> scores = metrics_of(np.array([[3.0, 1.0], [0.0, 4.0]]))
    >>> float(scores["accuracy"]), float(scores["kappa"])
    (0.875, 0.75)
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    support = counts.sum(axis=-1)
    predicted = counts.sum(axis=-2)
    n = support.sum(axis=-1)
    present = (support > 0).sum(axis=-1)
    # Genres without support have hits 0 and all rates 0, so plain sums leave them out.
    rates = rates_of(counts)
    recall = divide(rates["recall"].sum(axis=-1), present)
    chance = (support * predicted).sum(axis=-1)
    return {
        "accuracy": divide(hits.sum(axis=-1), n),
        "balanced_accuracy": recall,
        "macro_f1": divide(rates["f1"].sum(axis=-1), present),
        "weighted_f1": divide((rates["f1"] * support).sum(axis=-1), n),
        "kappa": divide(n * hits.sum(axis=-1) - chance, n * n - chance),
        "macro_precision": divide(rates["precision"].sum(axis=-1), present),
        "macro_recall": recall,
    }


def resample_weights(
    n_groups: int, n_resamples: int, *, seed: int
) -> Iterator[npt.NDArray[np.int64]]:
    """How often each group is drawn in each bootstrap resample, block by block.

    Parameters
    ----------
    n_groups, n_resamples : int
    seed : int
        The same seed gives the same draws.

    Yields
    ------
    numpy.ndarray [shape=(block, n_groups)]
        Every row sums to `n_groups`; the blocks together have `n_resamples` rows.

    Examples
    --------
    >>> weights = next(resample_weights(4, 3, seed=0))
    >>> weights.sum(axis=1).tolist()
    [4, 4, 4]
    """
    rng = np.random.default_rng(seed)
    rows = max(1, BLOCK_WEIGHTS // max(n_groups, 1))
    for start in range(0, n_resamples, rows):
        block = min(rows, n_resamples - start)
        drawn = rng.integers(n_groups, size=(block, n_groups))
        drawn += n_groups * np.arange(block)[:, None]
        yield np.bincount(drawn.ravel(), minlength=block * n_groups).reshape(block, n_groups)


def bootstrap(counts: GroupCounts, *, n_resamples: int = 1000, seed: int = 0) -> FloatArray:
    """Confusion matrices of resamples of whole groups, with replacement.

    The clips of a track or artist are alike, so groups are the independent draws, not clips
    (Field and Welsh 2007, "Bootstrapping clustered data").

    Returns
    -------
    numpy.ndarray [shape=(n_resamples, n_genres, n_genres)]
        As `GroupCounts.weighted` gives them.
    """
    blocks = resample_weights(counts.n_groups, n_resamples, seed=seed)
    return np.concatenate([counts.weighted(weights) for weights in blocks])


def percentile_interval(values: FloatArray) -> tuple[float, float]:
    """95% percentile interval of resampled values; NaN values are left out.

    Examples
    --------
    >>> percentile_interval(np.arange(1001) / 1000.0)
    (0.025, 0.975)
    """
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.percentile(values, INTERVAL_PERCENT)
    return float(low), float(high)


def centred_interval(values: FloatArray, value: float) -> tuple[float, float]:
    """95% percentile interval of resampled values, moved so that their mean is the value.

    For what chance only raises, such as a mean of absolute gaps: a resample of clips lies above
    all clips by about as much as all clips lie above the truth, and a plain percentile interval
    may not even hold the value.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n_resamples,)]
        0 or more; NaN values are left out.
    value : float
        Of all clips.

    Returns
    -------
    tuple of float
        Not below 0; NaN where there are no values.

    Examples
    --------
    >>> low, high = centred_interval(np.array([0.2, 0.3, 0.4]), 0.1)
    >>> round(low, 3), round(high, 3)
    (0.005, 0.195)
    """
    low, high = percentile_interval(values)
    if low != low:
        return low, high
    excess = float(np.nanmean(values)) - value
    return max(low - excess, 0.0), max(high - excess, 0.0)
