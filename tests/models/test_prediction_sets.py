import numpy as np
import pytest
from scipy.stats import betabinom

from genrescope.models.prediction_sets import prediction_sets, threshold


class Answers:
    """A classifier that answers with its input, for MAPIE to calibrate."""

    classes_ = np.arange(4)
    n_features_in_ = 4

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.asarray(X)

    def predict(self, X):
        return np.argmax(X, axis=1)

    def __sklearn_is_fitted__(self):
        return True


def answers(n, seed):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(4, 0.6), size=n)
    return probabilities, np.array([rng.choice(4, p=row) for row in probabilities])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("n", "seed"), [(40, 0), (99, 1), (250, 2)])
def test_sets_are_mapies(n, seed):
    from mapie.classification import SplitConformalClassifier

    levels = [0.5, 0.7, 0.8, 0.9, 0.95]
    known, truth = answers(n, seed)
    new, _ = answers(300, seed + 10)
    theirs = SplitConformalClassifier(Answers(), confidence_level=levels, conformity_score="lac")
    theirs.conformalize(known, truth)
    _, sets = theirs.predict_set(new)
    scores = 1 - known[np.arange(n), truth]
    for place, level in enumerate(levels):
        ours = prediction_sets(new, threshold(scores, level))
        empty = ~sets[:, :, place].any(axis=1)
        np.testing.assert_array_equal(ours[~empty], sets[~empty, :, place])
        # Theirs may be empty; ours then hold the most probable genre alone.
        np.testing.assert_array_equal(ours[empty].argmax(axis=1), new[empty].argmax(axis=1))
        assert (ours[empty].sum(axis=1) == 1).all()


def test_the_coverage_of_exchangeable_recordings_is_that_of_theory():
    """Given n scores it is Beta-distributed; the test recordings it holds, beta-binomially."""
    n, asked, tested, repeats = 30, 0.8, 50, 2000
    rank = 25  # the 31 * 0.8 = 24.8th score, rounded up
    rng = np.random.default_rng(0)
    hits = np.empty(repeats)
    for repeat in range(repeats):
        scores = rng.random(n + tested)
        hits[repeat] = (scores[n:] <= threshold(scores[:n], asked)).sum()
    expected = betabinom(tested, rank, n + 1 - rank)
    standard_error = expected.std() / np.sqrt(repeats)
    assert abs(hits.mean() - expected.mean()) < 4 * standard_error
    assert hits.std() == pytest.approx(expected.std(), rel=0.08)
    assert hits.mean() / tested > asked


@pytest.mark.parametrize(("n", "coverage"), [(8, 0.9), (18, 0.95), (3, 0.8), (0, 0.5)])
def test_too_few_recordings_leave_every_genre_possible(n, coverage):
    scores = np.linspace(0, 0.01, n)
    assert threshold(scores, coverage) == np.inf
    assert threshold([*scores, 0.02], coverage) == 0.02  # one more is enough
    sets = prediction_sets([[1.0, 0.0, 0.0]], threshold(scores, coverage))
    assert sets.tolist() == [[True, True, True]]


def test_ranks_do_not_depend_on_rounding():
    for n in range(1, 60):
        for tenths in range(1, 10):
            exact = -(-(n + 1) * tenths // 10)
            found = threshold(np.arange(1.0, n + 1), tenths / 10)
            assert found == (exact if exact <= n else np.inf)


def test_sets_grow_with_the_threshold_and_are_never_empty():
    table, _ = answers(200, 5)
    smaller = prediction_sets(table, -1.0)
    assert (smaller.sum(axis=1) == 1).all()
    assert (smaller.argmax(axis=1) == table.argmax(axis=1)).all()
    for largest in (0.2, 0.5, 0.9):
        larger = prediction_sets(table, largest)
        assert (larger >= smaller).all()
        smaller = larger
