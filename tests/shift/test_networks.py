import copy
import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from genrescope.errors import ConfigError, TrainingError
from genrescope.explanations.grad_cam import grad_cam
from genrescope.features.log_mels import LogMels
from genrescope.models import create_model
from genrescope.models.bundle import load_bundle, save_bundle
from genrescope.models.deep_coral import TargetClips, coral_loss
from genrescope.models.maps import standardisation
from genrescope.shift.adaptation import NETWORK_METHODS, create_adaptation
from genrescope.shift.adapted import AdaptedModel, Clips
from genrescope.shift.batch_norm import adapt_batch_norm, genre_weights
from genrescope.shift.bench import run_bench, summarise_bench

GENRES = ["Blues", "Pop", "Rock"]
PARAMS = {"epochs": 8, "batch_size": 8, "n_jobs": 1}
TILT = np.linspace(-15, 25, 16, dtype=np.float32)[:, None]  # dB by band
AFTER_TRAINING = ["band_statistics", "adabn", "adabn_balanced", "adabn_early"]


def draw(counts, seed):
    """Clips whose genre is told by which of three regions is some dB louder."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(3), counts)
    X = rng.normal(-50, 4, (len(codes), 16, 16)).astype(np.float32)
    for clip, code in zip(X, codes, strict=True):
        clip[5 * code : 5 * code + 5] += 6
    return Clips(X, np.array(GENRES)[codes], np.arange(len(codes)))


@pytest.fixture(scope="module")
def source():
    return draw((20, 20, 20), seed=0)


@pytest.fixture(scope="module")
def target():
    return draw((20, 20, 20), seed=1)


@pytest.fixture(scope="module")
def network(source):
    return create_model("cnn", **PARAMS).fit(source.X, source.y)


def adapted(method, network, source, X):
    return create_adaptation(method, takes="log_mels").fit(source.X, source.y, X).refine(network)


def macro_f1(model, clips):
    return f1_score(clips.y, model.predict(clips.X), average="macro")


def normalised(model, X, depth=0):
    """What leaves the batch norm of a block."""
    found = {}
    block = model.network_.blocks[depth]
    hook = block.batch_norm.register_forward_hook(lambda *args: found.update(x=args[2].clone()))
    try:
        with torch.inference_mode():
            model.network_(torch.from_numpy(X))
    finally:
        hook.remove()
    return found["x"].double()


def state_of(model):
    return {name: values.clone() for name, values in model.network_.state_dict().items()}


def same(one, two):
    return all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_adabn_gives_every_channel_its_own_mean_and_variance(network, target, depth):
    tilted = target.X + TILT
    found = adapt_batch_norm(network, tilted)
    norm = found.network_.blocks[depth].batch_norm
    out = normalised(found, tilted, depth)
    variance, mean = torch.var_mean(out, dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(mean, norm.bias.double(), atol=1e-4, rtol=0)
    # Batch norm adds a small number to the variance, and so do we.
    expected = norm.weight.double() ** 2 * norm.running_var / (norm.running_var + norm.eps)
    torch.testing.assert_close(variance, expected.double(), rtol=1e-3, atol=1e-6)


def test_a_constant_shift_is_gone_after_the_first_block(network, source):
    # With taps at the centre alone no edge tells the shift from silence beyond it.
    central = copy.deepcopy(network)
    with torch.no_grad():
        taps = central.network_.block1.convolution.weight
        middle = taps[:, :, 1, 1].clone()
        taps.zero_()
        taps[:, :, 1, 1] = middle
    louder = source.X + 12
    home, away = adapt_batch_norm(central, source.X), adapt_batch_norm(central, louder)
    torch.testing.assert_close(
        normalised(away, louder), normalised(home, source.X), atol=1e-3, rtol=0
    )
    assert (normalised(central, louder) - normalised(central, source.X)).abs().max() > 0.5


def test_weights_count_like_repeated_clips(network, target):
    weights = np.arange(len(target.y)) % 3
    weighted = adapt_batch_norm(network, target.X, weights=weights)
    repeated = adapt_batch_norm(network, np.repeat(target.X, weights, axis=0))
    for name, values in weighted.network_.state_dict().items():
        torch.testing.assert_close(values, repeated.network_.state_dict()[name])


def test_other_shares_of_genres_do_not_change_balanced_statistics(network, source):
    assert (network.predict(source.X) == source.y).all()
    rare = np.concatenate([np.flatnonzero(source.y == "Pop"), [0, 1, 59]])
    few = source.rows(np.concatenate([rare, rare]))
    balanced = create_adaptation("adabn_balanced", takes="log_mels")
    found = balanced.fit(source.X, source.y, few.X).refine(network)
    weights = genre_weights(adapt_batch_norm(network, few.X).predict(few.X), source.y)
    assert same(state_of(found), state_of(adapt_batch_norm(network, few.X, weights=weights)))


def test_balanced_statistics_of_repeated_clips_are_those_of_the_source(network, source):
    # Pop four times as often, and nothing else: the music is the source's own.
    often = source.rows(np.repeat(np.arange(60), np.where(source.y == "Pop", 4, 1)))
    weights = genre_weights(often.y, source.y)
    assert weights.sum() == pytest.approx(1.0)
    found = adapt_batch_norm(network, often.X, weights=weights)
    home = adapt_batch_norm(network, source.X)
    plain = adapt_batch_norm(network, often.X)
    for name, values in home.network_.state_dict().items():
        torch.testing.assert_close(found.network_.state_dict()[name], values)
    assert not torch.allclose(
        plain.network_.block1.batch_norm.running_mean, home.network_.block1.batch_norm.running_mean
    )


def test_the_early_variant_touches_the_first_block_alone(network, source, target):
    before = state_of(network)
    after = state_of(adapted("adabn_early", network, source, target.X + 12))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"block1.batch_norm.running_mean", "block1.batch_norm.running_var"}


def test_band_statistics_undo_a_tilt_and_a_gain_exactly(network, source, target):
    bent = target._replace(X=0.5 * target.X + TILT)
    found = adapted("band_statistics", network, source, bent.X)
    straight = adapted("band_statistics", network, source, target.X)
    np.testing.assert_allclose(
        found.predict_proba(bent.X), straight.predict_proba(target.X), atol=1e-4
    )
    seen = found.network_.standardise(torch.from_numpy(bent.X)).numpy()
    wanted = network.network_.standardise(torch.from_numpy(source.X)).numpy()
    torch.testing.assert_close(
        standardisation(seen, "band"), standardisation(wanted, "band"), atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("method", AFTER_TRAINING)
def test_a_louder_corpus_is_repaired(method, network, source, target):
    louder = target._replace(X=target.X + 12)
    assert macro_f1(network, target) > 0.95
    assert macro_f1(network, louder) < 0.5
    assert macro_f1(adapted(method, network, source, louder.X), louder) > 0.95


def test_a_tilt_is_repaired_band_by_band(network, source, target):
    tilted = target._replace(X=target.X + TILT)
    scores = {
        name: macro_f1(adapted(name, network, source, tilted.X), tilted)
        for name in ("none", "adabn", "band_statistics")
    }
    assert scores["none"] < 0.5 and scores["band_statistics"] > 0.95
    assert scores["none"] + 0.1 < scores["adabn"] < scores["band_statistics"] - 0.1


@pytest.mark.parametrize("method", AFTER_TRAINING)
def test_the_original_stays_to_the_bit(method, network, source, target):
    before, X = state_of(network), target.X.copy()
    found = adapted(method, network, source, target.X + 12)
    assert found is not network and not same(state_of(found), before)
    assert same(state_of(network), before) and np.array_equal(target.X, X)
    assert not found.network_.training and not network.network_.training
    learnt = [name for name, _ in network.network_.named_parameters()]
    assert same({n: before[n] for n in learnt}, {n: state_of(found)[n] for n in learnt})


def test_an_adapted_network_is_saved_and_explained(network, source, target, tmp_path):
    found = adapted("adabn", network, source, target.X + 12)
    folder = save_bundle(
        tmp_path / "adapted", found, genres=GENRES, taxonomy={}, audio=None, features=None
    )
    loaded = load_bundle(folder).model
    assert np.array_equal(loaded.predict_proba(target.X), found.predict_proba(target.X))
    assert grad_cam(found, target.X[:2] + 12, target="Pop").shape == (2, 16, 16)


def test_spectrograms_stay_on_disk(network, source, target, tmp_path, monkeypatch):
    parts = []
    for number, part in enumerate(np.array_split(target.X, 2)):
        np.save(tmp_path / f"{number}.npy", part)
        parts.append(np.load(tmp_path / f"{number}.npy", mmap_mode="r"))
    on_disk = LogMels(parts, np.repeat([0, 1], 30), np.tile(np.arange(30), 2), (16, 16))
    monkeypatch.setattr(LogMels, "__array__", lambda *_: pytest.fail("read whole"))
    for method in AFTER_TRAINING:
        there, here = (adapted(method, network, source, X) for X in (on_disk, target.X))
        assert same(state_of(there), state_of(here))
    both = Clips(on_disk, target.y, target.groups)
    found = AdaptedModel("deep_coral+self_training", "cnn", {**PARAMS, "epochs": 1})
    assert found.fit(both, on_disk).predict_proba(on_disk).shape == (60, 3)


def test_the_coral_loss_is_the_papers():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(7, 3)), rng.normal(2, 3, size=(5, 3))
    n, m, ones = 7, 5, np.ones

    def covariance(D, n):
        total = ones((1, n)) @ D
        return (D.T @ D - total.T @ total / n) / (n - 1)

    expected = np.square(covariance(A, n) - covariance(B, m)).sum() / (4 * 3**2)
    found = coral_loss(torch.from_numpy(A), torch.from_numpy(B))
    assert float(found) == pytest.approx(expected)
    np.testing.assert_allclose(covariance(A, n), np.cov(A.T))
    assert float(coral_loss(torch.from_numpy(A), torch.from_numpy(A + 9))) == pytest.approx(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(coral_loss(torch.from_numpy(A[:1]), torch.from_numpy(B))) == 0


def test_target_clips_come_in_turn():
    maps = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, 8, 8), np.float32)
    clips = TargetClips(maps, np.random.default_rng(0))
    seen = [clips.draw(n)[:, 0, 0].tolist() for n in (2, 3, 4, 6)]
    assert sorted(seen[0] + seen[1]) == [0, 1, 2, 3, 4]
    assert sorted(seen[2] + seen[3]) == sorted(2 * [0, 1, 2, 3, 4])


def test_deep_coral_brings_the_covariances_together(source, target):
    moved = target._replace(X=target.X + TILT)
    curves, distances = {}, {}
    for weight in (1e-9, 30.0):
        model = create_adaptation("deep_coral", takes="log_mels", weight=weight)
        model.fit(source.X, source.y, moved.X)
        found = model.train(create_model("cnn", **PARAMS), source.X, source.y)
        curves[weight] = found.training_curve_
        with torch.inference_mode():
            hidden = [
                found.network_.represent(torch.from_numpy(clips.X)) for clips in (source, moved)
            ]
        distances[weight] = float(coral_loss(*hidden))
    assert curves[30.0]["coral_loss"].iloc[-1] < curves[1e-9]["coral_loss"].iloc[-1]
    assert distances[30.0] < distances[1e-9] / 2


def test_a_seed_decides_deep_coral(source, target):
    def train():
        model = AdaptedModel("deep_coral", "cnn", {**PARAMS, "epochs": 2}, seed=4)
        return model.fit(source, target.X).model_

    one, two = train(), train()
    assert same(state_of(one), state_of(two)) and one.get_params()["deep_coral"] == 1000.0


def test_unlabelled_clips_and_their_weight_belong_together(source):
    with pytest.raises(TrainingError, match="needs unlabelled clips"):
        create_model("cnn", deep_coral=1.0).fit(source.X, source.y)
    with pytest.raises(TrainingError, match="no use at 0"):
        create_model("cnn").fit(source.X, source.y, unlabelled=source.X)
    broken = source.X.copy()
    broken[1, 2, 3] = np.inf
    with pytest.raises(ValueError, match="NaN or infinity"):
        create_model("cnn", deep_coral=1.0).fit(source.X, source.y, unlabelled=broken)


def test_the_bench_takes_networks(source, target):
    moved = target._replace(X=target.X + TILT)
    few = {**PARAMS, "epochs": 5}
    found = run_bench(source, moved, GENRES, models={"cnn": few}, seeds=[0])
    table = summarise_bench(found, GENRES, n_resamples=100, n_permutations=199)
    assert table["method"].tolist() == list(NETWORK_METHODS)
    scores = table.set_index("method")["macro_f1"]
    assert scores["none"] < scores["adabn"] and scores["band_statistics"] > 0.9
    shuffled = moved._replace(y=np.random.default_rng(0).permutation(moved.y))
    again = run_bench(
        source, shuffled, GENRES, methods=["adabn_balanced"], models={"cnn": few}, seeds=[0]
    )
    answers = found[found["method"] == "adabn_balanced"].reset_index(drop=True)
    assert np.array_equal(again[GENRES], answers[GENRES])


@pytest.mark.parametrize(
    ("method", "kind", "sentence"),
    [
        ("coral", "cnn", "there is no adaptation 'coral' of networks"),
        ("adabn", "forest", "there is no adaptation 'adabn'"),
    ],
)
def test_a_method_is_refused_by_the_other_models(method, kind, sentence, source):
    with pytest.raises(ConfigError, match=sentence):
        AdaptedModel(method, kind).fit(source, source.X)


def test_what_does_not_fit_the_network_is_refused(network, source):
    with pytest.raises(ConfigError, match="blocks is 4"):
        adapt_batch_norm(network, source.X, blocks=4)
    for weights in ([1.0], [-1.0, *np.ones(59)], np.zeros(60)):
        with pytest.raises(ValueError, match="one number from 0 on for each of 60 clips"):
            adapt_batch_norm(network, source.X, weights=weights)
    with pytest.raises(ValueError, match="the network takes"):
        adapt_batch_norm(network, np.zeros((2, 8, 16), np.float32))
    with pytest.raises(TrainingError, match="16 x 16 features and the target 16 x 8"):
        create_adaptation("adabn", takes="log_mels").fit(source.X, source.y, source.X[:, :, :8])
    with pytest.raises(ValueError, match="at least 2"):
        create_adaptation("adabn", takes="log_mels").fit(source.X, source.y, source.X[:1])
