import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.corpora.korean_metadata import (
    Metadata,
    default_keys,
    instruments,
    plain,
    read_metadata,
)
from genrescope.errors import CorpusError

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)  # fmt: skip


@given(values)
def test_any_json_can_be_looked_through(content: object) -> None:
    data = Metadata(content)
    for path in data.keys:
        for value in data.values([path]):
            assert value is not None
            assert not isinstance(value, dict | list)
    assert isinstance(data.shown_keys(), str)


def test_the_value_nearest_the_top_wins_and_first_candidate_before_others() -> None:
    data = Metadata({"a": {"genre": "deep", "b": {"genre": "deeper"}}, "style": "top"})
    assert data.values(["genre", "style"]) == ["deep"]
    assert data.values(["b.genre"]) == ["deeper"]
    assert data.values(["nothing", "style"]) == ["top"]
    assert data.values(["enre"]) == []


def test_case_and_separators_of_keys_do_not_count() -> None:
    data = Metadata({"Music Type-Info": {"musicGenreCd": "GN0100"}})
    assert data.values(["music_type_info.music_genre_cd"]) == ["GN0100"]


def test_empty_values_are_no_values_but_keys() -> None:
    data = Metadata({"genre": "", "tempo": [], "song": None, "info": {}, "sub": {"genre": " x "}})
    assert data.values(["genre"]) == ["x"]
    assert data.keys == ["genre", "tempo", "song", "info", "sub.genre"]


def test_values_of_repeated_items_are_not_the_clips_own() -> None:
    data = Metadata({"notes": [{"duration": 0.1}, {"duration": 0.2}], "info": [{"duration": 3}]})
    assert data.values(["duration"], single=True) == [3]
    assert Metadata({"genre": [["a"], ["b"]]}).values(["genre"]) == ["a", "b"]


def test_files_that_are_no_json_say_why(tmp_path) -> None:
    path = tmp_path / "a.json"
    for content, reason in (
        (b"", "is empty"),
        (b'{"a": 1,\n "b"}', "line 2"),
        (b"\xff\xfe\x00\x81\xff", "neither UTF-8 nor CP949"),
        (b"[" * 100_000, "too deep"),
    ):
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=reason) as caught:
            read_metadata(path)
        assert caught.value.kind == "metadata-unreadable"
    with pytest.raises(CorpusError, match="cannot be read"):
        read_metadata(tmp_path / "gone.json")


def test_no_spelling_means_two_instruments() -> None:
    from importlib import resources

    import yaml

    text = (
        resources.files("genrescope").joinpath("corpora/data/instruments.yaml").read_text("utf-8")
    )
    table = yaml.safe_load(text)
    meant: dict[str, str] = {}
    for name, spellings in table.items():
        for spelling in (name, *spellings):
            assert meant.setdefault(plain(spelling), name) == name, spelling
    assert meant == instruments()
    assert "기타" not in {word for words in table.values() for word in words}


def test_every_field_has_candidates() -> None:
    fields = {"genre", "instrument", "song", "phrase", "duration", "sample_rate"}
    assert set(default_keys()) == fields
    assert all(isinstance(key, str) for keys in default_keys().values() for key in keys)
