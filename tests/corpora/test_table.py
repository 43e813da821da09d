import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.audio.probe import AudioInfo
from genrescope.corpora.table import (
    COLUMNS,
    clips_frame,
    is_synthetic,
    one_per_id,
    portable,
    probe_all,
    require_usable,
    segments,
    walk_files,
)
from genrescope.errors import AudioError, CorpusError


def test_frame_has_every_column_and_type_even_when_empty() -> None:
    frame = clips_frame([])
    assert list(frame.columns) == list(COLUMNS)
    assert frame["start_s"].dtype == "float64"
    assert frame["genre"].dtype == "str"


@given(
    st.floats(0.01, 7200),
    st.floats(1, 60),
    st.sampled_from(["start", "middle", "all"]),
    st.floats(0, 100),
)
def test_segments_lie_inside_the_recording_and_never_overlap(
    length_s: float, clip_s: float, take: str, offset_s: float
) -> None:
    bounds = segments(length_s, clip_s=clip_s, take=take, offset_s=offset_s)  # type: ignore[arg-type]
    assert bool(bounds) == (length_s > offset_s)
    end_s = offset_s
    for start_s, duration_s in bounds:
        assert 0 < duration_s <= clip_s
        assert start_s >= end_s - 1e-6
        end_s = start_s + duration_s
    assert end_s <= max(length_s, offset_s) + 1e-3
    assert take == "all" or len(bounds) <= 1


def test_all_segments_leave_out_a_rest_shorter_than_half_a_clip() -> None:
    assert segments(12.4, clip_s=5.0, take="all") == [(0.0, 5.0), (5.0, 5.0)]
    assert [start for start, _ in segments(12.6, clip_s=5.0, take="all")] == [0.0, 5.0, 10.0]
    assert segments(1.0, clip_s=5.0, take="all") == [(0.0, 1.0)]
    assert len(segments(29.99999, clip_s=5.0, take="all")) == 6
    assert len(segments(30.013, clip_s=5.0, take="all")) == 6


def test_names_are_composed_whatever_the_file_system_gives(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "록.wav")
    assert portable(tmp_path / decomposed, tmp_path) == unicodedata.normalize("NFC", "록.wav")


def test_walk_is_sorted_passes_hidden_files_and_survives_loops(tmp_path: Path) -> None:
    for name in ("b/2.wav", "b/1.wav", "a/3.wav", ".hidden/x.wav", "a/._3.wav", "__MACOSX/y.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "c").symlink_to(tmp_path / "a", target_is_directory=True)
    failures: list[dict[str, str]] = []
    names = [portable(path, tmp_path) for path in walk_files(tmp_path, failures=failures)]
    assert names == ["a/3.wav", "b/1.wav", "b/2.wav"]
    assert failures == []


@pytest.mark.parametrize(("name", "reason"), [("no", "does not exist"), ("f", "not a folder")])
def test_walk_refuses_what_is_no_folder(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "f").touch()
    with pytest.raises(CorpusError, match=reason):
        list(walk_files(tmp_path / name, failures=[]))


def test_probe_all_gives_the_error_in_place_of_the_header(tmp_path: Path, tone) -> None:
    (tmp_path / "text.wav").write_text("not sound")
    good, bad = probe_all([tone(tmp_path / "a.wav", 2.0), tmp_path / "text.wav"])
    assert isinstance(good, AudioInfo)
    assert good.duration_s == 2.0
    assert isinstance(bad, AudioError)


def test_one_row_per_name_and_the_other_is_a_failure() -> None:
    rows, failures = one_per_id([{"clip_id": "x", "path": "1"}, {"clip_id": "x", "path": "2"}])
    assert [row["path"] for row in rows] == ["1"]
    assert failures[0]["path"] == "2"
    assert failures[0]["kind"] == "duplicate"


def test_a_corpus_without_a_genre_is_refused_with_what_was_found() -> None:
    row = {"label": "polka", "genre": None}
    with pytest.raises(CorpusError, match=r"none of its 1 clips .* polka"):
        require_usable([row], [], root="r", wanted="w")
    failed = {"path": "a.wav", "reason": "is empty", "kind": "unreadable"}
    with pytest.raises(CorpusError, match=r"all 1 candidates failed.*a\.wav.*is empty"):
        require_usable([], [failed], root="r", wanted="w")
    with pytest.raises(CorpusError, match="looked for WAVs"):
        require_usable([], [], root="r", wanted="WAVs")


def test_marker_counts_up_to_two_folders_above(tmp_path: Path) -> None:
    (tmp_path / "SYNTHETIC.json").write_text("{}")
    assert is_synthetic(tmp_path)
    assert is_synthetic(tmp_path / "a" / "b")
    assert not is_synthetic(tmp_path / "a" / "b" / "c")
