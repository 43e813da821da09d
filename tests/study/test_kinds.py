"""A study of every kind of model that takes vectors, on a small table of made-up features."""

import json

import numpy as np
import pandas as pd
import pytest

from genrescope.config import load_config
from genrescope.models.bundle import load_bundle
from genrescope.study.run import run_study

KINDS = {"linear": "margin", "svm": "margin", "ensemble": "probability"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    rng = np.random.default_rng(0)
    codes = np.arange(120) % 3
    features = rng.normal(size=(120, 4))
    features[:, 0] += 2 * (codes == 0)
    features[:, 1] += 2 * (codes == 1)
    table = pd.DataFrame(features, columns=["rms_mean", "zcr_mean", "tempo", "mfcc_mean_1"])
    table.insert(0, "filename", [f"{k:03}.wav" for k in range(120)])
    table["label"] = np.array(["rock", "blues", "pop"])[codes]
    table.to_csv(folder / "table.csv", index=False)
    (folder / "study.yaml").write_text("""
name: kinds
corpora: {made-up: {format: feature-table, root: table.csv}}
models:
  linear: {C: 0.5}
  svm: {gamma: 0.2}
  ensemble: {members: {linear: {}, svm: {}, boosting: {n_estimators: 20}}}
evaluation: {n_resamples: 100}
explanations: {shap_clips: 5, stability_seeds: 2, stability_clips: 3}
""")
    return run_study(load_config(folder / "study.yaml"), out=folder / "run", workers=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_trained_tested_and_kept(finished, kind):
    row = finished.results.set_index("model").loc[kind]
    assert row["macro_f1"] > 0.6 and row["n"] >= 15
    bundle = load_bundle(finished.folder / "models" / kind / "made-up")
    assert bundle.info.kind == kind and finished.skipped == []
    # Calibrated on the validation clips of the study.
    if kind != "linear":
        assert bundle.model.temperature_ != 1.0
    # So is the doubt beside its answers, and tested on those held out.
    assert bundle.calibration is not None and bundle.calibration.n >= 15
    coverage = bundle.info.coverage
    assert coverage is not None and coverage["recordings"] == row["n"]
    assert coverage["calibrated_on"] == bundle.calibration.n
    card = (finished.folder / "models" / kind / "made-up" / "README.md").read_text()
    assert f"in {coverage['covered']} of {row['n']} held-out recordings" in card


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_explained(finished, kind):
    place = finished.folder / "explanations"
    summary = json.loads((place / "shap" / kind / "made-up" / "summary.json").read_text())
    assert summary["scale"] == KINDS[kind] and summary["n"] == 5 and summary["residual"] < 1e-6
    assert (summary["sampling_error"] is None) == (kind == "linear")
    top = pd.read_csv(place / "shap" / kind / "made-up" / "top_features.csv")
    assert set(top["feature"][:2]) == {"rms_mean", "zcr_mean"}
    stability = json.loads((place / "stability" / kind / "made-up" / "stability.json").read_text())
    assert stability["n"] == 2


def test_the_report_says_which_values_are_estimated(finished):
    page = finished.report.read_text(encoding="utf-8")
    assert page.count("They are estimated from random orders") == 2
