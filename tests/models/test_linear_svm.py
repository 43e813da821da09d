"""The linear model and the support vector machine against scikit-learn's own."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from genrescope.errors import ConfigError, TrainingError
from genrescope.models import create_model
from genrescope.models.calibration import fit_temperature


def blobs(n_classes, n=90, *, seed=0):
    """Classes that overlap, on features of very different units."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % n_classes
    X = rng.normal(size=(n, 5))
    X[:, 0] += codes
    X[:, 1] += codes == 1
    return (X * [1, 1000, 0.01, 1, 1] + [0, 3, 0, 50, 0]).astype(np.float32), np.array(
        list("abcd")
    )[codes]


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_the_linear_model_is_scikit_learns(n_classes):
    X, y = blobs(n_classes)
    ours = create_model("linear", C=0.3, class_weight="balanced").fit(X, y)
    theirs = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.3, class_weight="balanced", max_iter=1000)
    ).fit(X.astype(np.float64), y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(ours.weights_.sum(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_the_margins_of_the_svm_are_the_mean_of_scikit_learns_pairs(n_classes):
    X, y = blobs(n_classes)
    ours = create_model("svm", C=3.0, class_weight="balanced").fit(X, y)
    Z = StandardScaler().fit_transform(X)
    theirs = SVC(C=3.0, class_weight="balanced", decision_function_shape="ovo").fit(Z, y)
    # Of two classes scikit-learn's margin is above 0 for the second, of more for the first.
    pairs = theirs.decision_function(Z).reshape(len(X), -1) * (-1 if n_classes == 2 else 1)
    expected = np.zeros((len(X), n_classes))
    column = 0
    for first in range(n_classes):
        for second in range(first + 1, n_classes):
            expected[:, first] += pairs[:, column] / (n_classes - 1)
            expected[:, second] -= pairs[:, column] / (n_classes - 1)
            column += 1
    np.testing.assert_allclose(ours.margins(X) * ours.temperature_, expected, atol=1e-5)
    agree = (ours.predict(X) == theirs.predict(Z)).mean()
    assert agree == 1 if n_classes == 2 else agree > 0.9


def test_validation_clips_decide_how_sure_the_svm_is():
    X, y = blobs(3, n=300)
    held, held_y = blobs(3, n=200, seed=1)
    wrong = np.random.default_rng(0).permutation(held_y)
    alone = create_model("svm").fit(X, y)
    right = create_model("svm").fit(X, y, validation=(held, held_y))
    lost = create_model("svm").fit(X, y, validation=(held, wrong))
    assert np.array_equal(alone.predict(held), right.predict(held))
    assert (
        right.predict_proba(held).max(axis=1).mean() > lost.predict_proba(held).max(axis=1).mean()
    )
    scores = right.machine_.scores(held)
    assert right.temperature_ == fit_temperature(scores, np.unique(held_y, return_inverse=True)[1])


def test_a_class_of_one_clip_leaves_the_margins_as_they_are():
    X, y = blobs(3)
    rows = np.concatenate([np.flatnonzero(y != "c"), np.flatnonzero(y == "c")[:1]])
    assert create_model("svm").fit(X[rows], y[rows]).temperature_ == 1.0


@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_the_seed_decides_everything_and_a_class_may_weigh_more(kind):
    X, y = blobs(3)
    one, two = (create_model(kind, random_state=7).fit(X, y) for _ in range(2))
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))
    heavy = create_model(kind, class_weight={"c": 1000.0}).fit(X, y)
    assert (heavy.predict(X) == "c").sum() > (one.predict(X) == "c").sum()
    with pytest.raises(ConfigError, match="class_weight names 'z'"):
        create_model(kind, class_weight={"z": 2.0}).fit(X, y)
    with pytest.raises(TrainingError, match="classes that the training clips lack: z"):
        create_model(kind).fit(X, y, validation=(X[:1], ["z"]))


@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_the_unit_of_a_feature_plays_no_part(kind):
    X, y = blobs(3)
    other = X * np.float32([1e3, 1e-3, 1, 1, 7]) + np.float32([0, 0, 5, 0, 0])
    np.testing.assert_allclose(
        create_model(kind).fit(X, y).predict_proba(X),
        create_model(kind).fit(other, y).predict_proba(other),
        atol=1e-3,
    )


def test_features_that_never_vary_are_no_error():
    X = np.ones((20, 3), np.float32)
    y = np.array(["a", "b"])[np.arange(20) % 2]
    for kind in ("linear", "svm"):
        answers = create_model(kind).fit(X, y).predict_proba(X)
        np.testing.assert_allclose(answers, 0.5, atol=1e-6)
