import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from genrescope.corpora import Corpus, index_corpus
from genrescope.corpora.audit import audit, read_parts
from genrescope.corpora.gtzan_facts import excerpt_of
from genrescope.corpora.synthetic import write_synthetic
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.errors import CorpusError

SR = 22050


def tune(seconds: float, seed: int, *, high: float = 0.0) -> np.ndarray:
    """Struck notes of random pitch and time, with so much hiss above 8 kHz."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(0.8 * SR)) / SR
    y = np.zeros(round(seconds * SR) + len(t))
    for start in rng.integers(0, round(seconds * SR), round(20 * seconds)):
        hertz = 110 * 2 ** (rng.integers(0, 36) / 12)
        partials = [rng.uniform() / k * np.sin(2 * np.pi * hertz * k * t) for k in range(1, 4)]
        y[start : start + len(t)] += np.sum(partials, axis=0) * np.exp(-t * rng.uniform(3, 15))
    y = 0.4 * y[: round(seconds * SR)] / np.abs(y).max()
    spectrum = np.fft.rfft(rng.normal(size=len(y)))
    spectrum[np.fft.rfftfreq(len(y), 1 / SR) < 8500] = 0
    return y + high * np.fft.irfft(spectrum, len(y))


class Album:
    """A corpus written file by file."""

    def __init__(self, folder: Path, name: str = "a") -> None:
        self.folder, self.name = folder / name, name
        self.rows: list[dict] = []

    def add(self, stem: str, y: np.ndarray | bytes, genre: str = "Jazz", **row) -> Path:
        path = self.folder / stem
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(y, bytes):
            path.write_bytes(y)
        else:
            soundfile.write(path, y, SR)
        about = {"label": genre.lower(), "group": stem, "track": stem, "start_s": 0.0}
        self.rows.append(
            {
                "clip_id": f"{self.name}/{stem}@{row.get('start_s', 0):g}",
                "corpus": self.name,
                "path": str(path),
                "genre": genre,
                **about,
                **row,
            }
        )
        return path

    @property
    def corpus(self) -> Corpus:
        return Corpus(self.name, "x", "folder", clips_frame(self.rows), failures_frame([]))


def sentences(found, kind: str) -> list[str]:
    table = found.frame()
    return table.loc[table["kind"] == kind, "sentence"].tolist()


def test_copies_within_a_corpus(tmp_path: Path) -> None:
    album = Album(tmp_path)
    y = tune(5.0, 0)
    album.add("one.wav", y, artist="Ann", group="Ann")
    album.add("same.wav", y, artist="Ann", group="Ann")
    album.add("soft.flac", y[SR:] * 0.3, genre="Rock", artist="Bob", group="Bob")
    album.add("other.wav", tune(5.0, 1), artist="Ann", group="Ann")
    found = audit([album.corpus], workers=1)
    names = [
        (row["kind"], Path(row["path_a"]).name, Path(row["path_b"]).name, row["leak"])
        for row in found.duplicates.to_dict("records")
    ]
    assert names == [
        ("near", "one.wav", "soft.flac", True),
        ("near", "same.wav", "soft.flac", True),
        ("exact", "one.wav", "same.wav", False),
    ]
    assert found.duplicates["labels_differ"].tolist() == [True, True, False]
    assert found.duplicates["artists_differ"].tolist() == [True, True, False]
    assert found.duplicates["offset_s"].tolist() == pytest.approx([1, 1, 0], abs=0.03)
    assert found.duplicates["overlap_s"].tolist() == pytest.approx([4, 4, 5], abs=0.03)
    assert not found.duplicates["listed"].any()
    (leak,) = sentences(found, "duplicate-leak")
    assert leak.startswith("2 pairs of files of a hold the same recording but are in different")
    (conflict,) = sentences(found, "conflicting-labels")
    assert "one.wav as jazz and soft.flac as rock" in conflict
    (kept,) = sentences(found, "duplicate")
    assert "1 pair of files of a" in kept
    assert found.findings["kind"].tolist()[0] == "duplicate-leak"


def test_copies_across_corpora_leak_whatever_their_groups(tmp_path: Path) -> None:
    one, other = Album(tmp_path, "one"), Album(tmp_path, "other")
    y = tune(4.0, 0)
    path = one.add("x.wav", y, artist="Ann", group="Ann")
    other.add("y.wav", y, artist="Ann", group="Ann")
    other.rows.append(other.rows[0] | {"clip_id": "other/x.wav@0", "path": str(path)})
    found = audit([one.corpus, other.corpus], workers=1)
    pairs = found.duplicates[["kind", "corpus_a", "corpus_b", "leak"]].to_numpy().tolist()
    assert sorted(pairs) == [
        ["exact", "one", "other", True],
        ["exact", "other", "other", False],
        ["shared", "one", "other", True],
    ]
    assert "1 artist is in both one and other (Ann)" in sentences(found, "shared-artist")[0]


def test_clips_that_start_at_different_seconds_are_still_one_recording(tmp_path: Path) -> None:
    album = Album(tmp_path)
    y = tune(9.0, 0)
    album.add("long.wav", y, start_s=6.0, duration_s=2.0)
    album.add("part.wav", y[: 4 * SR], duration_s=2.0)
    (overlap_s,) = audit([album.corpus], workers=1).duplicates["overlap_s"]
    assert overlap_s == pytest.approx(4, abs=0.03)


def test_what_a_split_parts(tmp_path: Path) -> None:
    album = Album(tmp_path)
    y = tune(3.0, 0)
    for stem, sound, group in (("a", y, "g"), ("b", tune(3.0, 1), "g"), ("c", y * 0.5, "h")):
        album.add(f"{stem}.wav", sound, group=group)
    parts = pd.Series(["train", "test", "test"], index=[row["clip_id"] for row in album.rows])
    found = audit([album.corpus], parts=parts, workers=1)
    assert found.findings["kind"].tolist()[:2] == ["duplicate-across-split", "group-across-split"]
    assert sentences(found, "group-across-split") == [
        "1 group of a has clips in more than one part of the split (g in test and train)"
    ]
    assert "a.wav and c.wav" in sentences(found, "duplicate-across-split")[0]
    clean = audit([album.corpus], parts=parts.map(lambda _: "train"), workers=1)
    assert not set(clean.findings["kind"]) & {"duplicate-across-split", "group-across-split"}
    table = pd.DataFrame(
        {"seed": [0, 0, 0, 1], "clip_id": ["x", "y", "z", "x"], "part": list("abcd")}
    )
    table.to_parquet(tmp_path / "splits.parquet")
    assert read_parts(tmp_path / "splits.parquet").to_dict() == {"x": "a", "y": "b", "z": "c"}
    with pytest.raises(CorpusError, match="does not exist"):
        read_parts(tmp_path / "none.parquet")
    with pytest.raises(CorpusError, match="no table of splits"):
        read_parts(album.folder / "a.wav")


def test_confounds(tmp_path: Path) -> None:
    soft, loud = Album(tmp_path, "soft"), Album(tmp_path, "loud")
    for number in range(8):
        genre = ("Jazz", "Rock")[number % 2]
        y = tune(1.5, number, high=0.0 if genre == "Jazz" else 0.05)
        artist = "Morphine" if number in (1, 3) else f"artist {number}"
        soft.add(f"{number}.wav", y * 0.2, genre, artist=artist)
    for number in range(8, 20):
        genre = ("Jazz", "Rock")[number % 2]
        y = tune(1.5, number, high=0.0 if genre == "Jazz" else 0.05)
        loud.add(f"{number}.wav", y, genre, artist=f"artist {number}")
    found = audit([soft.corpus, loud.corpus], workers=1)
    assert sentences(found, "dominant-group") == [
        "2 of 4 clips of Rock in soft are by the artist Morphine: what is learnt as the genre may "
        "be its sound"
    ]
    bandwidths = sentences(found, "genre-bandwidth")
    assert any(
        s.startswith(
            "100% of the clips of Rock in loud have energy above 8 kHz, of all other genres 0%"
        )
        for s in bandwidths
    )
    assert not any("in soft" in s for s in bandwidths)  # four clips say nothing
    (level,) = sentences(found, "corpus-level")
    assert level.startswith("loud is 1") and "dB louder than soft" in level
    overall = found.summary.set_index(["corpus", "genre"])
    assert overall.loc[("loud", "(all)"), "clips"] == 12
    assert overall.loc[("loud", "Rock"), "has_high"] == 1
    assert overall.loc[("loud", "Jazz"), "has_high"] == 0


def test_clipped_silent_plain_and_broken_files_are_said(tmp_path: Path) -> None:
    album = Album(tmp_path)
    album.add("clipped.wav", np.clip(4 * tune(2.0, 0), -1, 1))
    album.add("half.wav", np.concatenate([tune(1.5, 1), np.zeros(2 * SR)]))
    album.add("hum.wav", 0.5 * np.sin(np.arange(2 * SR) * 0.05))
    album.add("silent.wav", np.zeros(2 * SR))
    album.add("broken.wav", b"RIFF")
    album.add("short.wav", tune(1.0, 2), start_s=5.0)
    found = audit([album.corpus], workers=1)
    assert "clipped.wav" in sentences(found, "clipping")[0]
    assert "2 of 4 clips of a are silent" in sentences(found, "silence")[0]
    assert "2 of 6 files of a are too short or too plain" in sentences(found, "plain-sound")[0]
    assert sentences(found, "failure") == ["2 files or clips of a could not be heard"]
    assert sorted(found.failures["kind"]) == ["too-short", "unreadable"]
    assert len(found.clips) == 4


def test_a_corpus_of_broken_files_only(tmp_path: Path) -> None:
    album = Album(tmp_path)
    album.add("broken.wav", b"RIFF")
    found = audit([album.corpus], workers=1)
    assert found.findings["kind"].tolist() == ["failure"]
    assert found.text().startswith("0 clips in 0 files")
    assert found.clips.empty and found.duplicates.empty and found.summary.empty


def test_corpora_that_cannot_be_audited(tmp_path: Path) -> None:
    album = Album(tmp_path)
    album.add("a.wav", tune(1.0, 0))
    with pytest.raises(CorpusError, match="no corpus"):
        audit([])
    with pytest.raises(CorpusError, match="two corpora are called a"):
        audit([album.corpus, album.corpus])
    ready = pd.DataFrame({"f": [1.0]}, index=pd.Index(["t/x@0"], name="clip_id"))
    clips = clips_frame([{"clip_id": "t/x@0", "corpus": "t", "genre": "Jazz", "group": "x"}])
    table = Corpus("t", "x", "feature-table", clips, failures_frame([]), features=ready)
    with pytest.raises(CorpusError, match="no sound"):
        audit([table])
    found = audit([table, album.corpus], workers=1)
    assert "t is a feature table" in sentences(found, "failure")[0]


def test_known_faults_of_gtzan(tmp_path: Path, meta_genre) -> None:
    for number, name in enumerate(["pop.00015", "pop.00022", "reggae.00086", "pop.00000"]):
        path = tmp_path / "genres" / name.split(".")[0] / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, tune(6.0, number), SR)
    copied = tmp_path / "genres" / "pop"
    soundfile.write(copied / "pop.00022.wav", 0.5 * tune(6.0, 0), SR)
    corpus = index_corpus("gtzan", tmp_path, name="g", culture="x", taxonomy=meta_genre)
    found = audit([corpus], workers=1)
    faults = found.faults.groupby("kind")["excerpt"].agg(list).to_dict()
    assert faults["repetition"] == ["pop.00015", "pop.00022"]
    assert faults["damage"] == ["reggae.00086"]
    assert "reggae.00086 of g is distorted after its first 5 s" in sentences(found, "known-fault")
    assert found.duplicates["listed"].tolist() == [True]
    assert found.duplicates["leak"].tolist() == [False]


def _coded(y: np.ndarray, container: str, level: float) -> bytes:
    file = io.BytesIO()
    subtype = {"MP3": "MPEG_LAYER_III", "OGG": "VORBIS"}[container]
    soundfile.write(file, y, SR, format=container, subtype=subtype, compression_level=level)
    return file.getvalue()


def test_the_built_in_corpora(tmp_path: Path, meta_genre) -> None:
    corpora = []
    for style, size in (("western", 6), ("korean", 12)):
        root = write_synthetic(tmp_path / style, style=style, size=size, workers=1)
        corpora.append(
            index_corpus("synthetic", root, name=style, culture="x", taxonomy=meta_genre)
        )
    album = Album(tmp_path, "copies")
    sources = {}
    for number, path in enumerate(corpora[0].clips["path"]):
        y = soundfile.read(path)[0]
        start = (number + 1) * SR
        kind = ("MP3", "OGG")[number % 2]
        copy = album.add(
            f"{number}.{kind.lower()}", _coded(0.5 * y[start : start + 4 * SR], kind, 0.6)
        )
        sources[str(copy)] = path
    found = audit([*corpora, album.corpus], workers=1)
    assert dict(zip(found.duplicates["path_b"], found.duplicates["path_a"], strict=True)) == sources
    assert not found.duplicates["listed"].any() and found.faults.empty
    assert found.duplicates["offset_s"].to_numpy() == pytest.approx(
        [int(Path(path).stem) + 1 for path in found.duplicates["path_b"]], abs=0.1
    )


def test_workers_give_the_same(tmp_path: Path) -> None:
    album = Album(tmp_path)
    for number in range(4):
        album.add(f"{number}.wav", tune(1.5, number % 3))
    one, two = (audit([album.corpus], workers=workers) for workers in (1, 2))
    for name in ("findings", "duplicates", "clips", "summary"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(two, name))


def test_the_command(tmp_path: Path) -> None:
    album = Album(tmp_path)
    album.add("x.wav", tune(2.0, 0))
    album.add("y.flac", tune(2.0, 0))
    table = tmp_path / "a.parquet"
    album.corpus.to_parquet(table)
    command = [sys.executable, "-m", "genrescope", "corpus", "audit", str(table), "--workers", "1"]
    done = subprocess.run([*command, "-o", str(tmp_path / "out")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    head, first, *_ = done.stdout.splitlines()
    assert head.startswith("2 clips in 2 files of 1 corpus:")
    assert "x.wav and y.flac" in first
    for name in ("duplicates", "clips", "findings"):
        assert len(pd.read_csv(tmp_path / "out" / f"{name}.csv")) > 0
    album.add("broken.wav", b"no sound")
    album.corpus.to_parquet(table)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 3 and "broken.wav" in done.stderr
    missing = subprocess.run([*command[:-3], "none.parquet"], capture_output=True, text=True)
    assert missing.returncode == 1 and "does not exist" in missing.stderr


KINDS = ("mp3", "ogg", "gain", "trim", "shift", "all")


def _plant(y: np.ndarray, kind: str, rng: np.random.Generator) -> tuple[str, bytes | np.ndarray]:
    """A changed copy: its suffix, and its samples or the bytes of its file."""
    # Two seconds are the shortest real clips; a long one gives an excerpt of three.
    length = 3.0 if len(y) > 10 * SR else 1.6
    start = round(rng.uniform(0, len(y) / SR - length) * SR)
    part = y[start : start + round(length * SR)]
    level = float(rng.uniform(0.3, 0.85))
    headroom_db = -20 * np.log10(np.abs(y).max())
    gain = 10 ** (rng.uniform(-12, min(6, headroom_db)) / 20)
    if kind in ("mp3", "ogg"):
        return f".{kind}", _coded(y, kind.upper(), level)
    if kind == "gain":
        return ".wav", y * gain
    if kind == "trim":
        return ".flac", part
    if kind == "shift":
        return ".wav", y[round(rng.uniform(0.003, 0.5) * SR) :]
    container = str(rng.choice(["mp3", "ogg"]))
    return f".{container}", _coded(part * gain, container.upper(), level)


@pytest.mark.slow
def test_a_hundred_planted_copies_among_300_real_clips(
    tmp_path: Path, real_data: Path, meta_genre
) -> None:
    corpora = [
        index_corpus("gtzan", real_data / name, name=name, culture="Western", taxonomy=meta_genre)
        for name in ("gtzan_mini", "gtzan_short")
    ]
    paths = [path for corpus in corpora for path in corpus.clips["path"]]
    assert len(paths) == 300
    rng = np.random.default_rng(0)
    album = Album(tmp_path, "planted")
    source = {}
    # Half of the copies are of whole tracks, half of excerpts of two to three seconds.
    chosen = [
        *rng.choice(paths[:100], 50, replace=False),
        *rng.choice(paths[100:], 50, replace=False),
    ]
    for number, path in enumerate(chosen):
        kind = KINDS[number % len(KINDS)]
        suffix, sound = _plant(soundfile.read(path)[0], kind, rng)
        source[str(album.add(f"{kind}-{number:02}{suffix}", sound))] = str(path)
    found = audit([*corpora, album.corpus], workers=1)
    assert found.failures.empty
    pairs = {
        frozenset((row["path_a"], row["path_b"])) for row in found.duplicates.to_dict("records")
    }
    missed = [copy for copy, path in source.items() if frozenset((copy, path)) not in pairs]
    assert missed == []

    # Among the real ones: what Sturm lists, and the two tracks that are in both folders.
    real = {pair for pair in pairs if pair <= set(paths)}
    listed = _listed_repetitions(real_data)
    for pair in real:
        one, other = (excerpt_of(Path(path).name) for path in pair)
        assert one == other or frozenset((one, other)) in listed, pair
    assert len(real) == 3
    # A copy matches what its source matches, and nothing else.
    origin = {path: path for path in paths} | source
    same = {frozenset((path,)) for path in paths} | real
    assert all(frozenset(origin[path] for path in pair) in same for pair in pairs)


def _listed_repetitions(real_data: Path) -> set[frozenset[str]]:
    groups = json.loads((real_data / "splits" / "exact_repetitions.json").read_text())["groups"]
    return {
        frozenset((f"{genre}.{one:05}", f"{genre}.{other:05}"))
        for genre, of_genre in groups.items()
        for group in of_genre
        for one in group
        for other in group
        if one != other
    }
