import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import fsspec
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

from genrescope.audio.alteration import Alteration
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.corpora.synthetic import write_synthetic
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.errors import ConfigError, CorpusError, OutputError, RemoteError
from genrescope.features import FEATURE_NAMES, extraction, making, place, shard_files
from genrescope.features.extraction import export, extract_corpus
from genrescope.features.log_mels import LogMels
from genrescope.features.vector import feature_names
from genrescope.remote import download_file, find_files, read_file, write_file
from genrescope.remote import files as remote_files
from genrescope.settings import AudioSettings, FeatureSettings
from genrescope.taxonomy import load_taxonomy

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


def content(store):
    """Every file of a store with its bytes, the lock aside."""
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_both_feature_sets_live_in_one_store(corpus, tmp_path):
    store, extended = tmp_path / "store", FeatureSettings(set="extended")
    paper = extract_corpus(corpus, store, workers=1)
    more = extract_corpus(corpus, store, features=extended, workers=1)
    assert (paper.extracted, more.extracted) == (5, 5)
    assert tuple(more.vectors.columns) == feature_names(extended)
    pd.testing.assert_frame_equal(more.vectors[list(FEATURE_NAMES)], paper.vectors)
    again = extract_corpus(corpus, store, features=extended, workers=1)
    assert again.extracted == 0
    same(again, more)
    export(again, corpus, tmp_path / "toy.csv")
    table = pd.read_csv(tmp_path / "toy.csv")
    assert list(table.columns)[1:-3] == list(feature_names(extended))
    np.testing.assert_allclose(table["crest"], more.vectors["crest"], rtol=1e-6)


def test_clips_and_failures(corpus, tmp_path):
    found = extract_corpus(corpus, tmp_path / "out", workers=1)
    assert found.clip_ids == ["toy/long.wav@0", "toy/long.wav@6", "toy/short.flac@0"]
    assert list(found.vectors.index) == found.clip_ids
    assert tuple(found.vectors.columns) == FEATURE_NAMES
    assert isinstance(found.log_mels, LogMels) and found.log_mels.shape == (3, 128, 128)
    assert all(isinstance(part, np.memmap) for part in found.log_mels.parts)
    kinds = found.failures.assign(path=found.failures["path"].map(os.path.basename))
    assert list(kinds[["path", "kind"]].itertuples(index=False, name=None)) == [
        ("text.wav", "unreadable"),
        ("long.wav", "silent"),
        ("gone.wav", "unreadable"),
    ]
    assert not found.failures["reason"].str.contains(str(tmp_path)).any()


def test_many_shards_in_many_processes_give_the_same(corpus, tmp_path, monkeypatch):
    whole = extract_corpus(corpus, tmp_path / "one", workers=1)
    monkeypatch.setattr(extraction, "CLIPS_PER_SHARD", 2)
    spread = extract_corpus(corpus, tmp_path / "many", workers=2)
    assert len(list((tmp_path / "many").glob("vectors-*/*.parquet"))) == 3
    same(spread, whole)


def test_second_call_extracts_nothing(corpus, tmp_path, monkeypatch):
    first = extract_corpus(corpus, tmp_path / "out", workers=1)
    assert first.extracted == 5  # the sixth cannot be opened
    before = content(tmp_path / "out")
    monkeypatch.setattr(making, "make_shard", lambda shard: pytest.fail("computed again"))
    again = extract_corpus(corpus, tmp_path / "out", workers=1)
    same(first, again)
    assert again.extracted == 0 and content(tmp_path / "out") == before


@pytest.mark.parametrize("kind", ["vectors", "log_mels"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other", "gone"])
def test_only_what_is_missing_or_damaged_is_made_again(
    corpus, tmp_path, monkeypatch, capsys, kind, damage
):
    monkeypatch.setattr(extraction, "CLIPS_PER_SHARD", 2)
    out = tmp_path / "out"
    first = extract_corpus(corpus, out, workers=1)
    # Read now: a file that is cut short under a memory map ends the process.
    first = replace(first, log_mels=np.asarray(first.log_mels))
    before = content(out)
    suffix = ".npy" if kind == "log_mels" else ".parquet"
    broken = sorted(out.glob(f"{kind}-*/*{suffix}"))[0]
    whole = broken.read_bytes()
    broken.write_bytes(
        {
            "flipped": whole[:-40] + bytes([whole[-40] ^ 1]) + whole[-39:],
            "cut": whole[: len(whole) // 2],
            "empty": b"",
            "other": b"no table" * 100,
            "gone": whole,
        }[damage]
    )
    if damage == "gone":
        broken.unlink()
    again = extract_corpus(corpus, out, workers=1)
    same(first, again)
    assert again.extracted <= 2
    assert content(out) == before
    if damage != "gone" or kind == "log_mels":
        assert "extracted again" in capsys.readouterr().err


def test_leftovers_of_a_killed_process_are_swept(corpus, tmp_path):
    out = tmp_path / "out"
    first = extract_corpus(corpus, tmp_path / "fresh", workers=1)
    out.mkdir()
    (out / ".abc-123.partial.npy").write_bytes(b"half a sha")
    same(extract_corpus(corpus, out, workers=1), first)
    assert content(out) == content(tmp_path / "fresh")


def test_clips_are_known_by_content_wherever_they_are(corpus, tmp_path):
    out = tmp_path / "out"
    first = extract_corpus(corpus, out, workers=1)
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "sound", moved)
    clips = corpus.clips.assign(
        path=corpus.clips["path"].str.replace(str(tmp_path / "sound"), str(moved), regex=False),
        clip_id="other/" + corpus.clips["clip_id"],
    ).iloc[::-1]
    elsewhere = Corpus("other", "Western", "folder", clips.reset_index(drop=True), corpus.failures)
    found = extract_corpus(elsewhere, out, workers=1)
    assert found.extracted == 0
    assert found.clip_ids == [f"other/{clip_id}" for clip_id in reversed(first.clip_ids)]
    np.testing.assert_array_equal(found.vectors, first.vectors.iloc[::-1])
    np.testing.assert_array_equal(found.log_mels, first.log_mels[:][::-1])
    assert found.failures["path"].str.startswith(str(moved)).all()


@pytest.mark.parametrize(
    ("change", "vectors", "log_mels"),
    [
        ({"features": FeatureSettings(mel_reference="one")}, 0, 5),
        ({"features": FeatureSettings(n_mfcc=13)}, 5, 0),
        ({"features": FeatureSettings(hop_length=256)}, 5, 5),
        ({"audio": AudioSettings(fit="pad")}, 5, 5),
    ],
)
def test_a_setting_makes_anew_what_depends_on_it(corpus, tmp_path, change, vectors, log_mels):
    out = tmp_path / "out"
    extract_corpus(corpus, out, workers=1)
    before = content(out)
    assert extract_corpus(corpus, out, workers=1, **change).extracted == max(vectors, log_mels)
    new = [name for name in content(out) if name not in before]
    assert any(name.startswith("vectors") for name in new) == bool(vectors)
    assert any(name.startswith("log_mels") for name in new) == bool(log_mels)


def test_log_mels_can_come_later(corpus, tmp_path):
    out = tmp_path / "out"
    found = extract_corpus(corpus, out, workers=1, log_mels=False)
    assert found.log_mels is None and len(found.vectors) == 3
    assert not list(out.glob("log_mels-*"))
    later = extract_corpus(corpus, out, workers=1)
    assert later.log_mels.shape == (3, 128, 128)
    same(later, extract_corpus(corpus, tmp_path / "at-once", workers=1))


def test_a_changed_or_mended_file_is_another(corpus, tmp_path, music):
    out = tmp_path / "out"
    first = extract_corpus(corpus, out, workers=1)
    soundfile.write(tmp_path / "sound" / "gone.wav", music(3, 5.0), RATE)
    soundfile.write(tmp_path / "sound" / "short.flac", music(2, 2.0), RATE)
    found = extract_corpus(corpus, out, workers=1)
    assert found.extracted == 2 and "toy/gone.wav@0" in found.clip_ids
    changed = "toy/short.flac@0"
    assert not np.allclose(found.vectors.loc[changed], first.vectors.loc[changed])


def test_nothing_that_can_be_used(tmp_path):
    found = extract_corpus(corpus_of(tmp_path, [("gone.wav", 0.0, 5.0, "rock")]), tmp_path / "out")
    assert found.clip_ids == [] and found.log_mels.shape == (0, 128, 128)
    assert found.vectors.shape == (0, 75) and len(found.failures) == 1
    assert extract_corpus(corpus_of(tmp_path, []), tmp_path / "none").clip_ids == []
    (tmp_path / "text.wav").write_text("no sound")
    only = corpus_of(tmp_path, [("text.wav", 0.0, 5.0, "rock")])
    assert extract_corpus(only, tmp_path / "out", workers=1).log_mels.shape == (0, 128, 128)


def test_feature_tables_pass_through(tmp_path):
    clips = clips_frame([{"clip_id": f"table/{k}", "label": "rock"} for k in (2, 1)])
    ready = pd.DataFrame({"tempo": [1.0, 2.0]}, index=["table/1", "table/2"])
    table = Corpus("table", "Bangla", "feature-table", clips, failures_frame([]), ready)
    found = extract_corpus(table, tmp_path / "out")
    assert found.clip_ids == ["table/2", "table/1"]
    assert found.vectors["tempo"].tolist() == [2.0, 1.0]
    assert found.log_mels is None and found.failures.empty
    assert not (tmp_path / "out").exists()


def test_altered_clips_are_kept_beside_the_others(corpus, tmp_path, monkeypatch):
    plain = extract_corpus(corpus, tmp_path / "out", workers=1)
    louder = [Alteration(gain_db=6.0)] * len(corpus.clips)
    altered = extract_corpus(corpus, tmp_path / "out", workers=1, alterations=louder)
    assert altered.clip_ids == plain.clip_ids
    rms = altered.vectors["rms_mean"] / plain.vectors["rms_mean"]
    np.testing.assert_allclose(rms, 10 ** (6 / 20), rtol=1e-4)
    monkeypatch.setattr(making, "make_shard", lambda shard: pytest.fail("computed again"))
    same(plain, extract_corpus(corpus, tmp_path / "out", workers=1))
    same(altered, extract_corpus(corpus, tmp_path / "out", workers=1, alterations=louder))


def test_ready_features_have_no_sound_to_alter(tmp_path):
    clips = clips_frame([{"clip_id": "table/1", "label": "rock"}])
    ready = pd.DataFrame({"tempo": [1.0]}, index=["table/1"])
    table = Corpus("table", "Bangla", "feature-table", clips, failures_frame([]), ready)
    with pytest.raises(CorpusError, match="no sound to alter"):
        extract_corpus(table, tmp_path / "out", alterations=[Alteration()])


def test_a_store_can_be_any_url(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    local = extract_corpus(corpus, tmp_path / "local", workers=1)
    remote = extract_corpus(corpus, "memory://bucket/features", workers=1)
    same(remote, local)
    assert extract_corpus(corpus, "memory://bucket/features", workers=1).extracted == 0
    assert not [p for name in ("memory*", "cache", "home") for p in tmp_path.glob(name)]
    with pytest.raises(ConfigError, match="no kind of address"):
        extract_corpus(corpus, "nonsense://bucket")


def moved(corpus, root, url):
    """The corpus, its files behind a URL."""
    for path in root.iterdir():
        write_file(f"{url}/{path.name}", path.read_bytes())
    paths = corpus.clips["path"].str.replace(str(root), url, regex=False)
    return replace(corpus, clips=corpus.clips.assign(path=paths))


def test_sound_behind_a_url_gives_the_same(corpus, tmp_path, memory, monkeypatch):
    local = extract_corpus(corpus, tmp_path / "local", workers=1)
    remote = moved(corpus, tmp_path / "sound", memory)
    fetched = []
    monkeypatch.setattr(
        remote_files, "download_file", lambda url, path: fetched.append(url) or get(url, path)
    )
    get = download_file
    found = extract_corpus(remote, tmp_path / "remote", workers=1)
    pd.testing.assert_frame_equal(found.vectors, local.vectors)
    np.testing.assert_array_equal(found.log_mels, local.log_mels)
    assert found.failures["kind"].tolist() == local.failures["kind"].tolist()
    assert found.failures["reason"].tolist() == local.failures["reason"].tolist()
    assert set(found.failures["path"]) == {
        f"{memory}/{name}.wav" for name in ("text", "long", "gone")
    }
    # The clips of one file are read from one copy of it, unless others come between.
    assert sorted(map(os.path.basename, fetched)) == [
        "gone.wav", "long.wav", "long.wav", "short.flac", "text.wav"
    ]  # fmt: skip
    assert extract_corpus(remote, tmp_path / "remote", workers=1).extracted == 0


def test_what_could_not_be_had_is_not_stored(corpus, tmp_path, memory, monkeypatch):
    remote = moved(corpus, tmp_path / "sound", memory)
    monkeypatch.setattr(extraction, "CLIPS_PER_SHARD", 2)
    kind = type(fsspec.filesystem("memory"))
    whole = kind.get_file
    raised = FileNotFoundError()
    content = read_file(f"{memory}/short.flac")

    def fail(self, path, *args, **kwargs):
        if path.endswith("short.flac"):
            self.rm_file(path)
            raise raised
        return whole(self, path, *args, **kwargs)

    monkeypatch.setattr(kind, "get_file", fail)
    found = extract_corpus(remote, tmp_path / "out", workers=1)
    assert found.failures["path"].iloc[-1] == f"{memory}/gone.wav"
    assert found.failures["reason"].iloc[-2] == "there is no such file"
    assert "toy/short.flac@0" not in found.clip_ids
    raised = TimeoutError()
    write_file(f"{memory}/short.flac", content)
    with pytest.raises(RemoteError, match=r"short\.flac: cannot be reached"):
        extract_corpus(remote, tmp_path / "out", workers=1)
    monkeypatch.setattr(kind, "get_file", whole)
    write_file(f"{memory}/short.flac", content)
    again = extract_corpus(remote, tmp_path / "out", workers=1)
    assert again.extracted == 1 and "toy/short.flac@0" in again.clip_ids


def test_a_server_that_is_gone_is_no_damage_of_the_store(corpus, tmp_path, memory, monkeypatch):
    extract_corpus(corpus, f"{memory}/store", workers=1)
    before = find_files(f"{memory}/store")
    kind = type(fsspec.filesystem("memory"))

    def fail(self, *args, **kwargs):
        raise TimeoutError

    monkeypatch.setattr(place, "process_folder", lambda: tmp_path / "other")
    with monkeypatch.context() as gone:
        gone.setattr(kind, "get_file", fail)
        with pytest.raises(RemoteError, match="cannot be reached"):
            extract_corpus(corpus, f"{memory}/store", workers=1)
    assert find_files(f"{memory}/store") == before


def test_the_store_is_readable_without_genrescope(corpus, tmp_path):
    out = tmp_path / "out"
    found = extract_corpus(corpus, out, workers=1)
    vectors = pd.concat(pd.read_parquet(path) for path in out.glob("vectors-*/*.parquet"))
    assert vectors["failure_kind"].notna().sum() == 2
    used = vectors[vectors["failure_kind"].isna()]
    np.testing.assert_array_equal(used[list(FEATURE_NAMES)], found.vectors)
    (array,) = out.glob("log_mels-*/*.npy")
    rows = pd.read_parquet(next(out.glob("log_mels-*/*.parquet")))["row"]
    mapped = np.load(array, mmap_mode="r")
    np.testing.assert_array_equal(mapped[rows[rows >= 0]], found.log_mels)
    settings = json.loads(next(out.glob("vectors-*/settings.json")).read_text())
    assert settings["features"]["n_mfcc"] == 20 and "frames" not in settings["features"]


def test_folder_that_cannot_be_written(corpus, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="file"):
        extract_corpus(corpus, tmp_path / "file" / "out", workers=1)


def test_settings_are_checked_first(corpus, tmp_path):
    with pytest.raises(ConfigError, match="n_mfcc"):
        extract_corpus(corpus, tmp_path, features=FeatureSettings(n_mfcc=20, n_mels=16))


def test_export(corpus, tmp_path):
    found = extract_corpus(corpus, tmp_path / "out", workers=1)
    export(found, corpus, tmp_path / "toy.csv", tmp_path / "toy.npy")
    table = pd.read_csv(tmp_path / "toy.csv")
    assert list(table.columns) == ["clip_id", *FEATURE_NAMES, "label", "genre", "group"]
    assert table["clip_id"].tolist() == found.clip_ids
    assert table["genre"].tolist() == ["Blues", "Blues", "Rock"]
    stored = table[list(FEATURE_NAMES)].to_numpy(np.float32)
    np.testing.assert_array_equal(stored, found.vectors.to_numpy())
    exported = np.load(tmp_path / "toy.npy")
    assert exported.dtype == np.float32
    np.testing.assert_array_equal(exported, found.log_mels)


@pytest.fixture(scope="module")
def loops(tmp_path_factory):
    """A built-in corpus of some 420 loops, and its features extracted without a break."""
    folder = tmp_path_factory.mktemp("loops")
    root = write_synthetic(folder / "korean", style="korean", size=400)
    corpus = index_corpus(
        "synthetic",
        root,
        name="loops",
        culture="Korean-style",
        taxonomy=load_taxonomy("meta-genre"),
    )
    corpus.to_parquet(folder / "loops.parquet")
    extract_corpus(corpus, folder / "whole")
    return corpus, folder


def features_command(folder, out, store):
    command = [sys.executable, "-m", "genrescope", "features", str(folder / "loops.parquet")]
    return [*command, "-o", str(out), "--store", str(store)]


@pytest.mark.slow
def test_killed_and_resumed_to_the_same_store(loops, tmp_path):
    _, folder = loops
    store = tmp_path / "store"
    killed = 0
    for _ in range(20):
        process = subprocess.Popen(
            features_command(folder, tmp_path / "out", store),
            start_new_session=True,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        # Killed as soon as one more shard is there, whatever else is under way.
        before = len(list(store.glob("vectors-*/*.parquet")))
        while len(list(store.glob("vectors-*/*.parquet"))) <= before and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed += 1
    assert process.wait() == 0 and killed >= 1
    assert content(store) == content(folder / "whole")


@pytest.mark.slow
def test_two_processes_at_work_on_one_store(loops, tmp_path):
    _, folder = loops
    store = tmp_path / "store"
    both = [
        subprocess.Popen(
            features_command(folder, tmp_path / f"out{n}", store),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for n in (0, 1)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert content(store) == content(folder / "whole")
    tables = [(tmp_path / f"out{n}" / "loops.csv").read_bytes() for n in (0, 1)]
    assert tables[0] == tables[1]


def test_the_store_of_a_configuration(tmp_path):
    from genrescope.config import load_config

    corpora = {"a": {"format": "folder", "root": "."}}
    for given, expected in (("feats", str(tmp_path / "feats")), ("s3://b/f", "s3://b/f")):
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({"name": "a", "corpora": corpora, "store": given}))
        assert load_config(path).store == expected


def test_a_table_is_exported_to_the_same_bytes_some_rows_at_a_time(corpus, tmp_path, monkeypatch):
    found = extract_corpus(corpus, tmp_path / "store", workers=1, log_mels=False)
    export(found, corpus, tmp_path / "whole.csv")
    monkeypatch.setattr(extraction, "ROWS_AT_A_TIME", 2)
    export(found, corpus, tmp_path / "parts.csv")
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert len(pd.read_csv(tmp_path / "parts.csv")) == len(found.clip_ids) == 3
    none = replace(found, clip_ids=[], vectors=found.vectors.iloc[:0])
    export(none, corpus, tmp_path / "none.csv")
    assert list(pd.read_csv(tmp_path / "none.csv")) == list(pd.read_csv(tmp_path / "whole.csv"))


def test_planning_reads_no_values(corpus, tmp_path, monkeypatch):
    store = tmp_path / "store"
    monkeypatch.setattr(extraction, "CLIPS_PER_SHARD", 2)
    first = extract_corpus(corpus, store, workers=1)
    read = []
    whole = shard_files.read_parquet

    def noted(content, columns):
        read.append(tuple(columns))
        return whole(content, columns=columns)

    monkeypatch.setattr(shard_files, "read_parquet", noted)
    monkeypatch.setattr(extraction, "_assemble", lambda *args, **facts: None)
    extract_corpus(corpus, store, workers=1)
    assert set(read) == {("clip",), ("clip", "failure_kind", "failure_reason", "row")}
    assert len(read) == 6
    monkeypatch.undo()
    same(extract_corpus(corpus, store, workers=1), first)
