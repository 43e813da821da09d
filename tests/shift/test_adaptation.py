import inspect

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.metrics import f1_score

from genrescope.errors import ConfigError, TrainingError
from genrescope.shift.adaptation import METHODS, create_adaptation
from genrescope.shift.adapted import AdaptedModel
from genrescope.shift.transport import sinkhorn

TREES = {"n_estimators": 40, "n_jobs": 1}


def macro_f1(method, source, target, seed=0):
    model = AdaptedModel(method, "forest", TREES, seed=seed).fit(source, target.X)
    return f1_score(target.y, model.predict(target.X), average="macro")


@pytest.mark.parametrize("method", METHODS)
def test_no_method_can_be_given_target_labels(method):
    adaptation = create_adaptation(method)
    assert list(inspect.signature(adaptation.fit).parameters) == [
        "X_source",
        "y_source",
        "X_target",
    ]
    for name in ("transform_source", "transform_target"):
        assert list(inspect.signature(getattr(adaptation, name)).parameters) == ["X"]
    assert "y_target" not in inspect.signature(AdaptedModel.fit).parameters


@pytest.mark.parametrize("method", [*METHODS, "coral+self_training"])
def test_the_same_seed_gives_the_same_numbers(method, source, same_music):
    one, two = (
        AdaptedModel(method, "forest", TREES, seed=3).fit(source, same_music.X) for _ in range(2)
    )
    answers = one.predict_proba(same_music.X)
    assert np.array_equal(answers, two.predict_proba(same_music.X))
    assert answers.sum(axis=1) == pytest.approx(1.0)


@pytest.mark.parametrize("method", [*METHODS, "standardise+self_training"])
def test_without_a_shift_nothing_is_lost(method, source, same_music):
    assert macro_f1(method, source, same_music) > macro_f1("none", source, same_music) - 0.05


@pytest.mark.parametrize("method", ["none", "standardise", "quantile", "coral", "subspace"])
def test_a_corpus_adapted_to_itself_stays_one_corpus(method, source):
    found = create_adaptation(method).fit(source.X, source.y, source.X)
    assert found.transform_source(source.X) == pytest.approx(found.transform_target(source.X))


def test_standardising_undoes_gain_and_offset(source, same_music):
    louder = same_music._replace(X=same_music.X * [3.0, 0.2, 8.0, 1.5] + [10, -4, 2, 30])
    assert macro_f1("none", source, louder) < 0.5
    assert macro_f1("standardise", source, louder) == pytest.approx(
        macro_f1("standardise", source, same_music), abs=0.02
    )


def test_ranks_undo_any_rising_curve(source, same_music):
    bent = same_music._replace(X=np.exp(1.5 * same_music.X))
    assert macro_f1("quantile", source, bent) == pytest.approx(
        macro_f1("quantile", source, same_music), abs=1e-9
    )
    assert macro_f1("standardise", source, bent) < macro_f1("quantile", source, bent) - 0.1


def test_normal_scores_are_those_of_the_ranks(source, same_music):
    found = create_adaptation("quantile").fit(source.X, source.y, same_music.X)
    ranks = (rankdata(source.X, axis=0) - 1) / (len(source.X) - 1)
    inner = (ranks > 0) & (ranks < 1)
    assert found.transform_source(source.X)[inner] == pytest.approx(norm.ppf(ranks[inner]))
    assert np.abs(found.transform_target(1e6 * same_music.X)).max() < 3


def test_coral_gives_the_source_the_targets_covariance(source, same_music):
    mixed = same_music._replace(X=same_music.X @ np.random.default_rng(0).normal(size=(4, 4)))
    found = create_adaptation("coral", shrinkage=1e-6).fit(source.X, source.y, mixed.X)
    there, here = found.transform_source(source.X), found.transform_target(mixed.X)
    assert np.cov(there.T) == pytest.approx(np.cov(here.T), abs=1e-3)


def test_coral_repairs_changed_correlations(source, same_music):
    # A leak between features, symmetric as microphones and mixes leak: CORAL's own kind of shift.
    leak = np.full((4, 4), 0.45) + 0.55 * np.eye(4)
    mixed = same_music._replace(X=same_music.X @ leak)
    found = create_adaptation("coral", shrinkage=1e-3).fit(source.X, source.y, mixed.X)
    plain = create_adaptation("standardise").fit(source.X, source.y, mixed.X)

    def gap(adaptation):
        there, here = adaptation.transform_source(source.X), adaptation.transform_target(mixed.X)
        means = (Z[y == "Rock"].mean(axis=0) for Z, y in ((there, source.y), (here, mixed.y)))
        return np.linalg.norm(next(means) - next(means))

    assert gap(found) < 0.5 * gap(plain)
    assert macro_f1("coral", source, mixed) >= macro_f1("standardise", source, mixed)


def test_subspaces_meet_after_a_rotation(source, same_music):
    found = create_adaptation("subspace", n_components=2).fit(source.X, source.y, same_music.X)
    assert found.transform_source(source.X).shape == (180, 2)
    assert found.transform_target(same_music.X).shape == (180, 2)
    assert macro_f1("subspace", source, same_music) > 0.85


def test_a_transport_plan_has_the_right_marginals_and_the_known_optimum():
    rng = np.random.default_rng(0)
    here, there = np.sort(rng.normal(size=12)), np.sort(rng.normal(3, 2, size=12))
    order = rng.permutation(12)
    plan = sinkhorn((here[:, None] - there[order]) ** 2, regularisation=0.002)
    assert plan.sum(axis=1) == pytest.approx(1 / 12, rel=2e-3)
    assert plan.sum(axis=0) == pytest.approx(1 / 12, rel=2e-3)
    # On a line the cheapest plan keeps the order.
    assert plan.argmax(axis=1).tolist() == np.argsort(order).tolist()


def test_transport_that_cannot_converge_says_so():
    rng = np.random.default_rng(0)
    with pytest.raises(TrainingError, match="did not converge"):
        sinkhorn(rng.random((30, 31)), regularisation=1e-7)


def test_weights_find_the_part_of_the_source_that_the_target_looks_like(source):
    target = source.X[source.y == "Pop"]
    weight = create_adaptation("importance").fit(source.X, source.y, target).sample_weight_
    assert weight.mean() == pytest.approx(1.0)
    assert weight[source.y == "Pop"].mean() > 3 * weight[source.y != "Pop"].mean()
    assert weight.max() <= 10.0 / weight.mean() * 1.5


def test_self_training_follows_clusters_that_moved(source, same_music):
    moved = same_music._replace(X=same_music.X + 0.9 * (same_music.y == "Pop")[:, None])
    gains = [
        macro_f1("standardise+self_training", source, moved, seed)
        - macro_f1("standardise", source, moved, seed)
        for seed in range(5)
    ]
    assert np.mean(gains) > -0.01


def test_wrong_input_is_refused(source):
    with pytest.raises(TrainingError, match="4 features and the target 3"):
        create_adaptation("none").fit(source.X, source.y, source.X[:, :3])
    with pytest.raises(TrainingError, match="labels for 180"):
        create_adaptation("coral").fit(source.X, source.y[:5], source.X)
    fitted = create_adaptation("coral").fit(source.X, source.y, source.X)
    with pytest.raises(TrainingError, match="3 features where"):
        fitted.transform_target(source.X[:, :3])
    with pytest.raises(ConfigError, match=r"no adaptation 'corall'.*coral"):
        create_adaptation("corall")
    with pytest.raises(ConfigError, match="no parameter 'shrink'"):
        create_adaptation("coral", shrink=1.0)
