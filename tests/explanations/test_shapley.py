import json
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
import pytest

from genrescope.explanations.permutation_shap import permutation_shap
from genrescope.explanations.shap_summary import ShapSummary
from genrescope.explanations.shapley import ShapValues, shap_parts, shap_values
from genrescope.models import create_model

SMALL = {
    "linear": {},
    "svm": {},
    "forest": {"n_estimators": 20},
    "boosting": {"n_estimators": 20},
    "ensemble": {"members": {"linear": {}, "svm": {}}},
}


def corpus(n=80, *, n_classes=3, n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    y = np.resize(list("abcdef")[:n_classes], n)
    X = rng.normal(size=(n, n_features))
    X[:, 0] += 1.5 * (y == "a")
    X[:, 1] -= 1.5 * (y == "b")
    names = [f"feature_{k}" for k in range(n_features)]
    return pd.DataFrame(X.astype(np.float32), columns=names, index=[f"c{k}" for k in range(n)]), y


def exact(answer, n_features):
    """Shapley values by their definition, over all coalitions of features."""
    values = []
    for feature in range(n_features):
        others = [k for k in range(n_features) if k != feature]
        total = 0.0
        for size in range(n_features):
            weight = factorial(size) * factorial(n_features - size - 1) / factorial(n_features)
            for known in combinations(others, size):
                total = total + weight * (answer({*known, feature}) - answer(set(known)))
        values.append(total)
    return np.array(values)


def forest_answer(forest, x):
    """What the forest says of x where only some features are known."""

    def walk(tree, node, known):
        left, right = tree.children_left[node], tree.children_right[node]
        if left == -1:
            return tree.value[node, 0] / tree.value[node, 0].sum()
        if tree.feature[node] in known:
            below = x[tree.feature[node]] <= tree.threshold[node]
            return walk(tree, left if below else right, known)
        weights = tree.weighted_n_node_samples
        share = weights[left] / weights[node]
        return share * walk(tree, left, known) + (1 - share) * walk(tree, right, known)

    def answer(known):
        return np.mean([walk(tree.tree_, 0, known) for tree in forest.estimators_], axis=0)

    return answer


def test_forest_values_are_shapleys_by_their_definition():
    X, y = corpus()
    model = create_model("forest", n_estimators=5, max_depth=4).fit(X, y)
    explained = shap_values(model, X.iloc[:6])
    assert explained.scale == "probability"
    for k in range(6):
        answer = forest_answer(model.forest_, X.iloc[k].to_numpy())
        np.testing.assert_allclose(explained.values[k], exact(answer, 4), atol=1e-6)
        np.testing.assert_allclose(explained.baseline, answer(set()), atol=1e-6)


def boosting_answer(booster, n_classes, base, x):
    """What the boosted trees say of x where only some features are known."""
    trees = [json.loads(text) for text in booster.get_dump(dump_format="json", with_stats=True)]

    def walk(node, known):
        if "leaf" in node:
            return node["leaf"]
        children = {child["nodeid"]: child for child in node["children"]}
        feature = int(node["split"].removeprefix("f"))
        if feature in known:
            below = x[feature] < np.float32(node["split_condition"])
            return walk(children[node["yes" if below else "no"]], known)
        shares = [child["cover"] for child in children.values()]
        parts = [walk(child, known) for child in children.values()]
        return np.average(parts, weights=shares)

    def answer(known):
        margins = np.array(base, dtype=np.float64)
        for k, tree in enumerate(trees):
            margins[k % n_classes] += walk(tree, known)
        return margins

    return answer


def test_boosting_values_are_shapleys_by_their_definition():
    X, y = corpus()
    model = create_model("boosting", n_estimators=6, max_depth=3).fit(X, y)
    explained = shap_values(model, X.iloc[:6])
    assert explained.scale == "margin"
    for k in range(6):
        x = X.iloc[k].to_numpy()
        answer = boosting_answer(model.booster_, 3, np.zeros(3), x)
        np.testing.assert_allclose(explained.values[k], exact(answer, 4), atol=1e-5)
        # What is left of the baseline is where boosting starts from, the same for every clip.
        start = explained.baseline - answer(set())
        expected = np.log(model.predict_proba(X.iloc[k : k + 1])[0])
        whole = start + answer({0, 1, 2, 3})
        np.testing.assert_allclose(whole - whole.mean(), expected - expected.mean(), atol=1e-5)


@pytest.mark.parametrize("kind", ["forest", "boosting"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_values_and_baseline_add_up_to_what_the_model_answers(kind, n_classes):
    X, y = corpus(n_classes=n_classes)
    model = create_model(kind, n_estimators=30).fit(X, y)
    explained = shap_values(model, X)
    assert explained.values.shape == (80, 4, n_classes)
    assert explained.classes == tuple("abcd"[:n_classes])
    sums = explained.values.sum(axis=1) + explained.baseline
    if kind == "boosting":
        sums = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sums, model.predict_proba(X), atol=1e-5)
    assert explained.residual < 1e-5


def test_the_residual_sees_a_model_that_answers_otherwise():
    X, y = corpus()
    model = create_model("forest", n_estimators=10).fit(X, y)
    honest = model.predict_proba

    def shifted(X):
        answers = honest(X)
        answers[3, 1] += 0.25
        return answers

    model.predict_proba = shifted
    assert shap_values(model, X).residual == pytest.approx(0.25)


def interventional_answer(function, background, x):
    """Mean of a function where the known features are x's and the others a background clip's."""

    def answer(known):
        mixed = background.copy()
        mixed[:, sorted(known)] = x[sorted(known)]
        return function(mixed).mean(axis=0)

    return answer


@pytest.mark.parametrize("n_classes", [2, 3])
def test_linear_values_are_shapleys_by_their_definition(n_classes):
    X, y = corpus(n_classes=n_classes)
    model = create_model("linear").fit(X.to_numpy(), y)
    explained = shap_values(model, X.iloc[:4])
    assert explained.scale == "margin" and explained.residual < 1e-5
    for k in range(4):
        answer = interventional_answer(model.margins, X.to_numpy(), X.iloc[k].to_numpy())
        np.testing.assert_allclose(explained.values[k], exact(answer, 4), atol=1e-5)
        np.testing.assert_allclose(explained.baseline, answer(set()), atol=1e-5)


def test_values_of_the_svm_are_shapleys_by_their_definition_within_the_sampling_error():
    X, y = corpus()
    model = create_model("svm").fit(X.to_numpy(), y)
    explained = shap_values(model, X.iloc[:4])
    assert explained.scale == "margin" and explained.residual < 1e-5
    for k in range(4):
        x = X.iloc[k].to_numpy(dtype=np.float64)
        answer = interventional_answer(model.margins, model.background_, x)
        expected = exact(answer, 4)
        np.testing.assert_allclose(explained.values[k], expected, atol=0.1 * np.ptp(expected))
        np.testing.assert_allclose(explained.baseline, answer(set()), atol=1e-6)


def test_permutations_are_exact_where_two_features_interact_at_most():
    rng = np.random.default_rng(0)
    weights, pairs = rng.normal(size=(6, 2)), rng.normal(size=(6, 6, 2))

    def answer(vectors):
        return vectors @ weights + np.einsum("ni,nj,ijc->nc", vectors, vectors, pairs)

    X, background = rng.normal(size=(3, 6)), rng.normal(size=(7, 6))
    sampled = permutation_shap(answer, X, background, n_orders=3)
    for found, x in zip(sampled.values, X, strict=True):
        of_known = interventional_answer(answer, background, x)
        np.testing.assert_allclose(found, exact(of_known, 6), atol=1e-10)
    np.testing.assert_allclose(sampled.baseline, answer(background).mean(axis=0))
    assert sampled.errors.max() < 1e-10


def test_standard_errors_are_the_errors_that_are_made():
    rng = np.random.default_rng(0)
    X, background = rng.normal(size=(1, 6)), rng.normal(size=(5, 6))

    def answer(vectors):
        return np.prod(vectors + 1, axis=1, keepdims=True)

    expected = exact(interventional_answer(answer, background, X[0]), 6)
    sizes = []
    for n_orders in (4, 64):
        made = [
            permutation_shap(answer, X, background, n_orders=n_orders, seed=seed)
            for seed in range(40)
        ]
        misses = np.sqrt(np.mean([(one.values[0] - expected) ** 2 for one in made]))
        claimed = np.sqrt(np.mean([one.errors**2 for one in made]))
        assert claimed == pytest.approx(misses, rel=0.25)
        sizes.append(misses)
    assert sizes[1] < sizes[0] / 2.5


@pytest.mark.parametrize("kind", SMALL)
def test_only_estimated_values_have_a_sampling_error(kind):
    X, y = corpus(24)
    found = shap_values(create_model(kind, **SMALL[kind]).fit(X, y), X.iloc[:3])
    if kind in ("svm", "ensemble"):
        assert 0 < found.sampling_error < 0.2
        size = np.sqrt((found.values**2).mean())
        assert found.sampling_error == pytest.approx(np.sqrt((found.errors**2).mean()) / size)
    else:
        assert found.errors is None and found.sampling_error is None


def test_early_stopping_is_explained_with_the_rounds_that_were_kept():
    X, y = corpus(200)
    held, held_y = corpus(60, seed=1)
    model = create_model(
        "boosting", n_estimators=300, learning_rate=0.3, early_stopping_rounds=5
    ).fit(X, y, validation=(held, held_y))
    assert model.best_round_ < 295, "the case needs rounds that were thrown away"
    explained = shap_values(model, held)
    sums = explained.values.sum(axis=1) + explained.baseline
    probabilities = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, model.predict_proba(held), atol=1e-5)


@pytest.mark.parametrize("kind", SMALL)
def test_a_feature_the_model_cannot_use_has_no_value(kind):
    X, y = corpus(40)
    X["feature_2"] = 1.0
    explained = shap_values(create_model(kind, **SMALL[kind]).fit(X, y), X)
    assert (explained.values[:, 2] == 0).all()
    top = explained.top(4)
    assert set(top["feature"][:2]) == {"feature_0", "feature_1"}
    assert top["feature"].iloc[-1] == "feature_2" and top["mean_abs_shap"].iloc[-1] == 0


@pytest.mark.parametrize("kind", ["forest", "ensemble"])
def test_neither_processes_nor_parts_change_a_value(kind, monkeypatch):
    X, y = corpus(60)
    params = {"n_estimators": 60} if kind == "forest" else SMALL[kind]
    model = create_model(kind, **params).fit(X, y)
    X = X.iloc[:21]
    whole = shap_values(model, X)
    monkeypatch.setattr("genrescope.explanations.tree_shap.PARALLEL_FROM_LEAVES", 1)
    monkeypatch.setattr("genrescope.explanations.shapley.PARALLEL_FROM_EVALUATIONS", 1)
    monkeypatch.setattr("genrescope.explanations.shapley.CLIPS_AT_A_TIME", 9)
    two = shap_values(model, X, workers=2 if kind == "forest" else 1)
    np.testing.assert_array_equal(two.values, whole.values)
    np.testing.assert_array_equal(two.baseline, whole.baseline)
    np.testing.assert_array_equal(two.answers, whole.answers)
    assert two.sampling_error == whole.sampling_error
    parts = list(shap_parts(model, X))
    assert [len(part.data) for part in parts] == [9, 9, 3]
    long = pd.concat((part.frame() for part in parts), ignore_index=True)
    pd.testing.assert_frame_equal(long, whole.frame())


def test_a_forest_explained_by_some_trees_at_a_time_is_explained_as_a_whole(monkeypatch):
    X, y = corpus(60)
    model = create_model("forest", n_estimators=60).fit(X, y)
    by_groves = shap_values(model, X)
    monkeypatch.setattr("genrescope.explanations.tree_shap.TREES_AT_A_TIME", 60)
    whole = shap_values(model, X)
    np.testing.assert_allclose(by_groves.values, whole.values, rtol=0, atol=1e-15)
    np.testing.assert_allclose(by_groves.baseline, whole.baseline, rtol=0, atol=1e-15)


def test_sums_over_parts_are_those_over_all_to_the_last_bit():
    rng = np.random.default_rng(0)
    features, classes, n = ["mfcc_mean_1", "mfcc_mean_2", "tempo"], ("slow", "fast"), 1000
    whole = ShapValues(
        rng.normal(size=(n, 3, 2)),
        np.zeros(2),
        pd.DataFrame(rng.normal(size=(n, 3)), columns=features),
        classes,
        rng.normal(size=(n, 2)),
        "probability",
        rng.normal(size=(n, 3, 2)),
    )
    summary = ShapSummary(features, classes)
    for rows in np.split(np.arange(n), [1, 300, 301, 999]):
        summary.add(
            ShapValues(
                whole.values[rows],
                np.zeros(2),
                whole.data.iloc[rows],
                classes,
                whole.answers[rows],
                "probability",
                whole.errors[rows],
            )
        )
    assert summary.n == n and summary.residual == whole.residual
    assert summary.sampling_error == whole.sampling_error
    pd.testing.assert_frame_equal(summary.per_class(), whole.per_class(), check_exact=True)
    pd.testing.assert_frame_equal(summary.families(), whole.families(), check_exact=True)
    np.testing.assert_array_equal(whole.per_class(), np.abs(whole.values).mean(axis=0))
    timbre = np.abs(whole.values[:, :2].sum(axis=1)).mean(axis=0)
    np.testing.assert_array_equal(whole.families().loc["timbre"], timbre)


@pytest.mark.parametrize(("at_least", "expected"), [(1, 3), (10**9, 1)])
def test_processes_are_started_where_the_work_is_long(monkeypatch, at_least, expected):
    asked = []

    def here(function, items, *, workers):
        asked.append(workers)
        yield from map(function, items)

    monkeypatch.setattr("genrescope.explanations.tree_shap.map_processes", here)
    monkeypatch.setattr("genrescope.parallel.cpu_count", lambda: 3)
    monkeypatch.setattr("genrescope.explanations.tree_shap.PARALLEL_FROM_LEAVES", at_least)
    X, y = corpus()
    shap_values(create_model("forest", n_estimators=80).fit(X, y), X, workers=None)
    assert asked == [expected]


@pytest.mark.parametrize("kind", SMALL)
def test_clips_are_explained_one_by_one_and_none_is_no_error(kind):
    X, y = corpus(24)
    model = create_model(kind, **SMALL[kind]).fit(X, y)
    whole = shap_values(model, X)
    np.testing.assert_allclose(
        shap_values(model, X.iloc[[7]]).values[0], whole.values[7], atol=1e-7
    )
    none = shap_values(model, X.iloc[:0])
    assert none.values.shape == (0, 4, 3) and none.residual == 0.0
    np.testing.assert_allclose(none.baseline, whole.baseline)
    assert not len(none.frame())


def made():
    values = np.array(
        [[[1.0, -1.0], [0.0, 0.5]], [[-3.0, 1.0], [0.0, 0.5]], [[2.0, -1.0], [0.0, -0.5]]]
    )
    data = pd.DataFrame({"tempo": [1.0, 2.0, 3.0], "rms": [4.0, 5.0, 6.0]}, index=["x", "y", "z"])
    answers = values.sum(axis=1) + np.array([0.25, 0.75])
    return ShapValues(values, np.array([0.25, 0.75]), data, ("slow", "fast"), answers, "margin")


def test_tables_by_hand():
    explained = made()
    assert explained.per_class().loc["tempo"].tolist() == [2.0, 1.0]
    assert explained.per_class().loc["rms"].tolist() == [0.0, 0.5]
    top = explained.top()
    assert top.columns.tolist() == ["feature", "mean_abs_shap"]
    assert top.to_numpy().tolist() == [["tempo", 1.5], ["rms", 0.25]]
    assert explained.top(1)["feature"].tolist() == ["tempo"]


def test_the_long_table_holds_every_value_beside_its_names(tmp_path):
    explained = made()
    frame = explained.frame()
    assert frame.columns.tolist() == ["clip_id", "genre", "feature", "value", "shap", "baseline"]
    assert len(frame) == 3 * 2 * 2
    row = frame[
        (frame["clip_id"] == "y") & (frame["genre"] == "slow") & (frame["feature"] == "tempo")
    ]
    assert row[["value", "shap", "baseline"]].to_numpy().tolist() == [[2.0, -3.0, 0.25]]
    sums = frame.groupby(["clip_id", "genre"], sort=False)["shap"].sum()
    assert sums["z", "fast"] == -1.5
    frame.to_parquet(tmp_path / "values.parquet", index=False)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "values.parquet"), frame)


def test_other_models_and_other_columns_are_refused():
    X, y = corpus()
    model = create_model("forest", n_estimators=5).fit(X, y)
    with pytest.raises(ValueError, match="columns are not those"):
        shap_values(model, X[X.columns[::-1]])
    with pytest.raises(ValueError, match="not for str"):
        shap_values("cnn", X)


def test_a_forest_of_single_leaves_says_the_same_of_everything():
    X, y = corpus()
    model = create_model("forest", n_estimators=5, min_samples_leaf=60).fit(X, y)
    explained = shap_values(model, X.iloc[:3])
    assert (explained.values == 0).all()
    np.testing.assert_allclose(explained.baseline, model.predict_proba(X.iloc[:1])[0])
