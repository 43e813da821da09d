import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from genrescope.errors import BundleError, ConfigError, OutputError
from genrescope.files import sha256_file
from genrescope.models import MODELS, create_model
from genrescope.models.bundle import load_bundle, save_bundle
from genrescope.models.bundle_info import read_info
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import AudioSettings, FeatureSettings

WEIGHTS = {
    "linear": "linear.npz",
    "svm": "svm.npz",
    "forest": "forest.skops",
    "boosting": "boosting.ubj",
    "ensemble": "ensemble.npz",
    "cnn": "cnn.safetensors",
}


def inputs(kind, vectors, maps):
    return maps[0] if kind == "cnn" else vectors[0]


def edit(folder: Path, **changes) -> None:
    content = json.loads((folder / "bundle.json").read_text())
    for name, value in changes.items():
        if value is ...:
            del content[name]
        else:
            content[name] = value
    (folder / "bundle.json").write_text(json.dumps(content))


@pytest.mark.parametrize("kind", MODELS)
def test_a_round_trip_gives_identical_probabilities(kind, save, trained, vectors, maps):
    X = inputs(kind, vectors, maps)
    bundle = load_bundle(save(kind))
    assert np.array_equal(bundle.model.predict_proba(X), trained[kind].predict_proba(X))
    assert np.array_equal(bundle.model.predict(X), trained[kind].predict(X))
    kept = {k: v for k, v in trained[kind].get_params().items() if k not in ("n_jobs", "device")}
    found = bundle.model.get_params()
    assert {name: found[name] for name in kept} == kept
    if kind != "cnn":
        assert list(bundle.model.feature_names_in_) == list(X.columns)


@pytest.mark.parametrize("kind", MODELS)
def test_a_loaded_model_saves_and_loads_the_same(kind, save, vectors, maps, tmp_path):
    X = inputs(kind, vectors, maps)
    first = load_bundle(save(kind))
    info = first.info
    again = save_bundle(
        tmp_path / "again", first.model, genres=info.genres, taxonomy=info.taxonomy,
        audio=info.audio, features=info.features,
    )  # fmt: skip
    second = load_bundle(again)
    assert np.array_equal(first.model.predict_proba(X), second.model.predict_proba(X))


@pytest.mark.parametrize("kind", MODELS)
def test_the_same_model_gives_the_same_bytes(kind, save, vectors, maps):
    folder = save(kind)
    X, y = maps if kind == "cnn" else vectors
    params = json.loads((folder / "bundle.json").read_text())["params"]
    held = (X, y) if kind == "ensemble" else None
    model = create_model(kind, **params).fit(X, y, validation=held)
    other = save_bundle(
        folder.parent / "other", model, genres=sorted(set(y)), taxonomy={}, audio=None,
        features=None,
    )  # fmt: skip
    name = WEIGHTS[kind]
    assert (folder / name).read_bytes() == (other / name).read_bytes()


def test_what_is_known_is_written_down(save):
    folder = save("cnn")
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md",
        "bundle.json",
        "cnn.safetensors",
    ]
    content = json.loads((folder / "bundle.json").read_text())
    assert content["format_version"] == 1
    assert content["kind"] == "cnn"
    assert content["classes"] == ["Blues-like", "Pop/Dance/RnB", "Rock/Metal"]
    assert content["audio"]["clip_seconds"] == 5.0
    assert content["features"]["n_mels"] == 16
    assert content["input_shape"] == [16, 16]
    assert content["metrics"] == [{"part": "test", "accuracy": 0.5, "kappa": None}]
    assert content["corpora"] == [{"name": "made-up", "fingerprint": "00"}]
    assert content["params"]["epochs"] == 3 and "device" not in content["params"]
    assert {"genrescope", "python", "torch"} <= set(content["versions"])
    for name, digest in content["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert (folder / "README.md").read_text() == "# A model\n"


def test_settings_that_do_not_lead_to_the_inputs_are_not_kept(save):
    info = load_bundle(save("forest")).info
    assert info.audio is None and info.features is None
    assert info.feature_names == tuple(f"feature_{k}" for k in range(6))


def test_files_beside_the_bundles_own_do_no_harm(save):
    folder = save("forest")
    (folder / "training_curve.csv").write_text("round,train_loss\n")
    assert load_bundle(folder).model.kind == "forest"


def test_statistics_are_kept(save, vectors):
    statistics = FeatureStatistics.from_clips(*vectors)
    folder = save("forest", statistics=statistics)
    files = json.loads((folder / "bundle.json").read_text())["files"]
    assert sorted(files) == ["README.md", "forest.skops", "statistics.json"]
    digest = hashlib.sha256((folder / "statistics.json").read_bytes()).hexdigest()
    assert files["statistics.json"] == digest
    kept = load_bundle(folder).statistics
    assert kept.to_dict() == statistics.to_dict()
    assert kept.counts == (40, 40, 40)
    X, y = vectors
    middle = float(X["feature_0"][y == "Rock/Metal"].median())
    assert kept.share_below("feature_0", middle, "Rock/Metal") == pytest.approx(0.5, abs=1e-6)
    assert kept.share_below("feature_0", middle, "Blues-like") > 0.95


def test_statistics_of_vectors_are_kept_beside_a_network(save):
    from genrescope.features.vector import feature_names

    clips = np.random.default_rng(0).normal(size=(3, 55))
    genres = ["Blues-like", "Pop/Dance/RnB", "Rock/Metal"]
    names = list(feature_names(FeatureSettings(n_mfcc=10)))
    statistics = FeatureStatistics.from_clips(pd.DataFrame(clips, columns=names), genres)
    folder = save("cnn", statistics=statistics)
    assert load_bundle(folder).statistics.to_dict() == statistics.to_dict()
    others = FeatureStatistics.from_clips(pd.DataFrame(clips), genres)
    with pytest.raises(BundleError, match="not of the model's features"):
        save("cnn", "other", statistics=others)


def test_a_bundle_without_statistics_loads(save, vectors, tmp_path):
    folder = save("forest")
    assert load_bundle(folder).statistics is None
    # What the description does not list is no part of the bundle.
    statistics = FeatureStatistics.from_clips(*vectors)
    with_them = save("forest", "more", statistics=statistics)
    shutil.copy(with_them / "statistics.json", folder)
    assert load_bundle(folder).statistics is None


def test_statistics_of_another_model_are_refused(save, vectors, tmp_path):
    X, y = vectors
    with pytest.raises(BundleError, match="not of the model's features"):
        save("forest", statistics=FeatureStatistics.from_clips(X[X.columns[::-1]], y))
    two = y != "Rock/Metal"
    with pytest.raises(BundleError, match="not of the model's genres"):
        save("forest", statistics=FeatureStatistics.from_clips(X[two], y[two]))
    assert not list(tmp_path.iterdir())


def test_an_older_bundle_is_replaced(save, trained, vectors):
    folder = save("forest")
    assert save("boosting") == folder
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "boosting.ubj", "bundle.json"]
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_nothing_else_is_replaced(save, tmp_path):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "song.wav").write_bytes(b"RIFF")
    with pytest.raises(BundleError, match="something else than a bundle and is left alone"):
        save("forest", "music")
    assert (tmp_path / "music" / "song.wav").read_bytes() == b"RIFF"
    (tmp_path / "file").write_text("x")
    with pytest.raises(BundleError, match="is a file"):
        save("forest", "file")
    (tmp_path / "link").symlink_to(tmp_path / "music")
    with pytest.raises(BundleError, match="is a link"):
        save("forest", "link")


def test_a_save_that_breaks_off_leaves_the_old_bundle(save, trained, monkeypatch):
    folder = save("forest")
    before = {p.name: sha256_file(p) for p in folder.iterdir()}

    def full(self, target):
        (target / "half").write_bytes(b"x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(trained["boosting"]), "save_weights", full)
    with pytest.raises(OutputError, match="no space left"):
        save("boosting")
    assert {p.name: sha256_file(p) for p in folder.iterdir()} == before
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_what_a_killed_save_left_behind_is_cleared(save, tmp_path):
    (tmp_path / ".bundle.partial").mkdir()
    (tmp_path / ".bundle.partial" / "half").write_bytes(b"x")
    load_bundle(save("forest"))
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_an_unwritable_folder_is_said(save, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written"):
        save("forest")


def test_a_folder_under_a_file_is_said(save, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        save("forest", "file/bundle")


def test_models_that_cannot_be_described_are_refused(save, vectors, tmp_path):
    def put(model, genres=("Blues-like", "Pop/Dance/RnB", "Rock/Metal")):
        save_bundle(tmp_path / "b", model, genres=genres, taxonomy={}, audio=None, features=None)

    X, y = vectors
    with pytest.raises(BundleError, match="not trained"):
        put(create_model("forest"))
    with pytest.raises(BundleError, match="not text"):
        put(create_model("forest", n_estimators=2).fit(X, np.arange(len(y)) % 2))
    with pytest.raises(BundleError, match="'Rock/Metal' is not among the genres"):
        put(
            create_model("forest", n_estimators=2).fit(X, y), genres=["Blues-like", "Pop/Dance/RnB"]
        )
    seeded = create_model("forest", n_estimators=2, random_state=np.random.RandomState(0))
    with pytest.raises(BundleError, match="parameter of the model cannot be written"):
        put(seeded.fit(X, y))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format_version": 2}, r"written by a newer genrescope \(format 2\); update"),
        ({"format_version": ...}, "format_version is missing"),
        ({"format_version": "1"}, "format_version is missing"),
        ({"kind": "forrest"}, "unknown kind 'forrest': did you mean forest"),
        ({"kind": "boosting"}, "the boosting has no parameter 'class_weight'"),
        ({"kind": "boosting", "params": {}}, "the file 'boosting.ubj'|the file 'forest.skops'"),
        ({"classes": ...}, "damaged: classes: Field required"),
        ({"classes": ["b", "a", "c"]}, "repeated or not sorted"),
        ({"classes": ["Blues-like", "Rock/Metal"]}, "unsafe: in tree 0"),
        ({"genres": ["Blues-like"]}, "lack a class"),
        ({"input": "log_mels"}, "a forest does not take log_mels"),
        ({"input_shape": [6, 6]}, "is not that of vectors"),
        ({"input_shape": [5]}, "6 feature names do not fit 5"),
        ({"feature_names": ["a"] * 6}, "1 feature names do not fit 6"),
        ({"feature_names": list("abcde"), "input_shape": [5]}, "unsafe: in tree 0"),
        ({"audio": {"sample_rate": 22050}}, "not of both"),
        ({"audio": {"rate": 1}}, "unknown key 'rate'"),
        ({"audio": {}, "features": {}}, "settings do not lead to the model's features"),
        ({"params": {"n_trees": 5}}, "no parameter 'n_trees'"),
        ({"params": {"n_estimators": "x"}}, "'n_estimators' parameter"),
        ({"surprise": 1}, "surprise: Extra inputs"),
        ({"files": {}}, "does not list the file 'README.md'"),
    ],
)
def test_descriptions_that_contradict_themselves_are_refused(save, changes, sentence):
    folder = save("forest")
    edit(folder, **changes)
    with pytest.raises(BundleError, match=sentence):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/b", "..", ".hidden", "a\\b", ""])
def test_files_outside_the_bundle_are_never_opened(save, name):
    folder = save("forest")
    files = json.loads((folder / "bundle.json").read_text())["files"]
    edit(folder, files=files | {name: "0" * 64})
    with pytest.raises(BundleError, match=r"unsafe: it lists the file .* outside the bundle"):
        load_bundle(folder)


def test_files_that_are_not_a_bundles_are_refused(save):
    folder = save("forest")
    (folder / "extra.pkl").write_bytes(b"x")
    files = json.loads((folder / "bundle.json").read_text())["files"]
    edit(folder, files=files | {"extra.pkl": sha256_file(folder / "extra.pkl")})
    with pytest.raises(BundleError, match=r"lists the file 'extra.pkl'"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["forest.skops", "README.md", "bundle.json", "statistics.json"])
def test_links_are_refused(save, name, vectors, tmp_path):
    folder = save("forest", statistics=FeatureStatistics.from_clips(*vectors))
    shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="a link or no ordinary file"):
        load_bundle(folder)


def test_a_link_to_a_bundle_is_the_callers_own_word(save, tmp_path):
    (tmp_path / "current").symlink_to(save("forest"))
    assert load_bundle(tmp_path / "current").info.kind == "forest"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads anything")
@pytest.mark.parametrize("name", ["bundle.json", "forest.skops"])
def test_what_may_not_be_read_is_said(save, name):
    folder = save("forest")
    (folder / name).chmod(0)
    with pytest.raises(BundleError, match=r"cannot be read \(permission denied"):
        load_bundle(folder)


def test_a_name_too_long_for_a_folder_is_said():
    with pytest.raises(BundleError, match=r"cannot be read \(file name too long"):
        load_bundle("x" * 5000)


def test_what_could_not_be_loaded_is_not_saved(vectors, tmp_path):
    X, y = vectors
    model = create_model("ensemble", members={"linear": {}, "boosting": {"n_jobs": 2}}).fit(X, y)
    folder = save_bundle(
        tmp_path / "a", model, genres=sorted(set(y)), taxonomy={}, audio=None, features=None
    )
    assert load_bundle(folder).info.params["members"] == {"linear": {}, "boosting": {}}
    model = create_model("linear").fit(X, [f"{genre}\x1b[2J" for genre in y])
    with pytest.raises(BundleError, match="has a control character"):
        save_bundle(
            tmp_path / "b", model, genres=list(model.classes_), taxonomy={}, audio=None,
            features=None,
        )  # fmt: skip
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("kind", MODELS)
def test_missing_truncated_and_altered_files_are_told_apart_from_nothing(kind, save):
    folder = save(kind)
    damage(folder, WEIGHTS[kind])


def test_missing_truncated_and_altered_statistics_are_told_apart_from_nothing(save, vectors):
    folder = save("forest", statistics=FeatureStatistics.from_clips(*vectors))
    damage(folder, "statistics.json")


def damage(folder: Path, name: str) -> None:
    file = folder / name
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:100], b"", whole[:50] + b"\0" + whole[51:] + b"x"):
        file.write_bytes(damaged)
        with pytest.raises(BundleError, match=rf"{name}: altered or truncated"):
            load_bundle(folder)
    file.unlink()
    with pytest.raises(BundleError, match=rf"{name}: is missing from the bundle"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is no JSON"),
        ('{"format_version": 1', "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[1]", "format_version is missing"),
        ('{"format_version": true}', "format_version is missing"),
        ("\ufeff{}", "is no JSON|format_version is missing"),
    ],
)
def test_a_damaged_description_is_refused(save, text, sentence):
    folder = save("forest")
    (folder / "bundle.json").write_text(text)
    with pytest.raises(BundleError, match=sentence):
        load_bundle(folder)


def test_what_is_no_bundle_is_said(tmp_path):
    with pytest.raises(BundleError, match="is no folder"):
        load_bundle(tmp_path / "nowhere")
    with pytest.raises(BundleError, match=r"bundle\.json: is missing"):
        load_bundle(tmp_path)


def test_a_cnn_bundle_without_torch_says_what_to_install(save, monkeypatch):
    folder = save("cnn")
    monkeypatch.setattr(
        "genrescope.models.MODELS", MODELS | {"cnn": "torch.no_such_module:CnnClassifier"}
    )
    with pytest.raises(ConfigError, match=r"genrescope\[cnn\]"):
        load_bundle(folder)


def test_settings_are_kept_where_they_lead_to_the_inputs(tmp_path):
    from genrescope.features.vector import feature_names

    settings = FeatureSettings(n_mfcc=3)
    X = np.random.default_rng(0).normal(size=(8, len(feature_names(settings))))
    model = create_model("forest", n_estimators=2).fit(X, ["a", "b"] * 4)
    folder = save_bundle(
        tmp_path / "b", model, genres=["a", "b"], taxonomy={}, audio=AudioSettings(),
        features=settings,
    )  # fmt: skip
    assert read_info(folder).features == settings
    edit(folder, features=settings.model_dump() | {"n_mfcc": 4})
    with pytest.raises(BundleError, match="do not lead to the model's features"):
        load_bundle(folder)
