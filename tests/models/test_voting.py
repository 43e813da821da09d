import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.models.voting import vote

GENRES = ["x", "y", "z"]


def pieces(n, *, seed=0):
    return pd.DataFrame(np.random.default_rng(seed).dirichlet(np.ones(3), n), columns=GENRES)


def test_one_piece_cannot_overrule_the_others():
    table = pd.DataFrame({"x": [0.9, 0.9, 0.0], "y": [0.1, 0.1, 0.6], "z": [0.0, 0.0, 0.4]})
    mean = vote(table, ["t"] * 3).loc["t"]
    np.testing.assert_allclose(mean, [0.6, 0.8 / 3, 0.4 / 3])
    assert mean.idxmax() == "x" and table.prod().idxmax() == "y"


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_votes_are_means_whatever_the_order(n, seed):
    table = pieces(n, seed=seed)
    tracks = np.random.default_rng(seed).integers(0, 3, n)
    found = vote(table, tracks)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    for track in set(tracks.tolist()):
        np.testing.assert_allclose(found.loc[track], table[tracks == track].mean())
    assert list(found.index) == list(dict.fromkeys(tracks.tolist()))
    back = vote(table[::-1], tracks[::-1]).loc[found.index]
    np.testing.assert_allclose(back, found)


def test_a_track_of_one_piece_keeps_its_answer():
    table = pieces(4)
    pd.testing.assert_frame_equal(vote(table, list("abcd")).reset_index(drop=True), table)


def test_what_has_no_track_is_refused():
    with pytest.raises(ValueError, match="1 pieces have no track"):
        vote(pieces(2), ["a", None])
    with pytest.raises(ValueError):
        vote(pieces(2), ["a"])
