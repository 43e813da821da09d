import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.logmel import log_mel, time_weights


@given(n_frames=st.integers(1, 400), frames=st.integers(1, 200))
def test_weights_share_out_time(n_frames, frames):
    weights = time_weights(n_frames, frames)
    np.testing.assert_allclose(weights.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), frames / n_frames, rtol=1e-5)
    assert weights.min() >= 0


def test_resizing_keeps_the_mean_and_the_ends():
    decibels = np.random.default_rng(0).uniform(-80, 0, (128, 216)).astype(np.float32)
    picture = log_mel(decibels, mel_reference="one")
    assert picture.shape == (128, 128) and picture.dtype == np.float32
    np.testing.assert_allclose(picture.mean(axis=1), decibels.mean(axis=1), rtol=1e-5)
    share = 128 / 216
    np.testing.assert_allclose(
        picture[:, 0], decibels[:, 0] * share + decibels[:, 1] * (1 - share), rtol=1e-5
    )
    same = log_mel(decibels, frames=216, mel_reference="one")
    np.testing.assert_allclose(same, decibels, rtol=1e-6)


def test_crop_takes_the_first_frames():
    decibels = np.random.default_rng(0).uniform(-80, 0, (40, 216)).astype(np.float32)
    picture = log_mel(decibels, frame_fit="crop", mel_reference="one")
    np.testing.assert_array_equal(picture, decibels[:, :128])
    with pytest.raises(ValueError, match="crop 100 frames to 128"):
        log_mel(decibels[:, :100], frame_fit="crop")


def test_reference_is_the_whole_clips_loudest_point():
    decibels = np.full((16, 216), -50, np.float32)
    decibels[:, 200] = -20
    assert log_mel(decibels, frame_fit="crop").max() == -30
    assert log_mel(decibels, frames=216).max() == 0
