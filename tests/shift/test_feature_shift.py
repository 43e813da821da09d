import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr, wasserstein_distance

from genrescope.explanations.shapley import ShapValues
from genrescope.shift.explanation_shift import explanation_shift
from genrescope.shift.feature_shift import feature_shift

NAMES = ["tempo", "rms_mean", "zcr_mean", "spec_cent_mean", "mfcc_mean_3", "chroma_mean_0"]
GROUPS = np.repeat(np.arange(60), 2)


def explained(X, strength, seed=0):
    """Explanations whose size for each feature is its strength, on clips X."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(X), len(NAMES), 2)) * np.asarray(strength)[:, np.newaxis]
    data = pd.DataFrame(X, columns=NAMES)
    return ShapValues(values, np.zeros(2), data, ("a", "b"), values.sum(axis=1), "margin")


def clips(seed, shift=0.0):
    rng = np.random.default_rng(seed)
    artists = rng.normal(size=(60, 6))[GROUPS]
    return 0.7 * artists + 0.7 * rng.normal(size=(120, 6)) + np.asarray(shift)


STRENGTH = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]


def measured(source, target, **settings):
    given = {"source_groups": GROUPS, "target_groups": GROUPS, "n_resamples": 200} | settings
    return feature_shift(source, target, **given)


def test_distances_are_those_of_scipy_in_deviations_of_the_source():
    here, there = clips(0), 1.5 * clips(1, [0, 1, 0, 2, 0, 0])
    table = measured(explained(here, STRENGTH), explained(there, STRENGTH)).table
    assert table["feature"].tolist() == NAMES
    for place, row in enumerate(table.to_dict("records")):
        spread = here[:, place].std()
        expected = wasserstein_distance(here[:, place], there[:, place]) / spread
        assert row["distance"] == pytest.approx(expected)
        gap = (there[:, place].mean() - here[:, place].mean()) / spread
        assert row["difference"] == pytest.approx(gap)
        assert row["distance_low"] <= row["distance"] <= row["distance_high"]


def test_units_and_the_order_of_clips_change_nothing():
    here, there = clips(0), clips(1, [0, 1, 0, 2, 0, 0])
    scale = np.array([100.0, 0.001, 1.0, 5.0, 2.0, 3.0])
    plain = measured(explained(here, STRENGTH), explained(there, STRENGTH)).table
    scaled = measured(explained(scale * here, STRENGTH), explained(scale * there, STRENGTH)).table
    pd.testing.assert_frame_equal(plain, scaled)


def test_what_was_shifted_has_moved_and_one_in_twenty_of_the_others():
    stray = 0
    for seed in range(0, 60, 2):
        here, there = clips(seed), clips(seed + 1, [0, 2, 0, 2, 0, 0])
        found = measured(explained(here, STRENGTH), explained(there, STRENGTH))
        moved = set(found.table.loc[found.table["moved"], "feature"])
        assert {"rms_mean", "spec_cent_mean"} <= moved
        stray += len(moved) - 2
        assert found.sentences()[0].startswith(f"{len(moved)} of 6 features moved further")
    # Of 120, 6 are expected; 13 or more have a chance of 1 in 100.
    assert 1 <= stray <= 12


def test_importance_and_shift_are_correlated_where_they_were_made_to_be():
    shift = np.array([3.0, 2.5, 2.0, 1.5, 1.0, 0.5])
    along = measured(explained(clips(0), STRENGTH), explained(clips(1, shift), STRENGTH))
    against = measured(explained(clips(0), STRENGTH), explained(clips(1, shift[::-1]), STRENGTH))
    expected = spearmanr(along.table["importance"], along.table["distance"]).statistic
    assert along.correlation.value == pytest.approx(expected)
    assert along.correlation.low > 0 and "moved more" in along.sentences()[-1]
    assert against.correlation.high < 0 and "moved less" in against.sentences()[-1]


def test_a_constant_feature_and_a_single_group_are_no_trouble():
    here = clips(0)
    here[:, 2] = 1.0
    found = measured(
        explained(here, STRENGTH), explained(here, STRENGTH), target_groups=np.zeros(120)
    )
    assert found.table["distance"].max() == 0 and not found.table["moved"].any()
    assert found.table["distance_low"].isna().all() and np.isnan(found.correlation.low)


def test_what_does_not_belong_together_is_refused():
    one = explained(clips(0), STRENGTH)
    with pytest.raises(ValueError, match="60 groups for 120"):
        measured(one, one, source_groups=np.arange(60))
    other = explained(clips(0), STRENGTH)
    other.data.columns = NAMES[::-1]
    with pytest.raises(ValueError, match="same features"):
        measured(one, other)
    with pytest.raises(ValueError, match="same features"):
        explanation_shift(one, other, source_groups=GROUPS, target_groups=GROUPS)


def test_the_same_ranking_is_no_explanation_shift():
    found = explanation_shift(
        explained(clips(0), STRENGTH, seed=0),
        explained(clips(1), STRENGTH, seed=1),
        source_groups=GROUPS,
        target_groups=GROUPS,
    )
    assert found.correlation.value >= found.correlation_floor
    assert found.jaccard == (1, 1, 1)
    assert "not seen to lean on other features" in " ".join(found.sentences())


def test_what_gained_and_what_lost_is_named():
    found = explanation_shift(
        explained(clips(0), STRENGTH, seed=0),
        explained(clips(1), [1.0, 5.0, 4.0, 3.0, 2.0, 6.0], seed=1),
        source_groups=GROUPS,
        target_groups=GROUPS,
    )
    table = found.frame()
    assert table["feature"].iloc[0] == "chroma_mean_0" and table["gain_low"].iloc[0] > 0
    assert table["feature"].iloc[-1] == "tempo" and table["gain_high"].iloc[-1] < 0
    expected = spearmanr(table["source_importance"], table["target_importance"]).statistic
    assert found.correlation.value == pytest.approx(expected) and expected < 0
    assert found.correlation.value < found.correlation_floor
    facts = found.sentences()
    assert "chroma_mean_0" in facts[-2] and "rank 6 to 1" in facts[-2]
    assert "tempo" in facts[-1]
