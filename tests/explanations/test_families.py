import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.explanations.families import FAMILIES, Quantity, by_family, family_of, quantity_of
from genrescope.features.vector import FEATURE_NAMES, feature_names
from genrescope.settings import FeatureSettings

PLAIN = ("chroma_stft", "rms", "spectral_centroid", "spectral_bandwidth", "rolloff")
PLAIN += ("zero_crossing_rate", "harmony", "perceptr")
PUBLISHED = [f"{name}_{statistic}" for name in PLAIN for statistic in ("mean", "var")]
PUBLISHED += ["tempo"]
PUBLISHED += [f"mfcc{k}_{statistic}" for k in range(1, 21) for statistic in ("mean", "var")]
EXTENDED = feature_names(FeatureSettings(set="extended"))
UNKNOWN = ["", "length", "mfcc", "mfcc_mean", "mfcc_mean_03", "mfcc_var_3", "mfcc0_mean"]
UNKNOWN += ["chroma_mean_12", "rms_max", "tempo_mean", "spec_cent", "harmony_std", "label", "음량"]
UNKNOWN += ["contrast_mean_7", "contrast_0", "interval_0", "modulation_bass_3", "mfcc_delta_mean_1"]
UNKNOWN += ["onset_rate_mean", "tonnetz_mean_0", "tempogram_ratio_13", "mfcc_delta3_std_1"]


def test_the_published_table_has_57_features():
    assert len(PUBLISHED) == len(set(PUBLISHED)) == 57


@pytest.mark.parametrize("name", [*EXTENDED, *PUBLISHED])
def test_every_known_feature_has_a_quantity_and_a_family(name):
    assert quantity_of(name) is not None
    assert family_of(name) in FAMILIES[:-1]


@pytest.mark.parametrize("name", UNKNOWN)
def test_other_names_are_other(name):
    assert quantity_of(name) is None
    assert family_of(name) == "other"


@pytest.mark.parametrize(
    ("name", "quantity", "family"),
    [
        ("mfcc_mean_0", Quantity("level", "mean", 0), "dynamics"),
        ("mfcc_std_19", Quantity("mfcc", "std", 19), "timbre"),
        ("chroma_std_11", Quantity("chroma", "std", 11), "harmony"),
        ("spec_bw_mean", Quantity("spec_bw", "mean"), "brightness"),
        ("spec_roll_std", Quantity("spec_roll", "std"), "brightness"),
        ("zcr_mean", Quantity("zcr", "mean"), "noisiness"),
        ("rms_std", Quantity("rms", "std"), "dynamics"),
        ("tempo", Quantity("tempo"), "rhythm"),
        ("mfcc_delta_std_0", Quantity("level_delta", "std", 0), "dynamics"),
        ("mfcc_delta2_std_7", Quantity("mfcc_delta2", "std", 7), "timbre"),
        ("contrast_mean_6", Quantity("contrast", "mean", 6), "noisiness"),
        ("spec_flat_std", Quantity("spec_flat", "std"), "noisiness"),
        ("onset_mean", Quantity("onset", "mean"), "rhythm"),
        ("modulation_low_mids_4", Quantity("modulation", place=7), "rhythm"),
        ("tempogram_ratio_12", Quantity("tempogram_ratio", place=12), "rhythm"),
        ("tonnetz_std_5", Quantity("tonnetz", "std", 5), "harmony"),
        ("interval_6", Quantity("interval", place=6), "harmony"),
        ("crest", Quantity("crest"), "dynamics"),
        ("mfcc1_mean", Quantity("level", "mean", 0, published=True), "dynamics"),
        ("mfcc20_var", Quantity("mfcc", "std", 19, published=True), "timbre"),
        ("chroma_stft_var", Quantity("chroma", "std", published=True), "harmony"),
        ("rolloff_mean", Quantity("spec_roll", "mean", published=True), "brightness"),
        ("rms_var", Quantity("rms", "std", published=True), "dynamics"),
        ("harmony_var", Quantity("harmony", "std", published=True), "harmony"),
        ("perceptr_mean", Quantity("perceptr", "mean", published=True), "rhythm"),
    ],
)
def test_names_are_read(name, quantity, family):
    assert quantity_of(name) == quantity
    assert family_of(name) == family


def test_two_features_of_one_vector_never_measure_the_same():
    for names in (EXTENDED, PUBLISHED):
        assert len({quantity_of(name) for name in names}) == len(names)


contributions = st.dictionaries(
    st.sampled_from([*FEATURE_NAMES, *PUBLISHED, *UNKNOWN]),
    st.floats(-10, 10, allow_subnormal=False),
    max_size=40,
)


@given(contributions)
def test_families_add_up_to_what_their_features_do(values):
    series = pd.Series(values, dtype=float)
    found = by_family(series)
    present = {family_of(name) for name in values}
    assert list(found.index) == [family for family in FAMILIES if family in present]
    for family, total in found.items():
        members = [value for name, value in values.items() if family_of(name) == family]
        assert total == pytest.approx(math.fsum(members), abs=1e-12)
    assert found.sum() == pytest.approx(math.fsum(values.values()), abs=1e-11)


def test_a_table_is_added_up_genre_by_genre():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(75, 3)), index=FEATURE_NAMES, columns=["a", "b", "c"])
    found = by_family(table)
    assert found.index.name == "family"
    assert list(found.index) == list(FAMILIES[:-1])
    for genre in table:
        pd.testing.assert_series_equal(found[genre], by_family(table[genre]))
    np.testing.assert_allclose(found.sum(), table.sum())


def test_a_contribution_that_is_not_known_is_not_taken_for_zero():
    found = by_family(pd.Series({"rms_std": float("nan"), "rms_mean": 1.0, "tempo": 2.0}))
    assert math.isnan(found["dynamics"])
    assert found["rhythm"] == 2.0
