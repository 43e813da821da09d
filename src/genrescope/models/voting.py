"""One answer for a track from the answers to its pieces."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


def vote(probabilities: pd.DataFrame, tracks: npt.ArrayLike) -> pd.DataFrame:
    """Mean probabilities of the pieces of each track.

    The mean of probabilities rather than of their logarithms, though the pieces are equals and
    one could multiply: neighbouring pieces of a track are far from independent, so the product
    would count the same evidence many times over, and one piece with a probability near 0, an
    intro or a break, would overrule all others. The sum is the rule least sensitive to such errors
    (Kittler et al. 1998, "On combining classifiers").

    Parameters
    ----------
    probabilities : DataFrame [shape=(n, n_genres)]
        A row per piece, a column per genre.
    tracks : array [shape=(n,)]
        Track of each piece.

    Returns
    -------
    DataFrame [shape=(n_tracks, n_genres)]
        By track, in the order in which they first appear; rows sum to 1 where those given do.

    Raises
    ------
    ValueError
        Where the tracks are not as many as the pieces, or one is missing.

    Examples
    --------
    >>> pieces = pd.DataFrame({"Blues": [0.9, 0.4, 0.2], "Rock": [0.1, 0.6, 0.8]})
    >>> vote(pieces, ["one", "one", "two"]).round(2).loc["one"].tolist()
    [0.65, 0.35]
    """
    names: pd.Series[Any] = pd.Series(np.asarray(tracks), index=probabilities.index, name="track")
    if names.isna().any():
        raise ValueError(f"{int(names.isna().sum())} pieces have no track")
    return probabilities.groupby(names, sort=False).mean()
