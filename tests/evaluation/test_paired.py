import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import permutation_test

from genrescope.evaluation.paired import grouped_mean


def test_the_test_is_scipys_where_every_clip_is_a_group():
    values = np.random.default_rng(0).normal(0.4, 1, 10)
    ours = grouped_mean(values, np.arange(10))
    theirs = permutation_test(
        (values,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ours.value == pytest.approx(values.mean())


def test_many_groups_are_sampled():
    rng = np.random.default_rng(0)
    nothing, something = rng.normal(0, 1, 60), rng.normal(1, 1, 60)
    assert grouped_mean(nothing, np.arange(60)).p_value > 0.05
    assert grouped_mean(something, np.arange(60)).p_value < 0.001


@pytest.mark.parametrize("n_groups", [14, 31])
def test_blocks_of_permutations_change_nothing(n_groups, monkeypatch):
    values = np.random.default_rng(1).normal(0.3, 1, n_groups)
    whole = grouped_mean(values, np.arange(n_groups), n_permutations=999)
    assert 0.01 < whole.p_value < 0.99
    monkeypatch.setattr("genrescope.evaluation.paired.BLOCK_WEIGHTS", 5 * n_groups)
    assert grouped_mean(values, np.arange(n_groups), n_permutations=999) == whole


def test_copies_of_a_clip_add_no_certainty():
    values = np.array([0.1, 0.4, 0.3, -0.1, 0.2, 0.5])
    once = grouped_mean(values, np.arange(6))
    thrice = grouped_mean(np.repeat(values, 3), np.repeat(np.arange(6), 3))
    assert (once.value, once.p_value) == pytest.approx((thrice.value, thrice.p_value))
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))
    assert (once.n, thrice.n, thrice.n_groups) == (6, 18, 6)


def test_the_interval_covers_the_mean_it_estimates():
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        shared = np.repeat(rng.normal(0, 1, 30), 4)
        found = grouped_mean(shared + rng.normal(0, 1, 120), np.repeat(np.arange(30), 4), seed=seed)
        covered += found.low <= 0 <= found.high
    assert 180 <= covered <= 199


def test_one_group_has_no_interval_and_none_no_mean():
    one = grouped_mean([0.2, 0.3], ["a", "a"])
    assert np.isnan(one.low) and one.p_value == 1.0
    none = grouped_mean([np.nan], ["a"])
    assert np.isnan(none.value) and none.n == 0


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=20), st.integers(1, 6))
def test_the_sign_turns_with_the_values(values, n_groups):
    groups = np.arange(len(values)) % n_groups
    plus, minus = grouped_mean(values, groups), grouped_mean(-np.array(values), groups)
    assert plus.value == -minus.value and plus.p_value == minus.p_value
    assert 0 < plus.p_value <= 1
