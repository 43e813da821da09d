import numpy as np
import pandas as pd
import pytest

from genrescope.errors import ConfigError, TrainingError
from genrescope.shift.adapted import source_folds
from genrescope.shift.bench import in_domain, run_bench, summarise_bench
from genrescope.shift.few_shot import few_shot, few_shot_curve, shots_needed
from genrescope.shift.selection import choices, rate_methods, reverse_validation

GENRES = ["Blues", "Pop", "Rock"]
TREES = {"n_estimators": 25, "n_jobs": 1}
METHODS = ["none", "standardise", "quantile", "coral", "importance"]


@pytest.fixture
def louder(same_music):
    return same_music._replace(X=same_music.X * [3.0, 0.2, 8.0, 1.5] + [10, -4, 2, 30])


@pytest.fixture
def predictions(source, louder):
    return run_bench(
        source, louder, GENRES, methods=METHODS, models={"forest": TREES}, seeds=[0, 1]
    )


def test_the_bench_shows_the_repair_with_interval_and_test(predictions):
    table = summarise_bench(predictions, GENRES, n_permutations=999).set_index("method")
    assert table["n"].tolist() == [180] * 5 and table["seeds"].tolist() == [2] * 5
    assert np.isnan(table.loc["none", "difference"]) and not table.loc["none", "significant"]
    repaired = table.loc["standardise"]
    assert repaired["low"] <= repaired["difference"] <= repaired["high"]
    assert repaired["low"] > 0.2 and repaired["significant"]
    assert not table.loc["importance", "significant"] or table.loc["importance", "difference"] < 0.2
    assert (table["p_adjusted"].dropna() >= table["p_value"].dropna()).all()


def test_target_labels_change_no_answer(source, louder, predictions):
    shuffled = louder._replace(y=np.random.default_rng(0).permutation(louder.y))
    again = run_bench(
        source, shuffled, GENRES, methods=METHODS, models={"forest": TREES}, seeds=[0, 1]
    )
    pd.testing.assert_frame_equal(again.drop(columns="genre"), predictions.drop(columns="genre"))


def test_a_repairing_method_is_chosen_without_labels(predictions):
    blind = predictions.drop(columns="genre")
    ratings = rate_methods(blind, GENRES)
    chosen = ratings.loc[ratings["chosen"], "method"].tolist()
    assert len(chosen) == 1 and chosen[0] in ("standardise", "quantile", "coral")
    summary = choices(ratings, summarise_bench(predictions, GENRES, n_permutations=99))
    row = summary.iloc[0]
    assert row["difference"] > 0.2 and 0 <= row["regret"] < 0.1
    assert row["oracle_macro_f1"] == row["macro_f1"] + row["regret"]


def test_self_trained_variants_are_reported_and_do_not_vote(source, louder, predictions):
    refined = run_bench(
        source,
        louder,
        GENRES,
        methods=[f"{name}+self_training" for name in METHODS[1:4]],
        models={"forest": TREES},
        seeds=[0, 1],
    )
    both = pd.concat([predictions, refined], ignore_index=True)
    ratings = rate_methods(both, GENRES)
    pd.testing.assert_frame_equal(ratings, rate_methods(predictions, GENRES))
    found = choices(ratings, summarise_bench(both, GENRES, n_permutations=99))["chosen"].tolist()
    assert found[1] == f"{found[0]}+self_training"


def test_reverse_validation_prefers_the_repair(source, louder):
    none, repaired = (
        reverse_validation(name, "forest", source, louder, params=TREES)
        for name in ("none", "standardise")
    )
    assert 0 <= none < repaired <= 1


def test_agreement_needs_three(predictions):
    two = predictions[predictions["method"].isin(["none", "coral"])]
    with pytest.raises(ConfigError, match="three methods or more"):
        rate_methods(two, GENRES)
    with pytest.raises(ConfigError, match="baseline"):
        summarise_bench(predictions, GENRES, baseline="raw")


def test_folds_keep_groups_apart(source):
    for train, held in source_folds(source, 5):
        assert not set(source.groups[train]) & set(source.groups[held])


def test_in_domain_predicts_every_clip_once_a_seed(source):
    found = in_domain(source, GENRES, kind="forest", params=TREES, seeds=[0, 1])
    assert len(found) == 360 and not found.duplicated(["seed", "clip_id"]).any()


def test_labelled_clips_help_where_alignment_cannot(source, same_music):
    turned = same_music._replace(X=same_music.X[:, ::-1])
    found = few_shot(
        source, turned, GENRES, kind="forest", params=TREES, shots=[0, 20, 500], draws=3
    )
    for _, of_draw in found.groupby("seed"):
        tested = [set(part["clip_id"]) for _, part in of_draw.groupby("per_genre")]
        assert tested[0] == tested[1] == tested[2]
    curve = few_shot_curve(found, GENRES)
    assert curve["n_labelled"].tolist()[:2] == [0, 60] and curve["n_labelled"][2] == 120
    assert curve["macro_f1"].is_monotonic_increasing
    assert (curve["low"] <= curve["macro_f1"]).all() and (curve["macro_f1"] <= curve["high"]).all()
    assert 0 < shots_needed(curve, 0.9) < 500


def test_labels_alone_leave_out_the_start_of_the_curve(source, same_music):
    found = few_shot(
        source,
        same_music,
        GENRES,
        kind="forest",
        params=TREES,
        shots=[0, 5],
        draws=2,
        with_source=False,
    )
    assert found["per_genre"].unique().tolist() == [5]


def test_a_curve_is_of_methods_that_change_vectors(source, same_music):
    with pytest.raises(TrainingError, match="no few-shot curve"):
        few_shot(source, same_music, GENRES, kind="forest", method="importance")
