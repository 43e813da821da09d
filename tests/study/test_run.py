import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from recompute import BOUNDS, EXACT, compare, compare_reports

from genrescope.config import load_config
from genrescope.models.bundle import load_bundle
from genrescope.study.run import run_study

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-m", "genrescope"]
KILLED_AFTER = (1, 4, 25)  # more steps: of indexing, training, testing, explaining


@pytest.fixture(scope="session")
def finished(tmp_path_factory, synthetic_corpora):
    """One small study with every model and cell, run once for the tests that only read it."""
    folder = tmp_path_factory.mktemp("finished")
    config = folder / "study.yaml"
    config.write_text(
        f"""
name: small
corpora:
  western: {{format: gtzan, root: {synthetic_corpora}/western, culture: Western}}
  korean: {{format: korean-loops, root: {synthetic_corpora}/korean, culture: Korean-style}}
models:
  forest: {{n_estimators: 20}}
  boosting: {{n_estimators: 10}}
  cnn: {{epochs: 2, seeds: 1}}
split: {{group: track, seeds: [0, 1]}}
evaluation: {{n_resamples: 400}}
explanations: {{shap_clips: 20, quality_clips: 2, stability_seeds: 2, stability_clips: 5}}
"""
    )
    result = run_study(load_config(config), out=folder / "run")
    return config, result


def test_every_file_of_the_run_directory_is_there(finished):
    _, result = finished
    run = result.folder
    names = ["western", "korean", "western+korean"]
    expected = [
        "report.html",
        "results.csv",
        "study.yaml",
        "run.json",
        "failures.csv",
        "splits.parquet",
    ]
    for corpus in ("western", "korean"):
        expected += [f"corpora/{corpus}.parquet", f"features/{corpus}.csv"]
        expected += [f"features/{corpus}.logmel.npy"]
    for model in ("forest", "boosting", "cnn"):
        for source in names:
            expected += [
                f"models/{model}/{source}/bundle.json",
                f"models/{model}/{source}/README.md",
            ]
            for target in names:
                cell = f"cells/{model}/{source}__{target}"
                expected += [
                    f"{cell}/{file}"
                    for file in ("report.json", "confusion.csv", "confusion.png", "predictions.csv")
                ]
    for source in names:
        for model in ("forest", "boosting"):
            shap = f"explanations/shap/{model}/{source}"
            expected += [
                f"{shap}/{f}"
                for f in ("top_features.csv", "families.csv", "per_class.png", "values.parquet")
            ]
            stability = f"explanations/stability/{model}/{source}"
            expected += [f"{stability}/stability.csv", f"{stability}/stability.json"]
            expected += [f"explanations/examples/{model}/{source}/index.json"]
        expected += [f"explanations/grad_cam/{source}/index.json"]
        quality = ("clips", "table", "comparisons", "verdicts", "curves")
        expected += [f"explanations/quality/{source}/{name}.csv" for name in quality]
    missing = [name for name in expected if not (run / name).is_file()]
    assert missing == []
    cells = result.results[["model", "source", "target"]].drop_duplicates()
    guessed = cells["model"].str.startswith("guess:")
    assert (~guessed).sum() == guessed.sum() == 27


def test_every_number_can_be_computed_again(finished):
    run = finished[1].folder
    deviations = compare(run, resamples=300)
    assert deviations[EXACT].to_numpy().max() < 1e-9
    # Other draws move a percentile; with a handful of groups, from one step to the next.
    assert np.nanmedian(deviations[BOUNDS].to_numpy()) < 0.02
    whole = deviations.loc[deviations["part"] == "all", BOUNDS]
    assert np.nanmax(whole.to_numpy()) < 0.12
    assert compare_reports(run) < 1e-9


def test_explanations_are_of_held_out_clips_and_add_up(finished):
    run = finished[1].folder
    splits = pd.read_parquet(run / "splits.parquet").query("seed == 0").set_index("clip_id")["part"]
    for model in ("forest", "boosting"):
        values = pd.read_parquet(run / f"explanations/shap/{model}/western+korean/values.parquet")
        assert set(splits.loc[values["clip_id"].unique()]) == {"test"}
        summary = json.loads(
            (run / f"explanations/shap/{model}/western+korean/summary.json").read_text()
        )
        assert summary["residual"] <= 1e-4
    quality = pd.read_csv(run / "explanations/quality/western/clips.csv")
    assert set(splits.loc[quality["clip_id"].unique()]) == {"test"}
    assert set(quality.groupby("method").size()) == {quality["clip_id"].nunique()}
    for place in ("grad_cam/korean", "examples/boosting/korean"):
        folder = run / "explanations" / place
        shown = [e for e in json.loads((folder / "index.json").read_text()) if e["kind"] != "none"]
        assert shown
        for example in shown:
            assert splits[example["clip_id"]] == "test"
            assert (example["predicted"] == example["true"]) == (example["kind"] == "correct")
            assert example["sentences"]["en"] != example["sentences"]["ko"]
            content = json.loads((folder / f"{example['stem']}.json").read_text())
            assert content["target"] == example["predicted"]
            assert (folder / f"{example['stem']}.png").is_file()
    maps = run / "explanations/grad_cam/korean"
    assert len(list(maps.glob("*.kept.wav"))) == len(list(maps.glob("*.npy")))


def test_a_model_may_have_fewer_seeds(finished):
    _, result = finished
    seeds = result.results.groupby("model")["seed"].agg(set)
    assert seeds["forest"] == seeds["boosting"] == seeds["guess:prior"] == {0, 1}
    assert seeds["cnn"] == {0}
    assert not (result.folder / "seeds" / "1" / "models" / "cnn").exists()
    assert (result.folder / "seeds" / "1" / "models" / "forest").is_dir()


def test_the_paper_protocol_is_evaluated_where_source_and_target_share_nothing(finished):
    results = finished[1].results
    parts = results.groupby(["source", "target"])["part"].agg(set)
    assert parts["western", "korean"] == {"test", "all"}
    assert parts["western", "western"] == {"test"}
    assert parts["western", "western+korean"] == {"test"}


def test_nothing_tested_was_trained_on(finished):
    run = finished[1].folder
    splits = pd.read_parquet(run / "splits.parquet")
    for (corpus, _), of_split in splits.groupby(["corpus", "seed"]):
        clips = pd.read_parquet(run / "corpora" / f"{corpus}.parquet").set_index("clip_id")
        tracks = clips.loc[of_split["clip_id"], "track"].to_numpy()
        assert of_split.assign(track=tracks).groupby("track")["part"].nunique().max() == 1
    for path in run.glob("cells/*/*/predictions.csv"):
        source, target = path.parent.name.split("__")
        if set(source.split("+")) & set(target.split("+")):
            assert set(pd.read_csv(path)["part"]) == {"test"}


def test_the_bundle_gives_the_predictions_of_the_study(finished):
    run = finished[1].folder
    bundle = load_bundle(run / "models/forest/western")
    table = pd.read_csv(run / "features/western.csv").set_index("clip_id")
    predictions = pd.read_csv(run / "cells/forest/western__western/predictions.csv")
    predictions = predictions[predictions["seed"] == 0]
    names = list(bundle.info.feature_names)
    X = table.loc[predictions["clip_id"], names].astype("float32")
    probabilities = bundle.model.predict_proba(X)
    assert np.allclose(probabilities, predictions[list(bundle.model.classes_)], atol=1e-6)


def test_the_log_mels_stand_beside_the_table(finished):
    run = finished[1].folder
    table = pd.read_csv(run / "features/western.csv")
    log_mels = np.load(run / "features/western.logmel.npy", mmap_mode="r")
    assert log_mels.shape == (len(table), 128, 128)
    assert log_mels.dtype == np.float32


def test_a_second_run_has_nothing_to_do(finished):
    config, result = finished
    before = {p: p.stat().st_mtime_ns for p in (result.report, result.folder / "run.json")}
    again = run_study(load_config(config), out=result.folder)
    assert again.computed == []
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert (result.folder / "results.csv").read_bytes() == results_csv(again)


def results_csv(result) -> bytes:
    return (result.folder / "results.csv").read_bytes()


@pytest.mark.nightly
def test_the_resolved_configuration_killed_again_and_again_gives_the_same_results(
    finished, tmp_path
):
    result = finished[1]
    out = tmp_path / "killed"
    command = [*COMMAND, "study", str(result.folder / "study.yaml"), "--out", str(out)]
    rng = np.random.default_rng(0)
    kills = 0
    for more in KILLED_AFTER:
        goal = steps_of(out) + more
        process = subprocess.Popen(
            command,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while steps_of(out) < goal and process.poll() is None:
            time.sleep(0.02)
        time.sleep(float(rng.uniform(0, 0.5)))  # into the next step
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    finished_run = subprocess.run(command, capture_output=True, text=True)
    assert finished_run.returncode == 0, finished_run.stderr
    assert kills == len(KILLED_AFTER)
    assert (out / "results.csv").read_bytes() == results_csv(result)
    for path in sorted(result.folder.glob("cells/*/*/predictions.csv")):
        assert (out / path.relative_to(result.folder)).read_bytes() == path.read_bytes()
    assert list(out.rglob(".*.partial*")) == []


def steps_of(run) -> int:
    return len(list((run / ".steps").glob("*.json")))


def test_run_json_says_what_made_the_run(finished):
    facts = json.loads((finished[1].folder / "run.json").read_text())
    assert facts["seeds"] == [0, 1]
    assert facts["corpora"]["western"]["synthetic"] is True
    assert facts["models"]["cnn"]["input"] == "log_mels"
    assert {"numpy", "torch"} <= set(facts["versions"])
    assert all(seconds >= 0 for seconds in facts["durations"].values())
