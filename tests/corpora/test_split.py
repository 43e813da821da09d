import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.corpora.split import split_clips
from genrescope.corpora.table import clips_frame
from genrescope.errors import CorpusError
from genrescope.settings import SplitSettings


def _clips(sizes: list[tuple[str, int]]) -> pd.DataFrame:
    """A group per (genre, number of clips)."""
    return clips_frame(
        [
            {"clip_id": f"c/{g}-{i}@0", "genre": genre, "track": f"t{g}", "group_kind": "track"}
            for g, (genre, count) in enumerate(sizes)
            for i in range(count)
        ]
    )


quick = settings(deadline=None, max_examples=30)  # a split is tens of milliseconds
groups = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(1, 12)), min_size=1, max_size=60)


@quick
@given(groups, st.integers(-3, 2**40))
def test_groups_stay_whole_and_genres_are_where_they_have_to_be(
    sizes: list[tuple[str, int]], seed: int
) -> None:
    clips = _clips(sizes)
    parts, warnings = split_clips(clips, seed=seed)
    assert parts.index.tolist() == clips["clip_id"].tolist()
    assert set(parts) <= {"train", "validation", "test"}
    table = clips.assign(part=parts.to_numpy())
    assert table.groupby("track")["part"].nunique().max() == 1
    for genre, of_genre in table.groupby("genre"):
        present = set(of_genre["part"])
        n_groups = of_genre["track"].nunique()
        expected = [{"train"}, {"train", "test"}, {"train", "validation", "test"}][
            min(n_groups, 3) - 1
        ]
        assert present == expected
        named = [warning for warning in warnings if genre in warning.split()]
        assert bool(named) == (n_groups < 3)


@quick
@given(groups, st.integers(0, 9), st.randoms())
def test_row_order_does_not_matter_and_a_seed_repeats(
    sizes: list[tuple[str, int]], seed: int, random
) -> None:
    clips = _clips(sizes)
    order = list(range(len(clips)))
    random.shuffle(order)
    parts, warnings = split_clips(clips, seed=seed)
    again, same_warnings = split_clips(clips.iloc[order], seed=seed)
    pd.testing.assert_series_equal(parts.sort_index(), again.sort_index())
    assert warnings == same_warnings


@quick
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_shares_are_met_where_groups_are_small_and_many(seed: int, largest: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = [("ab"[i % 2], int(rng.integers(1, largest + 1))) for i in range(300)]
    clips = _clips(sizes)
    parts, _ = split_clips(clips, seed=seed)
    table = clips.assign(part=parts.to_numpy())
    for _, of_genre in table.groupby("genre"):
        shares = of_genre["part"].value_counts(normalize=True)
        assert shares["train"] == pytest.approx(0.70, abs=0.01)
        assert shares["validation"] == pytest.approx(0.15, abs=0.01)
        assert shares["test"] == pytest.approx(0.15, abs=0.01)


def test_seeds_differ() -> None:
    clips = _clips([("ab"[i % 2], 3) for i in range(40)])
    different = {tuple(split_clips(clips, seed=seed)[0]) for seed in range(5)}
    assert len(different) == 5


@quick
@given(st.lists(st.sets(st.sampled_from("abc"), min_size=1), min_size=9, max_size=30))
def test_artists_of_several_genres_stay_whole_and_lacks_are_warned_of(
    artists: list[set[str]],
) -> None:
    clips = clips_frame(
        [
            {"clip_id": f"c/{a}{g}@0", "genre": g, "track": f"{a}{g}", "artist": f"artist {a}"}
            for a, genres in enumerate(artists)
            for g in sorted(genres)
        ]
    )
    parts, warnings = split_clips(clips)
    table = clips.assign(part=parts.to_numpy())
    assert table.groupby("artist")["part"].nunique().max() == 1
    for genre, of_genre in table.groupby("genre"):
        lacking = {"train", "validation", "test"} - set(of_genre["part"])
        named = [warning for warning in warnings if genre in warning.split()]
        assert bool(lacking) == bool(named)


def test_a_single_artist_is_named_and_only_learnt() -> None:
    rows = [
        {"clip_id": f"c/{i}@0", "genre": "Pop", "track": f"t{i}", "artist": "Alanis Morissette"}
        for i in range(24)
    ]
    parts, (warning,) = split_clips(clips_frame(rows))
    assert set(parts) == {"train"}
    assert "all 24 clips of Pop are of one artist (Alanis Morissette)" in warning
    by_track, warnings = split_clips(clips_frame(rows), SplitSettings(group="track"))
    assert set(by_track) == {"train", "validation", "test"}
    assert warnings == []


def test_a_validation_share_of_zero_leaves_it_empty() -> None:
    leaving = SplitSettings(train=0.8, validation=0.0, test=0.2)
    parts, warnings = split_clips(_clips([("a", 1)] * 50), leaving)
    assert parts.value_counts().to_dict() == {"train": 40, "test": 10}
    assert warnings == []


def test_clips_without_a_genre_take_no_part_and_none_at_all_is_an_error() -> None:
    clips = _clips([("a", 2), ("a", 2)])
    clips.loc[0, "genre"] = None
    assert len(split_clips(clips)[0]) == 3
    with pytest.raises(CorpusError, match="no clip with a genre"):
        split_clips(clips.iloc[:1])


def test_leaky_split_parts_the_clips_of_a_track() -> None:
    clips = _clips([("a", 20), ("a", 20)])
    parts, _ = split_clips(clips, SplitSettings(group="none"))
    table = clips.assign(part=parts.to_numpy())
    assert table.groupby("track")["part"].nunique().min() > 1


def test_fault_filtered_is_the_published_partition() -> None:
    names = ["blues.00012.wav", "blues.00029.5.wav", "blues.00000.au", "reggae.00086.wav"]
    rows = [
        {"clip_id": f"g/a/{name}@{start}", "genre": name[:5], "track": name[:11]}
        for name in names
        for start in (0, 5)
    ]
    leaving = SplitSettings(protocol="fault-filtered")
    parts, warnings = split_clips(clips_frame(rows), leaving)
    assert parts.tolist() == ["test"] * 2 + ["train"] * 2 + ["validation"] * 2 + ["removed"] * 2
    assert any("leaves out 2 of 8 clips" in warning for warning in warnings)
    stranger = clips_frame([*rows, {"clip_id": "g/mine.wav@0", "genre": "blues", "track": "m"}])
    with pytest.raises(CorpusError, match=r"1 of 9 clips are none of them, g/mine\.wav@0"):
        split_clips(stranger, leaving)


def test_many_groups_are_split_in_seconds() -> None:
    clips = _clips([("abcd"[i % 4], 1) for i in range(30_000)])
    parts, _ = split_clips(clips)
    assert parts.value_counts().to_dict() == {"train": 21_000, "validation": 4500, "test": 4500}
