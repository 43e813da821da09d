import numpy as np
import pytest

from genrescope.errors import ConfigError
from genrescope.features.contrast import spectral_contrast
from genrescope.features.dynamics import dynamics
from genrescope.features.frames import spectrum
from genrescope.features.mel import deltas
from genrescope.features.modulation import RANGES, RATES_HZ, modulation_depth
from genrescope.features.onsets import onset_frames
from genrescope.features.rhythm import METRIC_RATIOS, periodicity, tempo, tempogram_ratios
from genrescope.features.spectral import rms, spectral_flatness_db
from genrescope.features.tonal import interval_strengths, tonnetz
from genrescope.features.vector import FEATURE_NAMES, check_settings, extract, feature_names
from genrescope.settings import AudioSettings, FeatureSettings

RATE, CLIP = 22050, 110250
EXTENDED = FeatureSettings(set="extended")
NAMES = feature_names(EXTENDED)
# Of a sound at another level, all but these stay.
ABSOLUTE = {"mfcc_mean_0", "rms_mean", "rms_std"}


def extended(clips):
    return extract(np.atleast_2d(clips), features=EXTENDED, log_mels=False).vectors


def test_the_papers_features_come_first_and_are_the_same_to_the_bit(music):
    clips = np.stack([music(seed, 5.0) for seed in range(4)])
    both = extract(clips, features=EXTENDED)
    paper = extract(clips)
    np.testing.assert_array_equal(both.vectors[:, :75], paper.vectors)
    np.testing.assert_array_equal(both.log_mels, paper.log_mels)
    assert NAMES[:75] == FEATURE_NAMES and len(NAMES) == len(set(NAMES)) == 182
    assert both.vectors.shape == (4, 182)


def test_extremes_stay_finite():
    clips = np.zeros((4, CLIP), np.float32)
    clips[1] = 1.0
    clips[2, 50_000] = 1.0
    clips[3] = np.random.default_rng(0).normal(size=CLIP) * 1e6
    assert np.isfinite(extended(clips)).all()


def test_other_settings(music):
    audio = AudioSettings(sample_rate=16000, clip_seconds=1.0)
    features = FeatureSettings(set="extended", n_fft=1024, hop_length=256, n_mfcc=13, n_mels=40)
    found = extract(music(1, 1.0)[np.newaxis, :16000], audio=audio, features=features)
    assert found.vectors.shape == (1, 61 + 93) == (1, len(feature_names(features)))
    assert np.isfinite(found.vectors).all()


@pytest.mark.parametrize(
    ("audio", "features", "word"),
    [
        ({"sample_rate": 12800}, {"n_fft": 1024, "hop_length": 256}, "sample_rate is 12800"),
        ({"sample_rate": 96000}, {"n_fft": 256, "hop_length": 256}, "n_fft is 256"),
        ({}, {"hop_length": 1024}, "hop_length is 1024"),
    ],
)
def test_settings_that_do_not_resolve_a_feature_are_refused(audio, features, word):
    check_settings(AudioSettings(**audio), FeatureSettings(**features))
    with pytest.raises(ConfigError, match=word):
        check_settings(AudioSettings(**audio), FeatureSettings(set="extended", **features))


def test_what_the_settings_refuse_the_features_refuse_too():
    y = np.zeros(RATE, np.float32)
    with pytest.raises(ValueError, match="octaves"):
        spectral_contrast(spectrum(y, sample_rate=12800))
    with pytest.raises(ValueError, match="modulations"):
        modulation_depth(spectrum(y, hop_length=1024))
    with pytest.raises(ValueError, match="modulations"):
        modulation_depth(spectrum(y[: RATE // 2]))
    with pytest.raises(ValueError, match="8 frames"):
        deltas(np.zeros((1, 8)))


def test_only_levels_depend_on_the_volume(music):
    clips = np.stack([music(seed, 5.0) for seed in (0, 1, 4)])
    loud, quiet = extended(clips), extended(clips * np.float32(0.5))
    names = [n for n, name in enumerate(NAMES) if name not in ABSOLUTE]
    np.testing.assert_allclose(quiet[:, names], loud[:, names], rtol=0.01, atol=0.01)
    louder = [NAMES.index(name) for name in sorted(ABSOLUTE)]
    assert (quiet[:, louder] < loud[:, louder]).all()


def test_a_slope_is_found_everywhere_and_a_parabola_bends_alike():
    frame = np.arange(40.0)
    courses = np.stack([3 * frame, 0.5 * frame**2, np.full(40, 7.0)])
    np.testing.assert_allclose(deltas(courses)[[0, 2]], [[3.0] * 40, [0.0] * 40], atol=1e-9)
    np.testing.assert_allclose(deltas(courses, order=2), [[0.0] * 40, [1.0] * 40, [0.0] * 40],
                               atol=1e-9)  # fmt: skip
    np.testing.assert_allclose(deltas(courses)[1, 4:-4], frame[4:-4], atol=1e-9)


def test_contrast_is_that_of_the_band_with_the_tone(tone):
    noise = np.random.default_rng(0).normal(size=2 * RATE) * 0.001
    contrast = spectral_contrast(spectrum(tone(1000) + noise))[:, 20]
    assert contrast.argmax() == 3, "800 to 1,600 Hz"
    assert contrast[3] > contrast[[0, 1, 2, 4, 5, 6]].max() + 10


def test_flatness_of_noise_is_that_of_the_exponential_distribution():
    noise = np.random.default_rng(0).normal(size=10 * RATE)
    # The power of a bin is exponentially distributed: E[ln] is minus Euler's constant.
    expected = -np.euler_gamma * 10 / np.log(10)
    assert spectral_flatness_db(spectrum(noise)).mean() == pytest.approx(expected, abs=0.05)
    assert np.abs(spectral_flatness_db(spectrum(noise * 0))).max() < 1e-4


@pytest.mark.parametrize("rate", RATES_HZ[:4])
@pytest.mark.parametrize(("hertz", "row"), [(120, 0), (500, 1), (2000, 2), (7000, 3)])
def test_a_modulation_is_found_at_its_rate_in_its_range(rate, hertz, row):
    time_s = np.arange(CLIP) / RATE
    level_db = 4 * np.sin(2 * np.pi * rate * time_s)
    depth = modulation_depth(spectrum(np.sin(2 * np.pi * hertz * time_s) * 10 ** (level_db / 20)))
    assert depth.shape == (len(RANGES), len(RATES_HZ))
    # Frames of 93 ms blur what is fast.
    blur = 0.02 if rate < 4 else 0.35
    assert depth[row, RATES_HZ.index(rate)] == pytest.approx(4 / np.sqrt(2), rel=blur)
    others = np.delete(depth[row], RATES_HZ.index(rate))
    assert others.max() < 0.35 * depth[row, RATES_HZ.index(rate)]


def test_onsets_are_where_the_clicks_are_and_nowhere_else():
    onsets = np.zeros(216, np.float32)
    clicks = [10, 53, 54, 96, 139, 182]
    onsets[clicks] = [1, 1, 0.9, 0.5, 0.05, 0.8]
    # One click follows at once, one is not 7% of the range above its surroundings.
    assert onset_frames(onsets).tolist() == [10, 53, 96, 182]
    assert onset_frames(np.full(216, 3.0, np.float32)).tolist() == []
    clip = np.zeros((1, CLIP), np.float32)
    clip[0, RATE // 4 :: RATE // 2] = 1.0
    assert extended(clip)[0, NAMES.index("onset_rate")] == 2.0


def test_pulses_at_a_third_of_the_beat_are_a_waltz():
    onsets = np.zeros(430, np.float32)
    onsets[::20] = 0.5
    onsets[::60] = 1.0
    strength = periodicity(onsets)
    assert tempo(onsets) == tempo(onsets, strength=strength)
    beat_bpm = 60 * RATE / 512 / 20
    ratios = tempogram_ratios(strength, tempo_bpm=beat_bpm)
    third, half, one = (ratios[[float(r) for r in METRIC_RATIOS].index(x)] for x in (1 / 3, 0.5, 1))
    assert third > half and one > 0.5
    assert (tempogram_ratios(strength, tempo_bpm=1.0)[:1] == 0).all(), "slower than any lag"


def test_harmony_is_the_same_in_every_key():
    rng = np.random.default_rng(0)
    strengths = rng.uniform(size=(12, 50)).astype(np.float32)
    there = np.roll(strengths, 5, axis=0)
    np.testing.assert_allclose(interval_strengths(there), interval_strengths(strengths))
    ours, moved = tonnetz(strengths), tonnetz(there)
    for circle in range(3):
        pair = slice(2 * circle, 2 * circle + 2)
        np.testing.assert_allclose(
            np.linalg.norm(moved[pair], axis=0), np.linalg.norm(ours[pair], axis=0)
        )
    assert (tonnetz(np.zeros((12, 3), np.float32)) == 0).all()


@pytest.mark.parametrize(("steps", "place"), [(2, 1), (3, 2), (4, 3), (6, 5)])
def test_equal_divisions_of_the_octave_are_known(steps, place):
    strengths = np.zeros((12, 4), np.float32)
    strengths[:: 12 // steps] = 1.0
    assert interval_strengths(strengths)[place] == pytest.approx(1.0)


def test_dynamics_of_a_tone_that_is_there_a_quarter_of_the_time(tone):
    clip = spectrum(np.concatenate([tone(1000, 1.0), np.zeros(3 * RATE, np.float32)]))
    found = dynamics(clip, rms(clip))
    assert found.low_energy == pytest.approx(0.75, abs=0.02)
    assert found.variation == pytest.approx(np.sqrt(3), abs=0.05)
    assert found.crest_db == pytest.approx(3.01 + 6.02, abs=0.01)
