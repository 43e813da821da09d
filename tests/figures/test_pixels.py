import io
import re

import numpy as np
import pytest
from PIL import Image

from genrescope.figures.maps import SHOWN_DB, draw_map
from genrescope.figures.pixels import contour_path, map_png, spectrogram_png
from genrescope.figures.style import new_figure


def pixels(png):
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image).astype(float)


def test_low_bands_are_below_and_loud_is_bright():
    log_mel = np.full((16, 8), -SHOWN_DB)
    log_mel[0, 2] = 0
    found = pixels(spectrogram_png(log_mel))
    assert found.shape == (16, 8, 3)
    assert np.unravel_index(found.sum(axis=2).argmax(), (16, 8)) == (15, 2)
    assert found[0, 0].tolist() == [0, 0, 4]  # magma's darkest
    # What is quieter still has no darker shade.
    log_mel[1, 1] = -300
    assert np.array_equal(pixels(spectrogram_png(log_mel)), found)


def test_a_map_hides_what_is_weak_and_tints_what_is_strong():
    values = np.zeros((4, 4))
    values[0, 0], values[3, 3] = 2.0, -5.0
    found = pixels(map_png(values))
    assert found.shape == (4, 4, 4)
    strong, weak = found[3, 0], found[0, 3]
    assert strong[3] == round(255 * 0.65) and strong[2] > strong[0]
    assert weak[3] == round(255 * 0.45) and weak[:3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.full((4, 4), -1.0)])
def test_an_empty_map_has_no_picture(values):
    assert map_png(values) is None
    assert contour_path(values) == ""


def test_the_contour_goes_round_the_region_also_at_the_edge():
    values = np.zeros((128, 128))
    values[:32, 64:96] = 1.0  # the lowest quarter, from the middle on
    path = contour_path(values)
    assert path.count("M") == 1
    points = np.array([[float(n) for n in pair.split()] for pair in re.split("[ML]", path)[1:]])
    x, y = points.T
    assert x.min() == pytest.approx(64, abs=0.6) and x.max() == pytest.approx(96, abs=0.6)
    assert y.min() == pytest.approx(96, abs=0.6) and y.max() == pytest.approx(128, abs=0.6)
    assert points[0].tolist() == points[-1].tolist()


def test_pages_and_figures_lay_the_same_over_a_spectrogram():
    values = np.random.default_rng(0).random((8, 8))
    axes = new_figure(1, 1).add_subplot()
    draw_map(axes, values, "a map", seconds=5)
    layers = [image.get_array() for image in axes.images]
    found = pixels(map_png(values))[::-1]
    opacity = 1 - (1 - layers[0][..., 3]) * (1 - layers[1][..., 3])
    np.testing.assert_allclose(found[..., 3] / 255, opacity, atol=0.006)
