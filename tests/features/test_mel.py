import numpy as np
import pytest
import scipy.fft

from genrescope.features.frames import spectrum
from genrescope.features.mel import (
    cosine_basis,
    hz_from_mel,
    mel_corners,
    mel_db,
    mel_filters,
    mel_from_hz,
    mel_weights,
    mfcc,
)


def test_scale_is_linear_then_logarithmic():
    assert mel_from_hz(500) == pytest.approx(7.5)
    assert mel_from_hz(1000 * 6.4**2) == pytest.approx(15 + 54)
    hertz = np.linspace(0, 11025, 500)
    np.testing.assert_allclose(hz_from_mel(mel_from_hz(hertz)), hertz, atol=1e-9)
    assert np.diff(mel_from_hz(hertz)).min() > 0


def test_triangles_peak_where_they_should():
    corners = mel_corners(22050, 40)
    weights = mel_weights(22050, 8192, 40)
    peak_hz = weights.argmax(axis=1) * 22050 / 8192
    np.testing.assert_allclose(peak_hz, corners[1:-1], atol=22050 / 8192)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1) * 22050 / 8192, 1, rtol=0.01)


@pytest.mark.parametrize("n_mels", [16, 40, 128, 200])
def test_filters_are_the_weights_without_their_zeros(n_mels):
    filters, weights = mel_filters(22050, 2048, n_mels), mel_weights(22050, 2048, n_mels)
    np.testing.assert_array_equal(filters.toarray(), weights)
    # A row's weights stand beside each other, as the compiled filter bank takes for granted.
    for band in np.split(filters.indices, filters.indptr[1:-1]):
        assert (np.diff(band) == 1).all()


def test_a_tone_lights_its_band(tone):
    decibels = mel_db(spectrum(tone(3000.0)))[:, 20]
    corners = mel_corners(22050, 128)
    band = decibels.argmax()
    assert corners[band] < 3000 < corners[band + 2]


def test_range_and_level(music):
    y = music(5, 2.0)
    decibels = mel_db(spectrum(y))
    assert decibels.max() - decibels.min() <= 80.0001
    halved = mel_db(spectrum(y / 2))
    np.testing.assert_allclose(halved, decibels - 20 * np.log10(2), atol=1e-3)


def test_silence_is_a_floor():
    decibels = mel_db(spectrum(np.zeros(22050, np.float32)))
    np.testing.assert_allclose(decibels, -100, rtol=1e-6)


@pytest.mark.parametrize(("n_mels", "n_mfcc"), [(128, 20), (40, 40), (64, 13)])
def test_cosine_transform(n_mels, n_mfcc):
    decibels = np.random.default_rng(0).uniform(-80, 0, (n_mels, 30)).astype(np.float32)
    expected = scipy.fft.dct(decibels.astype(np.float64), type=2, norm="ortho", axis=0)
    np.testing.assert_allclose(mfcc(decibels, n_mfcc=n_mfcc), expected[:n_mfcc], atol=1e-3)
    basis = cosine_basis(n_mels, n_mfcc)
    np.testing.assert_allclose(basis @ basis.T, np.eye(n_mfcc), atol=1e-5)
