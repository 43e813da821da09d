import numpy as np
import pytest

from genrescope.features.frames import spectrum
from genrescope.features.mel import mel_db
from genrescope.features.rhythm import onset_strength, tempo

RATE = 22050


def clicks(bpm, seconds=10.0):
    y = np.zeros(round(seconds * RATE), np.float32)
    burst = np.random.default_rng(0).normal(size=400) * np.hanning(400)
    for start_s in np.arange(0.2, seconds - 0.1, 60 / bpm):
        at = round(start_s * RATE)
        y[at : at + 400] += burst
    return y


@pytest.mark.parametrize("bpm", [80, 100, 120, 140, 160])
def test_tempo_of_clicks(bpm):
    onsets = onset_strength(mel_db(spectrum(clicks(bpm))))
    lag = 60 * RATE / 512 / bpm  # in frames: the answer is that of a whole number of them
    nearby = [60 * RATE / 512 / (round(lag) + k) for k in (-1, 0, 1)]
    assert any(tempo(onsets) == pytest.approx(value) for value in nearby)


def test_onsets_are_where_the_clicks_are():
    onsets = onset_strength(mel_db(spectrum(clicks(100))))
    period = 0.6 * RATE / 512
    expected = 0.2 * RATE / 512 + period * np.arange(5)
    for frame in expected:
        near = onsets[round(frame) - 3 : round(frame) + 5]
        assert near.max() > 5 * np.median(onsets) + 1


def test_falling_level_is_no_onset():
    falling = np.linspace(0, -80, 200, dtype=np.float32)[np.newaxis].repeat(128, axis=0)
    assert not onset_strength(falling).any()


@pytest.mark.parametrize("n", [1, 2, 3, 10, 216])
def test_nothing_to_count_gives_the_likeliest_tempo(n):
    silent = np.zeros(n, np.float32)
    assert tempo(silent) == pytest.approx(120, abs=4)
    assert onset_strength(np.zeros((128, n), np.float32)).shape == (n,)


def test_a_single_click_repeats_nothing():
    once = np.zeros(216, np.float32)
    once[100] = 3.0
    assert tempo(once) == pytest.approx(120, abs=4)


def test_scale_does_not_matter():
    onsets = onset_strength(mel_db(spectrum(clicks(90))))
    assert tempo(onsets) == tempo(onsets * 100)
