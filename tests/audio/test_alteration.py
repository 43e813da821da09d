import numpy as np
import pytest

from genrescope.audio.alter import change_level, limit_band, shorten, stem_like
from genrescope.audio.alteration import Alteration

RATE = 22050
Y = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)


def test_nothing_asked_for_nothing_changed():
    np.testing.assert_array_equal(Alteration().apply(Y, sample_rate=RATE), Y)
    assert Alteration().facts() == {}


@pytest.mark.parametrize(
    ("alteration", "alone"),
    [
        (Alteration(part="bass"), stem_like(Y, "bass")),
        (Alteration(highest_hz=2000, floor_db=-60), limit_band(Y, highest_hz=2000, floor_db=-60)),
        (Alteration(gain_db=-6), change_level(Y, gain_db=-6)),
        (Alteration(seconds=0.4, how="pad"), shorten(Y, samples=8820, how="pad")),
    ],
)
def test_one_change_is_that_change(alteration, alone):
    np.testing.assert_array_equal(alteration.apply(Y, sample_rate=RATE), alone)


def test_padding_comes_last_so_that_it_is_silent():
    altered = Alteration(highest_hz=2000, floor_db=-40, seconds=0.5, how="pad")
    assert not altered.apply(Y, sample_rate=RATE)[RATE // 2 :].any()


def test_facts_name_what_is_done_and_nothing_else():
    assert Alteration(floor_db=-60, how="pad", gain_db=3).facts() == {"gain_db": 3}
    assert Alteration(highest_hz=4000, floor_db=-60).facts() == {
        "highest_hz": 4000,
        "floor_db": -60,
    }
