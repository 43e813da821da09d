"""Differences of a metric between two tables of predictions, with interval and test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genrescope.evaluation.counts import (
    COUNT_METRICS,
    FloatArray,
    GroupCounts,
    Statistic,
    bootstrap,
    group_counts,
    metrics_of,
    percentile_interval,
)
from genrescope.evaluation.p_values import inverted_p_value, permutation_p_value

Metric = str | Statistic


@dataclass(frozen=True)
class Difference:
    """A difference of one metric between two tables of predictions.

    Attributes
    ----------
    value : float
        Metric of the first minus metric of the second.
    low, high : float
        95% percentile interval of the cluster bootstrap; NaN with fewer than two groups.
    p_value : float
        Two-sided, in (0, 1].
    n, n_groups : int
        Clips and groups it rests on (the fewer of the two where the clips differ).
    """

    value: float
    low: float
    high: float
    p_value: float
    n: int
    n_groups: int


def paired_difference(
    a: pd.DataFrame,
    b: pd.DataFrame,
    genres: Sequence[str],
    *,
    metric: Metric = "macro_f1",
    by_seed: bool = False,
    n_resamples: int = 1000,
    n_permutations: int = 9999,
    seed: int = 0,
) -> Difference:
    """Compare two models on the same clips.

    The interval resamples whole groups for both models alike; the p-value is
    `permutation_p_value`'s.

    Parameters
    ----------
    a, b : DataFrame
        Predictions with `clip_id`, `group`, `genre`, `predicted`, and `seed` where there are
        several; rows in any order.
    genres : sequence of str
        The genres, in display order.
    metric : str or callable
        One of `COUNT_METRICS`, or a statistic of confusion matrices as `metrics_of` takes them.
    by_seed : bool
        With several seeds, compare the means over seeds of the metric instead of the metric of all
        answers together. Groups are resampled and exchanged with all their seeds either way.
    n_resamples, n_permutations : int
    seed : int
        Same seed, same result.

    Returns
    -------
    Difference
        Of `a` minus `b`.

    Raises
    ------
    ValueError
        Where the two do not hold the same clips with the same group and genre, or the metric is
        unknown.

    Examples
    --------
    >>> clips = {"clip_id": list("123456"), "group": list("abcdef"), "genre": list("xyxyxy")}
    >>> right = pd.DataFrame({**clips, "predicted": list("xyxyxy")})
    >>> wrong = pd.DataFrame({**clips, "predicted": list("yxyxyx")})
    >>> difference = paired_difference(right, wrong, ["x", "y"], metric="accuracy")
    >>> difference.value, difference.low, difference.p_value < 0.05
    (1.0, 1.0, True)
    """
    statistic = as_statistic(metric)
    a, b = aligned(a, b)
    first, second = (group_counts(frame, genres, by_seed=by_seed) for frame in (a, b))
    value = _value(first, statistic) - _value(second, statistic)
    low = high = float("nan")
    if first.n_groups > 1:
        values = _resampled(first, second, statistic, n_resamples, seeds=(seed, seed))
        low, high = percentile_interval(values)
    p_value = permutation_p_value(
        first, second, statistic, n_permutations=n_permutations, seed=seed
    )
    return Difference(value, low, high, p_value, len(a), first.n_groups)


def as_statistic(metric: Metric) -> Statistic:
    """The function of confusion matrices that a metric's name stands for.

    Raises
    ------
    ValueError
        Where the name is not one of `COUNT_METRICS`.

    Examples
    --------
    >>> as_statistic("accuracy")(np.array([[3.0, 1.0], [0.0, 4.0]])).item()
    0.875
    """
    if callable(metric):
        return metric
    if metric not in COUNT_METRICS:
        raise ValueError(f"{metric!r} cannot be compared: one of {', '.join(COUNT_METRICS)}")
    return lambda counts: metrics_of(counts)[metric]


def _value(counts: GroupCounts, statistic: Statistic) -> float:
    return float(counts.values(statistic, counts.total()[np.newaxis])[0])


def aligned(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions of two models in one order of clips and seeds.

    Raises
    ------
    ValueError
        Where the two do not hold the same clips with the same group and genre, once each.
    """
    keys = ["seed", "clip_id"] if "seed" in a and "seed" in b else ["clip_id"]
    for frame in (a, b):
        if frame.duplicated(keys).any():
            raise ValueError(f"a clip is predicted twice: {' and '.join(keys)} are not unique")
    a, b = (frame.sort_values(keys, ignore_index=True) for frame in (a, b))
    for name in (*keys, "group", "genre"):
        if not np.array_equal(a[name].to_numpy(dtype=object), b[name].to_numpy(dtype=object)):
            raise ValueError(f"the two predictions are not of the same clips: {name} differs")
    return a, b


def _resampled(
    first: GroupCounts,
    second: GroupCounts,
    statistic: Statistic,
    n_resamples: int,
    *,
    seeds: tuple[int, int],
) -> FloatArray:
    one, two = (
        counts.values(statistic, bootstrap(counts, n_resamples=n_resamples, seed=seed))
        for counts, seed in zip((first, second), seeds, strict=True)
    )
    return one - two


def unpaired_difference(
    a: pd.DataFrame,
    b: pd.DataFrame,
    genres: Sequence[str],
    *,
    metric: Metric = "macro_f1",
    by_seed: bool = False,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Difference:
    """Compare predictions of different clips, such as in-domain and cross-cultural.

    Both sides are resampled by group, independently. The p-value is `inverted_p_value`'s; it
    speaks of the clips' chance alone: the models are taken as trained.

    Parameters
    ----------
    a, b : DataFrame
        Predictions with `group`, `genre`, `predicted`; no group in common is assumed.
    genres : sequence of str
        The genres, in display order.
    metric, by_seed
        As in `paired_difference`.
    n_resamples : int
        The p-value is at least `2 / (n_resamples + 1)`.
    seed : int
        Same seed, same result.

    Returns
    -------
    Difference
        Of `a` minus `b`; interval and p-value are NaN with fewer than two groups on a side.

    Raises
    ------
    ValueError
        Where the metric is unknown.

    Examples
    --------
    >>> home = pd.DataFrame({"group": list("abcd"), "genre": list("xyxy"),
    ...                      "predicted": list("xyxy")})
    >>> away = home.assign(predicted=list("yxyx"))
    >>> unpaired_difference(home, away, ["x", "y"], metric="accuracy").value
    1.0
    """
    statistic = as_statistic(metric)
    first, second = (group_counts(frame, genres, by_seed=by_seed) for frame in (a, b))
    value = _value(first, statistic) - _value(second, statistic)
    n, n_groups = min(len(a), len(b)), min(first.n_groups, second.n_groups)
    if n_groups < 2:
        return Difference(value, float("nan"), float("nan"), float("nan"), n, n_groups)
    # Two streams from one seed: the same draws on both sides would pair what is not paired.
    streams = np.random.SeedSequence(seed).generate_state(2)
    seeds = (int(streams[0]), int(streams[1]))
    values = _resampled(first, second, statistic, n_resamples, seeds=seeds)
    low, high = percentile_interval(values)
    return Difference(value, low, high, inverted_p_value(values), n, n_groups)


def mcnemar(a: pd.DataFrame, b: pd.DataFrame) -> float:
    """Exact two-sided McNemar test of two models' errors on the same clips.

    It counts clips as independent, which clips of one group are not: where groups hold several
    clips, `paired_difference` is the honest test (McNemar 1947; Dietterich 1998).

    Parameters
    ----------
    a, b : DataFrame
        Predictions with `clip_id`, `group`, `genre`, `predicted`, of the same clips.

    Returns
    -------
    float
        p-value in (0, 1]; 1 where the two never differ in being right.

    Raises
    ------
    ValueError
        Where the two do not hold the same clips.

    Examples
    --------
    >>> clips = {"clip_id": list("123456"), "group": list("abcdef"), "genre": list("xyxyxy")}
    >>> right = pd.DataFrame({**clips, "predicted": list("xyxyxy")})
    >>> mcnemar(right, right.assign(predicted=list("yxyxyx")))
    0.03125
    """
    from scipy.stats import binomtest

    a, b = aligned(a, b)
    right_a, right_b = (frame["genre"] == frame["predicted"] for frame in (a, b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if not only_a + only_b:
        return 1.0
    return float(binomtest(only_a, only_a + only_b, 0.5).pvalue)
