import numpy as np
import pytest

torch = pytest.importorskip("torch")

from genrescope.errors import ConfigError  # noqa: E402
from genrescope.explanations.grad_cam import grad_cam  # noqa: E402
from genrescope.explanations.maps import (  # noqa: E402
    DEFAULT,
    METHODS,
    TITLES,
    UNITS,
    explain_maps,
    reference_maps,
)
from genrescope.explanations.occlusion import occlusion  # noqa: E402
from genrescope.models.network import GenreNetwork  # noqa: E402


def spectrograms(n=3, shape=(24, 40), seed=0):
    return np.random.default_rng(seed).normal(-40, 12, (n, *shape)).astype(np.float32)


class Model:
    kind = "cnn"
    classes_ = np.array(["cue", "other", "third"])

    def __init__(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.network_ = GenreNetwork(3, n_mels=24)
        self.network_.mean -= 40.0
        self.network_.scale *= 12.0


@pytest.mark.parametrize("shape", [(24, 40), (16, 16), (19, 45), (5, 3)])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_references_have_the_shape_of_the_spectrograms(shape, n):
    x = spectrograms(n, shape)
    found = reference_maps(x)
    assert list(found) == ["random", "centre", "energy"]
    for values in found.values():
        assert values.shape == x.shape and values.dtype == np.float32
        assert np.isfinite(values).all() and (values >= 0).all()


def test_random_places_have_the_grain_of_the_last_layer_and_the_seed():
    x = spectrograms(40, (20, 36))
    values = reference_maps(x, seed=1)["random"]
    tiles = [values[:, i : i + 8, j : j + 8] for i in range(0, 20, 8) for j in range(0, 36, 8)]
    for tile in tiles:
        assert (tile == tile[:, :1, :1]).all()
    places = np.array([tile[:, 0, 0] for tile in tiles])
    assert len(np.unique(places)) == places.size, "every tile of every clip has its own value"
    assert 0 <= places.min() < 0.05 and 0.95 < places.max() < 1
    assert abs(places.mean() - 0.5) < 0.05
    # Blind to the clip, and given by the seed alone.
    np.testing.assert_array_equal(reference_maps(-x, seed=1)["random"], values)
    assert (reference_maps(x, seed=2)["random"] != values).all()


@pytest.mark.parametrize("shape", [(24, 40), (21, 33), (128, 128)])
def test_the_centre_is_a_bell_about_the_middle(shape):
    values = reference_maps(spectrograms(2, shape))["centre"]
    np.testing.assert_array_equal(values[0], values[1])
    bell = values[0].astype(np.float64)
    np.testing.assert_allclose(bell, bell[::-1], rtol=1e-5)
    np.testing.assert_allclose(bell, bell[:, ::-1], rtol=1e-5)
    middle = tuple(slice((size - 1) // 2, size // 2 + 1) for size in shape)
    assert (bell[middle] >= bell.max() * (1 - 1e-6)).all()
    assert (bell == bell.max()).sum() <= bell[middle].size
    # It falls towards every edge, and is as wide as a sixth of the picture: at that distance
    # from the middle it has fallen to exp(-1/2).
    for profile, size in ((bell.max(axis=1), shape[0]), (bell.max(axis=0), shape[1])):
        assert (np.diff(profile[: (size + 1) // 2]) > 0).all()
        places = np.linspace(-0.5, 0.5, size)
        expected = np.exp(-0.5 * (places / (1 / 6)) ** 2)
        np.testing.assert_allclose(profile / profile.max(), expected / expected.max(), rtol=1e-4)


def test_energy_orders_places_as_the_level_does():
    x = spectrograms()
    before = x.copy()
    values = reference_maps(x)["energy"]
    for level, energy in zip(x, values, strict=True):
        assert energy.min() == 0
        np.testing.assert_allclose(np.diff(energy, axis=1), np.diff(level, axis=1), atol=1e-4)
        order = np.argsort(level, axis=None)
        assert (np.diff(energy.ravel()[order]) >= 0).all()
    np.testing.assert_allclose(reference_maps(x + 20)["energy"], values, atol=1e-4)
    np.testing.assert_array_equal(x, before)


def test_maps_of_one_clip_may_be_changed_without_the_others():
    for values in reference_maps(spectrograms(2)).values():
        before = values[1].copy()
        values[0] = -1.0
        np.testing.assert_array_equal(values[1], before)


@pytest.mark.parametrize(("name", "method"), [("occlusion", occlusion), ("grad_cam", grad_cam)])
def test_a_method_is_called_by_its_name_with_the_question(name, method):
    model, x = Model(), spectrograms(2, (24, 16))
    for question in (
        {},
        {"target": "third"},
        {"target": ["cue", "third"]},
        {"target": "cue", "against": "other"},
    ):
        found = explain_maps(name, model, x, **question)
        assert found.shape == x.shape and found.dtype == np.float32
        np.testing.assert_array_equal(found, method(model, x, **question))
    one, two = (explain_maps(name, model, x, target=genre) for genre in ("cue", "other"))
    assert (one != two).any()


def test_every_method_has_a_title_and_a_unit():
    assert DEFAULT in METHODS and set(METHODS) == set(UNITS)
    assert set(TITLES) == {*METHODS, *reference_maps(spectrograms(1))}


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("lime", "there is no method 'lime': known are grad_cam, occlusion"),
        ("gradcam", "there is no method 'gradcam': did you mean grad_cam?"),
        ("random", "there is no method 'random'"),  # a reference is no explanation
    ],
)
def test_unknown_methods_are_refused_with_a_hint(method, words):
    with pytest.raises(ConfigError) as raised:
        explain_maps(method, Model(), spectrograms())
    assert words in str(raised.value)


def test_what_the_method_refuses_is_passed_on():
    with pytest.raises(ValueError, match="nothing: not among the model's cue, other, third"):
        explain_maps("grad_cam", Model(), spectrograms(), target="nothing")
    with pytest.raises(ValueError, match="name one target"):
        explain_maps("occlusion", Model(), spectrograms(), against="cue")
