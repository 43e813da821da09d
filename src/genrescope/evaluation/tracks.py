"""Predictions of clips brought together to one per track, to be scored as these are."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.models.voting import vote


def by_track(
    predictions: pd.DataFrame, tracks: npt.ArrayLike, genres: Sequence[str]
) -> pd.DataFrame:
    """One prediction for each track of one table of predictions.

    Parameters
    ----------
    predictions : DataFrame [shape=(n, ...)]
        Of one seed: `group`, `genre` and a probability column per genre, as `predict_cell` gives
        it.
    tracks : array [shape=(n,)]
        Track of each row.
    genres : sequence of str
        In display order.

    Returns
    -------
    DataFrame [shape=(n_tracks, 4 + n_genres)]
        `track`, `group`, `genre`, `predicted`, and the probability of each genre: the mean over
        the clips of the track, see `genrescope.models.voting.vote`. `score` takes it.

    Raises
    ------
    ValueError
        Where a clip has no track, or the clips of a track are of several genres or groups.

    Examples
    --------
    >>> frame = pd.DataFrame({"group": list("aab"), "genre": list("xxy"),
    ...     "x": [0.9, 0.4, 0.2], "y": [0.1, 0.6, 0.8]})
    >>> by_track(frame, ["one", "one", "two"], ["x", "y"])["predicted"].tolist()
    ['x', 'y']
    """
    names = pd.Series(np.asarray(tracks), index=predictions.index, name="track")
    probabilities = vote(predictions[list(genres)], names)
    facts = predictions[["group", "genre"]].groupby(names, sort=False)
    divided = facts.nunique(dropna=False).gt(1)
    for column in divided:
        if divided[column].any():
            name = divided.index[divided[column]][0]
            raise ValueError(f"the clips of track {name} are of more than one {column}")
    frame = facts.first()
    winners = probabilities.to_numpy().argmax(axis=1)
    frame["predicted"] = np.asarray(genres, dtype=object)[winners]
    return pd.concat([frame, probabilities], axis=1).reset_index()
