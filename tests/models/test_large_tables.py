"""Training beyond one process: on the workers of a cluster, and on tables larger than memory."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genrescope.dask_workers import open_workers
from genrescope.errors import ClusterError, ConfigError, CorpusError
from genrescope.features.vector_files import VectorFiles
from genrescope.models import create_model
from genrescope.models.bundle import load_bundle, save_bundle
from genrescope.models.place import MEMORY, fits, training_on
from genrescope.settings import AudioSettings, FeatureSettings

N_FEATURES, N = 75, 3000
SMALL = {"n_estimators": 12, "learning_rate": 0.3, "n_jobs": 1}
NOT_SAMPLED = SMALL | {"subsample": 1.0, "colsample_bytree": 1.0}


@pytest.fixture(scope="module")
def clips():
    """Training and other clips of three overlapping classes."""

    def draw(n, seed):
        rng = np.random.default_rng(seed)
        y = rng.integers(3, size=n)
        X = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
        X[:, :3] += 1.5 * np.eye(3)[y]
        return pd.DataFrame(X, columns=[f"f{k}" for k in range(N_FEATURES)]), np.array(list("abc"))[
            y
        ]

    return draw(N, 0), draw(500, 1)


@pytest.fixture(scope="module")
def workers():
    with open_workers("dask", 2) as found:
        yield found


@pytest.fixture
def small_memory(monkeypatch):
    monkeypatch.setenv(MEMORY, "1000")


@pytest.fixture
def files(tmp_path, clips):
    """The training clips in two files of several row groups, other columns beside the features."""
    (X, y), _ = clips
    table = pa.Table.from_pandas(X.assign(genre=y), preserve_index=False)
    for name, rows in (("one", slice(0, 1900)), ("two", slice(1900, N))):
        pq.write_table(table[rows], tmp_path / f"{name}.parquet", row_group_size=400)
    return VectorFiles([tmp_path / "one.parquet", tmp_path / "two.parquet"], list(X.columns))


def bundle_digests(model, folder):
    save_bundle(
        folder,
        model,
        genres=list("abc"),
        taxonomy={"name": "three", "genres": list("abc"), "labels": {}},
        audio=AudioSettings(),
        features=FeatureSettings(),
        corpora=[{"name": "made-up", "fingerprint": "00"}],
        metrics=[],
        card="# A model\n",
    )
    return json.loads((folder / "bundle.json").read_text())["files"]


def loss(model, X, y):
    p = model.predict_proba(X)
    return -np.log(p[np.arange(len(p)), np.searchsorted(model.classes_, y)]).mean()


@pytest.mark.parametrize("weights", [None, {"a": 2.0}])
def test_a_forest_grown_on_a_cluster_is_the_same_to_the_last_byte(
    clips, workers, tmp_path, weights
):
    (X, y), (X_other, _) = clips
    make = lambda: create_model("forest", n_estimators=9, class_weight=weights)  # noqa: E731
    here = make().fit(X[:400], y[:400])
    with training_on(workers):
        there = make().fit(X[:400], y[:400])
    assert bundle_digests(there, tmp_path / "there") == bundle_digests(here, tmp_path / "here")
    np.testing.assert_array_equal(there.predict_proba(X_other), here.predict_proba(X_other))
    assert there.get_params() == here.get_params()


def test_the_trees_do_grow_on_the_workers(clips, workers, monkeypatch):
    (X, y), _ = clips
    seen = []
    submit = workers.client.submit

    def counted(function, *args, **options):
        seen.append(options["key"])
        return submit(function, *args, **options)

    monkeypatch.setattr(workers.client, "submit", counted)
    with training_on(workers):
        create_model("forest", n_estimators=8).fit(X[:200], y[:200])
    assert seen and all("_parallel_build_trees" in key for key in seen)


def test_a_cluster_that_is_gone_is_an_error_in_a_sentence(clips):
    (X, y), _ = clips

    class Gone:
        address = "tcp://127.0.0.1:1"

        @property
        def client(self):
            raise OSError("no route")

    with (
        training_on(Gone()),
        pytest.raises(ClusterError, match=r"tcp://127.0.0.1:1 could not grow the trees"),
    ):
        create_model("forest", n_estimators=2).fit(X[:50], y[:50])


def test_boosting_from_disk_grows_the_same_trees_to_the_last_byte(clips, monkeypatch, capsys):
    (X, y), held = clips
    whole = create_model("boosting", **SMALL).fit(X, y, validation=held)
    assert not capsys.readouterr().err
    monkeypatch.setenv(MEMORY, "1000")
    monkeypatch.setattr("genrescope.models.boosting_data.ROWS_AT_A_TIME", 700)
    from_disk = create_model("boosting", **SMALL).fit(X, y, validation=held)
    said = capsys.readouterr().err
    assert "too large for the memory of one process, is trained from disk" in said
    assert from_disk.booster_.save_raw("ubj") == whole.booster_.save_raw("ubj")
    pd.testing.assert_frame_equal(from_disk.training_curve_, whole.training_curve_)


def test_boosting_from_disk_stops_early_and_is_kept_in_a_bundle(clips, small_memory, tmp_path):
    (X, y), held = clips
    model = create_model("boosting", **SMALL | {"n_estimators": 150}, early_stopping_rounds=3)
    model.fit(X, y, validation=held)
    curve = model.training_curve_
    assert model.best_round_ == curve["validation_loss"].idxmin() + 1 == len(curve) - 3 < 147
    again = create_model("boosting", **model.get_params()).fit(X, y, validation=held)
    bundle_digests(model, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle").model
    for other in (again, loaded):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("memory", [1_000, 10**9])
def test_files_are_learned_from_as_the_table_they_hold(clips, files, memory, monkeypatch):
    (X, y), held = clips
    monkeypatch.setenv(MEMORY, str(memory))
    assert (files.shape, files.columns) == (X.shape, list(X.columns))
    of_files = create_model("boosting", **SMALL).fit(files, y, validation=held)
    of_table = create_model("boosting", **SMALL).fit(X, y, validation=held)
    assert list(of_files.feature_names_in_) == list(X.columns)
    np.testing.assert_array_equal(of_files.predict_proba(held[0]), of_table.predict_proba(held[0]))
    with pytest.raises(ValueError, match="inconsistent numbers"):
        create_model("boosting", **SMALL).fit(files, y[1:])


@pytest.mark.parametrize("source", ["table", "files"])
def test_boosting_on_workers_scores_as_here(clips, files, workers, source, small_memory, capsys):
    (X, y), held = clips
    params = NOT_SAMPLED | {"n_estimators": 30, "early_stopping_rounds": 8}
    with training_on(workers):
        there = create_model("boosting", **params)
        there.fit(X if source == "table" else files, y, validation=held)
    assert "is trained on the workers" in capsys.readouterr().err
    here = create_model("boosting", **params).fit(X, y, validation=held)
    gap = np.abs(there.predict_proba(held[0]) - here.predict_proba(held[0]))
    assert gap.mean() < 0.05
    assert loss(there, *held) == pytest.approx(loss(here, *held), rel=0.02)
    assert there.best_round_ == there.training_curve_["validation_loss"].idxmin() + 1


def test_what_fits_is_trained_here_whatever_the_cluster(clips, workers, capsys):
    (X, y), _ = clips
    with training_on(workers):
        assert fits(X.size * 4)
        there = create_model("boosting", **SMALL).fit(X, y)
    assert not capsys.readouterr().err
    here = create_model("boosting", **SMALL).fit(X, y)
    np.testing.assert_array_equal(there.predict_proba(X), here.predict_proba(X))


def test_memory_that_is_no_number_is_refused(monkeypatch):
    monkeypatch.setenv(MEMORY, "8 GB")
    with pytest.raises(ConfigError, match="GENRESCOPE_MEMORY is '8 GB'"):
        fits(1)


def test_files_that_cannot_be_read_are_said(tmp_path, clips, files):
    (X, _), _ = clips
    with pytest.raises(CorpusError, match="one file or more"):
        VectorFiles([])
    with pytest.raises(CorpusError, match=r"gone.parquet: does not exist"):
        VectorFiles([tmp_path / "gone.parquet"])
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(CorpusError, match="not a Parquet file"):
        VectorFiles([tmp_path / "text.parquet"])
    with pytest.raises(CorpusError, match=r"two.parquet: lacks the column tempo"):
        VectorFiles([tmp_path / "two.parquet"], ["tempo"])
    X.assign(f3=np.nan).to_parquet(tmp_path / "nan.parquet")
    with pytest.raises(CorpusError, match=r"nan.parquet: holds a value that is missing"):
        VectorFiles([tmp_path / "nan.parquet"]).read()


def test_nothing_of_dask_is_imported_by_training_here():
    code = (
        "import sys, numpy as np; from genrescope.models import create_model; "
        "create_model('forest', n_estimators=2).fit(np.eye(4), list('abab')); "
        "create_model('boosting', n_estimators=2).fit(np.eye(4), list('abab')); "
        "sys.exit('distributed' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
