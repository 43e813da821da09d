import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from genrescope.explanations.listening import listen, mask_of
from genrescope.features import extract
from genrescope.settings import FeatureSettings

RATE = 22050
SECONDS = np.arange(110250) / RATE
ONES = np.ones((128, 128))


def snr_db(clip, heard):
    return 10 * np.log10(np.sum(clip**2) / max(np.sum((clip - heard) ** 2), 1e-30))


def music(seed):
    rng = np.random.default_rng(seed)
    y = sum(np.sin(2 * np.pi * hertz * SECONDS) for hertz in rng.uniform(80, 3000, 5))
    y = y * np.exp(-(SECONDS % 0.5) / 0.2) + 0.1 * rng.normal(size=len(SECONDS))
    return 0.5 * y / np.abs(y).max()


@pytest.mark.parametrize("frame_fit", ["resize", "crop"])
def test_a_mask_of_ones_gives_the_clip_back(frame_fit):
    y = music(0)
    parts = listen(y, ONES, features=FeatureSettings(frame_fit=frame_fit))
    assert snr_db(y, parts.kept) > 100
    assert parts.kept_gain == pytest.approx(1) and np.abs(parts.left_out).max() < 1e-6


def test_a_mask_of_zeros_leaves_all_of_it_out():
    y = music(1)
    parts = listen(y, np.zeros((128, 128)))
    assert snr_db(y, parts.left_out) > 100 and not parts.kept.any()


@settings(max_examples=15, deadline=None)
@given(mask=arrays(np.float32, (128, 128), elements=st.floats(0, 1, width=32)))
def test_the_parts_add_up(mask):
    y = music(2)
    parts = listen(y, mask)
    both = parts.kept / parts.kept_gain + parts.left_out / parts.left_out_gain
    assert snr_db(y, both) > 60
    for part in (parts.kept, parts.left_out):
        assert np.isfinite(part).all() and np.abs(part).max() <= 1


@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (2.0, 3.5), (4.0, 5.0)])
def test_time_is_where_the_map_says(begin, end):
    mask = np.zeros((128, 128))
    columns = (np.arange(128) + 0.5) * 5 / 128
    mask[:, (columns >= begin) & (columns < end)] = 1
    y = music(3)
    kept = listen(y, mask).kept
    inside = (begin + 0.1 <= SECONDS) & (end - 0.1 > SECONDS)
    outside = (begin - 0.15 > SECONDS) | (end + 0.15 <= SECONDS)
    assert np.mean(kept[inside] ** 2) > 1e4 * np.mean(kept[outside] ** 2)


def test_a_bands_tone_is_kept_where_its_band_is():
    hertz = 2000.0
    tone = 0.5 * np.sin(2 * np.pi * hertz * SECONDS)
    level = extract(tone[np.newaxis]).log_mels[0].mean(axis=1)
    near = np.abs(np.arange(128) - level.argmax()) <= 6
    mask = np.repeat(near[:, np.newaxis], 128, axis=1).astype(float)
    assert snr_db(tone[5000:-5000], listen(tone, mask).kept[5000:-5000]) > 40
    parts = listen(tone, 1 - mask)
    assert np.sqrt(np.mean((parts.kept / parts.kept_gain)[5000:-5000] ** 2)) < 0.01


def test_no_clicks_at_the_borders_of_a_hard_mask():
    tone = 0.5 * np.sin(2 * np.pi * 440 * SECONDS)
    mask = np.zeros((128, 128))
    mask[:, 40:80] = 1
    parts = listen(tone, mask)
    # The steepest step between samples is that of the tone itself.
    steps = np.abs(np.diff(parts.kept / parts.kept_gain))
    assert steps.max() < 1.05 * np.abs(np.diff(tone)).max()


@pytest.mark.parametrize(
    ("mask", "sentence"), [(np.ones((64, 128)), "shape"), (2 * ONES, "0 to 1"), (-ONES, "0 to 1")]
)
def test_masks_that_are_none(mask, sentence):
    with pytest.raises(ValueError, match=sentence):
        listen(music(0), mask)


def test_an_empty_map_is_an_empty_mask():
    assert not mask_of(-ONES).any() and not mask_of(0 * ONES).any()
