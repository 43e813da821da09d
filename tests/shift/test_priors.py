import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from genrescope.shift.adapted import AdaptedModel
from genrescope.shift.priors import calibrate, target_priors, with_priors

SHARES = np.array([0.7, 0.2, 0.1])


def posteriors(codes, shares, rng):
    """Exact probabilities under equal variances: unit normals at three corners."""
    centres = 2.0 * np.eye(3)
    x = centres[codes] + rng.normal(size=(len(codes), 3))
    logs = -0.5 * ((x[:, np.newaxis] - centres) ** 2).sum(axis=-1)
    return softmax(logs + np.log(shares), axis=1)


def test_em_finds_the_shares_of_the_target():
    rng = np.random.default_rng(0)
    codes = rng.choice(3, size=4000, p=SHARES)
    equal = np.full(3, 1 / 3)
    answers = posteriors(codes, equal, rng)
    found = target_priors(answers, equal)
    assert found == pytest.approx(np.bincount(codes) / 4000, abs=0.02)
    corrected = with_priors(answers, equal, found)
    assert log_loss(codes, corrected) < log_loss(codes, answers)


def test_the_shares_stay_where_nothing_changed():
    rng = np.random.default_rng(1)
    codes = rng.choice(3, size=4000, p=SHARES)
    assert target_priors(posteriors(codes, SHARES, rng), SHARES) == pytest.approx(SHARES, abs=0.03)


def test_correcting_to_the_same_shares_changes_nothing():
    answers = np.array([[0.2, 0.8], [0.6, 0.4]])
    assert with_priors(answers, [0.3, 0.7], [0.3, 0.7]) == pytest.approx(answers)


def test_calibration_undoes_a_known_temperature_and_bias():
    rng = np.random.default_rng(2)
    codes = rng.choice(3, size=6000, p=SHARES)
    right = posteriors(codes, SHARES, rng)
    wrong = softmax(1.5 * np.log(right) + [0.5, -0.5, 0.0], axis=1)
    found = calibrate(wrong, codes)
    assert found.temperature == pytest.approx(1.5, rel=0.1)
    assert found.apply(wrong) == pytest.approx(right, abs=0.05)


def test_the_adapted_model_reports_the_targets_shares(source, other_shares):
    model = AdaptedModel("prior_correction", "forest", {"n_estimators": 60})
    # The vectors are left alone here, so that the shares are all that differs.
    model.fit(source, source.X)
    answers = model.calibration_.apply(
        model.model_.predict_proba(model.adaptation_.transform_source(other_shares.X))
    )
    found = target_priors(answers, model.source_priors_)
    true = np.array([(other_shares.y == name).mean() for name in model.classes_])
    assert found == pytest.approx(true, abs=0.08)
