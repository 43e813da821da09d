import csv
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrescope.corpora import index_corpus
from genrescope.corpora.synthesis.loops import (
    SHARES,
)
from genrescope.corpora.synthesis.midi import midi_bytes
from genrescope.corpora.synthesis.score import Note
from genrescope.corpora.synthesis.tracks import LABELS
from genrescope.corpora.synthetic import write_synthetic
from genrescope.errors import ConfigError, CorpusError
from genrescope.settings import AudioSettings
from genrescope.taxonomy import load_taxonomy


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def loops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(
        tmp_path_factory.mktemp("loops") / "korean", style="korean", size=12, seed=5, workers=1
    )


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic(
        tmp_path_factory.mktemp("tracks") / "western", style="western", size=6, seed=5, workers=1
    )


def read_midi(content: bytes) -> tuple[float, list[tuple[float, float, int, int]]]:
    """Tempo, and the notes as (start_s, duration_s, pitch, velocity): a reader apart."""
    kind, length, midi_format, n_tracks, ticks = struct.unpack(">4sIHHH", content[:14])
    assert (kind, length, midi_format, n_tracks) == (b"MThd", 6, 0, 1)
    assert content[14:18] == b"MTrk"
    assert struct.unpack(">I", content[18:22])[0] == len(content) - 22
    at, now, tempo = 22, 0, 0.0
    sounding: dict[int, list[tuple[int, int]]] = {}
    notes = []
    while at < len(content):
        delta = 0
        while True:
            byte = content[at]
            at += 1
            delta = delta << 7 | byte & 0x7F
            if byte < 0x80:
                break
        now += delta
        status = content[at]
        if status == 0xFF:
            size = content[at + 2]
            if content[at + 1] == 0x51:
                tempo = 60e6 / int.from_bytes(content[at + 3 : at + 6], "big")
            at += 3 + size
        elif status & 0xF0 == 0xC0:
            at += 2
        else:
            pitch, velocity = content[at + 1], content[at + 2]
            if status & 0xF0 == 0x90:
                sounding.setdefault(pitch, []).append((now, velocity))
            else:
                start, loudness = sounding[pitch].pop(0)
                second = 60.0 / tempo / ticks
                notes.append((start * second, (now - start) * second, pitch, loudness))
            at += 3
    assert content[-3:] == b"\xff\x2f\x00"
    assert not any(sounding.values())
    return tempo, sorted(notes)


def test_midi_says_what_was_played():
    played = [Note(0.0, 0.5, 60, 1.0), Note(0.5, 0.25, 64, 0.5), Note(0.5, 2.0, 60, 0.25)]
    tempo, notes = read_midi(midi_bytes(played, tempo_bpm=93.0, program=4))
    assert tempo == pytest.approx(93.0, abs=1e-3)
    assert [(pitch, velocity) for _, _, pitch, velocity in notes] == [(60, 127), (64, 64), (60, 32)]
    for note, (start_s, duration_s, *_) in zip(sorted(played), notes, strict=True):
        assert start_s == pytest.approx(note.start_s, abs=2e-3)
        assert duration_s > 0.0


def test_tracks_lie_and_sound_as_they_should(tracks: Path):
    found = files_of(tracks)
    assert set(found) == {
        "SYNTHETIC.json",
        "artists.csv",
        *(f"genres_original/{label}/{label}.00000.wav" for label in LABELS),
    }
    marker = json.loads(found["SYNTHETIC.json"])
    assert marker["synthetic"] is True
    assert (marker["style"], marker["seed"], marker["size"]) == ("western", 5, 6)
    for path in tracks.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_16")
        sound, _ = soundfile.read(path)
        assert len(sound) == 30 * 22050
        assert_clean(sound)


def assert_clean(sound: np.ndarray) -> None:
    assert 0.2 < np.max(np.abs(sound)) <= 0.95
    assert abs(np.mean(sound)) < 1e-3
    assert np.max(np.abs(sound[[0, 1, -2, -1]])) < 0.01
    assert np.sqrt(np.mean(sound**2)) > 0.01


def test_loops_lie_and_sound_as_they_should(loops: Path):
    sounds = sorted(loops.rglob("*.wav"))
    assert len(sounds) >= 12
    assert {path.relative_to(loops).parts[:2] for path in sounds} == {("01.데이터", "원천데이터")}
    metadata = {path.stem: path for path in loops.rglob("라벨링데이터/**/*.json")}
    midi = {path.stem: path for path in loops.rglob("라벨링데이터/**/*.mid")}
    assert set(metadata) == set(midi) == {path.stem for path in sounds}
    for path in sounds:
        sound, rate = soundfile.read(path)
        about = json.loads(metadata[path.stem].read_text(encoding="utf-8"))
        assert_clean(sound)
        assert about["synthetic"] is True
        assert about["audio_info"]["sample_rate"] == rate == 22050
        assert about["audio_info"]["duration"] == pytest.approx(len(sound) / rate, abs=1e-3)
        tempo, notes = read_midi(midi[path.stem].read_bytes())
        assert tempo == pytest.approx(about["annotation_data_info"]["bpm"], abs=0.01)
        assert len(notes) == about["annotation_data_info"]["note_count"] > 0
        assert max(start for start, *_ in notes) < len(sound) / rate


def test_midi_onsets_are_heard(loops: Path):
    """Where the first bass note begins in the MIDI file, the sound begins."""
    checked = 0
    for path in loops.rglob("*_BS.wav"):
        sound, rate = soundfile.read(path)
        _, notes = read_midi(next(loops.rglob(f"{path.stem}.mid")).read_bytes())
        first = int(notes[0][0] * rate)
        after = np.sqrt(np.mean(sound[first : first + rate // 4] ** 2))
        assert after > 0.02
        if first > rate // 10:
            before = np.sqrt(np.mean(sound[: first - 100] ** 2))
            assert before < 0.2 * after
        checked += 1
    assert checked > 0


def test_writing_again_restores_only_what_is_missing(loops: Path, tmp_path: Path):
    folder = write_synthetic(tmp_path / "korean", style="korean", size=12, seed=5, workers=1)
    before = files_of(folder)
    assert before == files_of(loops)
    lost = [*sorted(folder.rglob("*.wav"))[:2], sorted(folder.rglob("*.mid"))[-1]]
    stems = {path.stem for path in lost}
    kept = [path for path in folder.rglob("*.wav") if path.stem not in stems]
    times = [path.stat().st_mtime_ns for path in kept]
    for path in lost:
        path.unlink()
    write_synthetic(folder, style="korean", size=12, seed=5, workers=1)
    assert files_of(folder) == before
    assert [path.stat().st_mtime_ns for path in kept] == times


def test_growing_keeps_what_is_there(loops: Path, tmp_path: Path):
    folder = write_synthetic(tmp_path, style="korean", size=4, seed=5, workers=1)
    first = sorted(folder.rglob("*.wav"))
    times = [path.stat().st_mtime_ns for path in first]
    write_synthetic(folder, style="korean", size=12, seed=5, workers=1)
    assert files_of(folder) == files_of(loops)
    assert [path.stat().st_mtime_ns for path in first] == times
    with pytest.raises(CorpusError, match="size 12"):
        write_synthetic(folder, style="korean", size=4, seed=5)


def test_the_marker_decides_what_a_folder_may_become(loops: Path, tmp_path: Path):
    with pytest.raises(CorpusError, match="seed 5"):
        write_synthetic(loops, style="korean", size=12, seed=6)
    with pytest.raises(CorpusError, match="style korean"):
        write_synthetic(loops, style="western", size=12, seed=5)
    (tmp_path / "mine.wav").write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match=r"mine\.wav"):
        write_synthetic(tmp_path, style="korean", size=1)
    assert not (tmp_path / "SYNTHETIC.json").exists()


def test_foreign_files_are_refused(tmp_path: Path):
    folder = write_synthetic(tmp_path / "a", style="korean", size=1, seed=0, workers=1)
    (folder / "01.데이터" / "notes.txt").write_text("mine")
    (folder / "01.데이터" / ".KS-x.partial.wav").write_bytes(b"")
    write_synthetic(folder, style="korean", size=1, seed=0, workers=1)
    (folder / "01.데이터" / "mine.wav").write_bytes(b"RIFF")
    with pytest.raises(CorpusError, match="not part of the synthetic corpus"):
        write_synthetic(folder, style="korean", size=1, seed=0, workers=1)


def test_a_damaged_marker_is_an_error_and_not_an_empty_folder(tmp_path: Path):
    (tmp_path / "SYNTHETIC.json").write_text("{", encoding="utf-8")
    with pytest.raises(CorpusError, match="cannot be read"):
        write_synthetic(tmp_path, style="korean", size=1)
    (tmp_path / "SYNTHETIC.json").write_text('{"synthetic": true}', encoding="utf-8")
    with pytest.raises(CorpusError, match="no marker"):
        write_synthetic(tmp_path, style="korean", size=1)


def test_wrong_options_are_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="style"):
        write_synthetic(tmp_path, style="martian")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="size"):
        write_synthetic(tmp_path, style="korean", size=0)
    with pytest.raises(ConfigError, match="seed"):
        write_synthetic(tmp_path, style="korean", seed=-1)
    with pytest.raises(ConfigError, match="western or korean"):
        index_corpus(
            "synthetic", tmp_path, name="a", culture="A", taxonomy=load_taxonomy("meta-genre")
        )


def test_western_is_indexed_by_its_own_artists(tracks: Path):
    about = {"name": "west", "culture": "Western", "taxonomy": load_taxonomy("meta-genre")}
    corpus = index_corpus("synthetic", tracks, **about)
    assert corpus.synthetic
    assert corpus.format == "synthetic"
    assert len(corpus.usable) == 6
    assert set(corpus.clips["duration_s"]) == {AudioSettings().clip_seconds}
    with (tracks / "artists.csv").open(encoding="utf-8") as file:
        artists = {row["stem"]: row["artist"] for row in csv.DictReader(file)}
    assert dict(zip(corpus.clips["track"], corpus.clips["artist"], strict=True)) == artists
    assert set(corpus.clips["group_kind"]) == {"artist"}
    # Numbered like GTZAN's excerpts, but John Lee Hooker has nothing to do with them.
    plain = index_corpus("gtzan", tracks, **about)
    assert plain.synthetic
    assert plain.clips["artist"].isna().all()


def test_korean_is_indexed_by_song_without_the_extra_instruments(loops: Path):
    corpus = index_corpus(
        "synthetic",
        loops,
        name="korean",
        culture="Korean-style",
        taxonomy=load_taxonomy("meta-genre"),
        options={"style": "korean"},
    )
    assert corpus.synthetic
    assert len(corpus.usable) == 12
    assert len(corpus.failures) == 0
    assert set(corpus.clips["label"]) <= set(SHARES)
    assert set(corpus.clips["group_kind"]) == {"song"}
    assert corpus.clips["group"].nunique() < 12
    assert corpus.clips["midi_path"].notna().all()
