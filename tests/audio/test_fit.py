import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from genrescope.audio.fit import fit, load_clip
from genrescope.errors import AudioError
from genrescope.settings import AudioSettings

RATE = 22050


@given(n=st.integers(1, 400), samples=st.integers(1, 1000))
def test_loop_repeats_exactly(n, samples):
    y = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
    fitted = fit(y, samples=samples)
    assert fitted.shape == (samples,) and fitted.dtype == np.float32
    np.testing.assert_array_equal(fitted, y[np.arange(samples) % n])


@given(n=st.integers(1, 400), samples=st.integers(1, 1000))
def test_pad_keeps_the_sound_and_adds_silence(n, samples):
    y = np.random.default_rng(n).uniform(-1, 1, n).astype(np.float32)
    fitted = fit(y, samples=samples, how="pad")
    kept = min(n, samples)
    np.testing.assert_array_equal(fitted[:kept], y[:kept])
    assert fitted.shape == (samples,) and not fitted[kept:].any()


def test_fit_copies():
    y = np.ones(10, np.float32)
    fit(y, samples=10)[:] = 2
    assert y.max() == 1


@pytest.mark.parametrize(("y", "how"), [(np.zeros(0), "loop"), (np.zeros((2, 5)), "pad")])
def test_shapes_that_cannot_be_fitted(y, how):
    with pytest.raises(ValueError, match="shape"):
        fit(y, how=how)
    with pytest.raises(ValueError, match="mirror"):
        fit(np.ones(3), how="mirror")


def write(path, y, rate=RATE):
    soundfile.write(path, y, rate, subtype="FLOAT")
    return path


@pytest.mark.parametrize(("seconds", "kept"), [(0.1, False), (0.49, False), (0.5, True)])
def test_half_a_second_is_needed(tmp_path, seconds, kept):
    path = write(tmp_path / "short.wav", np.full(round(seconds * RATE), 0.1))
    if kept:
        assert load_clip(path).shape == (110250,)
        return
    with pytest.raises(AudioError, match="only 0") as caught:
        load_clip(path)
    assert caught.value.kind == "too-short"


@pytest.mark.parametrize(("peak", "silent"), [(0.0, True), (9e-5, True), (1.1e-4, False)])
def test_silence_is_refused(tmp_path, peak, silent):
    path = write(tmp_path / "quiet.wav", np.full(6 * RATE, peak))
    if not silent:
        assert load_clip(path).max() == np.float32(peak)
        return
    with pytest.raises(AudioError, match="throughout") as caught:
        load_clip(path)
    assert caught.value.kind == "silent"


def test_clip_bounds_and_settings(tmp_path):
    y = np.random.default_rng(0).uniform(-1, 1, 8 * RATE).astype(np.float32)
    path = write(tmp_path / "long.wav", y)
    np.testing.assert_array_equal(load_clip(path), y[: 5 * RATE])
    np.testing.assert_array_equal(load_clip(path, duration_s=30.0), y[: 5 * RATE])
    np.testing.assert_array_equal(load_clip(path, start_s=6.0)[: 2 * RATE], y[6 * RATE :])
    padded = load_clip(
        path, start_s=6, duration_s=1, audio=AudioSettings(clip_seconds=3.0, fit="pad")
    )
    assert padded.shape == (3 * RATE,)
    np.testing.assert_array_equal(padded[:RATE], y[6 * RATE : 7 * RATE])
    assert not padded[RATE:].any()


def test_real_clip(real_data):
    path = real_data / "gtzan_mini" / "genres_original" / "blues" / "blues.00000.flac"
    clip = load_clip(path, start_s=25.0)
    assert clip.shape == (110250,) and 0.01 < np.abs(clip).max() <= 1
