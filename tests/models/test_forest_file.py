import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import skops.io
from tones import pitch_bundle

from genrescope.models.forest import ForestClassifier
from genrescope.models.forest_file import read_forest, write_forest

N_FEATURES, N_CLASSES, N_TREES = 6, 4, 60


@pytest.fixture(scope="module")
def forest():
    """A forest of trees that noise made large."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, N_FEATURES)).astype(np.float32)
    y = np.array(list("abcd"))[rng.integers(0, N_CLASSES, len(X))]
    return ForestClassifier(N_TREES, n_jobs=1).fit(X, y).forest_, X


def bytes_of(forest):
    states = [tree.tree_.__getstate__() for tree in forest.estimators_]
    return sum(state["nodes"].nbytes + state["values"].nbytes for state in states)


def peak(work):
    """What work returns, and the most memory that it held, in bytes."""
    tracemalloc.start()
    try:
        return work(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_forest_is_written_and_read_a_few_trees_at_a_time(forest, tmp_path):
    grown, X = forest
    size, path = bytes_of(grown), tmp_path / "forest.skops"
    _, held = peak(lambda: write_forest(grown, path))
    assert held < 0.8 * size  # the description of sixty trees takes a third of these small ones
    found, held = peak(lambda: read_forest(path, n_features=N_FEATURES, n_classes=N_CLASSES))
    # What scikit-learn allocates for the trees themselves is not traced.
    assert held < 0.5 * size
    np.testing.assert_array_equal(found.predict_proba(X), grown.predict_proba(X))


def test_skops_reads_the_file_too(forest, tmp_path):
    grown, X = forest
    write_forest(grown, tmp_path / "forest.skops")
    found = skops.io.load(tmp_path / "forest.skops", trusted=["sklearn.tree._tree.Tree"])
    np.testing.assert_array_equal(found.predict_proba(X), grown.predict_proba(X))


def test_the_same_forest_gives_the_same_bytes(forest, tmp_path):
    grown, _ = forest
    for name in "ab":
        write_forest(grown, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_reading_a_forest_imports_neither_torch_nor_skops(tmp_path):
    bundle = pitch_bundle(tmp_path / "pitch")
    code = (
        "import sys; from genrescope.models.bundle import load_bundle; load_bundle(sys.argv[1]); "
        "print(sorted({'torch', 'skops', 'dask'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, bundle], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
