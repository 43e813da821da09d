"""What forest and boosting share, and what each does alone."""

import numpy as np
import pandas as pd
import pytest

from genrescope.errors import ConfigError, TrainingError
from genrescope.models import create_model
from genrescope.models.boosting import BoostingClassifier
from genrescope.models.forest import ForestClassifier

BOTH = ("forest", "boosting")


def small(kind, **params):
    return create_model(kind, **({"n_estimators": 20} | params))


@pytest.mark.parametrize("kind", BOTH)
def test_separable_clips_are_learnt(kind, vectors):
    X, y = vectors
    model = small(kind).fit(X[::2], y[::2])
    assert (model.predict(X[1::2]) == y[1::2]).mean() > 0.9
    assert list(model.feature_names_in_) == list(X.columns)


@pytest.mark.parametrize("kind", BOTH)
def test_probabilities_are_those_of_the_sorted_classes(kind, vectors):
    X, y = vectors
    shuffled = np.random.default_rng(1).permutation(len(y))
    model = small(kind).fit(X.iloc[shuffled], y[shuffled])
    assert model.classes_.tolist() == sorted(set(y.tolist()))
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=1e-12)
    for column, genre in enumerate(model.classes_):
        assert p[y == genre, column].mean() > 0.5


@pytest.mark.parametrize("kind", BOTH)
def test_two_classes_have_two_columns(kind, vectors):
    X, y = vectors
    two = y != "Rock/Metal"
    p = small(kind).fit(X[two], y[two]).predict_proba(X[two])
    assert p.shape == (80, 2)
    assert (p.argmax(axis=1) == (y[two] == "Pop/Dance/RnB")).mean() > 0.9


@pytest.mark.parametrize("kind", BOTH)
def test_a_seed_decides_and_threads_do_not(kind, vectors):
    X, y = vectors
    params = {} if kind == "forest" else {"subsample": 0.5, "colsample_bytree": 0.5}
    one, two, other = (
        small(kind, n_estimators=5, n_jobs=jobs, random_state=seed, **params)
        .fit(X, y)
        .predict_proba(X)
        for jobs, seed in ((1, 3), (2, 3), (1, 4))
    )
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("labels", [object, "str"])
def test_labels_of_either_text_type_do(kind, labels, vectors):
    X, y = vectors
    model = small(kind).fit(X, pd.Series(y, dtype=labels))
    assert model.classes_.dtype.kind == "U"


@pytest.mark.parametrize("kind", BOTH)
def test_one_class_is_refused(kind, vectors):
    X, _ = vectors
    with pytest.raises(TrainingError, match="every clip is labelled jazz"):
        small(kind).fit(X, ["jazz"] * len(X))


@pytest.mark.parametrize("kind", BOTH)
def test_missing_labels_are_refused(kind, vectors):
    X, y = vectors
    with pytest.raises(ValueError, match=r"some labels are missing|Unknown label type"):
        small(kind).fit(X, [None, *y[1:].tolist()])


@pytest.mark.parametrize("kind", BOTH)
def test_values_that_are_not_finite_are_refused(kind, vectors):
    X, y = vectors
    with pytest.raises(ValueError, match="NaN"):
        small(kind).fit(X.mask(X.iloc[0, 0] == X), y)


@pytest.mark.parametrize("kind", BOTH)
def test_validation_clips_of_an_unknown_class_are_refused(kind, vectors):
    X, y = vectors
    with pytest.raises(TrainingError, match=r"validation clips have classes .* polka"):
        small(kind).fit(X, y, validation=(X[:2], [y[0], "polka"]))


def test_the_forest_weighs_classes_by_name(vectors):
    X, y = vectors
    noise = X[["feature_1"]]
    plain = ForestClassifier(n_estimators=30, min_samples_leaf=10).fit(noise, y)
    heavy = ForestClassifier(
        n_estimators=30, min_samples_leaf=10, class_weight={"Rock/Metal": 50.0}
    ).fit(noise, y)
    rock = list(heavy.classes_).index("Rock/Metal")
    assert heavy.predict_proba(noise)[:, rock].mean() > 0.9
    assert plain.predict_proba(noise)[:, rock].mean() < 0.6


def test_a_weight_for_an_absent_class_is_refused(vectors):
    with pytest.raises(ConfigError, match="class_weight names 'polka'"):
        ForestClassifier(n_estimators=2, class_weight={"polka": 2.0}).fit(*vectors)


def noisy(vectors):
    """Labels of which a third are wrong, so that boosting overfits within a few rounds."""
    X, y = vectors
    rng = np.random.default_rng(2)
    wrong = rng.random(len(y)) < 0.35
    y = np.where(wrong, rng.choice(np.unique(y), len(y)), y)
    return X[::2], y[::2], X[1::2], y[1::2]


def test_boosting_stops_early_and_keeps_the_best_rounds(vectors):
    X, y, X_held, y_held = noisy(vectors)
    model = BoostingClassifier(n_estimators=200, learning_rate=0.3, early_stopping_rounds=5)
    model.fit(X, y, validation=(X_held, y_held))
    curve = model.training_curve_
    assert list(curve.columns) == ["round", "train_loss", "validation_loss"]
    assert len(curve) < 200
    assert model.best_round_ == curve.loc[curve["validation_loss"].idxmin(), "round"]
    assert model.booster_.num_boosted_rounds() == model.best_round_ == len(curve) - 5
    p = model.predict_proba(X_held)
    columns = np.searchsorted(model.classes_, y_held)
    loss = -np.log(p[np.arange(len(p)), columns]).mean()
    assert loss == pytest.approx(curve["validation_loss"].min(), abs=1e-5)


def test_boosting_trains_every_round_unless_told_otherwise(vectors):
    X, y, X_held, y_held = noisy(vectors)
    followed = BoostingClassifier(n_estimators=60).fit(X, y, validation=(X_held, y_held))
    assert followed.best_round_ == len(followed.training_curve_) == 60
    alone = BoostingClassifier(n_estimators=60, early_stopping_rounds=2).fit(X, y)
    assert alone.best_round_ == 60
    assert list(alone.training_curve_.columns) == ["round", "train_loss"]
    assert np.array_equal(alone.predict_proba(X), followed.predict_proba(X))


def test_validation_does_not_change_a_forest(vectors):
    X, y = vectors
    plain = ForestClassifier(n_estimators=5).fit(X, y)
    beside = ForestClassifier(n_estimators=5).fit(X, y, validation=(X[:3], y[:3]))
    assert beside.training_curve_ is None
    assert np.array_equal(plain.predict_proba(X), beside.predict_proba(X))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "floor"), [("forest", 0.75), ("boosting", 0.78)])
def test_the_published_table_is_classified_as_well_as_published(kind, floor, real_data):
    """Five random folds of GTZAN's own table; the baseline is .79 and .83 macro-F1."""
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedKFold

    table = pd.read_csv(real_data / "features_tables" / "gtzan_features_30_sec.csv")
    genre = table["label"].map(
        {
            "blues": "Blues-like",
            "hiphop": "HipHop/Rap",
            "pop": "Pop/Dance/RnB",
            "disco": "Pop/Dance/RnB",
            "rock": "Rock/Metal",
            "metal": "Rock/Metal",
        }
    )
    X = table.loc[genre.notna()].drop(columns=["filename", "length", "label"])
    y = genre.dropna().to_numpy(dtype=object)
    predicted = np.empty(len(y), dtype=object)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        model = create_model(kind, n_estimators=200).fit(X.iloc[train], y[train])
        predicted[test] = model.predict(X.iloc[test])
    assert f1_score(y, predicted, average="macro") > floor
