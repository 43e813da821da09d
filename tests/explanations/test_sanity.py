import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from genrescope.explanations.sanity import max_sensitivity, randomisation  # noqa: E402

CASCADE = ["output", "hidden", "block3", "block2", "block1"]
SIZE = 24  # each layer has a matrix of this many rows and columns


class Layered(nn.Module):
    """The names of the study's network, each layer a square matrix; blocks have statistics too."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.full((SIZE, 1), -40.0))
        for name in ("block1", "block2", "block3"):
            block = nn.Sequential(nn.Linear(SIZE, SIZE), nn.BatchNorm1d(SIZE))
            block[1].running_mean += 3.0
            nn.init.constant_(block[1].weight, 2.0)
            nn.init.constant_(block[1].bias, 0.5)
            self.add_module(name, block)
        self.hidden, self.output = nn.Linear(SIZE, SIZE), nn.Linear(SIZE, SIZE)
        self.dropout = nn.Dropout(0.5)


class Model:
    kind = "cnn"

    def __init__(self):
        with torch.random.fork_rng():
            torch.manual_seed(5)
            self.network_ = Layered()


def spectrograms(n=2):
    return np.random.default_rng(0).normal(-40, 10, (n, SIZE, SIZE)).astype(np.float32)


def weights(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def differing(one, two):
    """Layers any of whose parameters are not the same bit by bit."""
    return {name.split(".")[0] for name in one if not torch.equal(one[name], two[name])}


class Recorded:
    """A way to explain that keeps what it was given; its maps are the spectrograms, scaled."""

    def __init__(self, scale=1.0):
        self.scale, self.models, self.inputs, self.weights = scale, [], [], []

    def __call__(self, model, x):
        self.models.append(model)
        self.inputs.append(np.array(x, dtype=np.float64))
        self.weights.append(weights(model.network_))
        return self.scale * x


def norms(maps):
    return np.linalg.norm(maps.reshape(len(maps), -1), axis=1)


def test_a_map_that_is_the_clip_moves_as_far_as_the_noise():
    x, explain = spectrograms(3), Recorded()
    moved = max_sensitivity(Model(), x, explain, noise_db=0.5, draws=6)
    assert len(explain.inputs) == 7
    noises = np.array([given - x for given in explain.inputs[1:]])
    assert 0.49 < np.abs(noises).max() <= 0.5 + 1e-5
    assert abs(noises.mean()) < 0.02 and len(np.unique(noises[:, 0, 0, 0])) == 6
    farthest = np.max([norms(noise) for noise in noises], axis=0)
    np.testing.assert_allclose(moved, farthest / norms(x), rtol=1e-4)
    assert (moved <= 0.5 * SIZE / norms(x)).all()  # every place moved by the whole radius


def test_sensitivity_has_no_unit_and_grows_with_the_noise_and_the_draws():
    model, x = Model(), spectrograms(3)
    moved = max_sensitivity(model, x, Recorded())
    np.testing.assert_allclose(max_sensitivity(model, x, Recorded(-2.0)), moved, rtol=1e-6)
    twice = max_sensitivity(model, x, Recorded(), noise_db=2.0)
    np.testing.assert_allclose(twice, 2 * moved, rtol=1e-4)
    few, many = (max_sensitivity(model, x, Recorded(), draws=draws) for draws in (1, 20))
    assert (few <= moved).all() and (moved <= many).all() and (few < many).any()
    np.testing.assert_array_equal(max_sensitivity(model, x, Recorded()), moved)
    assert (max_sensitivity(model, x, Recorded(), seed=1) != moved).all()


def test_a_constant_map_is_not_moved_and_an_empty_one_has_no_answer():
    def explain(model, x):
        maps = np.ones_like(x)
        maps[1] = 0.0
        return maps

    np.testing.assert_array_equal(max_sensitivity(Model(), spectrograms(2), explain), [0, np.nan])

    def first_empty(model, x):
        return x if (x != spectrograms(2)).any() else np.zeros_like(x)

    assert np.isnan(max_sensitivity(Model(), spectrograms(2), first_empty)).all()


def test_layers_become_random_one_after_the_other_in_a_copy():
    model, explain = Model(), Recorded()
    network, before = model.network_, weights(model.network_)
    table = randomisation(model, spectrograms(), explain, draws=3)
    assert model.network_ is network and differing(weights(network), before) == set()
    assert explain.models[0] is model and differing(explain.weights[0], before) == set()
    assert len(explain.weights) == 1 + 3 * 5
    for draw in range(3):
        seen = [before, *explain.weights[1 + 5 * draw : 6 + 5 * draw]]
        for place, layer in enumerate(CASCADE):
            assert differing(seen[place + 1], seen[place]) == {layer}
            assert differing(seen[place + 1], before) == set(CASCADE[: place + 1])
        last = seen[-1]
        assert (last["block1.1.weight"] == 1).all() and (last["block1.1.running_mean"] == 0).all()
        assert not torch.equal(last["output.weight"], last["hidden.weight"])
    one, two, three = (explain.weights[5 * draw] for draw in (1, 2, 3))
    for name in ("output.weight", "block1.0.weight"):
        assert not torch.equal(one[name], two[name]) and not torch.equal(two[name], three[name])
    assert list(table.columns) == ["clip", "layer", "draw", "correlation"]
    expected = [(clip, layer, d) for d in range(3) for layer in CASCADE for clip in range(2)]
    assert list(table[["clip", "layer", "draw"]].itertuples(index=False, name=None)) == expected
    assert all(np.array_equal(given, explain.inputs[0]) for given in explain.inputs)


def test_modes_and_gradients_are_left_alone():
    model = Model()
    model.network_.train()
    model.network_.dropout.eval()
    model.network_.hidden.requires_grad_(False)

    def state():
        modes = [module.training for module in model.network_.modules()]
        return modes, [(v.grad, v.requires_grad) for v in model.network_.parameters()]

    before = state()
    randomisation(model, spectrograms(), Recorded())
    max_sensitivity(model, spectrograms(), Recorded())
    assert state() == before


def test_an_error_while_the_copy_is_random_leaves_the_network_as_it_was():
    model = Model()
    before, calls = weights(model.network_), []

    def explain(model, x):
        calls.append(model)
        if len(calls) == 4:
            raise RuntimeError("the map fails")
        return x

    with pytest.raises(RuntimeError, match="the map fails"):
        randomisation(model, spectrograms(), explain)
    assert differing(weights(model.network_), before) == set()


def test_a_map_that_is_the_clip_stays_alike_at_every_layer():
    table = randomisation(Model(), spectrograms(), Recorded())
    np.testing.assert_allclose(table["correlation"], 1.0)
    table = randomisation(Model(), spectrograms(), lambda model, x: np.full_like(x, 2.0))
    assert (table["correlation"] == 0).all()


@pytest.mark.parametrize("layer", CASCADE)
def test_a_map_made_of_a_layers_weights_falls_to_0_where_that_layer_becomes_random(layer):
    def explain(model, x):
        name = f"{layer}.0.weight" if layer.startswith("block") else f"{layer}.weight"
        values = model.network_.state_dict()[name].numpy()
        return np.repeat(np.exp(5 * values)[np.newaxis], len(x), axis=0)

    table = randomisation(Model(), spectrograms(), explain)
    means = table.groupby("layer")["correlation"].mean()[CASCADE]
    place = CASCADE.index(layer)
    np.testing.assert_allclose(means[:place], 1.0)
    # 576 places and four draws: the standard error of the mean is 0.02.
    assert (means[place:].abs() < 0.1).all()
    assert table["correlation"].abs()[table["layer"] == layer].max() < 0.2


def test_correlation_is_that_of_ranks():
    def explain(model, x):  # the same places in another order of size from the second layer on
        sign = 1.0 if (model.network_.hidden.weight == kept).all() else -1.0
        return sign * np.exp(x / 10) if model is not whole else x

    whole = Model()
    kept = whole.network_.hidden.weight.detach().clone()
    table = randomisation(whole, spectrograms(), explain, draws=1)
    np.testing.assert_allclose(table["correlation"], [1] * 2 + [-1] * 8)


def test_the_same_seed_gives_the_same_numbers_and_no_generator_is_touched():
    def explain(model, x):
        return x * model.network_.output.weight.detach().numpy()

    model, x = Model(), spectrograms()
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    one = randomisation(model, x, explain, draws=2, seed=7)
    assert torch.equal(torch.get_rng_state(), torch_state)
    torch.manual_seed(123)
    assert one.equals(randomisation(model, x, explain, draws=2, seed=7))
    assert not one.equals(randomisation(model, x, explain, draws=2, seed=9))
    torch.set_rng_state(torch_state)
    max_sensitivity(model, x, explain)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


@pytest.mark.parametrize("measure", [max_sensitivity, randomisation])
def test_other_models_and_shapes_are_refused(measure):
    with pytest.raises(ValueError, match="for the cnn, not for str"):
        measure("forest", spectrograms(), Recorded())
    with pytest.raises(ValueError, match="three dimensions"):
        measure(Model(), spectrograms()[0], Recorded())
