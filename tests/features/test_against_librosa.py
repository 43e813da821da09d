"""librosa is the oracle: same numbers, to a thousandth of each feature's spread over clips.

Its first call compiles for half a minute, hence all of this is slow, and in one file.
"""

import warnings

import numpy as np
import pytest

from genrescope.audio.decode import decode
from genrescope.audio.fit import load_clip
from genrescope.features.beats import beats
from genrescope.features.chroma import chroma_weights, estimate_tuning
from genrescope.features.frames import spectrum
from genrescope.features.mel import mel_db, mel_weights
from genrescope.features.rhythm import onset_strength, tempo
from genrescope.features.vector import FEATURE_NAMES, extract, feature_names
from genrescope.settings import FeatureSettings

pytestmark = pytest.mark.slow
EXTENDED = FeatureSettings(set="extended")
IN_LIBROSA = ("mfcc_delta", "contrast", "spec_flat", "onset", "tempogram_ratio", "tonnetz")
RATE = 22050
LARGEST = 1e-3  # of a feature's standard deviation over clips
# The valleys of rendered sound lie where single precision rounds, and its contrast with them.
LARGEST_RENDERED = 1e-2


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


def extended_reference(librosa, y):
    """Those features of the extended set that librosa has, in their order, from the samples."""
    feature = librosa.feature
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cepstrum = feature.mfcc(y=y, sr=RATE, n_mfcc=20)
        contrast = feature.spectral_contrast(y=y, sr=RATE)
        flatness = 10 * np.log10(feature.spectral_flatness(y=y))
        onsets = librosa.onset.onset_strength(y=y, sr=RATE)
        begins = librosa.onset.onset_detect(onset_envelope=onsets, sr=RATE)
        # The tempo's own window; librosa's default for the tempogram is another one.
        tempogram = feature.tempogram(onset_envelope=onsets, sr=RATE, win_length=344)
        bpm = np.full(tempogram.shape[1], feature.tempo(onset_envelope=onsets, sr=RATE))
        ratios = feature.tempogram_ratio(tg=tempogram, bpm=bpm, sr=RATE)
        tonnetz = feature.tonnetz(chroma=feature.chroma_stft(y=y, sr=RATE))
    return np.concatenate(
        [
            *(feature.delta(cepstrum, order=order).std(axis=1) for order in (1, 2)),
            contrast.mean(axis=1),
            contrast.std(axis=1),
            [flatness.mean(), flatness.std()],
            [onsets.mean(), onsets.std(), len(begins) * RATE / len(y)],
            ratios.mean(axis=1),
            tonnetz.std(axis=1),
        ]
    )


def extended_deviation(librosa, clips):
    """Largest deviation of the extended features from librosa's, in their standard deviations."""
    names = feature_names(EXTENDED)
    own = [n for n, name in enumerate(names) if n >= 75 and name.startswith(IN_LIBROSA)]
    found = extract(np.stack(clips), features=EXTENDED, log_mels=False).vectors[:, own]
    expected = np.stack([extended_reference(librosa, y) for y in clips])
    deviation = np.abs(found - expected) / expected.std(axis=0)
    for row, column in np.argwhere(deviation > LARGEST):
        print("deviates:", row, names[own[column]], deviation[row, column])
    print(f"largest deviation: {deviation.max():.1e}, {names[own[deviation.max(0).argmax()]]}")
    return deviation.max()


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
    assert extended_deviation(librosa, clips) < LARGEST_RENDERED


@pytest.mark.nightly
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
    assert extended_deviation(librosa, clips[::20]) < LARGEST


def onsets_of(y):
    return onset_strength(mel_db(spectrum(y)))


def agreement(ours, theirs, within_s=0.07):
    """F-measure of beats in pairs at most `within_s` apart, as beat trackers are compared by."""
    near = np.abs(np.subtract.outer(ours, theirs)) <= within_s
    pairs = min(near.any(axis=0).sum(), near.any(axis=1).sum())
    return 2 * pairs / (len(ours) + len(theirs)) if near.size else float(len(ours) == len(theirs))


def both(librosa, onsets, bpm):
    """Beats at the same tempo, ours and librosa's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, theirs = librosa.beat.beat_track(onset_envelope=onsets, bpm=bpm, units="time")
    return beats(onsets, tempo_bpm=bpm), theirs


@pytest.fixture(scope="module")
def beats_of_tracks(librosa, real_data):
    """Beats of each track, and of clips of it by where they begin: ours and librosa's."""
    paths = sorted((real_data / "gtzan_mini").rglob("*.flac"))
    assert len(paths) == 100
    found = []
    for path in paths:
        y = decode(path)
        onsets = onsets_of(y)
        bpm = tempo(onsets)
        clips = {}
        for start_s in (7.0, 13.0, 19.0):
            first = round(start_s * RATE)
            clips[start_s] = both(librosa, onsets_of(y[first : first + 5 * RATE]), bpm)
        found.append((both(librosa, onsets, bpm), clips))
    return found


def test_the_beats_of_long_music_are_librosas(beats_of_tracks):
    found = [agreement(*track) for track, _ in beats_of_tracks]
    print(f"F-measure within 70 ms, {len(found)} tracks of 30 s: mean {np.mean(found):.3f}")
    assert np.mean(found) > 0.93


def test_the_beats_of_a_clip_are_those_of_its_track(beats_of_tracks):
    """Beats found in 5 s should be the ones librosa finds with the other 25 s to go by."""
    ours, theirs, each_other = [], [], []
    for (_, track), clips in beats_of_tracks:
        for start_s, pair in clips.items():
            here = track[(track >= start_s) & (track < start_s + 5)] - start_s
            ours.append(agreement(pair[0], here))
            theirs.append(agreement(pair[1], here))
            each_other.append(agreement(*pair))
    print(
        f"F-measure within 70 ms, {len(ours)} clips of 5 s: with librosa on the whole track "
        f"{np.mean(ours):.3f}, librosa itself {np.mean(theirs):.3f}, "
        f"with librosa on the clip {np.mean(each_other):.3f}"
    )
    assert np.mean(each_other) > 0.7
    assert np.mean(ours) > np.mean(theirs) + 0.08
