import copy
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.models.statistics import LEVELS, FeatureStatistics

NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)
COLUMN = st.lists(NUMBERS | st.sampled_from([0.0, 1.0, 129.19921875]), min_size=1, max_size=60)


def of_one(values, dtype=np.float64) -> FeatureStatistics:
    return FeatureStatistics.from_clips(
        pd.DataFrame({"x": np.asarray(values, dtype=dtype)}), ["Pop"] * len(values)
    )


def share(values, value) -> float:
    return of_one(values).share_below("x", value, "Pop")


@pytest.fixture
def two() -> FeatureStatistics:
    """Two genres whose features are known: uniform, shifted, and constant."""
    X = pd.DataFrame(
        {
            "uniform": [*range(101), *range(1000, 1201)],
            "constant": [7.0] * 302,
        }
    )
    return FeatureStatistics.from_clips(X, ["Pop"] * 101 + ["Blues"] * 201)


def test_levels():
    assert len(LEVELS) == 21
    assert tuple(np.linspace(0, 1, 21).round(2)) == LEVELS


def test_uniform_clips_have_the_shares_of_a_uniform_distribution(two):
    assert two.genres == ("Blues", "Pop") and two.counts == (201, 101)
    assert two.features == ("uniform", "constant")
    assert two.quantiles.shape == (2, 2, 21)
    for value in (0, 1, 2.5, 33, 50, 99.9, 100):
        for genre, n, here in (("Pop", 101, value), ("Blues", 201, 1000 + 2 * value)):
            expected = np.clip(value / 100, 0.5 / n, 1 - 0.5 / n)  # within half a clip of the ends
            assert two.share_below("uniform", here, genre) == pytest.approx(expected, abs=1e-6)
    assert two.median("uniform", "Pop") == 50
    assert two.median("uniform", "Blues") == 1100
    for value, expected in ((-0.1, 0), (-np.inf, 0), (100.1, 1), (1e300, 1), (np.inf, 1)):
        assert two.share_below("uniform", value, "Pop") == expected


def test_a_constant_is_in_the_middle_of_itself(two):
    assert two.share_below("constant", 7, "Pop") == 0.5
    assert two.share_below("constant", np.nextafter(np.float32(7), np.float32(8)), "Pop") == 1
    assert two.share_below("constant", np.nextafter(np.float32(7), np.float32(6)), "Pop") == 0
    assert two.median("constant", "Blues") == 7
    assert share([3.5], 3.5) == 0.5


def test_ties_count_as_half_below():
    half = [0.0] * 50 + [1.0] * 51
    assert share(half, 0) == pytest.approx(0.25, abs=0.05)
    assert share(half, 1) == pytest.approx(0.75, abs=0.05)
    # A tempo takes few values, none of them short in decimals.
    assert share([129.19921875] * 20 + [63.80208333333333], 129.19921875) == 0.525


def test_the_tie_of_a_float64_and_its_float32_is_seen():
    assert share([0.1] * 9, np.float32(0.1)) == 0.5
    assert of_one([0.1] * 9, np.float32).share_below("x", 0.1, "Pop") == 0.5


def test_the_share_of_many_clips_is_that_of_the_clips():
    rng = np.random.default_rng(0)
    clips = rng.normal(-20, 6, 500)
    found = of_one(clips)
    for value in rng.normal(-20, 6, 50):
        assert found.share_below("x", value, "Pop") == pytest.approx(
            (clips < value).mean(), abs=0.03
        )
    assert found.median("x", "Pop") == pytest.approx(np.median(clips), rel=1e-6)


@given(column=COLUMN, values=st.lists(NUMBERS, min_size=2, max_size=20))
@settings(max_examples=200, deadline=None)
def test_invariants(column, values):
    found = of_one(column)
    values = sorted([*values, *column, np.nextafter(column[0], np.inf)])
    shares = [found.share_below("x", value, "Pop") for value in values]
    assert all(0 <= one <= 1 for one in shares)
    assert shares == sorted(shares)
    assert found.share_below("x", max(column), "Pop") >= 0.5
    assert found.share_below("x", min(column), "Pop") <= 0.5
    assert min(column) <= found.median("x", "Pop") <= max(column)


@given(
    rows=st.lists(st.tuples(NUMBERS, NUMBERS, st.sampled_from(["a", "b", "ç"])), min_size=1),
)
@settings(max_examples=100, deadline=None)
def test_a_round_trip_loses_nothing(rows):
    frame = pd.DataFrame(rows, columns=["x", "y", "genre"])
    found = FeatureStatistics.from_clips(frame[["x", "y"]], frame["genre"])
    again = FeatureStatistics.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert (again.features, again.genres, again.counts) == (
        found.features,
        found.genres,
        found.counts,
    )
    assert again.quantiles.tobytes() == found.quantiles.tobytes()


@given(column=COLUMN, seed=st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_the_order_of_the_clips_does_not_matter(column, seed):
    shuffled = np.random.default_rng(seed).permutation(column)
    assert of_one(shuffled).to_dict() == of_one(column).to_dict()


def test_unknown_names_are_named(two):
    with pytest.raises(ValueError, match=r"no feature 'unifrom': did you mean uniform\?"):
        two.share_below("unifrom", 1, "Pop")
    with pytest.raises(ValueError, match="no genre 'Metal': known are Blues, Pop"):
        two.median("uniform", "Metal")
    with pytest.raises(ValueError, match="the value of uniform is NaN"):
        two.share_below("uniform", np.nan, "Pop")


def test_the_quantiles_cannot_be_changed(two):
    with pytest.raises(ValueError, match="read-only"):
        two.quantiles[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("columns", "genres", "sentence"),
    [
        ({"x": [1.0, 2.0]}, ["a"], "1 genres do not fit 2 clips"),
        ({"x": [1.0, 2.0]}, ["a", None], "a genre is not text"),
        ({"y": [1.0, 2.0], "x": [1.0, np.nan]}, ["a", "b"], "the feature 'x' is not finite"),
        ({"x": [1.0, -1e39]}, ["a", "b"], "the feature 'x' is not finite"),
        ({"x": []}, [], "genres repeat or are not sorted, or there are none"),
        ({}, [], "features repeat, or there are none"),
    ],
)
def test_clips_that_cannot_be_measured_are_refused(columns, genres, sentence):
    with pytest.raises(ValueError, match=sentence):
        FeatureStatistics.from_clips(pd.DataFrame(columns), genres)


def put(*place_and_value):
    *place, last, value = place_and_value

    def change(content):
        for key in place:
            content = content[key]
        content[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.pop("counts"), "counts is extra or missing"),
        (put("note", "hi"), "note is extra or missing"),
        (put("levels", [0, 0.5, 1]), "levels are not 0, 0.05"),
        (put("levels", "all"), "levels are no list of numbers"),
        (put("features", ["uniform"]), r"shape \(2, 2, 21\), it should be \(2, 1, 21\)"),
        (put("features", ["uniform", "uniform"]), "features repeat"),
        (put("features", ["uniform", 1]), "features are no list of text"),
        (put("features", []), "there are none"),
        (put("genres", ["Pop", "Blues"]), "not sorted"),
        (put("genres", ["Pop", "Pop"]), "genres repeat"),
        (put("genres", [["Blues"], "Pop"]), "genres are no list of text"),
        (put("genres", "Pop"), "genres are no list of text"),
        (put("counts", [201]), "do not fit 2 genres"),
        (put("counts", [201, 0]), "do not fit 2 genres"),
        (put("counts", [201, True]), "counts are no list of whole numbers"),
        (put("counts", [201, 1.0]), "counts are no list of whole numbers"),
        (put("quantiles", None), "quantiles are no list of lists"),
        (put("quantiles", []), "quantiles have shape"),
        (put("quantiles", 0, 5), "quantiles are no list of lists"),
        (put("quantiles", 0, 1, {}), "quantiles are no list of lists"),
        (put("quantiles", 0, 1, [7.0] * 20), "not equally many"),
        (put("quantiles", 0, 1, 3, "7"), "quantiles are no list of numbers"),
        (put("quantiles", 0, 1, 3, True), "quantiles are no list of numbers"),
        (put("quantiles", 0, 1, 3, None), "quantiles are no list of numbers"),
        (put("quantiles", 0, 1, 3, [7.0]), "quantiles are no list of numbers"),
        (put("quantiles", 0, 1, 3, float("nan")), "not all finite"),
        (put("quantiles", 0, 1, 20, float("inf")), "not all finite"),
        (put("quantiles", 0, 1, 20, 1e39), "not all finite"),
        (put("quantiles", 0, 1, 20, 10**400), "not all finite"),
        (put("quantiles", 0, 1, 20, 6.9), "decrease"),
    ],
)
def test_wrong_content_is_refused(two, change, sentence):
    content = copy.deepcopy(two.to_dict())
    change(content)
    with pytest.raises(ValueError, match=sentence):
        FeatureStatistics.from_dict(content)


@pytest.mark.parametrize("content", [None, [], 3, "x", {}])
def test_other_content_is_refused(content):
    with pytest.raises(ValueError, match="these are no feature statistics"):
        FeatureStatistics.from_dict(content)
