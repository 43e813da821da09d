from functools import partial

import numpy as np
import pytest
import torch
import torch.utils.deterministic
from torch import nn

from genrescope.errors import TrainingError
from genrescope.features.log_mels import LogMels
from genrescope.models import cnn, device
from genrescope.models.device import threads
from genrescope.models.maps import standardisation
from genrescope.models.network import GenreNetwork
from genrescope.models.place import training_on

# Threads gain nothing on inputs this small, and lose much where other processes want the cores.
CnnClassifier = partial(cnn.CnnClassifier, n_jobs=1)


@pytest.fixture
def two_threads():
    """Not the number that fitting sets."""
    with threads(2):
        yield


def weights_of(model):
    return {name: values.clone() for name, values in model.network_.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


def test_the_layers_are_the_papers():
    network = GenreNetwork(4)
    blocks = [network.block1, network.block2, network.block3]
    assert [b.convolution.out_channels for b in blocks] == [32, 64, 128]
    assert [b.convolution.kernel_size for b in blocks] == [(3, 3)] * 3
    assert (network.hidden.in_features, network.hidden.out_features) == (128, 256)
    assert network.output.out_features == 4
    assert network.last_convolution is network.block3.convolution


def test_relu_after_pooling_is_relu_before_pooling():
    torch.manual_seed(0)
    network = GenreNetwork(3, n_mels=32).eval()
    x = torch.randn(2, 32, 24)
    with torch.inference_mode():
        y = x[:, None]
        for block in (network.block1, network.block2, network.block3):
            y = block.pooling(nn.functional.relu(block.batch_norm(block.convolution(y))))
        y = y.mean(dim=(2, 3))
        y = network.output(nn.functional.relu(network.hidden(y)))
        torch.testing.assert_close(network(x), y)


def test_separable_maps_are_learnt(maps):
    X, y = maps
    model = CnnClassifier(epochs=12, batch_size=8).fit(X[::2], y[::2])
    assert (model.predict(X[1::2]) == y[1::2]).mean() > 0.9
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert model.classes_.tolist() == sorted(set(y.tolist()))
    curve = model.training_curve_
    assert list(curve.columns) == ["epoch", "train_loss", "train_accuracy"]
    assert curve["train_loss"].iloc[-1] < curve["train_loss"].iloc[0]


def test_a_seed_decides_and_nothing_outside_is_touched(maps, two_threads):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    flags = (
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.get_num_threads(),
    )
    one = CnnClassifier(epochs=2, random_state=5).fit(*maps)
    assert torch.equal(torch.get_rng_state(), before)
    assert flags == (
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        torch.get_num_threads(),
    )
    torch.rand(7)
    two = CnnClassifier(epochs=2, random_state=5).fit(*maps)
    other = CnnClassifier(epochs=2, random_state=6).fit(*maps)
    assert same(weights_of(one), weights_of(two))
    assert one.training_curve_.equals(two.training_curve_)
    assert not same(weights_of(one), weights_of(other))


def test_flags_come_back_after_a_failure(maps):
    X, y = maps
    broken = X.copy()
    broken[20, 3, 3] = np.nan
    before = torch.get_rng_state()
    with pytest.raises(ValueError, match="NaN or infinity in rows 0 to 36"):
        CnnClassifier(epochs=1).fit(broken, y)
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.are_deterministic_algorithms_enabled()


def test_early_stopping_puts_the_best_weights_back(maps):
    X, y = maps
    rng = np.random.default_rng(0)
    held = (X[::3], rng.permutation(y[::3]))  # nothing to learn: the loss on it soon rises
    params = {"batch_size": 8, "learning_rate": 3e-3}
    model = CnnClassifier(epochs=40, patience=3, **params).fit(X, y, validation=held)
    curve = model.training_curve_
    best = curve["validation_loss"].idxmin()
    assert model.best_epoch_ == curve.loc[best, "epoch"]
    assert len(curve) == model.best_epoch_ + 3 < 40
    p = model.predict_proba(held[0])
    columns = np.searchsorted(model.classes_, held[1])
    loss = -np.log(p[np.arange(len(p)), columns]).mean()
    assert loss == pytest.approx(curve.loc[best, "validation_loss"], abs=1e-6)
    short = CnnClassifier(epochs=model.best_epoch_, patience=None, **params).fit(X, y)
    assert same(weights_of(model), weights_of(short))


def test_without_patience_every_epoch_is_trained(maps):
    X, y = maps
    model = CnnClassifier(epochs=4, patience=None).fit(X, y, validation=(X[:6], y[::6]))
    assert len(model.training_curve_) == model.best_epoch_ == 4
    assert "validation_accuracy" in model.training_curve_


def test_where_nothing_tells_classes_apart_the_weights_decide():
    X = np.zeros((60, 8, 8), np.float32)
    y = np.array(["common"] * 54 + ["rare"] * 6)
    shares = {
        weight: CnnClassifier(epochs=15, class_weight=weight, learning_rate=0.01, dropout=0.0)
        .fit(X, y)
        .predict_proba(X)[0, 1]
        for weight in (None, "balanced")
    }
    assert shares[None] == pytest.approx(0.1, abs=0.05)
    assert shares["balanced"] == pytest.approx(0.5, abs=0.1)


def test_a_memory_mapped_array_trains_the_same(maps, tmp_path, trained):
    np.save(tmp_path / "maps.npy", maps[0])
    mapped = np.load(tmp_path / "maps.npy", mmap_mode="r")
    model = CnnClassifier(epochs=3, batch_size=8).fit(mapped, maps[1])
    assert same(weights_of(model), weights_of(trained["cnn"]))


def test_log_mels_left_on_disk_train_the_same(maps, tmp_path, trained, monkeypatch):
    parts = []
    for number, part in enumerate(np.array_split(maps[0], 3)):
        np.save(tmp_path / f"{number}.npy", part)
        parts.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    number = np.repeat(np.arange(3), [len(part) for part in parts])
    row = np.concatenate([np.arange(len(part)) for part in parts])
    on_disk = LogMels(parts, number, row, maps[0].shape[1:])
    monkeypatch.setattr(LogMels, "__array__", lambda *_: pytest.fail("read whole"))
    model = CnnClassifier(epochs=3, batch_size=8).fit(on_disk, maps[1])
    assert same(weights_of(model), weights_of(trained["cnn"]))


def test_a_memory_mapped_array_is_never_read_whole(maps):
    class Watched(np.ndarray):
        largest = 0

        def __getitem__(self, key):
            part = super().__getitem__(key)
            if getattr(part, "ndim", 0) == 3:
                Watched.largest = max(Watched.largest, len(part))
            return part

    X = np.tile(maps[0], (6, 1, 1))
    from genrescope.models.maps import chunks

    parts = [len(part) for part in chunks(X.view(Watched))]
    assert sum(parts) == len(X)
    assert Watched.largest == max(parts) == 64


@pytest.mark.parametrize("how", ["global", "band", "none"])
def test_standardisation_is_that_of_the_training_maps(how):
    rng = np.random.default_rng(0)
    X = rng.normal(np.arange(10)[None, :, None], 2.0, size=(70, 10, 9)).astype(np.float32)
    mean, scale = (values.numpy() for values in standardisation(X, how))
    assert mean.shape == scale.shape == (10, 1)
    expected = {
        "global": (X.mean(), X.std()),
        "band": (X.mean(axis=(0, 2))[:, None], X.std(axis=(0, 2))[:, None]),
        "none": (0, 1),
    }[how]
    np.testing.assert_allclose(mean, np.broadcast_to(expected[0], mean.shape), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scale, np.broadcast_to(expected[1], mean.shape), rtol=1e-5)


def test_a_constant_band_is_not_divided_by_nothing():
    X = np.full((4, 8, 8), -80.0, np.float32)
    _, scale = standardisation(X, "band")
    assert (scale == 1).all()


def test_bfloat16_learns_as_well(maps):
    X, y = maps
    model = CnnClassifier(epochs=12, batch_size=8, precision="bfloat16").fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9
    assert model.network_.hidden.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("X", "y", "sentence"),
    [
        (np.zeros((4, 16, 16)), ["a"] * 4, "every clip is labelled a"),
        (np.zeros((4, 16)), list("abab"), "X has 2 dimensions"),
        (np.zeros((0, 16, 16)), [], "X has 0 sample"),
        (np.zeros((4, 16, 4)), list("abab"), "each side is at least 8"),
        (np.zeros((4, 16, 16)), list("aba"), "inconsistent numbers of samples"),
        (np.full((4, 16, 16), "x"), list("abab"), "decibels are numbers"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(X, y, sentence):
    with pytest.raises(ValueError, match=sentence):
        CnnClassifier(epochs=1).fit(X, y)


def test_maps_of_another_shape_are_refused(trained):
    with pytest.raises(ValueError, match="trained on 16 and 16"):
        trained["cnn"].predict_proba(np.zeros((1, 16, 20)))


def test_divergence_is_said(maps):
    X, y = maps
    with pytest.raises(TrainingError, match=r"no longer a number in epoch .* lower learning_rate"):
        CnnClassifier(epochs=8, learning_rate=1e25, batch_size=8).fit(X, y)


def test_progress_is_shown_on_request(maps, capsys, monkeypatch):
    from genrescope import progress

    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    CnnClassifier(epochs=2, verbose=True).fit(*maps)
    assert "training the cnn: 2 of 2 epochs" in capsys.readouterr().err


def test_the_global_average_leaves_the_number_of_frames_open(trained):
    with torch.inference_mode():
        assert trained["cnn"].network_(torch.zeros(1, 16, 40)).shape == (1, 3)


def test_where_it_trains_is_said_once_on_a_gpu_or_beside_a_cluster(maps, monkeypatch, capsys):
    X, y = maps
    device.announce.cache_clear()
    CnnClassifier(epochs=1).fit(X, y)
    assert not capsys.readouterr().err

    class Elsewhere:
        address = "tcp://127.0.0.1:1"

    with training_on(Elsewhere()):
        for _ in range(2):
            CnnClassifier(epochs=1).fit(X, y)
    assert capsys.readouterr().err == "the network trains on this machine: 1 core\n"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H200")
    found = device.where_it_trains(device.pick_device("auto"))
    assert found == "the network trains on this machine: NVIDIA H200 (cuda)"
