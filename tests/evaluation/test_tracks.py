import numpy as np
import pandas as pd
import pytest

from genrescope.evaluation.metrics import score
from genrescope.evaluation.tracks import by_track

GENRES = ["x", "y", "z"]


def pieces(n):
    return pd.DataFrame(np.random.default_rng(0).dirichlet(np.ones(3), n), columns=GENRES)


def test_tracks_are_scored_as_clips_are():
    frame = pieces(5).assign(group=list("ggghh"), genre=list("xxxyy"), predicted="x")
    found = by_track(frame, ["1", "1", "2", "3", "3"], GENRES)
    assert found.columns.tolist() == ["track", "group", "genre", "predicted", *GENRES]
    assert found["group"].tolist() == ["g", "g", "h"] and found["genre"].tolist() == list("xxy")
    assert found["predicted"].tolist() == found[GENRES].idxmax(axis=1).tolist()
    row = score(found, GENRES)
    assert row["n"] == 3
    assert row["accuracy"] == (found["genre"] == found["predicted"]).mean()


@pytest.mark.parametrize("column", ["genre", "group"])
def test_a_track_of_two_genres_or_groups_is_refused(column):
    frame = pieces(2).assign(group="g", genre="x").assign(**{column: ["x", "y"]})
    with pytest.raises(ValueError, match=f"track 1 are of more than one {column}"):
        by_track(frame, ["1", "1"], GENRES)
