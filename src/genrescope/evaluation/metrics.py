"""Scores of predictions, with intervals from a bootstrap over groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.evaluation.counts import (
    bootstrap,
    codes,
    group_counts,
    metrics_of,
    percentile_interval,
)

SCORES = (
    "n",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "balanced_accuracy",
    "macro_f1",
    "macro_f1_low",
    "macro_f1_high",
    "weighted_f1",
    "kappa",
    "ece",
    "majority_accuracy",
)
ECE_BINS = 15


def expected_calibration_error(
    confidence: npt.ArrayLike, correct: npt.ArrayLike, *, n_bins: int = ECE_BINS
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence.

    `ECE = sum_b n_b / n * |accuracy_b - confidence_b|`, bin b holding confidences in
    `((b - 1) / n_bins, b / n_bins]`: Guo et al. 2017, "On calibration of modern neural
    networks", equation 3.

    Parameters
    ----------
    confidence : array [shape=(n,)]
        Probability of the predicted genre, in [0, 1].
    correct : array of bool [shape=(n,)]
        Whether the prediction was right.
    n_bins : int
        Equal-width bins of [0, 1].

    Returns
    -------
    float
        In [0, 1], 0 best; NaN without clips.

    Examples
    --------
    >>> round(expected_calibration_error([0.9, 0.9, 0.6, 0.6], [True, True, True, False]), 3)
    0.1
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    if not len(confidence):
        return float("nan")
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, weights=np.asarray(correct, dtype=np.float64) - confidence)
    return float(np.abs(gaps).sum() / len(confidence))


def score(
    predictions: pd.DataFrame, genres: Sequence[str], *, n_resamples: int = 1000, seed: int = 0
) -> dict[str, float]:
    """All scores of one table of predictions, as the columns of `results.csv`.

    Parameters
    ----------
    predictions : DataFrame [shape=(n, ...)]
        Columns `group`, `genre`, `predicted` and a probability column per genre.
    genres : sequence of str
        The genres, in display order.
    n_resamples : int
        Resamples of the cluster bootstrap.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    dict of str to float
        `n` (int), `accuracy`, `balanced_accuracy`, `macro_f1`, `weighted_f1`, `kappa` as
        `metrics_of` defines them, `ece` (15 bins of the predicted genre's probability) and
        `majority_accuracy`: the share of the commonest genre, what always guessing it scores.
        `<metric>_low` and `<metric>_high` bound the 95% percentile interval over resampled
        groups; in a resample, macro-F1 averages over the genres that the resample has. With
        fewer than two groups the interval is NaN, without clips everything is.

    Raises
    ------
    ValueError
        Where columns are missing, a group is null or a genre is not among `genres`.

    Examples
    --------
    >>> frame = pd.DataFrame({"group": list("aabb"), "genre": list("xyxy"),
    ...     "predicted": list("xyyy"), "x": [0.9, 0.2, 0.4, 0.0], "y": [0.1, 0.8, 0.6, 1.0]})
    >>> row = score(frame, ["x", "y"])
    >>> row["n"], row["accuracy"], row["accuracy_low"], row["accuracy_high"]
    (4, 0.75, 0.5, 1.0)
    """
    missing = [genre for genre in genres if genre not in predictions]
    if missing:
        raise ValueError(f"predictions lack the probability columns {', '.join(missing)}")
    counts = group_counts(predictions, genres)
    total = counts.total()
    row = {name: float(value) for name, value in metrics_of(total).items()}
    for name in ("accuracy", "macro_f1"):
        row[f"{name}_low"] = row[f"{name}_high"] = float("nan")
    if counts.n_groups > 1:
        resampled = metrics_of(bootstrap(counts, n_resamples=n_resamples, seed=seed))
        for name in ("accuracy", "macro_f1"):
            row[f"{name}_low"], row[f"{name}_high"] = percentile_interval(resampled[name])
    predicted = codes(predictions["predicted"], genres)
    probabilities = predictions[list(genres)].to_numpy(dtype=np.float64)
    row["ece"] = expected_calibration_error(
        probabilities[np.arange(len(predictions)), predicted],
        (predictions["genre"] == predictions["predicted"]).to_numpy(),
    )
    n = len(predictions)
    row["n"] = n
    row["majority_accuracy"] = float(total.sum(axis=1).max() / n) if n else float("nan")
    return {name: row[name] for name in SCORES}


def confusion(predictions: pd.DataFrame, genres: Sequence[str]) -> pd.DataFrame:
    """Clips by true genre (rows) and predicted genre (columns).

    Examples
    --------
    >>> frame = pd.DataFrame({"group": ["a", "b"], "genre": ["x", "y"], "predicted": ["x", "x"]})
    >>> confusion(frame, ["x", "y"])
    predicted  x  y
    genre
    x          1  0
    y          1  0
    """
    table = group_counts(predictions, genres).total().astype(np.int64)
    return pd.DataFrame(
        table,
        index=pd.Index(list(genres), name="genre"),
        columns=pd.Index(list(genres), name="predicted"),
    )


def classification(predictions: pd.DataFrame, genres: Sequence[str]) -> dict[str, Any]:
    """scikit-learn's `classification_report` as a dictionary, with a row for every genre.

    Its `macro avg` runs over all genres, also those without a clip (support 0); `macro_f1` of
    `score` leaves these out. Undefined precision or recall is 0; without clips so is everything.

    Examples
    --------
    >>> frame = pd.DataFrame({"genre": ["x", "y"], "predicted": ["x", "x"]})
    >>> classification(frame, ["x", "y"])["x"]["precision"]
    0.5
    """
    from sklearn.metrics import classification_report

    if not len(predictions):
        empty = {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0.0}
        rows = {name: dict(empty) for name in (*genres, "macro avg", "weighted avg")}
        return {**rows, "accuracy": 0.0}
    report: dict[str, Any] = classification_report(
        predictions["genre"].to_numpy(dtype=object),
        predictions["predicted"].to_numpy(dtype=object),
        labels=list(genres),
        output_dict=True,
        zero_division=0,
    )
    return report
