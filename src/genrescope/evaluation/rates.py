"""Scores genre by genre of confusion matrices."""

import numpy as np
import numpy.typing as npt


def divide(
    above: npt.ArrayLike, below: npt.ArrayLike, *, empty: float = np.nan
) -> npt.NDArray[np.float64]:
    """Divide, with `empty` where the divisor is 0.

    Examples
    --------
    >>> divide([1.0, 1.0], [4.0, 0.0], empty=0.0).tolist()
    [0.25, 0.0]
    """
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    out = np.full(above.shape, empty)
    np.divide(above, below, out=out, where=below != 0)
    return out


def rates_of(counts: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """Scores genre by genre of confusion matrices, many at a time.

    Parameters
    ----------
    counts : numpy.ndarray [shape=(..., n_genres, n_genres)]
        Rows are the truth, columns the prediction.

    Returns
    -------
    dict of str to numpy.ndarray [shape=(..., n_genres)]
        `precision`, `recall` and `f1` in [0, 1]; 0 where undefined, as in scikit-learn's reports.

    Examples
    --------
    >>> rates_of(np.array([[3.0, 1.0], [0.0, 4.0]]))["precision"].tolist()
    [1.0, 0.8]
    """
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    support, predicted = counts.sum(axis=-1), counts.sum(axis=-2)
    return {
        "precision": divide(hits, predicted, empty=0.0),
        "recall": divide(hits, support, empty=0.0),
        "f1": np.where(support > 0, divide(2 * hits, support + predicted, empty=0.0), 0.0),
    }


def genre_rate(counts: npt.NDArray[np.float64], name: str, genre: int) -> npt.NDArray[np.float64]:
    """One of `rates_of` of one genre; NaN in matrices that hold no clip of it.

    Parameters
    ----------
    counts : numpy.ndarray [shape=(..., n_genres, n_genres)]
    name : str
        `precision`, `recall` or `f1`.
    genre : int
        Place of the genre.

    Returns
    -------
    numpy.ndarray [shape=(...)]
        A resample without clips of a genre says nothing about it, and is left out of its interval.

    Examples
    --------
    >>> genre_rate(np.array([[3.0, 1.0], [0.0, 0.0]]), "recall", 1).item()
    nan
    """
    rate: npt.NDArray[np.float64] = np.where(
        counts[..., genre, :].sum(axis=-1) > 0, rates_of(counts)[name][..., genre], np.nan
    )
    return rate
