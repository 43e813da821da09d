"""What may be claimed of a study: tests that count how many there are, and what guessing scores."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.evaluation.counts import FloatArray, group_counts, metrics_of
from genrescope.evaluation.differences import (
    Difference,
    check_metric,
    mcnemar,
    paired_difference,
    unpaired_difference,
)

__all__ = [
    "Difference",
    "guesses",
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
    metric: str = "macro_f1",
    n_resamples: int = 1000,
    n_permutations: int = 9999,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare every pair of models on the same clips.

    Parameters
    ----------
    predictions : mapping of str to DataFrame
        Each model's predictions of the same clips, as `paired_difference` takes them.
    genres, metric, n_resamples, n_permutations, seed
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
    check_metric(metric)
    scores = {
        name: float(metrics_of(group_counts(frame, genres).total())[metric].item())
        for name, frame in predictions.items()
    }
    order = sorted(scores, key=lambda name: (-np.nan_to_num(scores[name], nan=-np.inf), name))
    rows = []
    for better, worse in combinations(order, 2):
        difference = paired_difference(
            predictions[better],
            predictions[worse],
            genres,
            metric=metric,
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


def guesses(genre_counts: Mapping[str, int]) -> pd.DataFrame:
    """Scores that guessing reaches on clips of given genres.

    With clip shares p and guessing probabilities q, accuracy is `sum_k p_k q_k`, and F1 of a
    genre at the expected counts is `2 p_k q_k / (p_k + q_k)`.

    Parameters
    ----------
    genre_counts : mapping of str to int
        Clips per genre; genres without clips take no part.

    Returns
    -------
    DataFrame
        Columns `guess`, `accuracy`, `macro_f1`; rows `majority` (always the commonest genre),
        `prior` (genres at random by their shares), `uniform` (all genres alike).

    Raises
    ------
    ValueError
        Where there are no clips.

    Examples
    --------
    >>> guesses({"Blues-like": 183, "HipHop/Rap": 325, "Pop/Dance/RnB": 1932,
    ...          "Rock/Metal": 1020}).round(3)
          guess  accuracy  macro_f1
    0  majority     0.558     0.179
    1     prior     0.410     0.250
    2   uniform     0.250     0.210
    """
    counts = np.array([count for count in genre_counts.values() if count > 0], dtype=np.float64)
    if not len(counts):
        raise ValueError("guessing has no score without clips")
    shares = counts / counts.sum()
    majority = np.zeros(len(shares))
    majority[shares.argmax()] = 1.0
    strategies = {
        "majority": majority,
        "prior": shares,
        "uniform": np.full(len(shares), 1.0 / len(shares)),
    }
    rows = [
        (name, float(shares @ q), float((2 * shares * q / (shares + q)).mean()))
        for name, q in strategies.items()
    ]
    return pd.DataFrame(rows, columns=pd.Index(["guess", "accuracy", "macro_f1"]))
