import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score
from typer.testing import CliRunner

from genrescope.cli import app
from genrescope.config import load_config
from genrescope.corpora.recording import recording_of
from genrescope.errors import ConfigError, CorpusError
from genrescope.settings import ModelSettings
from genrescope.shift.ladder import TOTAL
from genrescope.study.material import prepare_corpus
from genrescope.study.shifting import run_shift
from genrescope.taxonomy import load_taxonomy

pytestmark = pytest.mark.slow

SMALL = {
    "models": {"forest": {"n_estimators": 20}},
    "audio": {"fit": "pad"},
    "split": {"group": "artist"},
    "shift": {"folds": 2, "repeats": 1, "seeds": 2, "draws": 2, "shots": [0, 5]},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory, synthetic_corpora):
    path = tmp_path_factory.mktemp("shift") / "study.yaml"
    roots = {
        "western": {"format": "gtzan", "root": str(synthetic_corpora / "western")},
        "korean": {"format": "korean-loops", "root": str(synthetic_corpora / "korean")},
    }
    path.write_text(json.dumps({"name": "small", "corpora": roots, **SMALL}))
    return path


@pytest.fixture(scope="module")
def finished(config, tmp_path_factory):
    return run_shift(load_config(config), out=tmp_path_factory.mktemp("run"))


def test_each_pair_without_a_shared_corpus_has_a_ladder(finished):
    pairs = finished.ladders[["source", "target"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [["western", "korean"], ["korean", "western"]]
    for (_, target), ladder in finished.ladders.groupby(["source", "target"], sort=False):
        steps = ladder[ladder["name"] != TOTAL]["drop"].iloc[1:]
        assert steps.sum() == pytest.approx(ladder["drop"].iloc[-1])
        done = ladder.set_index("name")["note"]
        side = "source" if target == "korean" else "target"
        assert done["padding"].startswith(f"{side}: 3.")
        assert done["single instruments"].startswith(f"{side}: parts")


def test_every_score_of_a_ladder_can_be_computed_again(finished):
    folder = finished.folder / "ladder" / "forest" / "western__korean"
    ladder = pd.read_csv(folder / "ladder.csv").set_index("name")
    answers = pd.read_csv(folder / "answers.csv", dtype={"clip_id": str})
    for rung, rows in answers.groupby("rung"):
        genres = sorted(rows["genre"].unique())
        known = f1_score(rows["genre"], rows["predicted"], labels=genres, average="macro")
        assert ladder.loc[rung, "score"] == pytest.approx(known), rung


def test_the_planted_differences_are_what_is_found(finished):
    ladder = finished.ladders.query("source == 'western'").set_index("name")
    assert ladder.loc[["padding", "single instruments"], "drop"].sum() > 0.05


def test_repairs_are_compared_with_none(finished):
    methods = finished.repairs.query("source == 'western'").set_index("method")
    assert methods["difference"].isna().sum() == 1
    assert {"coral", "trained on clips made alike"} <= set(methods.index)
    folder = finished.folder / "repairs" / "forest" / "western__korean"
    left = pd.read_csv(folder / "left.csv")
    assert left["method"].iloc[0] == "none"
    assert left["drop"].iloc[0] == pytest.approx(left["in_domain"][0] - left["cross"][0])
    curve = pd.read_csv(folder / "few_shot.csv")
    assert set(curve["per_genre"]) == {0, 5} and np.isfinite(curve["macro_f1"]).all()


def test_the_page_opens_offline_and_says_so_in_words(finished):
    page = finished.page.read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "What remains, with everything else alike" in page
    assert page.count("<img") >= 6 and "Not shown" not in page


def test_a_second_run_has_nothing_to_do(config, finished, capsys):
    again = run_shift(load_config(config), out=finished.folder)
    pd.testing.assert_frame_equal(again.ladders, finished.ladders)
    assert "ladder of" not in capsys.readouterr().err


def test_the_command_says_what_the_drop_is_made_of(config, finished):
    found = CliRunner().invoke(app, ["shift", str(config), "--out", str(finished.folder)])
    assert found.exit_code == 0, found.output
    assert "forest, western → korean:" in found.stdout and "page: " in found.stdout


def test_a_study_without_a_second_corpus_is_refused(config, tmp_path):
    alone = load_config(config).model_copy(update={"sources": ("korean",), "targets": ("korean",)})
    with pytest.raises(ConfigError, match="shares no corpus"):
        run_shift(alone, out=tmp_path / "run")


def test_tables_of_features_keep_the_steps_that_need_no_sound(real_data, tmp_path):
    tables = real_data / "features_tables"
    path = tmp_path / "study.yaml"
    roots = {
        name: {"format": "feature-table", "root": str(tables / f"{file}_features_30_sec.csv")}
        for name, file in {"gtzan": "gtzan", "bangla": "banglabeats"}.items()
    }
    settings = SMALL | {"name": "tables", "taxonomy": "folk-as-blues", "corpora": roots}
    settings |= {"sources": ["gtzan"], "targets": ["bangla"]}
    settings["shift"] = {"folds": 3, "repeats": 1, "seeds": 1, "draws": 0}
    settings["models"] = {"forest": {"n_estimators": 60}, "cnn": {}}
    path.write_text(json.dumps(settings))
    found = run_shift(load_config(path), out=tmp_path / "run")
    ladder = found.ladders.set_index("name")
    assert ladder.loc["artists never seen", "drop"] > 0.08
    assert "no sound to change" in ladder.loc["padding", "note"]
    assert found.skipped[0]["model"] == "cnn"


def test_a_recording_is_measured_as_it_was_made(config):
    loaded = load_config(config)
    corpora = {
        name: prepare_corpus(
            name,
            settings,
            taxonomy=load_taxonomy("meta-genre"),
            audio=loaded.audio,
            made_in=config.parent,
        )
        for name, settings in loaded.corpora.items()
    }
    western, korean = (recording_of(corpus, workers=1) for corpus in corpora.values())
    assert western.seconds == 5.0 and western.instruments == {}
    assert 2.5 < korean.seconds < 3.5
    assert sum(korean.instruments.values()) == pytest.approx(1.0)
    table = replace(corpora["western"], features=pd.DataFrame())
    with pytest.raises(CorpusError, match="no sound to measure"):
        recording_of(table)


@pytest.mark.nightly
def test_a_network_is_laddered_and_mended_too(config, tmp_path):
    loaded = load_config(config)
    network = {"models": {"cnn": ModelSettings(kind="cnn", params={"epochs": 1})}}
    update = network | {"sources": ("western",), "targets": ("korean",)}
    found = run_shift(loaded.model_copy(update=update), out=tmp_path / "run")
    assert found.ladders["name"].iloc[0] == "held-out clips of the source"
    methods = found.repairs.set_index("method")
    assert {"none", "adabn", "deep_coral", "trained on clips made alike"} <= set(methods.index)
    assert not (tmp_path / "run" / "repairs" / "cnn" / "western__korean" / "few_shot.csv").exists()
