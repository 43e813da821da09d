"""Sets of genres that hold the true one with a stated coverage: split conformal prediction."""

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def threshold(scores: npt.ArrayLike, coverage: float) -> float:
    """The score up to which a genre belongs to the set.

    The smallest score that `ceil((n + 1) * coverage)` of the n scores do not exceed. If those
    recordings and a new one are exchangeable, the score of the new one's true genre does not
    exceed it with at least this probability, whatever the model: Vovk, Gammerman and Shafer 2005,
    "Algorithmic learning in a random world", proposition 2.3; Papadopoulos et al. 2002,
    "Inductive confidence machines for regression".

    Parameters
    ----------
    scores : array [shape=(n,)]
        How little each recording's true genre conformed: one minus its probability.
    coverage : float
        In (0, 1).

    Returns
    -------
    float
        Infinite where n is below `coverage / (1 - coverage)`: so few recordings cannot vouch for
        such a coverage, and every genre belongs to the set.

    Examples
    --------
    >>> threshold([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], 0.8)
    0.8
    >>> threshold([0.1, 0.2, 0.3], 0.9)
    inf
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    # Rounded, because 0.7 * 10 is a little more than 7 in floating point.
    rank = math.ceil(round((len(ordered) + 1) * coverage, 9))
    return float(ordered[rank - 1]) if rank <= len(ordered) else math.inf


def prediction_sets(probabilities: npt.ArrayLike, largest: float) -> npt.NDArray[np.bool_]:
    """The genres whose score, one minus their probability, is not above a threshold.

    Sadinle, Lei and Wasserman 2019, "Least ambiguous set-valued classifiers with bounded error
    levels": of all sets with this coverage the smallest on average, if the probabilities are
    right. Their sets can be empty; here the most probable genre always belongs, which can only
    raise the coverage.

    Parameters
    ----------
    probabilities : array [shape=(n, n_genres)]
    largest : float
        From `threshold`.

    Returns
    -------
    numpy.ndarray of bool [shape=(n, n_genres)]
        No row is empty.

    Examples
    --------
    >>> prediction_sets([[0.5, 0.4, 0.1], [0.4, 0.3, 0.3]], 0.6).tolist()
    [[True, True, False], [True, False, False]]
    """
    table = np.asarray(probabilities, dtype=np.float64)
    sets: npt.NDArray[np.bool_] = 1 - table <= largest
    sets[np.arange(len(table)), table.argmax(axis=1)] = True
    return sets
