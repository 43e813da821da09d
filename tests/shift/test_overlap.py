import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from genrescope.shift.group_draws import Sides
from genrescope.shift.overlap import domain_logits, domain_vectors, measure_overlap
from genrescope.shift.weight_sets import weighted_areas, weighted_logistic


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    y = rng.random(300) < 1 / (1 + np.exp(-2 * X[:, 0]))
    return X, y, rng.poisson(1.0, size=(5, 300)).astype(float)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_regressions_are_those_of_scikit_learn(drawn, scale):
    # At a scale of 30 with these weights the two classes are all but separable.
    X, y, weights = drawn
    y = y if scale == 1.0 else X[:, 0] + 0.1 * X[:, 1] > 0
    found = weighted_logistic(scale * X, y, weights, penalty=2.0)
    for row, weight in zip(found, weights, strict=True):
        expected = LogisticRegression(C=0.5, tol=1e-9, max_iter=10_000)
        expected.fit(scale * X, y, sample_weight=weight)
        np.testing.assert_allclose(row[1:], expected.coef_[0], atol=1e-5)
        np.testing.assert_allclose(row[0], expected.intercept_[0], atol=1e-5)


def test_areas_are_those_of_scikit_learn_ties_and_all(drawn):
    X, y, weights = drawn
    scores = np.round(X[:, :5].T, 1)
    expected = [
        roc_auc_score(y, row, sample_weight=w) for row, w in zip(scores, weights, strict=True)
    ]
    np.testing.assert_allclose(weighted_areas(scores, y, weights), expected)


def test_a_clip_is_judged_by_classifiers_that_have_not_seen_its_group():
    rng = np.random.default_rng(0)
    # Groups of ten equal clips: whoever has seen one of them knows the others.
    places = np.repeat(rng.normal(size=(60, 40)), 10, axis=0)
    groups = np.repeat(np.arange(30), 10)
    sides = Sides.from_groups(groups, groups)
    weights = np.ones((1, 600))
    overlap, _ = measure_overlap(domain_logits(places, sides, weights), sides, weights, n_genres=2)
    assert overlap.auc < 0.65


def test_weights_lead_both_sides_to_the_same_music():
    rng = np.random.default_rng(0)
    X = np.r_[rng.normal(0.0, 1.0, 4000), rng.normal(1.5, 1.0, 4000)][:, None]
    sides = Sides.from_groups(np.arange(4000), np.arange(4000))
    weights = np.ones((1, 8000))
    overlap, shared = measure_overlap(domain_logits(X, sides, weights), sides, weights, n_genres=2)
    # Two normal densities of equal variance: AUC is Phi(1.5 / sqrt(2)), and p q / (p + q) is
    # symmetrical about their midpoint.
    assert overlap.auc == pytest.approx(0.8556, abs=0.01)
    for part in (~sides.is_target, sides.is_target):
        assert np.average(X[part, 0], weights=shared[0, part]) == pytest.approx(0.75, abs=0.04)
    assert overlap.source_ess < 4000 and overlap.obstacle


def test_vectors_hold_how_sure_the_model_is():
    rng = np.random.default_rng(0)
    answers = rng.dirichlet([1.0, 1.0], 200)
    vectors = domain_vectors(rng.normal(size=(200, 3)), answers)
    assert vectors.shape == (200, 3 + 2 + 2)
    sure = answers.max(axis=1)
    assert np.abs(np.corrcoef(vectors.T, sure)[-1, :-1]).max() == pytest.approx(1, abs=1e-6)
