import numpy as np
import pandas as pd
import pytest

from genrescope.models.doubt import Calibration
from genrescope.settings import ModelSettings
from genrescope.study.cross_validation import cross_validate, deal_folds
from genrescope.study.kept_aside import measured_coverage

GENRES = ["Blues", "Pop", "Rock"]


@pytest.fixture
def music() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three genres, 12 artists each of two tracks of two clips; every fourth artist validates."""
    rng = np.random.default_rng(0)
    rows = [
        {"genre": genre, "group": f"{genre} artist {artist:02}", "track": f"{genre}{artist}{track}"}
        for genre in GENRES
        for artist in range(12)
        for track in range(2)
        for _ in range(2)
    ]  # fmt: skip
    clips = pd.DataFrame(rows)
    clips["clip_id"] = [f"clip-{k:03}" for k in range(len(clips))]
    clips["corpus"], clips["group_kind"] = "made-up", "artist"
    validating = clips["group"].str[-2:].astype(int) % 4 == 3
    clips["part"] = np.where(validating, "validation", "train")
    clips = clips.set_index("clip_id", drop=False)
    codes = clips["genre"].map(GENRES.index).to_numpy()
    X = rng.normal(size=(len(clips), 5))
    X[:, 0] += 2 * codes
    X[:, 1] -= 2 * (codes == 1)
    return pd.DataFrame(X, clips.index, columns=list("abcde")), clips


def validated(music, kind="linear", **changes):
    X, clips = music
    told: list[str] = []
    settings = ModelSettings(kind=kind, params=changes)
    return cross_validate(
        settings, X, clips, genres=GENRES, n_resamples=200, tell=told.append
    ), told


def test_folds_keep_groups_whole_and_share_out_every_genre(music):
    _, clips = music
    folds = deal_folds(clips, seed=3)
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(clips)))
    seen: set[str] = set()
    for fold in folds:
        held = clips.iloc[fold]
        assert not seen & set(held["group"])
        seen |= set(held["group"])
        counts = held.drop_duplicates("group")["genre"].value_counts()
        assert counts.reindex(GENRES).between(2, 3).all()
    assert [f.tolist() for f in folds] == [f.tolist() for f in deal_folds(clips, seed=3)]
    assert [f.tolist() for f in folds] != [f.tolist() for f in deal_folds(clips, seed=4)]


def test_the_only_artist_of_a_genre_is_always_learned_from(music):
    _, clips = music
    alone = clips[(clips["genre"] != "Blues") | (clips["group"] == "Blues artist 00")]
    held = np.concatenate(deal_folds(alone))
    assert len(alone) - len(held) == 4
    assert set(alone.iloc[np.setdiff1d(np.arange(len(alone)), held)]["genre"]) == {"Blues"}
    assert deal_folds(clips[clips["group"].str.endswith("00")]) == []


def test_every_clip_is_answered_by_a_model_that_never_saw_its_artist(music):
    _, clips = music
    # Labels at random: only a model that has seen the clips could do better than chance.
    rng = np.random.default_rng(1)
    artists = clips["group"].unique()
    of_artist = dict(zip(artists, rng.permutation(np.repeat(GENRES, 12)), strict=True))
    shuffled = clips.assign(genre=clips["group"].map(of_artist))
    noise = pd.DataFrame(rng.normal(size=(len(clips), 30)), clips.index)
    by_artist = noise.groupby(clips["group"].to_numpy()).transform("first").add_prefix("f")
    kept, _ = validated((by_artist, shuffled), "forest", n_estimators=50)
    assert kept is not None
    right = kept.predictions["genre"] == kept.predictions["predicted"]
    assert right.mean() < 0.6  # 144 clips of 36 artists; a model that saw them scores 1


def test_a_line_is_told_as_each_fold_ends_and_one_on_all(music):
    kept, told = validated(music)
    assert kept is not None and len(kept.predictions) == 144
    assert [line.split(":")[0] for line in told[:-1]] == [f"fold {k} of 5" for k in range(1, 6)]
    assert told[0].endswith("32 clips of 8 artists")
    assert (
        told[-1].startswith("cross-validation: macro-F1 .")
        and "144 clips of 36 artists" in told[-1]
    )


def test_models_that_calibrate_are_validated_by_the_rest_of_the_validation_part(music):
    kept, _ = validated(music, "svm")
    assert kept is not None
    assert (kept.predictions["genre"] == kept.predictions["predicted"]).mean() > 0.7


def test_one_genre_cannot_be_validated(music):
    X, clips = music
    blues = clips["genre"] == "Blues"
    assert validated((X[blues], clips[blues])) == (None, [])


def test_answers_out_of_fold_calibrate_by_recording(music):
    kept, _ = validated(music)
    assert kept is not None
    calibration = kept.calibration()
    assert calibration is not None and calibration.n == 72
    found = kept.under(calibration, coverage=0.9)
    assert len(found) == 72 and (found["size"] >= 1).all()
    # On its own recordings a 90% set holds the genre of 66 of 72: 0.9 * 73 = 65.7, rounded up,
    # or more where the most probable genre was added.
    assert found["covered"].sum() >= 66
    told = measured_coverage(kept, calibration)
    assert told["recordings"] == told["calibrated_on"] == 72
    assert told["covered"] == found["covered"].sum()
    assert told["low"] < told["covered"] / 72 < told["high"]


def test_clips_of_a_genre_never_learned_do_not_calibrate(music):
    kept, _ = validated(music)
    assert kept is not None
    kept.known[kept.predictions["genre"] == "Rock"] = False
    calibration = kept.calibration()
    assert isinstance(calibration, Calibration) and calibration.n == 48
    kept.known[:] = False
    assert kept.calibration() is None
