import numpy as np
import pytest

from genrescope.errors import AudioError, ConfigError
from genrescope.features.vector import FEATURE_NAMES, check_settings, extract, feature_names
from genrescope.settings import AudioSettings, FeatureSettings


def test_names_are_the_papers():
    assert len(FEATURE_NAMES) == len(set(FEATURE_NAMES)) == 75
    assert FEATURE_NAMES[:2] == ("mfcc_mean_0", "mfcc_mean_1")
    assert FEATURE_NAMES[19:21] == ("mfcc_mean_19", "mfcc_std_0")
    assert FEATURE_NAMES[40] == "chroma_mean_0" and FEATURE_NAMES[63] == "chroma_std_11"
    assert FEATURE_NAMES[64:] == (
        "spec_cent_mean", "spec_cent_std", "spec_bw_mean", "spec_bw_std", "spec_roll_mean",
        "spec_roll_std", "zcr_mean", "zcr_std", "rms_mean", "rms_std", "tempo",
    )  # fmt: skip
    assert len(feature_names(FeatureSettings(n_mfcc=13))) == 61


def test_each_column_is_what_its_name_says(tone):
    y = np.concatenate([tone(1000, 2.5), np.zeros(110250 - 55125, np.float32)])
    found = dict(zip(FEATURE_NAMES, extract(y[np.newaxis]).vectors[0], strict=True))
    # Half of the frames hold a tone of rms 0.354, half are silent.
    assert found["rms_mean"] == pytest.approx(0.354 / 2, rel=0.02)
    assert found["rms_std"] == pytest.approx(0.354 / 2, rel=0.02)
    assert found["zcr_mean"] == pytest.approx(1000 / 22050, rel=0.02)
    assert found["spec_cent_mean"] == pytest.approx(500, rel=0.05)
    assert found["spec_bw_mean"] < 100 and found["spec_roll_mean"] == pytest.approx(500, rel=0.05)
    assert found["chroma_mean_11"] > found["chroma_mean_3"], "1 kHz is a B"
    assert 0 < found["tempo"] < 320


def test_a_clips_numbers_depend_on_nothing_but_the_clip(music):
    clips = np.stack([music(seed, 5.0) for seed in range(4)])
    together, backwards = extract(clips), extract(clips[::-1])
    np.testing.assert_array_equal(together.vectors, backwards.vectors[::-1])
    np.testing.assert_array_equal(together.log_mels, backwards.log_mels[::-1])
    assert together.vectors.dtype == together.log_mels.dtype == np.float32
    assert together.log_mels.shape == (4, 128, 128)
    assert together.log_mels.min() >= -80.001 and together.log_mels.max() <= 0
    alone = extract(clips[2:3], log_mels=False)
    np.testing.assert_array_equal(alone.vectors, together.vectors[2:3])
    assert alone.log_mels.shape == (0, 128, 128)


def test_other_settings(music):
    audio = AudioSettings(sample_rate=16000, clip_seconds=3.0)
    features = FeatureSettings(n_fft=1024, hop_length=256, n_mfcc=13, n_mels=40, frames=64)
    y = music(1, 3.0)[: audio.clip_samples]
    found = extract(y[np.newaxis], audio=audio, features=features)
    assert found.vectors.shape == (1, 61) and found.log_mels.shape == (1, 40, 64)
    assert np.isfinite(found.vectors).all() and np.isfinite(found.log_mels).all()


def test_extremes_stay_finite():
    clips = np.zeros((4, 110250), np.float32)
    clips[1] = 1.0
    clips[2, 50_000] = 1.0
    clips[3] = np.random.default_rng(0).normal(size=110250) * 1e6
    found = extract(clips)
    assert np.isfinite(found.vectors).all() and np.isfinite(found.log_mels).all()


def test_no_clips():
    found = extract(np.zeros((0, 110250), np.float32))
    assert found.vectors.shape == (0, 75) and found.log_mels.shape == (0, 128, 128)


def test_shapes_and_values_that_are_refused():
    for shape in ((110250,), (1, 110249), (1, 1, 110250)):
        with pytest.raises(ValueError, match="110250"):
            extract(np.zeros(shape, np.float32))
    with pytest.raises(AudioError, match="NaN"):
        extract(np.full((1, 110250), np.nan, np.float32))


@pytest.mark.parametrize(
    ("audio", "features", "word"),
    [
        ({}, {"n_mfcc": 60, "n_mels": 40}, "n_mfcc"),
        ({}, {"hop_length": 4096}, "hop_length"),
        ({"clip_seconds": 2.0}, {"frame_fit": "crop"}, "frame_fit"),
    ],
)
def test_settings_that_contradict_each_other(audio, features, word):
    with pytest.raises(ConfigError, match=word):
        check_settings(AudioSettings(**audio), FeatureSettings(**features))
