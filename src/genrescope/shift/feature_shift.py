"""How far each feature moved between two corpora, beside how much a model leans on it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

from genrescope.evaluation.counts import percentile_interval
from genrescope.explanations.families import family_of
from genrescope.explanations.shapley import ShapValues
from genrescope.shift.adaptation import Matrix
from genrescope.shift.group_draws import Sides

COLUMNS = ["feature", "family", "importance", "difference", "difference_low", "difference_high"]
COLUMNS += ["distance", "distance_low", "distance_high", "floor", "moved"]
FLOOR_PERCENT = 95.0


class Estimate(NamedTuple):
    """A figure with the bounds of its 95% interval.

    Attributes
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class FeatureShift:
    """How far the features moved, and whether those are the ones that a model leans on.

    Attributes
    ----------
    table : DataFrame
        `COLUMNS`, a row per feature, the most important first. `importance` is the mean absolute
        SHAP value on the source's clips, `difference` the target's mean minus the source's,
        `distance` the Wasserstein distance, both in standard deviations of the source; `floor` is
        what 95% of random divisions of the same groups stay below, `moved` whether the distance is
        above.
    correlation : Estimate
        Spearman's rank correlation of importance and distance over the features. The interval is
        over groups; the features are taken as they are.
    n_source, n_target : int
        Clips.
    """

    table: pd.DataFrame
    correlation: Estimate
    n_source: int
    n_target: int

    def frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def sentences(self) -> list[str]:
        """What may be said, one fact a sentence."""
        moved = int(self.table["moved"].sum())
        largest = self.table.sort_values("distance", ascending=False).iloc[0]
        facts = [
            f"{moved} of {len(self.table)} features moved further than random divisions of the "
            "same groups do in 95 of 100 cases.",
            f"{largest['feature']} moved furthest: by {largest['distance']:.2f} standard "
            f"deviations of the source [{largest['distance_low']:.2f}, "
            f"{largest['distance_high']:.2f}].",
        ]
        found = f"rank correlation of importance and shift {self.correlation}"
        if self.correlation.low > 0:
            facts.append(f"The features that the model leans on moved more than others: {found}.")
        elif self.correlation.high < 0:
            facts.append(f"The features that the model leans on moved less than others: {found}.")
        else:
            facts.append(
                "Whether a feature moved has no measurable relation to how much the model leans "
                f"on it: {found}."
            )
        return facts


def feature_shift(
    source: ShapValues,
    target: ShapValues,
    *,
    source_groups: Any,
    target_groups: Any,
    n_resamples: int = 500,
    seed: int = 0,
) -> FeatureShift:
    """Measure each feature's shift between two corpora and set it beside its importance.

    The distance is Wasserstein's of order 1, the area between the two distribution functions
    (Ramdas, Garcia Trillos and Cuturi 2017, "On Wasserstein two-sample testing and related
    families of nonparametric tests", equation 4 for p = 1), so that a change of spread counts as
    well as a change of mean. It is never below 0, and two samples of one corpus are some way
    apart: hence the floor.

    Parameters
    ----------
    source, target : ShapValues
        Of clips that the model was not trained on; `data` holds their feature vectors.
    source_groups, target_groups : array-like [shape=(n,)]
        Group of each clip.
    n_resamples : int
        Resamples of groups for the intervals, and random divisions of groups for the floor.
    seed : int

    Returns
    -------
    FeatureShift
        Intervals are NaN with fewer than two groups on a side.

    Raises
    ------
    ValueError
        Where the two have other features or scales, or groups and clips are not equally many.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> names = ["tempo", "rms_mean", "zcr_mean"]
    >>> def explained(X):
    ...     values = np.abs(X - X.mean(axis=0))[..., np.newaxis] * [[1.0], [0.5], [0.1]]
    ...     data = pd.DataFrame(X, columns=names)
    ...     return ShapValues(values, np.zeros(1), data, ("x",), values.sum(axis=1), "margin")
    >>> here, there = rng.normal(size=(80, 3)), rng.normal(size=(80, 3)) + [2.0, 1.0, 0.0]
    >>> found = feature_shift(explained(here), explained(there), source_groups=np.arange(80),
    ...                       target_groups=np.arange(80))
    >>> found.table[["feature", "moved"]].to_numpy().tolist()
    [['tempo', True], ['rms_mean', True], ['zcr_mean', False]]
    """
    sides = paired_sides(source, target, source_groups, target_groups)
    side = sides.is_target
    X = np.concatenate([item.data.to_numpy(dtype=np.float64) for item in (source, target)])
    X = X / _spread(X[~side])
    weights = sides.resamples(n_resamples, seed=seed)
    divided = sides.divisions(n_resamples, seed=seed).astype(np.float64)
    here, there = means_of_sides(X, side, weights)
    distances = np.empty((len(weights), X.shape[1]))
    floor = np.empty(X.shape[1])
    for place, column in enumerate(X.T):
        distances[:, place] = _distances(column, weights * ~side, weights * side)
        floor[place] = np.percentile(_distances(column, 1.0 - divided, divided), FLOOR_PERCENT)
    of_source = weights[:, ~side]
    strength = of_source @ importances(source) / of_source.sum(axis=1, keepdims=True)
    table = pd.DataFrame(
        {
            "feature": source.features,
            "family": [family_of(name) for name in source.features],
            "importance": strength[0],
            **_columns("difference", there - here),
            **_columns("distance", distances),
            "floor": floor,
            "moved": distances[0] > floor,
        }
    )[COLUMNS]
    order = table["importance"].sort_values(ascending=False, kind="stable").index
    correlation = rank_correlations(strength, distances)
    return FeatureShift(
        table.loc[order].reset_index(drop=True),
        Estimate(float(correlation[0]), *percentile_interval(correlation[1:])),
        len(source.data),
        len(target.data),
    )


def paired_sides(
    source: ShapValues, target: ShapValues, source_groups: Any, target_groups: Any
) -> Sides:
    """The clips of two explanations in one row.

    Raises
    ------
    ValueError
        Where the two have other features or scales, or groups and clips are not equally many.
    """
    if source.features != target.features or source.scale != target.scale:
        raise ValueError("the two explanations are not of the same features on the same scale")
    for values, groups in ((source, source_groups), (target, target_groups)):
        if len(values.data) != len(groups):
            raise ValueError(f"{len(groups)} groups for {len(values.data)} explained clips")
    return Sides.from_groups(source_groups, target_groups)


def importances(values: ShapValues) -> Matrix:
    """Mean absolute SHAP value over the classes, clip by clip, as `ShapValues.top` ranks by it.

    Returns
    -------
    numpy.ndarray [shape=(n, n_features)]
    """
    found: Matrix = np.abs(values.values).mean(axis=2)
    return found


def means_of_sides(
    values: Matrix, is_target: npt.NDArray[np.bool_], weights: Matrix
) -> tuple[Matrix, Matrix]:
    """Weighted means over the source's and over the target's clips, for many sets of weights.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n, n_features)]
    is_target : numpy.ndarray of bool [shape=(n,)]
    weights : numpy.ndarray [shape=(n_sets, n)]

    Returns
    -------
    tuple of numpy.ndarray [shape=(n_sets, n_features)]

    Examples
    --------
    >>> values, weights = np.array([[1.0], [2.0], [4.0]]), np.array([[1.0, 3.0, 1.0]])
    >>> here, there = means_of_sides(values, np.array([False, False, True]), weights)
    >>> here.item(), there.item()
    (1.75, 4.0)
    """
    here, there = (
        weights[:, part] @ values[part] / weights[:, part].sum(axis=1, keepdims=True)
        for part in (~is_target, is_target)
    )
    return here, there


def rank_correlations(a: Matrix, b: Matrix) -> Matrix:
    """Spearman's rank correlation of each row of one table with the same row of another.

    Returns
    -------
    numpy.ndarray [shape=(n_rows,)]

    Examples
    --------
    >>> rank_correlations(np.array([[1.0, 2, 3], [1, 2, 3]]), np.array([[2.0, 4, 9], [3, 2, 1]]))
    array([ 1., -1.])
    """
    ranks = [rankdata(table, axis=1) for table in (a, b)]
    one, two = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    scale = np.sqrt((one**2).sum(axis=1) * (two**2).sum(axis=1))
    found = np.full(len(a), np.nan)
    np.divide((one * two).sum(axis=1), scale, out=found, where=scale > 0)
    return found


def _spread(X: Matrix) -> Matrix:
    spread: Matrix = X.std(axis=0)
    spread[spread == 0] = 1.0
    return spread


def _distances(column: Matrix, first: Matrix, second: Matrix) -> Matrix:
    order = np.argsort(column, kind="stable")
    gaps = np.diff(column[order])
    heights = (np.cumsum(weights[:, order], axis=1) for weights in (first, second))
    one, two = (height[:, :-1] / height[:, -1:] for height in heights)
    found: Matrix = np.abs(one - two) @ gaps
    return found


def _columns(name: str, values: Matrix) -> dict[str, Matrix]:
    bounds = [percentile_interval(column) for column in values[1:].T]
    low, high = np.array(bounds).T
    return {name: values[0], f"{name}_low": low, f"{name}_high": high}
