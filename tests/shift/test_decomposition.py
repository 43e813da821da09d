import numpy as np
import pandas as pd
import pytest
from planted import CAUSES, Population, sample, target, truth
from scipy.special import expit, softmax

from genrescope.errors import TrainingError
from genrescope.evaluation.metrics import score
from genrescope.figures import waterfall_figure
from genrescope.shift.decomposition import METRICS, decompose_shift

GENRES = ["Blues", "Pop", "Rock"]
AXES = np.array([[1.5, 0, 0, 0], [-1.0, 1.5, 0, 0], [-1.0, -1.5, 0, 0]])


@pytest.fixture(scope="module")
def population():
    """Clips in four dimensions; genres are harder to tell where the fourth is large."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(1000), 3)
    X = 0.8 * rng.normal(size=(1000, 4))[groups] + 0.6 * rng.normal(size=(3000, 4))
    sure = 2.5 - 2.4 * expit(3 * X[:, 3])
    frame = pd.DataFrame(X, columns=list("abcd"))
    logits = X @ AXES.T
    return Population(
        frame, softmax(sure[:, None] * logits, axis=1), softmax(logits, axis=1), groups, GENRES
    )


def decomposed(population, shift, *, n=(600, 900), seed=0, **settings):
    rng = np.random.default_rng(seed)
    home = sample(population, target(population), n[0], rng)
    away = sample(population, shift, n[1], rng)
    return decompose_shift(
        home.predictions,
        away.predictions,
        population.genres,
        source_features=home.features,
        target_features=away.features,
        **{"n_resamples": 100} | settings,
    )


def drops(found, metric="macro_f1"):
    table = found.frame()
    return table[table["metric"] == metric].set_index("cause")


def mixture(population):
    x = population.X.to_numpy()
    return target(
        population,
        kept=expit(1.5 * x[:, 3]),
        region=x[:, 0] > 0.2,
        relabelled=0.4,
        shares=(2.0, 0.5, 1.0),
    )


def test_the_causes_add_up_to_the_drop_of_the_plain_scores(population):
    rng = np.random.default_rng(0)
    home = sample(population, target(population), 400, rng)
    away = sample(population, mixture(population), 500, rng)
    found = decompose_shift(
        home.predictions,
        away.predictions,
        GENRES,
        source_features=home.features,
        target_features=away.features,
        n_resamples=20,
    )
    for metric in METRICS:
        table = drops(found, metric)
        plain = [score(side.predictions, GENRES)[metric] for side in (home, away)]
        assert found.scores.loc[metric, ["source", "target"]].tolist() == pytest.approx(plain)
        assert table["drop"].drop("total").sum() == pytest.approx(table.loc["total", "drop"])
        assert table.loc["total", "drop"] == pytest.approx(plain[0] - plain[1])
        steps = found.steps(metric)
        assert steps["score"].iloc[-2] == pytest.approx(steps["score"].iloc[-1])
        assert waterfall_figure(steps).axes


def test_the_order_of_clips_and_repeated_seeds_change_nothing(population):
    rng = np.random.default_rng(1)
    home = sample(population, target(population), 300, rng)
    away = sample(population, mixture(population), 300, rng)

    def table(left, right):
        return decompose_shift(
            left,
            right,
            GENRES,
            source_features=home.features,
            target_features=away.features,
            n_resamples=10,
        ).frame()

    plain = table(home.predictions, away.predictions)
    mixed = table(home.predictions.sample(frac=1, random_state=0), away.predictions)
    twice = table(pd.concat([home.predictions] * 2), away.predictions)
    pd.testing.assert_frame_equal(plain, mixed)
    pd.testing.assert_frame_equal(plain, twice)


def test_the_same_clips_on_both_sides_drop_nothing(population):
    home = sample(population, target(population), 300, np.random.default_rng(0))
    found = decompose_shift(
        home.predictions,
        home.predictions,
        GENRES,
        source_features=home.features,
        target_features=home.features,
        n_resamples=20,
    )
    table = drops(found)
    assert table.loc[["label", "total"], "drop"].tolist() == [0, 0]
    assert abs(table.loc["covariate", "drop"]) < 0.03


def test_pure_label_shift_is_found_as_such(population):
    shift = target(population, shares=(4.0, 0.4, 1.0))
    known = truth(population, shift)["macro_f1"]
    assert known["covariate"] == pytest.approx(0) and known["concept"] == pytest.approx(0)
    table = drops(decomposed(population, shift, n=(1500, 1500)))
    assert table.loc["label", "drop"] == pytest.approx(known["label"], abs=0.02)
    assert table.loc["concept", "low"] <= 0 <= table.loc["concept", "high"]


def test_corpora_without_overlap_are_not_divided(population):
    x = population.X["d"].to_numpy()
    found = decomposed(population, target(population, kept=np.where(x > 1.3, 1.0, 1e-4)))
    assert not found.divided and found.overlap.auc > 0.75
    assert drops(found).index.tolist() == ["label", "remainder", "total"]
    assert "AUC" in found.sentences()[-1]
    assert len(found.steps()) == 4


def test_few_shared_clips_are_not_divided_either(population):
    found = decomposed(population, mixture(population), n=(60, 25), n_resamples=0)
    assert not found.divided
    assert "are needed on either side" in found.sentences()[-1]


def test_one_group_has_no_interval(population):
    home = sample(population, target(population), 200, np.random.default_rng(0))
    alone = home.predictions.assign(group="one")
    found = decompose_shift(
        home.predictions,
        alone,
        GENRES,
        source_features=home.features,
        target_features=home.features,
        n_resamples=10,
    )
    assert found.frame()[["low", "high"]].isna().to_numpy().all()
    assert not found.divided and "1 group only" in found.sentences()[-1]


def test_what_cannot_be_compared_is_refused(population):
    home = sample(population, target(population), 60, np.random.default_rng(0))
    settings = {"source_features": home.features, "target_features": home.features}
    lacks = home.predictions[home.predictions["genre"] != "Pop"]
    with pytest.raises(TrainingError, match="Pop"):
        decompose_shift(lacks, home.predictions, GENRES, **settings)
    with pytest.raises(TrainingError, match="other features"):
        decompose_shift(
            home.predictions,
            home.predictions,
            GENRES,
            **settings | {"target_features": home.features[["a"]]},
        )
    with pytest.raises(TrainingError, match="no clips"):
        decompose_shift(home.predictions, lacks.iloc[:0], GENRES, **settings)
    with pytest.raises(ValueError, match="missing or NaN"):
        decompose_shift(
            home.predictions,
            home.predictions,
            GENRES,
            **settings | {"source_features": home.features.iloc[1:]},
        )
    with pytest.raises(ValueError, match="kappa"):
        decompose_shift(
            home.predictions, home.predictions, GENRES, n_resamples=0, **settings
        ).sentences("kappa")


@pytest.mark.slow
def test_planted_mixtures_are_recovered(population):
    """Eight draws: mean shares near the truth, intervals that hold it."""
    shift = mixture(population)
    known = truth(population, shift)["macro_f1"]
    tables = [drops(decomposed(population, shift, seed=seed, n_resamples=60)) for seed in range(8)]
    for cause in CAUSES:
        rows = pd.DataFrame([table.loc[cause] for table in tables])
        assert abs(rows["drop"].mean() - known[cause]) < 0.1 * known["total"], cause
        held = (rows["low"] <= known[cause]) & (known[cause] <= rows["high"])
        assert held.sum() >= 6, cause
