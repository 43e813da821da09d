import numpy as np
import pytest
from scipy.special import softmax

from genrescope.errors import ConfigError, TrainingError
from genrescope.models import create_model
from genrescope.models.calibration import fit_temperature

MEMBERS = {"linear": {}, "svm": {"C": 2.0}, "boosting": {"n_estimators": 30}}


def clips(n=150, *, seed=0, noise=1.5):
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    X = rng.normal(0, noise, (n, 4))
    X[:, 0] += 2 * (codes == 0)
    X[:, 1] += 2 * (codes == 1)
    return X.astype(np.float32), np.array(["a", "b", "c"])[codes]


def test_without_validation_clips_it_is_the_mean_of_its_members():
    X, y = clips()
    model = create_model("ensemble", members=MEMBERS).fit(X, y)
    alone = [create_model(kind, **params).fit(X, y) for kind, params in MEMBERS.items()]
    expected = np.mean([member.predict_proba(X) for member in alone], axis=0)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=5e-4)
    assert model.temperature_ == 1.0 and (model.temperatures_ == 1).all()


def test_kinds_alone_are_members_with_their_defaults():
    X, y = clips(60)
    named = create_model("ensemble", members=["svm", "linear"]).fit(X, y)
    told = create_model("ensemble", members={"linear": {}, "svm": {}}).fit(X, y)
    assert np.array_equal(named.predict_proba(X), told.predict_proba(X))


def test_validation_clips_calibrate_each_member_and_the_vote():
    X, y = clips()
    held, held_y = clips(seed=1)
    codes = np.unique(held_y, return_inverse=True)[1]
    model = create_model("ensemble", members=MEMBERS).fit(X, y, validation=(held, held_y))
    assert list(model.members_) == ["boosting", "linear", "svm"]
    votes = []
    for kind, temperature in zip(model.members_, model.temperatures_, strict=True):
        member = create_model(kind, **MEMBERS[kind]).fit(X, y, validation=(held, held_y))
        logs = np.log(np.maximum(member.predict_proba(held), 1e-4))
        assert temperature == pytest.approx(fit_temperature(logs, codes))
        votes.append(softmax(logs / temperature, axis=1))
    mean = np.log(np.mean(votes, axis=0))
    assert model.temperature_ == pytest.approx(fit_temperature(mean, codes))
    expected = softmax(mean / model.temperature_, axis=1)
    np.testing.assert_allclose(model.predict_proba(held), expected, atol=1e-9)


def test_a_member_that_is_too_sure_is_brought_down():
    """Boosting without restraint is right on every training clip and sure of all it hears."""
    X, y = clips(noise=2.5)
    members = {"boosting": {"n_estimators": 300, "learning_rate": 0.3}}
    raw = create_model("ensemble", members=members).fit(X, y)
    calibrated = create_model("ensemble", members=members).fit(
        X, y, validation=clips(seed=1, noise=2.5)
    )
    heard, truth = clips(600, seed=2, noise=2.5)

    def loss(model):
        answers = model.predict_proba(heard)
        return -np.log(answers[np.arange(600), np.unique(truth, return_inverse=True)[1]]).mean()

    assert calibrated.temperatures_[0] > 1.5
    assert loss(calibrated) < loss(raw) - 0.1
    assert np.array_equal(calibrated.predict(heard), raw.predict(heard))


def test_the_seed_reaches_the_members_and_the_threads_change_nothing():
    X, y = clips()
    members = {"forest": {"n_estimators": 10}, "boosting": {"n_estimators": 5, "random_state": 3}}
    one = create_model("ensemble", members=members, random_state=1, n_jobs=1).fit(X, y)
    two = create_model("ensemble", members=members, random_state=1, n_jobs=2).fit(X, y)
    other = create_model("ensemble", members=members, random_state=2).fit(X, y)
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))
    for kind, alike in (("forest", False), ("boosting", True)):
        answers = [model.members_[kind].predict_proba(X) for model in (one, other)]
        assert np.array_equal(*answers) == alike
    assert one.members_["forest"].n_jobs == 1 and two.members_["forest"].n_jobs == 2


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"linear": {"c": 1.0}}, "members.linear: the linear has no parameter 'c'"),
        ({"lineal": {}}, "members.lineal: there is no model 'lineal': did you mean linear?"),
        ({"ensemble": {}}, "members.ensemble: a member takes vectors and is no ensemble itself"),
        ({"svm": None}, "members.svm: its parameters are no mapping"),
        ({}, "members are none"),
        (["linear", "linear"], "members name a kind twice"),
        (["linear", ["svm"]], "there is no model"),
        (None, "'members' parameter of EnsembleClassifier"),
    ],
)
def test_members_that_cannot_vote_are_refused(members, sentence):
    with pytest.raises(ConfigError) as caught:
        create_model("ensemble", members=members)
    assert sentence in str(caught.value)


def test_validation_clips_of_an_unknown_class_are_refused():
    X, y = clips()
    with pytest.raises(TrainingError, match="classes that the training clips lack: z"):
        create_model("ensemble", members={"linear": {}}).fit(X, y, validation=(X[:1], ["z"]))
