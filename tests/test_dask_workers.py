import contextlib
import itertools
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import soundfile
from dask_cluster import DaskCluster
from deadly import double_or_die
from deadly_shards import (
    make_shard_blind,
    make_shard_for_itself,
    make_shard_or_die,
    predict_or_die,
)
from tones import RATE, pitch_bundle, tone

from genrescope import dask_task
from genrescope.collection import predicting
from genrescope.collection.predicting import name_models, predict_files
from genrescope.config import StudyConfig
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.synthetic import write_synthetic
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.dask_workers import open_workers
from genrescope.errors import AudioError, ClusterError, ConfigError, GenrescopeError, OutputError
from genrescope.features import extraction, making
from genrescope.features.extraction import extract_corpus
from genrescope.parallel import map_processes
from genrescope.study.run import run_study


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    started = DaskCluster(tmp_path_factory.mktemp("cluster"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def workers(cluster):
    with open_workers(cluster.address) as found:
        yield found


@pytest.fixture
def corpus(tmp_path):
    """Six files of a tone, one of which is poison to some, and one that is no sound."""
    names = ["a", "b", "poison", "c", "d", "e", "text"]
    for k, name in enumerate(names):
        path = tmp_path / f"{name}.wav"
        if name == "text":
            path.write_text("no sound")
        else:
            soundfile.write(path, tone(110 * (k + 1), 1), RATE)
    rows = [
        {"clip_id": f"toy/{name}", "path": str(tmp_path / f"{name}.wav"), "start_s": 0.0}
        for name in names
    ]
    return Corpus("toy", "Western", "folder", clips_frame(rows), failures_frame([]))


def test_results_come_in_order_and_items_are_read_as_they_are_needed(workers):
    numbers = itertools.count(20)
    found = map_processes(double_or_die, numbers, workers=workers)
    assert list(itertools.islice(found, 5)) == [40, 42, 44, 46, 48]
    found.close()
    assert next(numbers) < 60


def test_what_the_function_raises_passes_through(workers):
    with pytest.raises(ValueError, match="thirteen"):
        list(map_processes(double_or_die, [1, 13, 2], workers=workers))


def test_an_item_that_kills_its_workers_costs_only_its_own_result(workers):
    numbers = [1, -2, *range(20, 30)]
    found = map_processes(double_or_die, numbers, workers=workers, on_death=lambda n: n)
    assert list(found) == [2, -2, *range(40, 60, 2)]
    with pytest.raises(GenrescopeError, match="3 workers died at the same piece of work"):
        list(map_processes(double_or_die, [20, -1], workers=workers))


@pytest.mark.slow
def test_a_clip_that_kills_its_workers_is_a_failure_and_extraction_is_as_here(
    workers, corpus, tmp_path, monkeypatch
):
    here = extract_corpus(corpus, tmp_path / "here", workers=1)
    monkeypatch.setattr(extraction, "CLIPS_PER_SHARD", 3)
    monkeypatch.setattr(making, "make_shard", make_shard_or_die)
    monkeypatch.chdir(tmp_path)  # a store named from here is the same store there
    there = extract_corpus(corpus, "there", workers=workers)
    expected = here.vectors.drop("toy/poison")
    pd.testing.assert_frame_equal(there.vectors, expected)
    kept = [here.clip_ids.index(clip_id) for clip_id in there.clip_ids]
    np.testing.assert_array_equal(there.log_mels[:], here.log_mels[:][kept])
    kinds = {Path(row.path).stem: row.kind for row in there.failures.itertuples()}
    assert kinds == {"poison": "died", "text": "unreadable"}
    assert extract_corpus(corpus, "there", workers=workers).extracted == 0


@pytest.mark.slow
def test_so_it_is_in_processes_of_this_machine(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "CLIPS_PER_SHARD", 4)
    monkeypatch.setattr(making, "make_shard", make_shard_or_die)
    found = extract_corpus(corpus, tmp_path / "here", workers=2, log_mels=False)
    assert len(found.clip_ids) == 5
    assert sorted(found.failures["kind"]) == ["died", "unreadable"]


def test_what_workers_do_not_share_with_this_process_is_said(
    workers, corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(making, "make_shard", make_shard_blind)
    with pytest.raises(ClusterError, match="every machine sees them") as caught:
        extract_corpus(corpus, tmp_path / "blind", workers=workers, log_mels=False)
    assert caught.value.kind == "unshared"
    assert not list((tmp_path / "blind").glob("vectors-*/*.parquet"))
    monkeypatch.setattr(making, "make_shard", make_shard_for_itself)
    monkeypatch.setattr(making, "LATE_S", 0.3)
    with pytest.raises(OutputError, match=r"do not show here after 0.3 s.*every machine sees"):
        extract_corpus(corpus, tmp_path / "own", workers=workers, log_mels=False)


@pytest.mark.slow
def test_files_are_predicted_as_here_and_one_that_kills_is_a_failure(
    workers, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    bundle = pitch_bundle(tmp_path / "pitch")
    names = ["low.wav", "poison.wav", "high.wav", "none.wav", "more.wav"]
    for name in names:
        if name != "none.wav":
            soundfile.write(name, tone(3200 if "high" in name else 110, 5), RATE)
    models, _ = name_models([Path(bundle.name)])
    here = list(predict_files(models, names, workers=1))
    monkeypatch.setattr(predicting, "FILES_PER_SHARD", (2, 2))
    monkeypatch.setattr(predicting, "predict_shard", predict_or_die)
    there = list(predict_files(models, names, workers=workers))
    died = there.pop(1)
    assert isinstance(died, AudioError) and (died.path, died.kind) == ("poison.wav", "died")
    del here[1]
    assert [str(one) for one in there] == [str(one) for one in here]


def test_a_model_that_workers_do_not_see_is_said(workers, tmp_path, monkeypatch):
    bundle = pitch_bundle(tmp_path / "pitch")
    files = [str(tmp_path / f"{n}.wav") for n in range(2)]
    for file in files:
        soundfile.write(file, tone(110, 1), RATE)
    models, _ = name_models([bundle])
    elsewhere = [models[0]._replace(folder="/not/mounted/here")]
    with pytest.raises(ClusterError, match="/not/mounted/here: is not there on"):
        list(predict_files(elsewhere, files, workers=workers))


@pytest.fixture
def old_packages(monkeypatch):
    """Makes every package of this process, but of no worker, old."""
    dask_task.versions.cache_clear()
    with monkeypatch.context() as patched:
        patched.setattr(dask_task.metadata, "version", lambda name: "0.0.1")
        dask_task.versions()
    yield
    dask_task.versions.cache_clear()


def test_other_versions_are_refused(cluster, old_packages):
    with (
        pytest.raises(ClusterError, match=r"numpy [^;]*, here it is 0\.0\.1.*results depend"),
        open_workers(cluster.address),
    ):
        pass


def test_a_worker_that_joins_with_other_versions_is_refused(workers, old_packages):
    with pytest.raises(ClusterError, match=r"the worker on .* numpy [^;]*, here it is 0\.0\.1"):
        list(map_processes(double_or_die, [20], workers=workers))


def test_schedulers_that_are_none():
    for scheduler, count, reason in (
        ("localhost:8786", None, "should be dask or an address"),
        ("tcp://localhost:1", 2, "not for --workers"),
    ):
        with pytest.raises(ConfigError, match=reason), open_workers(scheduler, count):
            pass
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
        pytest.raises(ClusterError, match=r"no Dask scheduler can be reached at tcp://127.0.0.1:1"),
        open_workers("tcp://127.0.0.1:1"),
    ):
        pass


def test_without_workers_the_wait_ends(tmp_path):
    alone = DaskCluster(tmp_path, workers=0)
    try:
        with (
            dask.config.set({"genrescope.patience": "0.5s"}),
            pytest.raises(ClusterError, match="has had no worker for"),
            open_workers(alone.address),
        ):
            pass
    finally:
        alone.close()


@pytest.mark.slow
def test_a_lost_scheduler_ends_the_run_with_a_sentence_and_a_new_one_goes_on(corpus, tmp_path):
    table, out = tmp_path / "toy.parquet", tmp_path / "out"
    files = [str(tmp_path / f"song-{n}.wav") for n in range(300)]
    soundfile.write(files[0], tone(110, 5), RATE)
    for file in files[1:]:
        os.link(files[0], file)
    rows = [
        {"clip_id": f"toy/{n}", "corpus": "toy", "path": file, "start_s": n / 1000, "label": "a"}
        for n, file in enumerate(files)
    ]
    Corpus("toy", "West", "folder", clips_frame(rows), failures_frame([])).to_parquet(table)
    first = DaskCluster(_folder(tmp_path / "first"), workers=1)
    command = [sys.executable, "-m", "genrescope", "features", str(table), "-o", str(out)]
    run = subprocess.Popen(
        [*command, "--scheduler", first.address], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 200
        while not list(out.glob("store/vectors-*/*.parquet")) and time.monotonic() < deadline:
            assert run.poll() is None, run.communicate()[1]
            time.sleep(0.02)
        first.kill("scheduler")
        said = run.communicate(timeout=100)[1]
    finally:
        first.close()
    assert run.returncode == 1
    assert said.strip().splitlines()[-1] == (
        f"error: the scheduler at {first.address} was lost; what is finished stays: run again to "
        "go on"
    )
    assert "Traceback" not in said and "distributed" not in said
    finished = len(list(out.glob("store/vectors-*/*.parquet")))
    second = DaskCluster(_folder(tmp_path / "second"), workers=1)
    try:
        with open_workers(second.address) as workers:
            found = extract_corpus(Corpus.from_parquet(table), out / "store", workers=workers)
    finally:
        second.close()
    assert found.extracted <= 300 - 128 * finished and len(found.clip_ids) == 300


def _folder(path):
    path.mkdir()
    return path


@contextlib.contextmanager
def killing_one(cluster, workers):
    """Kill the first worker that is found at work; the list gets its name."""
    killed, done = [], threading.Event()

    def look():
        while not done.wait(0.02):
            if any(keys for keys in workers.client.processing().values()):
                cluster.kill("worker-0")
                killed.append("worker-0")
                return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()


@pytest.mark.slow
def test_a_study_on_a_cluster_gives_the_same_results_also_when_a_worker_is_killed(tmp_path):
    corpora = {}
    for name, seed in (("one", 0), ("other", 1)):
        root = write_synthetic(tmp_path / name, style="korean", size=24, seed=seed, workers=1)
        corpora[name] = {"format": "synthetic", "root": str(root), "style": "korean", "seed": seed}
    config = StudyConfig.parse(
        {
            "name": "both",
            "corpora": corpora,
            "sources": ["one"],
            "targets": ["one", "other"],
            "models": {
                "forest": {"n_estimators": 10},
                "boosting": {"n_estimators": 5},
            },
            "explanations": {
                "shap_clips": 10, "examples": 0, "quality_clips": 0, "stability_seeds": 2,
                "stability_clips": 4,
            },
            "evaluation": {"n_resamples": 100},
            "shift": {"in_study": False},
        }
    )  # fmt: skip
    here = run_study(config, out=tmp_path / "here", workers=1).folder
    cluster = DaskCluster(_folder(tmp_path / "cluster"))
    try:
        with open_workers(cluster.address) as workers:
            there = run_study(config, out=tmp_path / "there", workers=workers).folder
            with killing_one(cluster, workers) as killed:
                after = run_study(config, out=tmp_path / "after", workers=workers).folder
    finally:
        cluster.close()
    assert killed == ["worker-0"]
    for name in (
        "results.csv",
        "features/other.csv",
        "explanations/stability/forest/one/stability.csv",
    ):
        expected = (here / name).read_bytes()
        assert (there / name).read_bytes() == expected
        assert (after / name).read_bytes() == expected
