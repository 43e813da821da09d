import numpy as np
import pandas as pd
import pytest

from genrescope.models.statistics import FeatureStatistics
from genrescope.models.strangeness import NORMAL_RANGE, deviations, indecision


@pytest.fixture
def statistics() -> FeatureStatistics:
    """Two genres whose middle 90% is 90 and 30 wide in the first feature; the last is constant."""
    steps = np.arange(101.0)
    low = pd.DataFrame({"a": steps, "b": steps, "c": 5.0})
    high = pd.DataFrame({"a": 1000 + steps / 3, "b": steps, "c": 5.0})
    return FeatureStatistics.from_clips(pd.concat([low, high]), ["low"] * 101 + ["high"] * 101)


def test_deviations_are_from_the_nearest_median_in_units_of_the_mean_range(statistics):
    unit_a, unit_b = (90 + 30) / 2 / NORMAL_RANGE, 90 / NORMAL_RANGE
    found = deviations(statistics, [[50, 50, 5], [80, 20, 5], [1000, 50, 5]])
    expected = [[0, 0, 0], [30 / unit_a, -30 / unit_b, 0], [(1000 - 1016.667) / unit_a, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_feature_without_range_has_no_say(statistics):
    found = deviations(statistics, [[50, 50, 1e6]])
    assert found.tolist() == [[0, 0, 0]]


def test_the_unit_is_a_standard_deviation_where_features_are_normal():
    rng = np.random.default_rng(0)
    clips = pd.DataFrame({"x": rng.normal(3, 7, 20_000)})
    statistics = FeatureStatistics.from_clips(clips, ["one"] * 20_000)
    assert deviations(statistics, [[3 + 14.0]])[0, 0] == pytest.approx(2, abs=0.05)


def test_indecision_is_least_for_certainty_and_most_for_equal_shares():
    table = [[0, 1, 0], [0.2, 0.6, 0.2], [1 / 3] * 3]
    certain, middle, even = indecision(table)
    assert certain == 0 and even == pytest.approx(np.log(3)) and certain < middle < even


def test_no_clips_have_no_deviations(statistics):
    assert deviations(statistics, np.zeros((0, 3))).shape == (0, 3)
