import os
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from genrescope.config import AudioSettings, FeatureSettings
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.errors import ConfigError, OutputError
from genrescope.features import store
from genrescope.features.store import export, extract_corpus
from genrescope.features.vector import FEATURE_NAMES

RATE = 22050


@pytest.fixture
def corpus(tmp_path, music):
    """Two files with three clips, one of them silent, and two files that cannot be used."""
    root = tmp_path / "sound"
    root.mkdir()
    long = music(0, 11.0)
    long[5 * RATE : 6 * RATE] = 0
    soundfile.write(root / "long.wav", long, RATE)
    soundfile.write(root / "short.flac", music(1, 2.0), RATE)
    (root / "text.wav").write_text("no sound")
    rows = [
        ("long.wav", 0.0, 5.0, "blues"),
        ("text.wav", 0.0, 5.0, "rock"),
        ("long.wav", 5.0, 1.0, "blues"),
        ("long.wav", 6.0, 5.0, "blues"),
        ("short.flac", 0.0, 2.0, "rock"),
        ("gone.wav", 0.0, 5.0, "rock"),
    ]
    return corpus_of(root, rows)


def corpus_of(root, rows):
    clips = [
        {
            "clip_id": f"toy/{name}@{start_s:g}",
            "corpus": "toy",
            "path": str(root / name),
            "start_s": start_s,
            "duration_s": duration_s,
            "label": label,
            "genre": label.title(),
            "group": name,
        }
        for name, start_s, duration_s, label in rows
    ]
    return Corpus("toy", "Western", "folder", clips_frame(clips), failures_frame([]))


def same(a, b):
    pd.testing.assert_frame_equal(a.vectors, b.vectors)
    pd.testing.assert_frame_equal(a.failures, b.failures)
    np.testing.assert_array_equal(a.log_mels, b.log_mels)
    assert a.clip_ids == b.clip_ids


def shards(folder):
    return sorted((folder / "shards").glob("*.npz"))


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in shards(folder)}


def test_clips_and_failures(corpus, tmp_path):
    found = extract_corpus(corpus, tmp_path / "out", workers=1)
    assert found.clip_ids == ["toy/long.wav@0", "toy/long.wav@6", "toy/short.flac@0"]
    assert list(found.vectors.index) == found.clip_ids
    assert tuple(found.vectors.columns) == FEATURE_NAMES
    assert found.log_mels.shape == (3, 128, 128) and isinstance(found.log_mels, np.memmap)
    kinds = found.failures.assign(path=found.failures["path"].map(os.path.basename))
    assert list(kinds[["path", "kind"]].itertuples(index=False, name=None)) == [
        ("text.wav", "unreadable"),
        ("long.wav", "silent"),
        ("gone.wav", "unreadable"),
    ]
    assert not found.failures["reason"].str.contains(str(tmp_path)).any()


def test_many_shards_in_many_processes_give_the_same(corpus, tmp_path, monkeypatch):
    whole = extract_corpus(corpus, tmp_path / "one", workers=1)
    monkeypatch.setattr(store, "CLIPS_PER_SHARD", 2)
    spread = extract_corpus(corpus, tmp_path / "many", workers=2)
    assert len(shards(tmp_path / "many")) == 3
    same(spread, whole)


def test_second_call_decodes_nothing(corpus, tmp_path, monkeypatch):
    first = extract_corpus(corpus, tmp_path / "out", workers=1)
    monkeypatch.setattr(store, "make_shard", lambda shard: pytest.fail("computed again"))
    same(first, extract_corpus(corpus, tmp_path / "out", workers=1))


def test_only_what_is_missing_or_damaged_is_made_again(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "CLIPS_PER_SHARD", 2)
    out = tmp_path / "out"
    first = extract_corpus(corpus, out, workers=1)
    before = stamps(out)
    names = sorted(before)
    content = bytearray((out / "shards" / names[0]).read_bytes())
    damages = {
        "flipped bit": bytes(content[:3000]) + bytes([content[3000] ^ 1]) + bytes(content[3001:]),
        "cut short": bytes(content[: len(content) // 2]),
        "empty": b"",
        "something else": b"no archive" * 100,
    }
    for damage, broken in damages.items():
        (out / "shards" / names[0]).write_bytes(broken)
        (out / "shards" / names[1]).unlink()
        same(first, extract_corpus(corpus, out, workers=1))
        after = stamps(out)
        assert sorted(after) == names, damage
        assert after[names[2]] == before[names[2]], damage


def test_leftovers_of_a_killed_process_do_no_harm(corpus, tmp_path):
    out = tmp_path / "out"
    (out / "shards").mkdir(parents=True)
    (out / "shards" / ".abc-123.partial.npz").write_bytes(b"half a sha")
    (out / "toy.logmel.npy").write_bytes(b"half")
    assert len(extract_corpus(corpus, out, workers=1).clip_ids) == 3


def test_the_key_is_content_and_settings_not_place(corpus, tmp_path, music):
    out = tmp_path / "out"
    extract_corpus(corpus, out, workers=1)
    assert len(shards(out)) == 1
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "sound", moved)
    clips = corpus.clips.assign(
        path=corpus.clips["path"].str.replace(str(tmp_path / "sound"), str(moved), regex=False)
    )
    elsewhere = Corpus("toy", "Western", "folder", clips, corpus.failures)
    failures = extract_corpus(elsewhere, out, workers=1).failures
    assert len(shards(out)) == 1
    assert failures["path"].str.startswith(str(moved)).all()
    changes = [
        {"audio": AudioSettings(fit="pad")},
        {"features": FeatureSettings(mel_reference="one")},
        {"log_mels": False},
    ]
    for count, change in enumerate(changes, start=2):
        extract_corpus(corpus, out, workers=1, **change)
        assert len(shards(out)) == count
    soundfile.write(tmp_path / "sound" / "short.flac", music(2, 2.0), RATE)
    extract_corpus(corpus, out, workers=1)
    assert len(shards(out)) == 5


def test_a_mended_file_is_tried_again(corpus, tmp_path, music):
    out = tmp_path / "out"
    extract_corpus(corpus, out, workers=1)
    soundfile.write(tmp_path / "sound" / "gone.wav", music(3, 5.0), RATE)
    assert "toy/gone.wav@0" in extract_corpus(corpus, out, workers=1).clip_ids


def test_without_pictures(corpus, tmp_path):
    out = tmp_path / "out"
    found = extract_corpus(corpus, out, workers=1, log_mels=False)
    assert found.log_mels is None and len(found.vectors) == 3
    assert not (out / "toy.logmel.npy").exists()


def test_nothing_that_can_be_used(tmp_path):
    found = extract_corpus(corpus_of(tmp_path, [("gone.wav", 0.0, 5.0, "rock")]), tmp_path / "out")
    assert found.clip_ids == [] and found.log_mels.shape == (0, 128, 128)
    assert found.vectors.shape == (0, 75) and len(found.failures) == 1
    assert extract_corpus(corpus_of(tmp_path, []), tmp_path / "none").clip_ids == []


def test_feature_tables_pass_through(tmp_path):
    clips = clips_frame([{"clip_id": f"table/{k}", "label": "rock"} for k in (2, 1)])
    ready = pd.DataFrame({"tempo": [1.0, 2.0]}, index=["table/1", "table/2"])
    table = Corpus("table", "Bangla", "feature-table", clips, failures_frame([]), ready)
    found = extract_corpus(table, tmp_path / "out")
    assert found.clip_ids == ["table/2", "table/1"]
    assert found.vectors["tempo"].tolist() == [2.0, 1.0]
    assert found.log_mels is None and found.failures.empty
    assert not (tmp_path / "out").exists()


def test_folder_that_cannot_be_written(corpus, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        extract_corpus(corpus, tmp_path / "file" / "out", workers=1)


def test_full_disk(corpus, tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OutputError, match="no space left"):
        extract_corpus(corpus, tmp_path / "out", workers=1)
    assert list((tmp_path / "out" / "shards").iterdir()) == []


def test_settings_are_checked_first(corpus, tmp_path):
    with pytest.raises(ConfigError, match="n_mfcc"):
        extract_corpus(corpus, tmp_path, features=FeatureSettings(n_mfcc=20, n_mels=16))


def test_export(corpus, tmp_path):
    found = extract_corpus(corpus, tmp_path / "out", workers=1)
    export(found, corpus, tmp_path / "toy.csv")
    table = pd.read_csv(tmp_path / "toy.csv")
    assert list(table.columns) == ["clip_id", *FEATURE_NAMES, "label", "genre", "group"]
    assert table["clip_id"].tolist() == found.clip_ids
    assert table["genre"].tolist() == ["Blues", "Blues", "Rock"]
    stored = table[list(FEATURE_NAMES)].to_numpy(np.float32)
    np.testing.assert_array_equal(stored, found.vectors.to_numpy())
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "toy.logmel.npy"), found.log_mels)
