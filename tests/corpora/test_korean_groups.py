import pytest

from genrescope.corpora.korean_groups import group_loops, stem_groups


@pytest.mark.parametrize(
    ("stem", "group"),
    [
        ("song12_drums_03", "song12"),
        ("song12_E_Guitar_03", "song12"),
        ("song12_일렉 기타_verse_03", "song12"),
        ("song12-bass", "song12"),
        ("song12_03_bass", "song12_03"),
        ("song12_03", "song12"),
        ("song12_loop3", "song12"),
        ("DR_0001", "0001"),
        ("drums03", "drums03"),
        ("곡7_드럼2", "곡7"),
        ("drums", "drums"),
        ("0001", "0001"),
        ("___", "___"),
    ],
)
def test_beginning_of_a_stem(stem: str, group: str) -> None:
    assert stem_groups([stem]) == [group]


def test_a_name_all_loops_share_is_the_collections() -> None:
    stems = [f"KPOP_{word}_{number:06d}" for number in range(20) for word in ("drums", "bass")]
    groups = stem_groups(stems)
    assert groups[0] == groups[1] == "KPOP_000000"
    assert len(set(groups)) == 20


def test_song_goes_before_phrase_goes_before_stem() -> None:
    groups, notes = group_loops(
        ["a_1", "a_2", "a_3"], ["song", None, None], ["phrase", "phrase", None]
    )
    assert groups == [("song", "song"), ("phrase", "phrase"), ("a", "stem")]
    assert notes == []


def test_a_song_that_differs_for_every_loop_is_no_song() -> None:
    stems = [f"s{number // 4}_drums_{number}" for number in range(40)]
    songs = [f"id{number}" for number in range(40)]
    groups, (note,) = group_loops(stems, songs, [None] * 40)
    assert {kind for _, kind in groups} == {"stem"}
    assert len({group for group, _ in groups}) == 10
    assert "song" in note


def test_a_phrase_that_many_share_is_a_kind_of_phrase() -> None:
    stems = [f"s{number // 4}_drums_{number}" for number in range(100)]
    phrases = ["AB"[number % 2] for number in range(100)]
    groups, (note,) = group_loops(stems, [None] * 100, phrases)
    assert {kind for _, kind in groups} == {"stem"}
    assert "2 values among 100 loops" in note
