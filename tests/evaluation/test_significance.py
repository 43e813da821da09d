from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from genrescope.evaluation.significance import (
    holm,
    mcnemar,
    paired_difference,
    rank_models,
    unpaired_difference,
)

GENRES = ["x", "y"]


def make(right, *, groups=None, genre=None):
    right = np.asarray(right, dtype=bool)
    n = len(right)
    truth = np.resize(["x", "y"], n) if genre is None else np.asarray(genre)
    return pd.DataFrame(
        {
            "clip_id": [f"c{k:03d}" for k in range(n)],
            "group": [f"g{k:03d}" for k in range(n)] if groups is None else list(groups),
            "genre": truth,
            "predicted": np.where(right, truth, np.where(truth == "x", "y", "x")),
        }
    )


def test_permutation_p_is_that_of_all_swaps():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(8), 3).astype(str)
    a = make(rng.random(24) < 0.8, groups=groups)
    b = make(rng.random(24) < 0.5, groups=groups)

    def macro(truth, predicted):
        return f1_score(truth, predicted, average="macro")

    observed = macro(a["genre"], a["predicted"]) - macro(b["genre"], b["predicted"])
    as_large = []
    for swaps in product([False, True], repeat=8):
        swap = np.repeat(swaps, 3)
        one = np.where(swap, b["predicted"], a["predicted"])
        two = np.where(swap, a["predicted"], b["predicted"])
        gap = macro(a["genre"], one) - macro(a["genre"], two)
        as_large.append(abs(gap) >= abs(observed) - 1e-12)
    difference = paired_difference(a, b, GENRES)
    assert difference.value == pytest.approx(observed)
    assert difference.p_value == pytest.approx(np.mean(as_large), abs=0.02)
    assert (difference.n, difference.n_groups) == (24, 8)
    assert difference.low <= difference.value <= difference.high


def test_swapping_the_models_turns_the_sign_and_nothing_else():
    rng = np.random.default_rng(1)
    a, b = make(rng.random(40) < 0.8), make(rng.random(40) < 0.6)
    one, two = paired_difference(a, b, GENRES), paired_difference(b, a, GENRES)
    assert one.value == pytest.approx(-two.value)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert one.p_value == pytest.approx(two.p_value)


def test_order_of_rows_does_not_matter():
    rng = np.random.default_rng(1)
    a, b = make(rng.random(40) < 0.8), make(rng.random(40) < 0.6)
    shuffled = b.sample(frac=1, random_state=0)
    assert paired_difference(a, shuffled, GENRES) == paired_difference(a, b, GENRES)


def test_a_model_does_not_differ_from_itself():
    a = make(np.random.default_rng(0).random(30) < 0.7)
    difference = paired_difference(a, a, GENRES)
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert difference.p_value == 1.0


def test_whole_groups_are_swapped_so_few_groups_prove_nothing():
    # 60 clips, all better: with two groups only 2 of 4 arrangements are as large.
    right, wrong = np.ones(60, dtype=bool), np.zeros(60, dtype=bool)
    groups = np.repeat(["g", "h"], 30)
    few = paired_difference(
        make(right, groups=groups), make(wrong, groups=groups), GENRES, metric="accuracy"
    )
    many = paired_difference(make(right), make(wrong), GENRES, metric="accuracy")
    assert few.p_value == pytest.approx(0.5, abs=0.03)
    assert many.p_value == pytest.approx(1e-4)


def test_permutation_test_keeps_its_level():
    rng = np.random.default_rng(0)
    p_values = []
    for trial in range(200):
        a, b = make(rng.random(40) < 0.6), make(rng.random(40) < 0.6)
        p_values.append(
            paired_difference(a, b, GENRES, n_resamples=2, n_permutations=199, seed=trial).p_value
        )
    assert np.mean(np.array(p_values) < 0.05) <= 0.09
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.iloc[1:], "clip_id differs"),
        (lambda f: f.assign(group="one"), "group differs"),
        (lambda f: f.assign(genre="x"), "genre differs"),
        (lambda f: pd.concat([f, f]), "predicted twice"),
    ],
)
def test_other_clips_are_refused(change, words):
    a = make([True, False, True, True])
    for compare in (lambda x, y: paired_difference(x, y, GENRES), mcnemar):
        with pytest.raises(ValueError, match=words):
            compare(a, change(a))


def test_several_seeds_are_one_comparison():
    rng = np.random.default_rng(0)
    frames = [
        pd.concat([make(rng.random(20) < p).assign(seed=seed) for seed in (0, 1)])
        for p in (0.9, 0.5)
    ]
    difference = paired_difference(*frames, GENRES)
    assert (difference.n, difference.n_groups) == (40, 20)


def test_mcnemar_counts_the_clips_that_differ():
    a = make([True] * 12 + [False] * 3 + [True] * 5)
    b = make([False] * 12 + [True] * 3 + [True] * 5)
    assert mcnemar(a, b) == pytest.approx(stats.binomtest(3, 15, 0.5).pvalue)
    assert mcnemar(a, b) == mcnemar(b, a)
    assert mcnemar(a, a) == 1.0


def test_unpaired_difference_has_the_spread_of_two_samples():
    rng = np.random.default_rng(0)
    a, b = make(rng.random(400) < 0.8), make(rng.random(300) < 0.6)
    difference = unpaired_difference(a, b, GENRES, metric="accuracy")
    shares = [np.mean(f["genre"] == f["predicted"]) for f in (a, b)]
    spread = np.sqrt(sum(p * (1 - p) / n for p, n in zip(shares, (400, 300), strict=True)))
    assert difference.value == pytest.approx(shares[0] - shares[1])
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * spread, rel=0.1)
    assert difference.p_value == pytest.approx(2 / 1001)


def test_the_same_sample_on_both_sides_is_still_two_samples():
    a = make(np.random.default_rng(0).random(100) < 0.7)
    difference = unpaired_difference(a, a, GENRES)
    assert difference.value == 0.0
    assert difference.low < -0.05 and difference.high > 0.05
    assert difference.p_value > 0.5


def test_one_group_gives_no_interval():
    a = make([True, False, True, True], groups="aaaa")
    assert np.isnan(unpaired_difference(a, a, GENRES).p_value)
    difference = paired_difference(a, a, GENRES)
    assert np.isnan(difference.low) and difference.p_value == 1.0


def test_unknown_metric_is_refused():
    a = make([True, False])
    with pytest.raises(ValueError, match="'ece' cannot be compared"):
        paired_difference(a, a, GENRES, metric="ece")


def test_holm_by_hand():
    # m = 4: .005*4, .01*3, .03*2, then never below the one before.
    assert holm([0.01, 0.03, 0.005, 0.04]).tolist() == pytest.approx([0.03, 0.06, 0.02, 0.06])
    assert holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert holm([]).tolist() == []
    with_gap = holm([0.01, np.nan, 0.03])
    assert np.isnan(with_gap[1]) and with_gap[[0, 2]].tolist() == pytest.approx([0.02, 0.03])


def test_ranking_claims_only_what_is_significant():
    rng = np.random.default_rng(0)
    base = rng.random(80)
    models = {"forest": make(base < 0.78), "cnn": make(base < 0.2), "boosting": make(base < 0.8)}
    table = rank_models(models, GENRES)
    assert table["better"].tolist() == ["boosting", "boosting", "forest"]
    assert table["worse"].tolist() == ["forest", "cnn", "cnn"]
    assert table["significant"].tolist() == [False, True, True]
    assert (table["p_adjusted"] >= table["p_value"]).all()
    assert np.allclose(table["difference"], table["better_score"] - table["worse_score"])
    assert table["significant"].dtype == bool


def test_ranking_of_one_model_is_an_empty_table():
    table = rank_models({"forest": make([True, False])}, GENRES)
    assert not len(table) and "p_adjusted" in table
