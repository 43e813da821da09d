import csv
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
from broken_sounds import WAYS, write_broken
from tones import RATE, pitch_bundle, tone

from genrescope.collection import predicting, prediction_file
from genrescope.collection.journal import Journal
from genrescope.collection.predicting import Wanted, name_models, predict_shard
from genrescope.collection.prediction_file import write_predictions
from genrescope.errors import ConfigError, OutputError


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Six songs, low and high in turn, the fourth of which is no sound."""
    folder = tmp_path_factory.mktemp("songs")
    for n in range(6):
        soundfile.write(folder / f"{n}.wav", tone(3200 if n % 2 else 110, 6), RATE)
    (folder / "3.wav").write_text("no sound")
    return [str(path) for path in sorted(folder.iterdir())]


@pytest.fixture
def work(monkeypatch):
    """Shards of two files in this process; how many of them, and the one to be stopped at."""
    asked = {"shards": 0, "stop": None}

    def here(shards, *, workers=None):
        for shard in islice(shards, asked["stop"]):
            asked["shards"] += 1
            yield predict_shard(shard)
        if asked["stop"] is not None:
            raise KeyboardInterrupt

    monkeypatch.setattr(predicting, "FILES_PER_SHARD", (2, 2))
    monkeypatch.setattr(prediction_file, "predict_shards", here)
    return asked


def write(out, folders, files, **options):
    models, genres = name_models(folders)
    return write_predictions(out, models, files, genres=genres, **{"format": "csv"} | options)


def rows(out):
    with Path(out).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_answers_and_failures_are_files_beside_each_other(work, bundle, songs, tmp_path):
    out = tmp_path / "new" / "a.csv"
    done = write(out, [bundle], songs)
    assert (done.answered, done.kept, done.resumed, len(done.failures)) == (5, 0, 0, 1)
    assert [row["path"] for row in rows(out)] == songs[:3] + songs[4:]
    assert [row["genre"] for row in rows(out)] == ["low", "high", "low", "low", "high"]
    failed = rows(done.failures_file)
    assert [(row["path"], row["kind"]) for row in failed] == [(songs[3], "unreadable")]
    assert sorted(path.name for path in out.parent.iterdir()) == ["a.csv", "a.failures.csv"]


@pytest.mark.parametrize("how", ["csv", "jsonl", "json", "table"])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(work, bundle, songs, tmp_path, how):
    whole, out = tmp_path / "whole", tmp_path / "out"
    write(whole, [bundle], songs, format=how, wanted=Wanted(timeline=True))
    work |= {"shards": 0, "stop": 1}
    with pytest.raises(KeyboardInterrupt):
        write(out, [bundle], songs, format=how, wanted=Wanted(timeline=True))
    assert not out.exists() and Journal(out).path.exists()
    work["stop"] = None
    done = write(out, [bundle], songs, format=how, wanted=Wanted(timeline=True))
    assert work["shards"] == 3 and done.resumed == 2
    assert out.read_bytes() == whole.read_bytes()
    assert not Journal(out).path.exists()


def test_a_run_that_was_stopped_at_its_very_end_is_finished(
    work, bundle, songs, tmp_path, monkeypatch
):
    def stop(journal):
        raise KeyboardInterrupt

    out = tmp_path / "out.csv"
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "remove", stop)
        with pytest.raises(KeyboardInterrupt):
            write(out, [bundle], songs)
    before = out.read_bytes()
    work["shards"] = 0
    done = write(out, [bundle], songs)
    assert (done.resumed, done.answered, work["shards"]) == (6, 5, 0)
    assert out.read_bytes() == before and not Journal(out).path.exists()
    with pytest.raises(OutputError, match="exists already"):
        write(out, [bundle], songs)


def test_what_another_question_has_finished_is_not_taken(work, bundle, songs, tmp_path):
    out = tmp_path / "out.csv"
    other = pitch_bundle(tmp_path / "other", corpora=[{"name": "other"}])
    changed = tmp_path / "0.wav"
    changed.write_bytes(Path(songs[0]).read_bytes())
    for change in (
        lambda: write(out, [bundle], songs, wanted=Wanted(timeline=True)),
        lambda: write(out, [other], songs),
        lambda: write(out, [bundle], songs[1:]),
    ):
        work |= {"shards": 0, "stop": 2}
        with pytest.raises(KeyboardInterrupt):
            write(out, [bundle], songs)
        work |= {"shards": 0, "stop": None}
        assert change().resumed == 0
        assert work["shards"] == 3
        out.unlink()
    files = [str(changed), *songs[1:]]
    work["stop"] = 2
    with pytest.raises(KeyboardInterrupt):
        write(out, [bundle], files)
    work |= {"shards": 0, "stop": None}
    soundfile.write(changed, tone(3200, 7), RATE)
    assert write(out, [bundle], files).resumed == 2  # the other pair
    assert work["shards"] == 2
    assert rows(out)[0]["genre"] == "high"


def test_a_file_that_exists_is_only_replaced_when_told_to(work, bundle, songs, tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("my notes\n")
    with pytest.raises(OutputError, match="--exists overwrite"):
        write(out, [bundle], songs)
    with pytest.raises(OutputError, match="other columns"):
        write(out, [bundle], songs, exists="skip")
    with pytest.raises(ConfigError, match="skip"):
        write(out, [bundle], songs, exists="perhaps")
    assert out.read_text() == "my notes\n" and not Journal(out).path.exists()
    assert work["shards"] == 0
    write(out, [bundle], songs[:3], exists="overwrite")
    assert len(rows(out)) == 3


@pytest.mark.parametrize("how", ["csv", "jsonl"])
def test_files_are_added_to_those_that_are_answered_for(work, bundle, songs, tmp_path, how):
    odd = str(tmp_path / "caf\udce9, 노래.wav")
    soundfile.write(os.fsencode(odd), tone(110, 6), RATE)
    out, whole = tmp_path / "out", tmp_path / "whole"
    write(whole, [bundle], [odd, *songs], format=how)
    write(out, [bundle], [odd, *songs[:3]], format=how)
    before = out.read_bytes()
    work["shards"] = 0
    done = write(out, [bundle], [*songs, odd], format=how, exists="skip")
    assert (done.kept, done.answered, len(done.failures), work["shards"]) == (4, 2, 1, 2)
    assert out.read_bytes().startswith(before)
    assert out.read_bytes() == whole.read_bytes()
    again = write(out, [bundle], songs, format=how, exists="skip")
    assert (again.kept, again.answered, len(again.failures)) == (6, 0, 1)
    assert out.read_bytes() == whole.read_bytes()


def test_nothing_is_added_to_answers_of_other_models_or_formats(work, bundle, songs, tmp_path):
    other = pitch_bundle(tmp_path / "other")
    for how, models in (("csv", [other]), ("jsonl", [bundle, other]), ("jsonl", [other])):
        out = tmp_path / f"{len(models)}.{how}"
        write(out, [bundle], songs[:1], format=how)
        before = out.read_bytes()
        with pytest.raises(OutputError, match=r"holds the answers of pitch@"):
            write(out, models, songs, format=how, exists="skip")
        assert out.read_bytes() == before
    out.write_text("[1, 2]\n")
    with pytest.raises(OutputError, match="something else"):
        write(out, [bundle], songs, format="jsonl", exists="skip")
    with pytest.raises(OutputError, match="csv and jsonl"):
        write(out, [bundle], songs, format="table", exists="skip")


@pytest.mark.slow
def test_a_killed_run_of_many_files_goes_on(bundle, tmp_path):
    """The whole command: 300 files of which 30 are broken, killed with all its processes."""
    music = tmp_path / "music"
    music.mkdir()
    rng = np.random.default_rng(0)
    kinds = {}
    for n in range(300):
        path = music / f"{n:03}"
        if n % 10 == 7:
            broken, kind = write_broken(path, n // 10)
            kinds[str(broken)] = kind
        else:
            seconds = rng.uniform(0.6, 12)
            soundfile.write(f"{path}.flac", tone(3200 if n % 2 else 110, seconds), RATE)
    assert len(kinds) == 3 * len(WAYS)
    named = "\n".join(map(str, sorted(music.iterdir())))

    def command(out):
        words = ["predict", bundle, "-", "--format", "csv", "-o", out, "--workers", 2]
        return [sys.executable, "-m", "genrescope", *map(str, words)]

    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    done = subprocess.run(command(whole), input=named, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "270 files answered, 30 failed" in done.stderr
    assert len(rows(whole)) == 270
    found = {row["path"]: row["kind"] for row in rows(tmp_path / "whole.failures.csv")}
    assert found == kinds

    killed = subprocess.Popen(
        command(out), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    killed.stdin.write(named.encode())
    killed.stdin.close()
    journal = Journal(out).path
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.005)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    kept = journal.read_bytes()
    assert kept.count(b"\n") in range(1, 5) and not out.exists()
    journal.write_bytes(kept + kept[:1000])  # a line that breaks off

    done = subprocess.run(command(out), input=named, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "files were done by a run that was stopped" in done.stderr
    assert out.read_bytes() == whole.read_bytes()
    assert (tmp_path / "out.failures.csv").read_bytes() == (
        tmp_path / "whole.failures.csv"
    ).read_bytes()
    assert not journal.exists()
