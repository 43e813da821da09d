import math

import numpy as np
import pytest

from genrescope.errors import AudioError
from genrescope.features.beats import beat_times, beats
from genrescope.features.frames import spectrum
from genrescope.features.mel import mel_db
from genrescope.features.rhythm import onset_strength, tempo
from genrescope.settings import AudioSettings, FeatureSettings

RATE, HOP = 22050, 512
FRAME_S = HOP / RATE


def clicks(bpm, seconds=5.0, first_s=0.2, rate=RATE):
    """Short bursts of noise, and when they are loudest, in seconds."""
    y = np.zeros(round(seconds * rate), np.float32)
    burst = np.random.default_rng(0).normal(size=400) * np.hanning(400)
    middles_s = np.arange(first_s, seconds - 0.1, 60 / bpm)
    for middle_s in middles_s:
        at = round(middle_s * rate) - 200
        y[at : at + 400] += burst
    return y, middles_s


def onsets_of(y):
    return onset_strength(mel_db(spectrum(y)))


@pytest.mark.parametrize("first", [0.0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
@pytest.mark.parametrize("bpm", [50, 60, 75, 90, 100, 120, 133, 150, 180, 240])
def test_beats_are_the_pulses(bpm, first):
    times_s = np.arange(first * 60 / bpm, 4.95, 60 / bpm)
    pulses = np.zeros(216, np.float32)
    pulses[np.round(times_s / FRAME_S).astype(int)] = 1.0
    np.testing.assert_allclose(beats(pulses, tempo_bpm=bpm), times_s, atol=FRAME_S / 2 + 1e-9)


@pytest.mark.parametrize("first_s", [0.2, 0.37, 0.55])
@pytest.mark.parametrize("bpm", [60, 75, 90, 100, 120, 133, 150, 180])
def test_beats_are_the_clicks(bpm, first_s):
    y, times_s = clicks(bpm, first_s=first_s)
    found = beats(onsets_of(y), tempo_bpm=bpm)
    # An onset is dated to the frame after it, or between that and the next where it is in both.
    np.testing.assert_allclose(found - FRAME_S / 2, times_s, atol=FRAME_S)


@pytest.mark.parametrize("bpm", [90, 120])
def test_beats_of_a_waveform_at_its_own_tempo(bpm):
    y, times_s = clicks(bpm)
    np.testing.assert_allclose(beat_times(y), times_s, atol=FRAME_S)


def test_settings_are_used():
    y, times_s = clicks(120, rate=16000)
    audio, features = AudioSettings(sample_rate=16000), FeatureSettings(n_fft=1024, hop_length=256)
    found = beat_times(y, audio=audio, features=features)
    np.testing.assert_allclose(found, times_s, atol=256 / 16000)


def test_a_missing_click_is_still_a_beat():
    y, times_s = clicks(120)
    at = round(times_s[4] * RATE) - 200
    y[at : at + 400] = 0
    found = beats(onsets_of(y), tempo_bpm=120)
    np.testing.assert_allclose(found, times_s, atol=2 * FRAME_S)


def test_faint_clicks_between_are_no_beats():
    y, times_s = clicks(120)
    between, _ = clicks(120, first_s=0.45)
    np.testing.assert_allclose(beat_times(y + 0.01 * between), times_s, atol=FRAME_S)


def test_silence_at_both_ends_has_no_beats():
    y, times_s = clicks(120, seconds=12.0)
    y[: 3 * RATE] = y[9 * RATE :] = 0
    heard = times_s[(times_s >= 3) & (times_s < 9)]
    found = beats(onsets_of(y), tempo_bpm=120)
    np.testing.assert_allclose(found - FRAME_S / 2, heard, atol=FRAME_S)


def test_weak_onsets_at_both_ends_are_no_beats():
    pulses = np.zeros(216)
    pulses[10::20] = 1.0
    pulses[[10, 30, 210]] = 0.05
    pulses[110] = 0.05  # in the middle the beat goes on
    found = beats(pulses, tempo_bpm=60 / (20 * FRAME_S))
    np.testing.assert_allclose(found / FRAME_S, np.arange(50, 200, 20))


def test_tightness_holds_the_period_against_a_late_onset():
    pulses = np.zeros(216)
    pulses[10::20] = 1.0
    pulses[110], pulses[114] = 0.0, 1.0
    bpm = 60 / (20 * FRAME_S)
    loose, tight = (
        np.round(beats(pulses, tempo_bpm=bpm, tightness=tightness) / FRAME_S)
        for tightness in (10.0, 10_000.0)
    )
    assert 114 in loose and 110 not in loose
    assert 110 in tight and 114 not in tight


@pytest.mark.parametrize("n", [0, 1, 2, 216])
@pytest.mark.parametrize("level", [0.0, 0.1, 3.0])
def test_constant_onsets_have_no_beats(n, level):
    found = beats(np.full(n, level, np.float32), tempo_bpm=120)
    assert found.shape == (0,) and found.dtype == np.float64


@pytest.mark.parametrize("n", [1, 511, 110250])
def test_silence_has_no_beats(n):
    assert beat_times(np.zeros(n, np.float32)).shape == (0,)


@pytest.mark.parametrize("n", [2, 3, 5, 12, 30, 216])
@pytest.mark.parametrize("bpm", [1, 20, 120, 320, 3000, 100_000])
def test_beats_rise_within_the_clip(n, bpm):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        onsets = (rng.random(n) ** 4 * (rng.random(n) > 0.5)).astype(np.float32)
        found = beats(onsets, tempo_bpm=bpm)
        assert (np.diff(found) > 0).all()
        assert ((found >= 0) & (found < n * FRAME_S)).all()


def test_scale_does_not_matter(music):
    onsets = onsets_of(music(3, 5.0))
    once, louder = (beats(onsets * scale, tempo_bpm=tempo(onsets)) for scale in (1, 64))
    assert len(once) > 3
    np.testing.assert_array_equal(once, louder)


def test_onsets_are_left_as_they_were(music):
    onsets = onsets_of(music(4, 5.0))
    before = onsets.copy()
    beats(onsets, tempo_bpm=100)
    np.testing.assert_array_equal(onsets, before)


@pytest.mark.parametrize("value", [0.0, -120.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["tempo_bpm", "tightness"])
def test_impossible_values_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        beats(np.arange(9.0), **{"tempo_bpm": 120.0, name: value})


@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf])
def test_impossible_onsets_are_refused(value):
    with pytest.raises(ValueError, match="onsets"):
        beats(np.array([0.0, 1.0, value, 0.0]), tempo_bpm=120)


def test_sound_that_is_none_is_refused():
    with pytest.raises(AudioError, match="NaN"):
        beat_times(np.full(1000, np.nan))
    with pytest.raises(ValueError, match="shape"):
        beat_times(np.empty(0))
