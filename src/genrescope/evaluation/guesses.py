"""What guessing scores: the floor under every model."""

import numpy as np

from genrescope.evaluation.counts import FloatArray
from genrescope.evaluation.metrics import ECE_BINS

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


def guess_ece(counts: FloatArray, shares: FloatArray, *, n_bins: int = ECE_BINS) -> FloatArray:
    """Expected calibration error of guessing, its probabilities being the shares it guesses by.

    Parameters
    ----------
    counts, shares
        As in `guess_counts`.
    n_bins : int
        Equal-width bins of confidence.

    Returns
    -------
    numpy.ndarray [shape=(...)]
        An answer of genre k comes with probability `q_k` and is right in a share `p_k` of the
        clips, so each bin adds `|sum_k q_k (p_k - q_k)|` over its genres. Always naming the
        commonest genre states certainty and is right as often as that genre occurs.

    Examples
    --------
    >>> guess_ece(np.array([[3.0, 0.0], [1.0, 0.0]]), np.array([1.0, 0.0])).item()
    0.25
    """
    support = counts.sum(axis=-1)
    n = support.sum(axis=-1, keepdims=True)
    right = np.divide(support, n, out=np.full(support.shape, np.nan), where=n > 0)
    bins = np.clip(np.ceil(shares * n_bins) - 1, 0, n_bins - 1)
    inside = bins[..., np.newaxis] == np.arange(n_bins)
    gaps = np.einsum("...k,...kb->...b", shares * (right - shares), inside.astype(np.float64))
    error: FloatArray = np.abs(gaps).sum(axis=-1)
    return error
