import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from genrescope.explanations.networks import log_odds  # noqa: E402
from genrescope.explanations.occlusion import occlusion  # noqa: E402
from genrescope.models.network import GenreNetwork  # noqa: E402


class Linear(nn.Module):
    """Two logits: a weighted sum of the spectrogram less its mean level, and 0."""

    def __init__(self, weights, mean=-40.0):
        super().__init__()
        self.register_buffer("mean", torch.full((weights.shape[0], 1), mean))
        self.register_buffer("weights", torch.as_tensor(weights))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        total = ((x - self.mean) * self.weights).sum(dim=(1, 2))
        return torch.stack([total, torch.zeros_like(total)], dim=1)


class Model:
    kind = "cnn"
    classes_ = np.array(["cue", "other"])

    def __init__(self, network):
        self.network_ = network


def cue(weights_at=(slice(8, 16), slice(16, 24))):
    weights = np.zeros((32, 48), np.float32)
    weights[weights_at] = 0.01
    return weights


def test_the_drop_of_a_linear_network_is_what_the_patch_held():
    weights = cue()
    x = np.random.default_rng(0).uniform(-60, 0, (3, 32, 48)).astype(np.float32)
    maps = occlusion(Model(Linear(weights)), x, target="cue", patch=8, step=8)
    held = ((x + 40) * weights).reshape(3, 4, 8, 6, 8).sum(axis=(2, 4))
    np.testing.assert_allclose(maps, held.repeat(8, axis=1).repeat(8, axis=2), atol=1e-4)
    against = occlusion(Model(Linear(weights)), x, target="other", patch=8, step=8)
    np.testing.assert_allclose(against, -maps, atol=1e-4)


def test_overlapping_patches_peak_at_the_cue():
    x = np.full((1, 32, 48), -10, np.float32)
    (values,) = occlusion(Model(Linear(cue())), x, patch=8, step=4)
    band, frame = np.unravel_index(values.argmax(), values.shape)
    assert 8 <= band < 16 and 16 <= frame < 24
    assert values[20:, 32:].max() == pytest.approx(0, abs=1e-5)


def test_every_place_is_covered_whatever_the_size():
    x = np.full((1, 31, 45), -10, np.float32)
    weights = np.full((31, 45), 0.01, np.float32)
    assert occlusion(Model(Linear(weights)), x, patch=16, step=7).min() > 0
    assert occlusion(Model(Linear(weights)), x, patch=64, step=8).min() > 0


def test_mean_level_says_nothing():
    x = np.full((1, 32, 48), -40, np.float32)
    assert not occlusion(Model(Linear(cue())), x, target="cue").any()


def test_the_network_is_left_as_it_was_also_after_an_error():
    network = Linear(cue()).train()
    network.dropout.eval()
    occlusion(Model(network), np.zeros((1, 32, 48), np.float32))

    def fail(_module, _inputs):
        raise RuntimeError

    handle = network.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError):
        occlusion(Model(network), np.zeros((1, 32, 48), np.float32))
    handle.remove()
    assert network.training and not network.dropout.training
    assert not network._forward_hooks and not network._forward_pre_hooks


class Hidden(nn.Module):
    """The study's network behind a wrapper, so that nothing is known of what a patch reaches."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.register_buffer("mean", network.mean)

    def forward(self, x):
        return self.network(x)


@pytest.mark.parametrize(
    ("size", "patch", "step"),
    [((128, 128), 16, 8), ((56, 64), 11, 5), ((45, 70), 16, 7), ((32, 24), 40, 8)],
)
@pytest.mark.parametrize("against", [None, "other"])
def test_cuttings_give_what_whole_spectrograms_give(size, patch, step, against):
    torch.manual_seed(0)
    network = GenreNetwork(2, n_mels=size[0])
    network.mean = torch.linspace(-50, -30, size[0])[:, None]
    network.scale = torch.linspace(5, 15, size[0])[:, None]
    network.train()(torch.randn(8, *size) * 10 - 40)  # statistics other than 0 and 1
    network.eval()
    x = np.random.default_rng(1).normal(-40, 12, (2, *size)).astype(np.float32)
    arguments = {"target": "cue", "against": against, "patch": patch, "step": step}
    found = occlusion(Model(network), x, **arguments)
    expected = occlusion(Model(Hidden(network)), x, **arguments)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max() + 1e-6)


def test_of_two_classes_one_is_against_the_other():
    x = np.random.default_rng(0).uniform(-60, 0, (2, 32, 48)).astype(np.float32)
    model = Model(Linear(cue()))
    plain = occlusion(model, x, target="cue")
    np.testing.assert_allclose(occlusion(model, x, target="cue", against="other"), plain, atol=1e-5)


@pytest.mark.parametrize(
    "question", [{"against": "other"}, {"target": "cue", "against": "cue"}, {"against": "nothing"}]
)
def test_impossible_contrasts(question):
    with pytest.raises(ValueError):
        occlusion(Model(Linear(cue())), np.zeros((2, 32, 48), np.float32), **question)


def test_log_odds_of_three():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    assert float(log_odds(logits, 0)) == pytest.approx(0, abs=1e-6)
    assert float(log_odds(logits, 1)) == pytest.approx(np.log(1 / 3), abs=1e-6)


@pytest.mark.parametrize("target", ["nothing", ["cue"]])
def test_targets(target):
    with pytest.raises(ValueError):
        occlusion(Model(Linear(cue())), np.zeros((2, 32, 48), np.float32), target=target)
