import numpy as np
import pytest

from genrescope.features import spectral
from genrescope.features.frames import spectrum

RATE = 22050


def centroid(clip):
    return spectral.spectral_centroid(spectral.spectral_shape(clip))


def bandwidth(clip):
    return spectral.spectral_bandwidth(spectral.spectral_shape(clip))


def rolloff(clip):
    return spectral.spectral_rolloff(clip, spectral.spectral_shape(clip))


INSIDE = slice(4, -4)  # frames that the silence around the clip does not reach


@pytest.mark.parametrize("hertz", [500.0, 1234.5, 3000.0, 8000.0])
def test_tone(tone, hertz):
    clip = spectrum(tone(hertz))
    bin_hz = RATE / 2048
    assert centroid(clip)[INSIDE] == pytest.approx(hertz, abs=3)
    assert bandwidth(clip)[INSIDE].max() < 60
    assert rolloff(clip)[INSIDE] == pytest.approx(hertz, abs=2 * bin_hz)
    crossings = spectral.zero_crossing_rate(clip)[INSIDE]
    assert crossings == pytest.approx(2 * hertz / RATE, abs=2 / 2048)
    assert spectral.rms(clip)[INSIDE] == pytest.approx(0.5 / np.sqrt(2), rel=5e-3)


def test_two_tones_of_equal_strength(tone):
    clip = spectrum(tone(2000) + tone(6000))
    assert centroid(clip)[INSIDE] == pytest.approx(4000, abs=10)
    assert bandwidth(clip)[INSIDE] == pytest.approx(2000, rel=0.01)
    assert rolloff(clip)[INSIDE] == pytest.approx(6000, abs=22)


def test_click_has_a_flat_spectrum():
    y = np.zeros(RATE, np.float32)
    y[10 * 512] = 1.0
    clip = spectrum(y)
    assert centroid(clip)[10] == pytest.approx(RATE / 4, rel=1e-3)
    assert bandwidth(clip)[10] == pytest.approx(RATE / 2 / np.sqrt(12), rel=1e-2)
    assert rolloff(clip)[10] == pytest.approx(0.85 * RATE / 2, abs=12)
    assert spectral.rms(clip)[10] == pytest.approx(1 / np.sqrt(2048))


def test_silence_is_zero_in_everything():
    clip = spectrum(np.zeros(RATE, np.float32))
    for quantity in (
        centroid,
        bandwidth,
        rolloff,
        spectral.zero_crossing_rate,
        spectral.rms,
    ):
        np.testing.assert_array_equal(quantity(clip), np.zeros(44))


def test_silence_after_sound_is_exactly_silent(tone):
    clip = spectrum(np.concatenate([tone(1000, 1), np.zeros(RATE, np.float32)]))
    assert not spectral.rms(clip)[48:].any()
    assert not spectral.zero_crossing_rate(clip)[48:].any()


def test_zero_counts_as_positive():
    y = np.zeros(4096, np.float32)
    y[1::2] = 0.5
    assert not spectral.zero_crossing_rate(spectrum(y)).any()
    y[1::2] = -0.5
    assert spectral.zero_crossing_rate(spectrum(y))[4] == 2047 / 2048
    y[1::2] = -1e-11
    assert not spectral.zero_crossing_rate(spectrum(y)).any()


def test_rolloff_is_the_first_bin_that_reaches_the_share():
    clip = spectrum(np.zeros(49 * 512, np.float32))
    power = np.random.default_rng(0).uniform(size=clip.power.shape).astype(np.float32)
    power[:, 7] = 0
    power[:-1, 8] = 0
    clip.power[:] = power
    running = np.cumsum(np.sqrt(power.astype(np.float64)), axis=0)
    expected = (running >= 0.85 * running[-1]).argmax(axis=0)
    np.testing.assert_array_equal(rolloff(clip), clip.frequencies[expected])


def test_level_does_not_change_the_spectrum(music):
    y = music(3, 2.0)
    loud, soft = spectrum(y), spectrum(y * np.float32(2**-6))
    for quantity in (
        centroid,
        bandwidth,
        rolloff,
        spectral.zero_crossing_rate,
    ):
        np.testing.assert_allclose(quantity(loud), quantity(soft), rtol=1e-6)
    np.testing.assert_allclose(spectral.rms(soft), spectral.rms(loud) / 64, rtol=1e-6)
