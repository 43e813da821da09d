import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from genrescope.models.calibration import fit_temperature


def drawn(scores, *, seed=0):
    """Classes drawn with the probabilities that the scores say."""
    shares = softmax(scores, axis=1).cumsum(axis=1)
    return (np.random.default_rng(seed).random((len(scores), 1)) > shares).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.2, 1.0, 5.0])
def test_the_temperature_that_made_the_classes_is_found(temperature):
    scores = np.random.default_rng(1).normal(0, 2, (20_000, 4))
    found = fit_temperature(scores * temperature, drawn(scores))
    assert found == pytest.approx(temperature, rel=0.05)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_the_temperature_follows_the_unit_of_the_scores(seed, unit):
    scores = np.random.default_rng(seed).normal(size=(40, 3))
    codes = drawn(scores, seed=seed)
    before, after = fit_temperature(scores, codes), fit_temperature(unit * scores, codes)
    # Where the scores know nothing of the classes, the best temperature is the hottest allowed.
    if 0.1 < before < 10 and 0.01 < after < 500:
        assert after == pytest.approx(unit * before, rel=1e-3)


@pytest.mark.parametrize("n", [10, 100, 1000])
def test_scores_that_are_right_throughout_become_as_sure_as_their_number_allows(n):
    codes = np.arange(n) % 2
    scores = np.where(codes[:, np.newaxis] == [0, 1], 1.0, -1.0)
    sure = softmax(scores / fit_temperature(scores, codes), axis=1).max(axis=1)
    # Platt's target for a class of n / 2 clips.
    np.testing.assert_allclose(sure, (n / 2 + 1) / (n / 2 + 2), atol=1e-4)


def test_a_class_that_no_clip_has_is_no_error():
    scores = np.random.default_rng(0).normal(size=(30, 3))
    codes = scores[:, :2].argmax(axis=1)
    assert 0 < fit_temperature(scores, codes) < 1e3
