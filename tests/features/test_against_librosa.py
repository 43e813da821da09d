"""librosa is the oracle: same numbers, to a thousandth of each feature's spread over clips.

Its first call compiles for half a minute, hence all of this is slow.
"""

import warnings

import numpy as np
import pytest

from genrescope.audio.fit import load_clip
from genrescope.features.chroma import chroma_weights, estimate_tuning
from genrescope.features.frames import spectrum
from genrescope.features.mel import mel_weights
from genrescope.features.vector import FEATURE_NAMES, extract

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("librosa")]  # compiled once
RATE = 22050
LARGEST = 1e-3  # of a feature's standard deviation over clips


@pytest.fixture(scope="module")
def librosa():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("librosa")


def reference(librosa, y):
    """The 75 features, the log-mel spectrogram and the tuning, all from one spectrum."""
    feature = librosa.feature
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        magnitude = np.abs(librosa.stft(y))
        power = magnitude**2
        tuning = librosa.estimate_tuning(S=power, sr=RATE)
        mel = feature.melspectrogram(S=power, sr=RATE)
        parts = [
            feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20),
            feature.chroma_stft(S=power, sr=RATE, tuning=tuning),
            feature.spectral_centroid(S=magnitude, sr=RATE),
            feature.spectral_bandwidth(S=magnitude, sr=RATE),
            feature.spectral_rolloff(S=magnitude, sr=RATE),
            feature.zero_crossing_rate(y),
            feature.rms(y=y),
        ]
        columns = [statistic for part in parts for statistic in (part.mean(1), part.std(1))]
        columns.append(feature.tempo(y=y, sr=RATE))
    return np.concatenate(columns), librosa.power_to_db(mel, ref=np.max), tuning


def compare(librosa, clips, names):
    """Deviations [shape=(n, 75)] in standard deviations, and the clips tuned otherwise."""
    found = extract(np.stack(clips))
    expected = [reference(librosa, y) for y in clips]
    vectors = np.stack([vector for vector, _, _ in expected])
    deviation = np.abs(found.vectors - vectors) / vectors.std(axis=0)
    tuned = [
        name
        for name, y, (_, _, tuning) in zip(names, clips, expected, strict=True)
        if abs(estimate_tuning(spectrum(y)) - tuning) > 1e-6
    ]
    for row, column in np.argwhere(deviation > LARGEST):
        print("deviates:", names[row], FEATURE_NAMES[column], deviation[row, column])
    return deviation, tuned


def log_mel_deviation(librosa, clips):
    worst = 0.0
    for y in clips:
        _, decibels, _ = reference(librosa, y)
        # Area-weighted averaging from 216 to 128 frames, by repeating and averaging whole frames.
        resized = decibels.repeat(128, axis=1).reshape(128, 128, 216).mean(axis=2)
        ours = extract(y[np.newaxis]).log_mels[0]
        worst = max(worst, float(np.abs(ours - resized).max()))
    return worst


@pytest.mark.parametrize(("rate", "n_fft", "n_mels"), [(22050, 2048, 128), (16000, 1024, 40)])
def test_mel_filters(librosa, rate, n_fft, n_mels):
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=n_mels)
    np.testing.assert_allclose(mel_weights(rate, n_fft, n_mels), expected, atol=1e-8)


@pytest.mark.parametrize("tuning", [-0.5, -0.13, 0.0, 0.25, 0.49])
def test_chroma_filters(librosa, tuning):
    expected = librosa.filters.chroma(sr=RATE, n_fft=2048, tuning=tuning)
    np.testing.assert_allclose(chroma_weights(RATE, 2048, tuning), expected, atol=1e-6)


def test_synthetic_music(librosa, music):
    seeds = range(12)
    clips = [music(seed, 5.0) for seed in seeds]
    clips[3][40_000:] = 0  # padded with silence, as short clips may be
    clips[4][:] = np.resize(clips[4][:66_150], 110_250)  # looped
    deviation, tuned = compare(librosa, clips, [f"seed {seed}" for seed in seeds])
    assert not tuned
    assert deviation.max() < LARGEST
    assert log_mel_deviation(librosa, clips[:4]) < 0.01


def test_every_real_clip(librosa, real_data):
    minis = sorted((real_data / "gtzan_mini").rglob("*.flac"))
    shorts = sorted((real_data / "gtzan_short").rglob("*.flac"))
    places = [(path, 5.0 * k) for path in minis for k in range(6)] + [(p, 0.0) for p in shorts]
    assert (len(minis), len(shorts), len(places)) == (100, 200, 800)
    clips = [load_clip(path, start_s=start_s) for path, start_s in places]
    names = [f"{path.name} at {start_s:g} s" for path, start_s in places]
    deviation, tuned = compare(librosa, clips, names)
    # An equal number of votes in two classes of the tuning histogram can go either way; none of
    # these clips has that, so every feature of every clip is held to the bound.
    assert tuned == []
    assert deviation.max() < LARGEST
    column = deviation.max(axis=0).argmax()
    print(f"largest deviation: {deviation.max():.1e} of the spread, {FEATURE_NAMES[column]}")
    assert log_mel_deviation(librosa, clips[::40]) < 0.01
