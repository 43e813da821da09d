"""The compiled loops and their twins in numpy are one: same numbers to rounding, same corners."""

import numpy as np
import pytest

from genrescope.features import extract, kernels
from genrescope.features.chroma import _spectral_peaks
from genrescope.features.frames import spectrum
from genrescope.features.mel import mel_db
from genrescope.features.rhythm import onset_strength, tempo
from genrescope.features.spectral import spectral_shape
from genrescope.settings import AudioSettings, FeatureSettings

needs_compiled = pytest.mark.skipif(
    kernels.library() is None, reason="genrescope was installed without a C compiler"
)
pytestmark = needs_compiled


@pytest.fixture
def both(monkeypatch):
    """Call something with the compiled loops, then without."""

    def run(function):
        with monkeypatch.context() as patch:
            compiled = function()
            patch.setattr(kernels, "library", lambda: None)
            return compiled, function()

    return run


@pytest.mark.parametrize("n", [1, 700, 5000, 22050, 110250])
@pytest.mark.parametrize(
    ("n_fft", "hop"), [(64, 16), (128, 50), (256, 256), (512, 100), (1024, 300), (2048, 512)]
)
def test_power(both, music, n_fft, hop, n):
    y = music(1, 5.0)[:n]
    compiled, plain = both(lambda: spectrum(y, n_fft=n_fft, hop_length=hop).power)
    assert compiled.shape == plain.shape
    np.testing.assert_allclose(compiled, plain, atol=1e-6 * plain.max(axis=0).max())


def test_vectors_of_every_width_give_the_same_bits(monkeypatch, music):
    Y = np.stack([music(seed, 5.0) for seed in range(3)])
    Y[1, 30_000:70_000] = 0
    widest, found = kernels.width(), []
    for width in (16, 32, 64):
        if width <= widest:
            monkeypatch.setattr(kernels, "width", lambda width=width: width)
            found.append(extract(Y, audio=AudioSettings(), features=FeatureSettings()))
    for other in found[1:]:
        np.testing.assert_array_equal(other.vectors, found[0].vectors)
        np.testing.assert_array_equal(other.log_mels, found[0].log_mels)


def test_other_lengths_take_numpys_way(both, music):
    compiled, plain = both(lambda: spectrum(music(1, 1.0), n_fft=1000, hop_length=250).power)
    np.testing.assert_array_equal(compiled, plain)


@pytest.mark.parametrize("seed", range(4))
def test_shape_peaks_and_bands(both, music, seed):
    y = music(seed, 5.0)
    y[60_000:70_000] = 0
    for ours, plain in zip(
        *both(
            lambda: (
                spectral_shape(spectrum(y)).moments,
                spectral_shape(spectrum(y)).rolloff_bins,
                np.sort(_spectral_peaks(spectrum(y)), axis=1),
                mel_db(spectrum(y)),
            )
        ),
        strict=True,
    ):
        np.testing.assert_allclose(ours, plain, rtol=2e-5, atol=2e-3)


@pytest.mark.parametrize("n", [1, 2, 9, 216, 431])
def test_tempo(both, music, n):
    onsets = onset_strength(mel_db(spectrum(music(3, 10.0))))[:n]
    assert len(onsets) == n
    compiled, plain = both(lambda: tempo(onsets))
    assert compiled == plain


def test_silence(both):
    compiled, plain = both(lambda: extract(np.zeros((1, 110250), np.float32)))
    np.testing.assert_array_equal(compiled.vectors, plain.vectors)
    np.testing.assert_array_equal(compiled.log_mels, plain.log_mels)


@pytest.mark.parametrize(
    "features",
    [{}, {"n_fft": 1024, "hop_length": 441}, {"n_fft": 4096, "n_mels": 40}, {"n_fft": 1500}],
)
def test_whole_clips(both, music, features):
    settings = FeatureSettings.parse(features)
    clips = np.stack([music(seed, 5.0) for seed in range(6)])
    compiled, plain = both(lambda: extract(clips, features=settings, audio=AudioSettings()))
    spread = plain.vectors.std(axis=0) + 1e-9
    assert (np.abs(compiled.vectors - plain.vectors) / spread).max() < 1e-3
    np.testing.assert_allclose(compiled.log_mels, plain.log_mels, atol=2e-3)


def test_arrays_the_loops_cannot_take_are_refused(music):
    clip = spectrum(music(0, 1.0))
    with pytest.raises(ValueError, match="memory"):
        kernels.spectral_shape(np.array(clip.power)[:, :-1], clip.frequencies, 0.85)
