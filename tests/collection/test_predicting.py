import os
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from broken_sounds import WAYS, write_broken
from tones import RATE, pitch_bundle, tone

from genrescope.collection import predicting
from genrescope.collection.listing import list_sounds
from genrescope.collection.predicting import (
    Wanted,
    cut_shards,
    name_models,
    predict_files,
    predict_shard,
)
from genrescope.errors import AudioError, BundleError
from genrescope.models.predictor import Predictor
from genrescope.settings import AudioSettings, FeatureSettings


def write(path, *parts):
    soundfile.write(path, np.concatenate(parts), RATE, subtype="FLOAT")
    return str(path)


@pytest.fixture
def songs(tmp_path):
    return [
        write(tmp_path / "a.wav", tone(110, 12), tone(3200, 5.5), tone(110, 5)),
        write(tmp_path / "b.wav", tone(3300, 3)),
        write(tmp_path / "c.wav", tone(110, 5), np.zeros(6 * RATE), tone(120, 9)),
    ]


@pytest.fixture(scope="module")
def more_bundles(tmp_path_factory):
    """A network, a linear model of other features, and a forest that hears windows of 3 s."""
    folder = tmp_path_factory.mktemp("more")
    return [
        pitch_bundle(folder / "cnn" / "west", kind="cnn"),
        pitch_bundle(
            folder / "linear" / "west", kind="linear",
            features=FeatureSettings.parse({"set": "extended"}),
        ),
        pitch_bundle(folder / "short", audio=AudioSettings(clip_seconds=3.0)),
    ]  # fmt: skip


def answers_of(outcomes):
    return [(answer.genre, answer.probabilities) for outcome in outcomes for answer in outcome]


def test_all_models_answer_as_they_do_alone(bundle, more_bundles, songs):
    folders = [bundle, *more_bundles]
    models, genres = name_models(folders)
    assert genres == ["low", "high"]
    (shard,) = cut_shards(models, songs, Wanted(timeline=True))
    outcomes = predict_shard(shard)
    for path, outcome in zip(songs, outcomes, strict=True):
        for folder, model, answer in zip(folders, models, outcome, strict=True):
            alone = Predictor.load(folder).from_file(path)
            assert answer.path == path and answer.model == model.label
            assert answer.genre == alone.genre
            assert answer.silent_windows == alone.silent_windows
            assert answer.duration_s == pytest.approx(alone.duration_s, abs=1e-3)
            expected = alone.windows[["low", "high"]].to_numpy()
            np.testing.assert_allclose(answer.timeline.probabilities, expected, atol=2e-6)
            assert answer.timeline.starts_s == alone.windows["start_s"].tolist()
            shares = list(answer.probabilities.values())
            np.testing.assert_allclose(shares, alone.probabilities, atol=2e-6)


def test_models_are_told_apart_by_name_and_content(bundle, more_bundles, tmp_path):
    models, _ = name_models([bundle, bundle, f"{bundle}/../pitch"])
    assert [model.name for model in models] == ["pitch"]
    assert models[0].label == f"pitch@{models[0].digest[:8]}"
    cnn, linear, _ = name_models(more_bundles)[0]
    assert (cnn.name, linear.name) == ("cnn/west", "linear/west")
    with pytest.raises(BundleError):
        name_models([tmp_path])


def test_a_model_that_is_replaced_meanwhile_is_noticed(tmp_path, songs):
    folder = pitch_bundle(tmp_path / "mine")
    (model,), _ = name_models([folder])
    pitch_bundle(folder, corpora=[{"name": "other"}])
    with pytest.raises(BundleError, match="replaced"):
        predict_shard(cut_shards([model], songs)[0])


def test_questions_are_bounded_and_do_not_change_the_answers(bundle, songs, monkeypatch):
    models, _ = name_models([bundle])
    (shard,) = cut_shards(models, songs)
    whole = predict_shard(shard)
    asked = []
    tables = Predictor.tables

    def counted(self, sounds):
        asked.append(sum(len(sound.starts_s) for sound in sounds))
        return tables(self, sounds)

    monkeypatch.setattr(Predictor, "tables", counted)
    assert predict_shard(shard) == whole
    assert asked == [5 + 1 + 3]
    asked.clear()
    monkeypatch.setattr(predicting, "WINDOWS_PER_QUESTION", 2)
    monkeypatch.setattr("genrescope.models.inputs.WINDOWS_PER_BATCH", 1)
    assert answers_of(predict_shard(shard)) == answers_of(whole)
    assert max(asked) == 2 and sum(asked) == 9


def test_files_broken_in_ten_ways_are_failures_in_their_places(bundle, tmp_path, monkeypatch):
    named, kinds = [], []
    for way in range(len(WAYS)):
        named.append(write(tmp_path / f"good{way}.wav", tone(110 if way % 2 else 3200, 5)))
        path, kind = write_broken(tmp_path / f"broken{way}", way)
        named.append(path)
        kinds.append(kind)
    models, _ = name_models([bundle])
    monkeypatch.setattr(predicting, "FILES_PER_SHARD", (100, 100))
    (shard,) = cut_shards(models, list_sounds(named))
    outcomes = predict_shard(shard)
    assert [outcome.kind for outcome in outcomes[1::2]] == kinds
    assert [Path(outcome.path) for outcome in outcomes[1::2]] == named[1::2]
    assert [outcome[0].genre for outcome in outcomes[::2]] == ["high", "low"] * 5


def test_processes_and_shards_do_not_change_the_answers(bundle, songs, monkeypatch):
    models, _ = name_models([bundle])
    (shard,) = cut_shards(models, songs)
    monkeypatch.setattr(predicting, "FILES_PER_SHARD", (2, 2))
    shown = AudioError("said before", path="x", kind="url")
    outcomes = list(predict_files(models, [songs[0], shown, *songs[1:]], workers=2))
    assert (str(outcomes[1]), outcomes[1].kind) == ("x: said before", "url")
    assert [outcomes[0], *outcomes[2:]] == predict_shard(shard)


class Killer(threading.Thread):
    """Kill every process below this one that opens a file, as the kernel would one that grows."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.killed, self.over = str(path), 0, threading.Event()

    def run(self):
        while not self.over.is_set():
            for process in psutil.Process().children(recursive=True):
                try:
                    if any(one.path == self.path for one in process.open_files()):
                        process.kill()
                        process.wait()
                        self.killed += 1
                except psutil.Error:
                    continue
            time.sleep(0.005)


@pytest.mark.slow
def test_a_file_that_kills_its_reader_is_a_failure_and_the_rest_is_answered(bundle, tmp_path):
    long = tmp_path / "b.wav"
    write(long, np.tile(tone(110, 60), 40))
    files = [write(tmp_path / "a.wav", tone(110, 5)), str(long),
             write(tmp_path / "c.wav", tone(3200, 5))]  # fmt: skip
    models, _ = name_models([bundle])
    killer = Killer(os.path.realpath(long))
    killer.start()
    try:
        outcomes = list(predict_files(models, files, workers=2))
    finally:
        killer.over.set()
        killer.join()
    assert killer.killed >= 2  # in its shard, and by itself
    assert isinstance(outcomes[1], AudioError)
    assert outcomes[1].kind == "died" and outcomes[1].path == str(long)
    assert [outcomes[0][0].genre, outcomes[2][0].genre] == ["low", "high"]
