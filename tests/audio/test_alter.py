import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from genrescope.audio import alter
from genrescope.audio.alter import change_level, limit_band, shorten, stem_like

RATE = 22050
TIME_S = np.arange(2 * RATE) / RATE


def tone(hertz, level=0.5):
    return level * np.sin(2 * np.pi * hertz * TIME_S)


def level_db(y):
    return 10 * np.log10(np.mean(np.square(np.asarray(y, np.float64)[3000:-3000])) + 1e-30)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 80), st.integers(1, 80), st.sampled_from(["loop", "pad"]))
def test_what_is_kept_is_the_beginning_and_the_length_stays(n, samples, how):
    y = np.random.default_rng(n).normal(size=n).astype(np.float32)
    short = shorten(y, samples=samples, how=how)
    kept = min(n, samples)
    assert len(short) == n
    np.testing.assert_array_equal(short[:kept], y[:kept])
    rest = y[np.arange(n) % kept][kept:] if how == "loop" else np.zeros(n - kept)
    np.testing.assert_array_equal(short[kept:], rest)


@pytest.mark.parametrize(
    ("hertz", "least_db", "most_db"), [(500, 0, 0.05), (4000, 5.9, 6.1), (8000, 96, np.inf)]
)
def test_the_low_pass_is_butterworths_twice(hertz, least_db, most_db):
    limited = limit_band(tone(hertz), highest_hz=4000)
    assert least_db - 1e-6 <= level_db(tone(hertz)) - level_db(limited) <= most_db


def test_a_band_up_to_the_top_changes_nothing():
    y = tone(3000).astype(np.float32)
    np.testing.assert_array_equal(limit_band(y, highest_hz=RATE / 2), y)


def test_the_noise_floor_has_the_level_that_was_asked_for():
    noise = limit_band(np.zeros(2 * RATE), highest_hz=RATE, floor_db=-60)
    assert level_db(noise) == pytest.approx(-60, abs=0.2)
    again = limit_band(np.zeros(2 * RATE), highest_hz=RATE, floor_db=-60)
    np.testing.assert_array_equal(noise, again)


@pytest.mark.parametrize("gain_db", [-20.0, 0.0, 6.0])
def test_the_level_changes_by_as_much_as_was_asked_for(gain_db):
    changed = level_db(change_level(tone(300), gain_db=gain_db)) - level_db(tone(300))
    assert changed == pytest.approx(gain_db, abs=1e-3)
    assert not change_level(np.zeros(10), gain_db=gain_db).any()


def test_parts_of_a_mix_of_tones_and_clicks():
    clicks = np.zeros(len(TIME_S))
    clicks[4000::9000] = 1.0
    mix = tone(100) + tone(600) + tone(3000) + clicks
    kept = {"bass": 100, "harmonic": 600, "high": 3000}
    for part, hertz in kept.items():
        found = stem_like(mix, part)
        spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
        loudest = np.fft.rfftfreq(len(found), 1 / RATE)[spectrum.argmax()]
        assert loudest == pytest.approx(hertz, abs=3) or (part == "harmonic" and loudest > 2990)
        assert abs(found[4000::9000]).max() < 1.5
    drums = stem_like(mix, "drums")
    at = np.zeros(len(TIME_S), bool)
    for place in range(4000, len(TIME_S), 9000):
        at[place - 1024 : place + 1024] = True
    inside = np.arange(len(drums))
    at, between = (at & (inside > 3000) & (inside < len(drums) - 3000) for at in (at, ~at))
    assert np.sum(drums[at] ** 2) > 20 * np.sum(drums[between] ** 2)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 30), st.integers(9, 40), st.sampled_from([1, 3, 17]))
def test_running_medians_are_scipys(rows, columns, size):
    table = np.random.default_rng(rows * columns).normal(size=(rows, columns))
    np.testing.assert_array_equal(
        alter._row_medians(table, size), median_filter(table, size=(1, size))
    )


def test_silence_has_silent_parts():
    for part in ("bass", "drums", "harmonic", "high"):
        assert not stem_like(np.zeros(RATE), part).any()


def test_impossible_changes_are_refused():
    with pytest.raises(ValueError, match="nothing"):
        shorten(np.zeros(5), samples=0)
    with pytest.raises(ValueError, match="empty"):
        limit_band(np.zeros(5), highest_hz=0)
    with pytest.raises(ValueError, match="no part"):
        stem_like(np.zeros(5000), "vocals")
