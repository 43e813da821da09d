import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from genrescope.explanations.grad_cam import class_activation, grad_cam, is_empty  # noqa: E402


class Tiny(nn.Module):
    """Two channels, the input and its negative, averaged over all places; a linear head.

    Its Grad-CAM is known: place (i, j) of class c is ReLU(sum_k w_ck A_kij) / number of places.
    """

    def __init__(self, head=((1.0, 0.0), (0.0, 1.0))):
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 1, bias=False)
        self.block3 = nn.Sequential(self.convolution, nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(2, 2, bias=False)
        with torch.no_grad():
            self.convolution.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
            self.head.weight.copy_(torch.tensor(head))

    def forward(self, x):
        return self.head(self.dropout(self.block3(x[:, None]).mean(dim=(2, 3))))


class TinyModel:
    kind = "cnn"
    classes_ = np.array(["loud", "quiet"])

    def __init__(self, **options):
        self.network_ = Tiny(**options)


def image():
    x = np.zeros((1, 8, 8), dtype=np.float32)
    x[0, 2:4, 5:7] = 3.0
    x[0, 6, 0] = -2.0
    return x


def test_the_map_is_the_closed_form():
    maps = grad_cam(TinyModel(), image(), target="loud")
    assert maps.shape == (1, 8, 8) and maps.dtype == np.float32
    np.testing.assert_allclose(maps[0], np.maximum(image()[0], 0) / 64, atol=1e-7)
    quiet = grad_cam(TinyModel(), image(), target="quiet")
    np.testing.assert_allclose(quiet[0], np.maximum(-image()[0], 0) / 64, atol=1e-7)


def test_the_map_adds_up_to_the_logit_of_a_linear_head():
    model = TinyModel()
    model.network_.eval()
    logits = model.network_(torch.from_numpy(image()))[0]
    for k, genre in enumerate(model.classes_):
        total = grad_cam(model, image(), target=str(genre)).sum()
        assert total == pytest.approx(float(logits[k].detach()), rel=1e-5)


def test_evidence_against_leaves_an_empty_map_and_evidence_for_does_not():
    model = TinyModel(head=((1.0, 0.0), (-1.0, 0.0)))
    maps = grad_cam(model, np.repeat(image(), 2, axis=0), target=["loud", "quiet"])
    assert is_empty(maps).tolist() == [False, True]
    assert (maps[1] == 0).all()


def test_zero_weights_give_an_empty_map():
    maps = grad_cam(TinyModel(head=((0.0, 0.0), (0.0, 0.0))), image(), target="loud")
    assert is_empty(maps).all() and not maps.any()


def test_strengths_are_absolute():
    once = grad_cam(TinyModel(), image(), target="loud")
    twice = grad_cam(TinyModel(head=((2.0, 0.0), (0.0, 1.0))), image(), target="loud")
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)


def test_the_default_target_is_each_clips_own_prediction():
    clips = np.concatenate([image(), -image()])
    maps = grad_cam(TinyModel(), clips)
    np.testing.assert_array_equal(maps, grad_cam(TinyModel(), clips, target=["loud", "quiet"]))
    assert not is_empty(maps).any()


def test_batches_change_nothing():
    clips = np.random.default_rng(0).normal(size=(7, 8, 8)).astype(np.float32)
    whole = grad_cam(TinyModel(), clips)
    np.testing.assert_allclose(grad_cam(TinyModel(), clips, batch_size=3), whole, atol=1e-7)
    assert grad_cam(TinyModel(), clips[:0]).shape == (0, 8, 8)


def test_a_coarse_layer_is_interpolated_between_its_places():
    model = TinyModel()
    model.network_.block3.append(nn.AvgPool2d(4))
    maps = grad_cam(model, image(), target="loud")
    assert maps.shape == (1, 8, 8)
    # The upper right place of 2 x 2 has the only evidence, 4 of 16 pixels of strength 3.
    assert maps[0, 0, 7] == pytest.approx(12 / 16 / 4)
    assert maps[0].argmax() in {8 * i + j for i in range(2) for j in range(6, 8)}
    assert 0 < maps[0, 0, 3] < maps[0, 0, 4] < maps[0, 0, 7]


class Broken(Tiny):
    def forward(self, x):
        self.block3(x[:, None])
        raise RuntimeError("no")


class Blind(Tiny):
    def forward(self, x):
        self.block3(x[:, None])
        return torch.zeros(len(x), 2)


class Aside(Tiny):
    def forward(self, x):
        self.block3(x[:, None])
        return self.head(torch.ones(len(x), 2))


class Twice(Tiny):
    def forward(self, x):
        self.block3(x[:, None])
        return super().forward(x)


def state(network):
    return (
        [module.training for module in network.modules()],
        [len(module._forward_hooks) for module in network.modules()],
        [len(module._backward_hooks) for module in network.modules()],
        [parameter.grad is None for parameter in network.parameters()],
        [parameter.requires_grad for parameter in network.parameters()],
        [value.clone() for value in network.state_dict().values()],
    )


@pytest.mark.parametrize("kind", [Tiny, Broken, Blind, Aside, Twice])
def test_the_network_is_left_as_it_was_also_after_an_error(kind):
    model = TinyModel()
    model.network_ = kind()
    model.network_.train()
    model.network_.dropout.eval()
    before = state(model.network_)
    if kind is Tiny:
        grad_cam(model, image())
    else:
        words = {Broken: "^no$", Twice: "called 2 times"}.get(kind, "does not depend")
        with pytest.raises((RuntimeError, ValueError), match=words):
            grad_cam(model, image())
    after = state(model.network_)
    assert after[:-1] == before[:-1]
    assert after[3] == [True] * len(after[3])
    assert all(torch.equal(a, b) for a, b in zip(after[-1], before[-1], strict=True))


def test_frozen_weights_and_an_outer_no_grad_change_nothing():
    model = TinyModel()
    expected = grad_cam(model, image())
    model.network_.requires_grad_(False)
    with torch.no_grad():
        np.testing.assert_array_equal(grad_cam(model, image()), expected)
        assert not torch.is_grad_enabled()


def test_an_operation_in_place_after_the_layer_does_not_spoil_the_map():
    network = nn.Sequential(
        nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(16, 2)
    )
    with torch.no_grad():
        network[0].weight.fill_(1.0)
        network[3].weight.fill_(1.0)
    x = -torch.ones(1, 1, 4, 4)
    x[0, 0, 1, 1] = 2.0
    # One of 16 places passes the ReLU, so the weight is 1/16 and the place's activation 2.
    maps = class_activation(network, network[0], x, torch.tensor([0]))
    assert float(maps[0, 1, 1]) == pytest.approx(2 / 16)
    assert int((maps > 0).sum()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": "Jazz"}, "Jazz: not among the model's loud, quiet"),
        ({"target": ["loud", "loud"]}, "2 targets for 1 clips"),
    ],
)
def test_impossible_targets_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        grad_cam(TinyModel(), image(), **arguments)


@pytest.fixture(scope="module")
def trained():
    """A network that tells beats from tones, each in one quarter of a map of noise."""
    from genrescope.models import create_model

    rng = np.random.default_rng(0)
    X = rng.normal(-60, 5, size=(32, 64, 64)).astype(np.float32)
    X[:16, 32:, 0:32:4] += 40
    X[16:, 0:32:4, 32:] += 40
    y = ["beats"] * 16 + ["tones"] * 16
    return create_model("cnn", epochs=10, batch_size=8, patience=None).fit(X, y), X


def test_the_studys_network_looks_where_the_genre_is(trained):
    model, X = trained
    assert (model.predict(X) == ["beats"] * 16 + ["tones"] * 16).all(), "the case needs a fit"
    maps = grad_cam(model, X)
    assert maps.shape == (32, 64, 64) and (maps >= 0).all()
    assert not is_empty(maps).any()
    quarters = maps.reshape(32, 2, 32, 2, 32).mean(axis=(2, 4))
    assert (quarters[:16, 1, 0] == quarters[:16].max(axis=(1, 2))).all()
    assert (quarters[16:, 0, 1] == quarters[16:].max(axis=(1, 2))).all()


def test_the_studys_network_is_left_as_it_was(trained):
    model, X = trained
    before, answers = state(model.network_), model.predict_proba(X)
    grad_cam(model, X[:2])
    assert state(model.network_)[:-1] == before[:-1]
    np.testing.assert_array_equal(model.predict_proba(X), answers)


def test_spectrograms_of_another_shape_are_refused(trained):
    with pytest.raises(ValueError, match=r"\(16, 64\), the model was trained on \(64, 64\)"):
        grad_cam(trained[0], trained[1][:, :16])


def test_other_models_and_shapes_are_refused():
    with pytest.raises(ValueError, match="three dimensions"):
        grad_cam(TinyModel(), image()[0])
    with pytest.raises(ValueError, match="for the cnn, not for str"):
        grad_cam("forest", image())
