"""What may be claimed of a study: tests that count how many there are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.evaluation.counts import FloatArray, group_counts
from genrescope.evaluation.differences import (
    Difference,
    Metric,
    as_statistic,
    mcnemar,
    paired_difference,
    unpaired_difference,
)

__all__ = [
    "Difference",
    "holm",
    "mcnemar",
    "paired_difference",
    "rank_models",
    "unpaired_difference",
]

LEVEL = 0.05
COMPARED = ["better", "worse", "better_score", "worse_score"]
COMPARED += ["value", "low", "high", "p_value", "n", "n_groups"]
RANK_COLUMNS = ["better", "worse", "better_score", "worse_score", "difference", "low", "high"]
RANK_COLUMNS += ["p_value", "p_adjusted", "significant", "n", "n_groups"]


def holm(p_values: npt.ArrayLike) -> FloatArray:
    """Adjust p-values for their number by Holm's step-down method.

    Parameters
    ----------
    p_values : array [shape=(m,)]
        In [0, 1]; NaN values are left NaN and not counted.

    Returns
    -------
    numpy.ndarray [shape=(m,)]
        Compared with .05 they keep the chance of any false claim below .05 (Holm 1979, "A simple
        sequentially rejective multiple test procedure").

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p_values.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def rank_models(
    predictions: Mapping[str, pd.DataFrame],
    genres: Sequence[str],
    *,
    metric: Metric = "macro_f1",
    by_seed: bool = False,
    n_resamples: int = 1000,
    n_permutations: int = 9999,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every pair of models on the same clips.

    Parameters
    ----------
    predictions : mapping of str to DataFrame
        Each model's predictions of the same clips, as `paired_difference` takes them.
    genres, metric, by_seed, n_resamples, n_permutations, seed
        As in `paired_difference`.

    Returns
    -------
    DataFrame
        A row per pair, `better` being the model that scores higher: `better`, `worse`,
        `better_score`, `worse_score`, `difference`, `low`, `high`, `p_value`, `p_adjusted`
        (Holm's, over all pairs), `significant` (`p_adjusted` below .05: only then may "better"
        be claimed), `n`, `n_groups`. Best pairs first.

    Raises
    ------
    ValueError
        Where the models did not predict the same clips, or the metric is unknown.

    Examples
    --------
    >>> clips = {"clip_id": list("123456"), "group": list("abcdef"), "genre": list("xyxyxy")}
    >>> right = pd.DataFrame({**clips, "predicted": list("xyxyxy")})
    >>> wrong = pd.DataFrame({**clips, "predicted": list("yxyxyx")})
    >>> table = rank_models({"cnn": wrong, "forest": right}, ["x", "y"])
    >>> table[["better", "worse", "significant"]].values.tolist()
    [['forest', 'cnn', True]]
    """
    statistic = as_statistic(metric)
    scores = {}
    for name, frame in predictions.items():
        counts = group_counts(frame, genres, by_seed=by_seed)
        scores[name] = float(counts.values(statistic, counts.total()[np.newaxis])[0])
    order = sorted(scores, key=lambda name: (-np.nan_to_num(scores[name], nan=-np.inf), name))
    rows = []
    for better, worse in combinations(order, 2):
        difference = paired_difference(
            predictions[better],
            predictions[worse],
            genres,
            metric=metric,
            by_seed=by_seed,
            n_resamples=n_resamples,
            n_permutations=n_permutations,
            seed=seed,
        )
        names = {"better": better, "worse": worse}
        both = {"better_score": scores[better], "worse_score": scores[worse]}
        rows.append({**names, **both, **asdict(difference)})
    table = pd.DataFrame(rows, columns=pd.Index(COMPARED)).rename(columns={"value": "difference"})
    adjusted = holm(table["p_value"].to_numpy(dtype=np.float64))
    table = table.assign(p_adjusted=adjusted, significant=adjusted < LEVEL)
    return table[RANK_COLUMNS]
