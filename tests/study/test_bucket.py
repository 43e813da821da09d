"""A study whose corpora, store and run directory all lie in a bucket."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time

import fsspec
import numpy as np
import pytest
import soundfile
import yaml

from genrescope.config import load_config
from genrescope.errors import RemoteError
from genrescope.features import place
from genrescope.remote import exists, find_files, forget, read_file, upload_folder
from genrescope.study import mirror
from genrescope.study.run import run_study


@pytest.fixture(autouse=True)
def copies(tmp_path, monkeypatch):
    """Copies of the store last as long as the process: that of the tests outlives each of them."""
    monkeypatch.setattr(place, "process_folder", lambda: tmp_path / "copies")


RATE = 22050
TITLES = {"blues": 110.0, "rock": 440.0, "pop": 1760.0}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """Two corpora of tones, and a file in each that is no sound."""
    folder = tmp_path_factory.mktemp("corpora")
    rng = np.random.default_rng(0)
    time_s = np.arange(RATE) / RATE
    for corpus, noise in (("west", 0.01), ("east", 0.1)):
        for label, hertz in TITLES.items():
            (folder / corpus / label).mkdir(parents=True)
            for number in range(8):
                y = 0.3 * np.sin(2 * np.pi * hertz * rng.uniform(0.7, 1.4) * time_s)
                y += rng.normal(size=RATE) * noise
                soundfile.write(folder / corpus / label / f"{number}.flac", y, RATE)
        (folder / corpus / "blues" / "broken.wav").write_text("no sound")
    return folder


def write_config(folder, root, **changes):
    content = {
        "name": "study",
        "corpora": {c: {"format": "folder", "root": f"{root}/{c}"} for c in ("west", "east")},
        "sources": ["west"],
        "targets": ["west", "east"],
        "models": {"forest": {"n_estimators": 5}},
        "evaluation": {"n_resamples": 100},
        "explanations": {
            "shap_clips": 4, "examples": 0, "quality_clips": 0, "stability_seeds": 0
        },
        "shift": {"in_study": False},
    } | changes  # fmt: skip
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def config(tmp_path):
    return functools.partial(write_config, tmp_path)


@pytest.fixture(scope="module")
def here(corpora, tmp_path_factory):
    """The same study on this machine."""
    out = tmp_path_factory.mktemp("here")
    run_study(load_config(write_config(out, corpora)), out=out / "run", workers=1)
    return out / "run"


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {
        ".steps/lock"
    }


def same(here, url):
    """The results are those of this machine byte for byte, and so is what the run consists of."""
    for name in ("results.csv", "splits.parquet", "cells/forest/west__east/predictions.csv"):
        assert read_file(f"{url}/{name}") == (here / name).read_bytes(), name
    kept = {name for name in files(here) if not name.startswith("features/store/")}
    there = {name for name in find_files(url) if not name.startswith("features/store/")}
    assert there == kept | {".there.json"}


@pytest.mark.slow
def test_a_study_in_a_bucket_is_that_of_this_machine(corpora, here, bucket, config, watched):
    upload_folder(corpora, f"{bucket}/music")
    path = config(f"{bucket}/music")
    result = run_study(load_config(path), out=f"{bucket}/runs/x", workers=2)
    same(here, f"{bucket}/runs/x")
    assert str(result.report) == f"{bucket}/runs/x/report.html" and exists(result.report)
    store = find_files(f"{bucket}/runs/x/features/store")
    assert any(name.startswith("vectors-") for name in store)
    assert set(result.failures["path"]) == {
        f"{bucket}/music/{corpus}/blues/broken.wav" for corpus in ("west", "east")
    }
    assert run_study(load_config(path), out=f"{bucket}/runs/x", workers=2).computed == []


def start(path, url):
    return subprocess.Popen(
        [sys.executable, "-m", "genrescope", "study", str(path), "--out", url, "--workers", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_and_nothing_is_left(corpora, here, bucket, config, watched):
    upload_folder(corpora, f"{bucket}/music")
    path, url = config(f"{bucket}/music", store=f"{bucket}/store"), f"{bucket}/runs/x"
    with start(path, url) as process:
        while process.poll() is None and not any("train" in text for text in records(url)):
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL and exists(f"{url}/.lock.json")
    assert any(path.is_file() for path in watched.rglob("genrescope-*/**/*"))
    finished = records(url)
    with start(path, url) as process:
        said, noted = process.communicate()
    assert process.returncode == 3, noted  # the broken files
    assert f"report: {url}/report.html" in said and f"{url}/failures.csv" in noted
    assert not [step for step in finished if step.startswith("train") and step in noted.split("\n")]
    same_results(here, url)
    forget(f"{url}/.lock.json")  # it was there when this process looked before
    assert not exists(f"{url}/.lock.json")


def records(url):
    found = [name for name in find_files(f"{url}/.steps") if name.endswith(".json")]
    return [yaml.safe_load(read_file(f"{url}/.steps/{name}"))["name"] for name in found]


def same_results(here, url):
    assert read_file(f"{url}/results.csv") == (here / "results.csv").read_bytes()


def test_a_bucket_that_vanishes_ends_the_run_in_a_sentence(
    corpora, bucket, config, watched, monkeypatch
):
    upload_folder(corpora, f"{bucket}/music")
    put = mirror.upload_file

    def vanish(path, url):
        put(path, url)
        if "models" in str(url):
            with contextlib.suppress(FileNotFoundError):  # another thread was first
                fsspec.filesystem("s3").rm(bucket, recursive=True)

    monkeypatch.setattr(mirror, "upload_file", vanish)
    path = config(f"{bucket}/music", store=f"{bucket}/store")
    with pytest.raises(RemoteError, match="there is no such bucket") as caught:
        run_study(load_config(path), out=f"{bucket}/runs/x", workers=1)
    assert "\n" not in str(caught.value) and caught.value.path.startswith(bucket)


@pytest.mark.slow
def test_commands_say_in_a_sentence_what_cannot_be_reached(bucket, config, watched):
    with start(config("s3://no-such-bucket/music"), f"{bucket}/runs/x") as process:
        _, noted = process.communicate()
    assert process.returncode == 1
    assert noted.splitlines()[-1] in {
        f"error: s3://no-such-bucket/music/{corpus}: there is no such bucket"
        for corpus in ("west", "east")
    }
    assert not exists(f"{bucket}/runs/x/.lock.json")
