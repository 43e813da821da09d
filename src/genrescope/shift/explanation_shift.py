"""Whether a model leans on the same features in two corpora."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.evaluation.counts import percentile_interval
from genrescope.explanations.families import family_of
from genrescope.explanations.shapley import ShapValues
from genrescope.shift.adaptation import Matrix
from genrescope.shift.feature_shift import (
    Estimate,
    importances,
    means_of_sides,
    paired_sides,
    rank_correlations,
)

TOP = 10
FLOOR_PERCENT = 5.0


@dataclass(frozen=True)
class ExplanationShift:
    """How far the rankings of features by importance agree between source and target clips.

    Attributes
    ----------
    table : DataFrame
        A row per feature: `feature`, `family`, `source_importance`, `target_importance` (mean
        absolute SHAP value), `source_rank`, `target_rank` (1 is the strongest), `gain` (log2 of
        target over source importance, each as a share of its corpus' sum) with `gain_low` and
        `gain_high`. The largest gain first.
    correlation : Estimate
        Spearman's rank correlation of the two importances over the features.
    jaccard : Estimate
        Of the two lists of the ten strongest: features in both, over features in either.
    correlation_floor, jaccard_floor : float
        What 95% of random divisions of the same groups stay above.
    """

    table: pd.DataFrame
    correlation: Estimate
    jaccard: Estimate
    correlation_floor: float
    jaccard_floor: float

    def frame(self) -> pd.DataFrame:
        """The table."""
        return self.table

    def sentences(self) -> list[str]:
        """What may be said, one fact a sentence."""
        floor = self.correlation_floor
        facts = [
            f"The rankings of features on source and target clips have a rank correlation of "
            f"{self.correlation}; random divisions of the same groups stay above {floor:.2f} in "
            "95 of 100 cases.",
            f"The lists of the {TOP} strongest have a Jaccard index of {self.jaccard}; random "
            f"divisions stay at or above {self.jaccard_floor:.2f}.",
        ]
        if self.correlation.value >= floor:
            facts.append("So the model is not seen to lean on other features in the target.")
        listed = self.table[self.table[["source_rank", "target_rank"]].min(axis=1) <= TOP]
        for verb, rows in (
            ("gained", listed[listed["gain_low"] > 0]),
            ("lost", listed[listed["gain_high"] < 0].iloc[::-1]),
        ):
            named = [
                f"{row['feature']} (× {2.0 ** row['gain']:.2f}, rank {row['source_rank']} to "
                f"{row['target_rank']})"
                for row in rows.to_dict("records")
            ]
            if named:
                facts.append(f"Of the features in either list {verb}: {', '.join(named)}.")
        return facts


def explanation_shift(
    source: ShapValues,
    target: ShapValues,
    *,
    source_groups: Any,
    target_groups: Any,
    n_resamples: int = 500,
    seed: int = 0,
) -> ExplanationShift:
    """Compare a model's rankings of features on the clips of two corpora.

    Two samples of one corpus do not give the same ranking either: the floors are of random
    divisions of all groups into as many as each side has.

    Parameters
    ----------
    source, target : ShapValues
        Of one model, or of models trained alike, on clips that they were not trained on.
    source_groups, target_groups : array-like [shape=(n,)]
        Group of each clip.
    n_resamples : int
        Resamples of groups for the intervals, and random divisions for the floors.
    seed : int

    Returns
    -------
    ExplanationShift
        Intervals are NaN with fewer than two groups on a side.

    Raises
    ------
    ValueError
        Where the two have other features or scales, or groups and clips are not equally many.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> def explained(strength):
    ...     values = rng.normal(size=(60, 3))[..., np.newaxis] * np.array(strength)[:, np.newaxis]
    ...     data = pd.DataFrame(rng.normal(size=(60, 3)), columns=["tempo", "rms_mean", "zcr_mean"])
    ...     return ShapValues(values, np.zeros(1), data, ("x",), values.sum(axis=1), "margin")
    >>> here, there = explained([3.0, 2.0, 1.0]), explained([1.0, 2.0, 3.0])
    >>> groups = np.arange(60)
    >>> found = explanation_shift(here, there, source_groups=groups, target_groups=groups)
    >>> found.correlation.value, found.table["feature"].tolist()
    (-1.0, ['zcr_mean', 'rms_mean', 'tempo'])
    """
    sides = paired_sides(source, target, source_groups, target_groups)
    is_target = sides.is_target
    strengths = np.concatenate([importances(item) for item in (source, target)])
    weights = sides.resamples(n_resamples, seed=seed)
    here, there = means_of_sides(strengths, is_target, weights)
    divided = sides.divisions(n_resamples, seed=seed).astype(np.float64)
    one, two = (weight @ strengths for weight in (1.0 - divided, divided))
    gain = np.log2(_shares(there)) - np.log2(_shares(here))
    low, high = np.array([percentile_interval(column) for column in gain[1:].T]).T
    ranks = [(-values[0]).argsort(kind="stable").argsort() + 1 for values in (here, there)]
    table = pd.DataFrame(
        {
            "feature": source.features,
            "family": [family_of(name) for name in source.features],
            "source_importance": here[0],
            "target_importance": there[0],
            "source_rank": ranks[0],
            "target_rank": ranks[1],
            "gain": gain[0],
            "gain_low": low,
            "gain_high": high,
        }
    )
    correlation, jaccard = rank_correlations(here, there), _jaccard(here, there)
    return ExplanationShift(
        table.sort_values("gain", ascending=False, kind="stable", ignore_index=True),
        Estimate(float(correlation[0]), *percentile_interval(correlation[1:])),
        Estimate(float(jaccard[0]), *percentile_interval(jaccard[1:])),
        float(np.percentile(rank_correlations(one, two), FLOOR_PERCENT)),
        float(np.percentile(_jaccard(one, two), FLOOR_PERCENT)),
    )


def _shares(values: Matrix) -> npt.NDArray[np.float64]:
    floored = np.maximum(values, 1e-12)
    shares: npt.NDArray[np.float64] = floored / floored.sum(axis=1, keepdims=True)
    return shares


def _jaccard(a: Matrix, b: Matrix) -> Matrix:
    top = min(TOP, a.shape[1])
    in_list = []
    for values in (a, b):
        listed = np.zeros(values.shape, dtype=bool)
        np.put_along_axis(listed, (-values).argsort(axis=1, kind="stable")[:, :top], True, axis=1)
        in_list.append(listed)
    both = (in_list[0] & in_list[1]).sum(axis=1)
    found: Matrix = both / (2 * top - both)
    return found
