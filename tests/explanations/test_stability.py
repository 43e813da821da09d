import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.explanations.stability import compare_rankings

NAMES = [f"f{k}" for k in range(30)]


def importance(order):
    """Importances under which the features rank in the order given."""
    return pd.Series(np.arange(len(order), 0, -1.0), index=[f"f{k}" for k in order]).loc[NAMES]


def test_equal_rankings_are_stable():
    found = compare_rankings([importance(range(30))] * 5)
    assert found.mean_jaccard == 1 and found.stable
    assert found.ranks["feature"].tolist() == NAMES[:10]
    assert (found.ranks["rank_low"] == found.ranks["rank_high"]).all()
    assert "10 of these features are in every one" in found.verdict


def test_lists_that_share_nothing_are_unstable():
    found = compare_rankings([importance(range(30)), importance(range(29, -1, -1))])
    assert found.mean_jaccard == 0 and not found.stable
    assert found.verdict.startswith("Unstable over 2 splits")


def test_a_known_overlap():
    other = [*range(5), *range(10, 15), *range(5, 10), *range(15, 30)]
    found = compare_rankings([importance(range(30)), importance(other)])
    assert found.mean_jaccard == pytest.approx(5 / 15)


def test_rank_intervals_hold_the_ranks_of_every_draw():
    rng = np.random.default_rng(0)
    draws = [pd.Series(np.arange(30, 0, -1.0) + rng.normal(0, 3, 30), NAMES) for _ in range(40)]
    found = compare_rankings(draws)
    table = pd.DataFrame(draws).T.rank(ascending=False)
    for row in found.ranks.to_dict("records"):
        own = table.loc[row["feature"]]
        inside = ((own >= row["rank_low"]) & (own <= row["rank_high"])).mean()
        assert inside >= 0.95 and row["rank_low"] <= row["rank"] <= row["rank_high"]
        assert row["in_top"] == pytest.approx((own <= 10).mean())


def test_one_ranking_claims_nothing():
    found = compare_rankings([importance(range(30))])
    assert np.isnan(found.mean_jaccard) and not found.stable
    assert found.verdict == "One ranking alone says nothing of its stability."


@pytest.mark.parametrize("given_ones", [[], [pd.Series({"a": 1.0}), pd.Series({"b": 1.0})]])
def test_rankings_of_other_features_are_refused(given_ones):
    with pytest.raises(ValueError):
        compare_rankings(given_ones)


@given(st.lists(st.permutations(range(12)), min_size=2, max_size=5))
def test_the_index_is_a_share(orders):
    draws = [pd.Series(np.arange(12, 0, -1.0), [f"f{k}" for k in order]) for order in orders]
    found = compare_rankings(draws, top=4)
    assert ((found.jaccard >= 0) & (found.jaccard <= 1)).all()
    assert len(found.jaccard) == len(orders) * (len(orders) - 1) / 2
