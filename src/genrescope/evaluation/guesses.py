"""What guessing scores: the floor under every model."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from genrescope.evaluation.counts import SCORE_METRICS, FloatArray, metrics_of

GUESSES = ("majority", "prior", "uniform")


def guess_shares(support: FloatArray, guess: str) -> FloatArray:
    """How often a guess names each genre.

    Parameters
    ----------
    support : numpy.ndarray [shape=(..., n_genres)]
        Clips per genre.
    guess : str
        `majority` (always the commonest genre), `prior` (genres at random by their shares) or
        `uniform` (all genres that have clips alike).

    Returns
    -------
    numpy.ndarray [shape=(..., n_genres)]
        Sums to 1 over the genres; NaN without clips.

    Examples
    --------
    >>> guess_shares(np.array([6.0, 2.0, 0.0]), "prior").tolist()
    [0.75, 0.25, 0.0]
    """
    if guess == "majority":
        named = np.arange(support.shape[-1]) == support.argmax(axis=-1)[..., np.newaxis]
    else:
        named = support > 0 if guess == "uniform" else support
    total = named.sum(axis=-1, keepdims=True)
    shares: FloatArray = np.divide(named, total, out=np.full(named.shape, np.nan), where=total > 0)
    return shares


def guess_counts(counts: FloatArray, shares: FloatArray) -> FloatArray:
    """The confusion matrices that guessing gives on average on the clips of other ones.

    Parameters
    ----------
    counts : numpy.ndarray [shape=(..., n_genres, n_genres)]
        Rows are the truth; only their sums matter.
    shares : numpy.ndarray [shape=(..., n_genres)]
        As from `guess_shares`.

    Returns
    -------
    numpy.ndarray [shape=(..., n_genres, n_genres)]

    Examples
    --------
    >>> guess_counts(np.array([[3.0, 3.0], [1.0, 1.0]]), np.array([0.5, 0.5])).tolist()
    [[3.0, 3.0], [1.0, 1.0]]
    """
    expected: FloatArray = counts.sum(axis=-1)[..., np.newaxis] * shares[..., np.newaxis, :]
    return expected


def guesses(genre_counts: Mapping[str, int]) -> pd.DataFrame:
    """Scores that guessing reaches on clips of given genres.

    They are those of the confusion matrix that a guess gives on average: with clip shares p and
    guessing probabilities q, accuracy is `sum_k p_k q_k`, and F1 of a genre
    `2 p_k q_k / (p_k + q_k)`.

    Parameters
    ----------
    genre_counts : mapping of str to int
        Clips per genre; genres without clips take no part.

    Returns
    -------
    DataFrame
        Columns `guess`, `accuracy`, `balanced_accuracy`, `macro_f1`, `weighted_f1`, `kappa`; rows
        `majority`, `prior`, `uniform`, as `guess_shares` defines them.

    Raises
    ------
    ValueError
        Where there are no clips.

    Examples
    --------
    >>> guesses({"Blues-like": 183, "HipHop/Rap": 325, "Pop/Dance/RnB": 1932,
    ...          "Rock/Metal": 1020})[["guess", "accuracy", "macro_f1"]].round(3)
          guess  accuracy  macro_f1
    0  majority     0.558     0.179
    1     prior     0.410     0.250
    2   uniform     0.250     0.210
    """
    support = np.array([count for count in genre_counts.values() if count > 0], dtype=np.float64)
    if not len(support):
        raise ValueError("guessing has no score without clips")
    rows = []
    for name in GUESSES:
        scores = metrics_of(guess_counts(np.diag(support), guess_shares(support, name)))
        rows.append((name, *(float(scores[metric]) for metric in SCORE_METRICS)))
    return pd.DataFrame(rows, columns=pd.Index(["guess", *SCORE_METRICS]))
