"""A few training clips that stand for music in general when an answer is explained."""

from typing import Any

import numpy as np
import numpy.typing as npt

N_BACKGROUND = 32


def draw_background(X: npt.NDArray[Any], *, seed: int) -> npt.NDArray[np.float64]:
    """Draw clips at random, without repetition.

    Parameters
    ----------
    X : array [shape=(n, n_features)]
        Feature vectors of the training clips.
    seed : int

    Returns
    -------
    numpy.ndarray [shape=(n_background, n_features)]
        32 of them in the order of `X`, or all where there are fewer.

    Examples
    --------
    >>> draw_background(np.zeros((100, 3)), seed=0).shape
    (32, 3)
    """
    size = min(N_BACKGROUND, len(X))
    rows = np.random.default_rng(seed).choice(len(X), size, replace=False)
    return X[np.sort(rows)].astype(np.float64)
