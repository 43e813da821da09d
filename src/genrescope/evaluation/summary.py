"""Scores of a cell over all its seeds, each with an interval from a bootstrap over groups."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from genrescope.evaluation.calibration import calibrate
from genrescope.evaluation.cells import RESULT_COLUMNS, evaluated_parts, select_part
from genrescope.evaluation.counts import (
    SCORE_METRICS,
    FloatArray,
    GroupCounts,
    Statistic,
    bootstrap,
    centred_interval,
    group_counts,
    metrics_of,
    percentile_interval,
)
from genrescope.evaluation.guesses import GUESSES, guess_counts, guess_ece, guess_shares
from genrescope.evaluation.metrics import SCORES
from genrescope.evaluation.rates import genre_rate

GUESS_PREFIX = "guess:"
RATES = ("precision", "recall", "f1", "lift")


def summarise(
    predictions: pd.DataFrame, genres: Sequence[str], *, n_resamples: int = 1000, seed: int = 0
) -> dict[str, float]:
    """Every score of a table of predictions, the mean over its seeds.

    Groups are drawn once, each with its clips of all seeds: another seed is another split and
    another model, but no new music, so seeds do not count as independent clips.

    Parameters
    ----------
    predictions : DataFrame
        Of one evaluated part, as from `predict_cell`, of one seed or several.
    genres : sequence of str
        The genres, in display order.
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to float
        `n` (different clips), `n_seeds`, and `accuracy`, `balanced_accuracy`, `macro_f1`,
        `weighted_f1`, `kappa`, `ece`, each with `_low` and `_high` of its 95% interval (NaN with
        fewer than two groups) and `_sd`, the standard deviation over seeds (NaN with one). With
        one seed they are `score`'s.

    Examples
    --------
    >>> frame = pd.DataFrame({"seed": [0, 0, 1, 1], "clip_id": list("1212"),
    ...     "group": list("abab"), "genre": list("xyxy"), "predicted": list("xyxx"),
    ...     "x": [0.9, 0.2, 0.8, 0.6], "y": [0.1, 0.8, 0.2, 0.4]})
    >>> row = summarise(frame, ["x", "y"])
    >>> row["n"], row["n_seeds"], row["accuracy"], round(row["accuracy_sd"], 3)
    (2, 2, 0.75, 0.354)
    """
    found = _scores(predictions, genres, lambda counts: counts, n_resamples, seed)
    calibration = calibrate(predictions, genres, n_resamples=n_resamples, seed=seed)
    errors = [calibrate(own, genres, n_resamples=0).ece for _, own in predictions.groupby("seed")]
    found |= {"ece": calibration.ece, "ece_sd": _sd(np.array(errors))}
    return found | {"ece_low": calibration.ece_low, "ece_high": calibration.ece_high}


def summarise_guess(
    predictions: pd.DataFrame,
    genres: Sequence[str],
    guess: str,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> dict[str, float]:
    """The same of a guess on the same clips, by the confusion matrix it gives on average.

    The guess knows the shares of the genres among all the clips and keeps to them when groups are
    drawn.

    Parameters
    ----------
    predictions, genres, n_resamples, seed
        As in `summarise`; what is predicted plays no part.
    guess : str
        As in `guess_shares`.

    Returns
    -------
    dict of str to float
        As from `summarise`.

    Examples
    --------
    >>> frame = pd.DataFrame({"seed": 0, "clip_id": list("1234"), "group": list("abcd"),
    ...     "genre": list("xxxy"), "predicted": list("xxxx")})
    >>> row = summarise_guess(frame, ["x", "y"], "majority")
    >>> row["accuracy"], row["ece"], row["kappa"]
    (0.75, 0.25, 0.0)
    """
    shares = guess_shares(
        group_counts(predictions, genres, by_seed=True).total().sum(axis=-1), guess
    )
    return _scores(
        predictions,
        genres,
        lambda counts: guess_counts(counts, shares),
        n_resamples,
        seed,
        ece=lambda counts: guess_ece(counts, shares),
    )


def evaluate_guesses(
    predictions: pd.DataFrame,
    *,
    source: str,
    target: str,
    genres: Sequence[str],
    n_resamples: int = 1000,
    bootstrap_seed: int = 0,
) -> list[dict[str, Any]]:
    """Score guessing on the clips of a source and target, as rows of `results.csv`.

    Parameters
    ----------
    predictions : DataFrame
        Of any model, of one seed or several: what is guessed on are its clips.
    source, target : str
    genres : sequence of str
        The genres, in display order.
    n_resamples, bootstrap_seed : int
        As in `summarise`.

    Returns
    -------
    list of dict
        A row per guess, seed and evaluated part that has clips; `model` is `guess:majority`,
        `guess:prior` or `guess:uniform`, which no model can be called.

    Examples
    --------
    >>> frame = pd.DataFrame({"seed": 0, "part": "test", "clip_id": list("1234"),
    ...     "group": list("abcd"), "genre": list("xxxy"), "predicted": list("xxxx")})
    >>> rows = evaluate_guesses(frame, source="a", target="a", genres=["x", "y"])
    >>> [(row["model"], row["accuracy"]) for row in rows]
    [('guess:majority', 0.75), ('guess:prior', 0.625), ('guess:uniform', 0.5)]
    """
    rows = []
    for guess in GUESSES:
        for seed in sorted(predictions["seed"].unique()):
            of_seed = predictions[predictions["seed"] == seed]
            for part in evaluated_parts(source, target):
                clips = select_part(of_seed, part)
                if clips.empty:
                    continue
                found = summarise_guess(
                    clips, genres, guess, n_resamples=n_resamples, seed=bootstrap_seed
                )
                shares = clips["genre"].value_counts(normalize=True)
                found |= {"n": len(clips), "majority_accuracy": float(shares.max())}
                names = (f"{GUESS_PREFIX}{guess}", source, target, part, int(seed))
                values = (*names, *(found[name] for name in SCORES))
                rows.append(dict(zip(RESULT_COLUMNS, values, strict=True)))
    return rows


def summarise_genres(
    predictions: pd.DataFrame, genres: Sequence[str], *, n_resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Precision, recall and F1 of each genre, and what F1 is above guessing by shares.

    A guess that names each genre as often as it occurs has the genre's share of the clips as its
    precision, its recall and its F1; `lift` is F1 minus that share.

    Parameters
    ----------
    predictions, genres, n_resamples, seed
        As in `summarise`.

    Returns
    -------
    DataFrame [shape=(n_genres, ...)]
        By genre: `precision`, `recall`, `f1`, `lift`, each with `_low` and `_high`; NaN for a genre
        without clips.

    Examples
    --------
    >>> frame = pd.DataFrame({"seed": 0, "clip_id": list("1234"), "group": list("abcd"),
    ...     "genre": list("xxxy"), "predicted": list("xxxy")})
    >>> summarise_genres(frame, ["x", "y"])["lift"].tolist()
    [0.25, 0.75]
    """
    counts = group_counts(predictions, genres, by_seed=True)
    drawn = _drawn(counts, n_resamples, seed)
    rows = []
    for place in range(len(genres)):
        row: dict[str, float] = {}
        for name in RATES:
            row |= _figure(counts, drawn, name, _rate(name, place))
        rows.append(row)
    return pd.DataFrame(rows, index=pd.Index(list(genres), name="genre"))


def _rate(name: str, place: int) -> Statistic:
    if name != "lift":
        return lambda counts: genre_rate(counts, name, place)

    def lift(counts: FloatArray) -> FloatArray:
        support = counts.sum(axis=-1)
        n = support.sum(axis=-1)
        share = np.divide(support[..., place], n, out=np.zeros(n.shape), where=n > 0)
        above: FloatArray = genre_rate(counts, "f1", place) - share
        return above

    return lift


def _drawn(counts: GroupCounts, n_resamples: int, seed: int) -> FloatArray | None:
    return bootstrap(counts, n_resamples=n_resamples, seed=seed) if counts.n_groups > 1 else None


def _figure(
    counts: GroupCounts, drawn: FloatArray | None, name: str, statistic: Statistic
) -> dict[str, float]:
    value = float(counts.values(statistic, counts.total()[np.newaxis])[0])
    low = high = np.nan
    if drawn is not None:
        values = counts.values(statistic, drawn)
        low, high = percentile_interval(values)
        if name == "ece":
            low, high = centred_interval(values, value)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _scores(
    predictions: pd.DataFrame,
    genres: Sequence[str],
    change: Callable[[FloatArray], FloatArray],
    n_resamples: int,
    seed: int,
    *,
    ece: Statistic | None = None,
) -> dict[str, Any]:
    counts = group_counts(predictions, genres, by_seed=True)
    drawn = _drawn(counts, n_resamples, seed)
    statistics: dict[str, Statistic] = {
        name: lambda found, name=name: metrics_of(change(found))[name]  # type: ignore[misc]
        for name in SCORE_METRICS
    }
    if ece is not None:
        statistics["ece"] = ece
    row: dict[str, Any] = {"n": predictions["clip_id"].nunique(), "n_seeds": counts.n_seeds}
    for name, statistic in statistics.items():
        row |= _figure(counts, drawn, name, statistic)
        row[f"{name}_sd"] = _sd(statistic(counts.total()))
    return row


def _sd(values: FloatArray) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
