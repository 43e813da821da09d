import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrescope.audio.measures import measure

SR = 22050
T = np.arange(2 * SR) / SR


def sine(hertz: float, amplitude: float = 1.0) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * T)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.001, 1.0), st.floats(200, 9000))
def test_a_sine(amplitude: float, hertz: float) -> None:
    found = measure(sine(hertz, amplitude))
    assert found.level_dbfs == pytest.approx(20 * math.log10(amplitude / math.sqrt(2)), abs=0.05)
    assert found.peak == pytest.approx(amplitude, rel=0.02)
    assert found.bandwidth_hz == pytest.approx(hertz, abs=2 * SR / 2048)
    if abs(hertz - 8000) > 100:
        assert found.has_high == (hertz > 8000)
    # 200 Hz and up leave no three samples within a step of 16 bits of the peak, unless soft.
    if amplitude > 0.5:
        assert found.clipped_share == 0


def test_white_noise_has_a_flat_spectrum() -> None:
    found = measure(np.random.default_rng(0).normal(size=10 * SR) * 0.1)
    assert found.bandwidth_hz == pytest.approx(0.99 * SR / 2, rel=0.01)
    assert found.high_share == pytest.approx((SR / 2 - 8000) / (SR / 2), rel=0.03)


@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_clipping_is_seen_also_below_full_scale(gain: float) -> None:
    limit = 0.8
    y = np.clip(sine(100), -limit, limit) * gain
    expected = 1 - 2 * math.asin(limit) / math.pi
    assert measure(y).clipped_share == pytest.approx(expected, abs=0.02)
    assert measure(sine(100) * gain).clipped_share == 0


def test_samples_beyond_full_scale_are_clipped() -> None:
    y = sine(100, 0.5)
    y[[10, 500]] = 1.2, -1.3
    assert measure(y).clipped_share == pytest.approx(2 / len(y))


def test_the_steps_of_a_faint_sound_are_no_clipping() -> None:
    y = np.round(sine(100) * 3) / 32768
    assert measure(y).clipped_share == 0


def test_silence() -> None:
    half = np.concatenate([sine(440), np.zeros(2 * SR)])
    assert measure(half).silent_share == pytest.approx(0.5, abs=0.02)
    nothing = measure(np.zeros(SR))
    assert nothing.silent_share == 1 and nothing.level_dbfs == -math.inf
    assert math.isnan(nothing.bandwidth_hz) and not nothing.has_high
    assert nothing.clipped_share == 0


def test_other_sample_rates_and_short_sounds() -> None:
    t = np.arange(48000) / 48000
    both = np.sin(2 * np.pi * 1000 * t) + np.sin(2 * np.pi * 9000 * t)
    assert measure(both, sample_rate=48000).high_share == pytest.approx(0.5, abs=0.02)
    assert measure(np.array([0.5])).peak == 0.5
    with pytest.raises(ValueError, match="shape"):
        measure(np.zeros(0))
