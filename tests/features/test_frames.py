import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.errors import AudioError
from genrescope.features.frames import Spectrum, framed_sums, hann, in_blocks, spectrum

RATE = 22050


@pytest.mark.parametrize("n", [1, 511, 512, 513, 2048, 110250])
def test_frames_are_counted_and_centred(n):
    clip = spectrum(np.ones(n, np.float32))
    assert clip.power.shape == (1025, 1 + n // 512)
    assert clip.power.dtype == np.float32


@pytest.mark.parametrize(("n_fft", "hop_length"), [(2048, 512), (1024, 300), (1000, 250)])
def test_power_is_that_of_the_windowed_frame(n_fft, hop_length):
    y = np.random.default_rng(0).normal(size=9000).astype(np.float32)
    clip = spectrum(y, n_fft=n_fft, hop_length=hop_length)
    around = np.pad(y.astype(np.float64), n_fft // 2)
    window = 0.5 * (1 - np.cos(2 * np.pi * np.arange(n_fft) / n_fft))
    for t in (0, 1, 7, clip.n_frames - 1):
        part = around[t * hop_length :][:n_fft] * window
        expected = np.abs(np.fft.rfft(part)) ** 2
        np.testing.assert_allclose(
            clip.power[:, t], expected, rtol=1e-4, atol=1e-5 * expected.max()
        )


def test_parseval():
    y = np.random.default_rng(1).normal(size=6000).astype(np.float32)
    clip = spectrum(y)
    both_sides = clip.power.copy()
    both_sides[1:-1] *= 2
    t = 5
    part = np.pad(y, 1024)[t * 512 :][:2048] * hann(2048)
    assert both_sides[:, t].sum() / 2048 == pytest.approx(float(np.sum(part**2)), rel=1e-5)


@given(
    n=st.integers(1, 300), n_fft=st.integers(2, 64), hop=st.integers(1, 64), seed=st.integers(0, 9)
)
def test_framed_sums_are_sums_of_frames(n, n_fft, hop, seed):
    values = np.random.default_rng(seed).normal(size=n)
    n_frames = 1 + n // hop
    clip = Spectrum(values, RATE, n_fft, hop, np.empty((n_fft // 2 + 1, n_frames), np.float32))
    padded = np.pad(values, (n_fft // 2, n_fft))
    expected = [padded[t * hop :][:n_fft].sum() for t in range(n_frames)]
    got = framed_sums(in_blocks(values, clip).sum(axis=1), clip)
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_sound(value):
    y = np.zeros(4000, np.float32)
    y[100] = value
    with pytest.raises(AudioError, match="NaN") as caught:
        spectrum(y)
    assert caught.value.kind == "non-finite"


@pytest.mark.parametrize("shape", [(0,), (2, 100)])
def test_shapes(shape):
    with pytest.raises(ValueError, match="shape"):
        spectrum(np.zeros(shape, np.float32))
