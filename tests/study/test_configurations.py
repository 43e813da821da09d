import json

import pytest
import yaml
from recompute import EXACT, compare

from genrescope.config import load_config
from genrescope.errors import ConfigError, CorpusError, OutputError
from genrescope.study.run import run_study

pytestmark = pytest.mark.slow


def test_a_change_recomputes_and_removes_only_what_depends_on_it(write_config, tmp_path):
    out = tmp_path / "run"

    def study(**models):
        config = write_config(models=models, sources=["western"])
        return run_study(load_config(config), out=out)

    forest = {"n_estimators": 5}
    study(forest=forest, boosting={"n_estimators": 3})
    again = study(forest=forest, boosting={"n_estimators": 4})
    assert again.computed
    # Guessing is scored on the clips of the first model.
    touched = ("boosting", "report", "guess")
    assert all(any(word in step for word in touched) for step in again.computed)
    assert (out / "cells/boosting").exists()
    study(forest=forest)
    assert not (out / "cells/boosting").exists()
    assert (out / "cells/forest/western__korean/predictions.csv").exists()


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"models": {"forrest": {}}}, ConfigError, "did you mean forest"),
        ({"models": {"forest": {"trees": 5}}}, ConfigError, "models.forest.*trees"),
        ({"taxonomy": "none"}, ConfigError, "no taxonomy"),
        (
            {"corpora": {"a": {"format": "gtzn", "root": "/x"}}},
            ConfigError,
            "did you mean gtzan",
        ),
        ({"corpora": {"a": {"format": "gtzan"}}}, ConfigError, "needs a root"),
        ({"corpora": {"a": {"format": "gtzan", "root": "/nowhere"}}}, CorpusError, "/nowhere"),
        (
            {"corpora": {"a": {"format": "gtzan", "root": "/x", "segment": "all"}}},
            ConfigError,
            "did you mean segments",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_work(write_config, tmp_path, changes, error, reason):
    with pytest.raises(error, match=reason):
        run_study(load_config(write_config(**changes)), out=tmp_path / "run")
    assert not (tmp_path / "run" / "models").exists()


def test_an_unwritable_run_directory_is_refused(write_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        run_study(load_config(write_config()), out=tmp_path / "file")


@pytest.mark.nightly
def test_real_tracks_against_the_built_in_loops(real_data, write_config, tmp_path):
    corpora = yaml.safe_load(write_config().read_text())["corpora"]
    corpora["western"]["root"] = str(real_data / "gtzan_mini")
    result = run_study(load_config(write_config(corpora=corpora)), out=tmp_path / "run")
    cells = result.results[["model", "source", "target"]].drop_duplicates()
    guessed = cells["model"].str.startswith("guess:")
    assert (~guessed).sum() == guessed.sum() == 27
    assert compare(result.folder)[EXACT].to_numpy().max() < 1e-9
    facts = json.loads((result.folder / "run.json").read_text())
    assert facts["corpora"]["western"]["synthetic"] is False
    assert facts["corpora"]["western"]["genres"]["Blues-like"] == 10
    assert facts["corpora"]["western"]["unmapped"]["jazz"] == 10


def test_feature_tables_leave_the_network_out(real_data, tmp_path):
    tables = real_data / "features_tables"
    config = tmp_path / "study.yaml"
    config.write_text(
        f"""
name: tables
taxonomy: folk-as-blues
corpora:
  gtzan:
    format: feature-table
    root: {tables}/gtzan_features_30_sec.csv
    duplicates: keep
  bangla:
    format: feature-table
    root: {tables}/banglabeats_features_30_sec.csv
    duplicates: keep
models: {{forest: {{n_estimators: 200}}, cnn: {{}}}}
explanations: {{shap_clips: 20, stability_seeds: 2, stability_clips: 5}}
shift: {{in_study: false}}
"""
    )
    result = run_study(load_config(config), out=tmp_path / "run")
    assert [item["model"] for item in result.skipped] == ["cnn"]
    assert "without audio" in result.skipped[0]["reason"]
    scores = result.results.query("model == 'forest'").set_index(["source", "target", "part"])
    away = scores.loc[("gtzan", "bangla", "all")]
    assert away["n"] == 987
    # The published baseline, trained on all of GTZAN, scores .614.
    assert away["macro_f1"] == pytest.approx(0.61, abs=0.05)
    assert scores.loc[("bangla", "bangla", "test"), "macro_f1"] > away["macro_f1"]


def test_tables_and_audio_cannot_be_compared(write_config, real_data, tmp_path):
    corpora = yaml.safe_load(write_config().read_text())["corpora"]
    corpora["table"] = {
        "format": "feature-table",
        "root": str(real_data / "features_tables/gtzan_features_30_sec.csv"),
    }
    with pytest.raises(CorpusError, match="ready-made features"):
        run_study(load_config(write_config(corpora=corpora)), out=tmp_path / "run")
