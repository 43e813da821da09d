import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, kstest

from genrescope.errors import ConfigError
from genrescope.models import create_model
from genrescope.models.augmentation import Augmentation, mixed, play, shift_bands
from genrescope.models.bundle import load_bundle, save_bundle
from genrescope.models.training import weighted_cross_entropy

ALL = {
    "roll": True,
    "tempo": 0.2,
    "band_shift": 3,
    "time_mask": 0.25,
    "band_mask": 0.25,
    "masks": 2,
    "mixup": 0.3,
}


def rng():
    return np.random.default_rng(0)


def draw(n=20, n_mels=12, frames=16):
    return np.random.default_rng(1).normal(-40, 10, (n, n_mels, frames)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    roll=st.booleans(),
    tempo=st.floats(0, 0.9),
    band_shift=st.integers(0, 20),
    time_mask=st.floats(0, 0.99),
    band_mask=st.floats(0, 0.99),
    masks=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_shape_range_and_seed_are_kept(seed, **strengths):
    maps = draw()
    before = maps.copy()
    varied = Augmentation.from_params(strengths).vary(maps, np.random.default_rng(seed))
    assert varied.shape == maps.shape and varied.dtype == np.float32
    assert (varied.max(axis=(1, 2)) <= maps.max(axis=(1, 2)) + 1e-4).all()
    assert (varied.min(axis=(1, 2)) >= maps.min(axis=(1, 2)) - 1e-4).all()
    assert np.array_equal(maps, before)
    again = Augmentation.from_params(strengths).vary(maps, np.random.default_rng(seed))
    assert np.array_equal(varied, again)


def test_by_default_nothing_is_drawn_or_changed():
    maps, generator = draw(), rng()
    state = generator.bit_generator.state
    assert Augmentation().vary(maps, generator) is maps
    assert generator.bit_generator.state == state


def test_a_roll_loses_and_adds_nothing():
    maps = draw()
    rolled = Augmentation(roll=True).vary(maps, rng())
    found = [
        any(np.array_equal(one, np.roll(other, by, axis=1)) for by in range(16))
        for one, other in zip(rolled, maps, strict=True)
    ]
    assert all(found) and not np.array_equal(rolled, maps)


def test_a_ramp_played_at_another_tempo_has_another_slope():
    ramp = np.tile(np.arange(16, dtype=np.float32), (2, 8, 1))
    slower, faster = play(ramp, [0, 2], [0.5, 1.25])
    np.testing.assert_allclose(slower[0], 0.5 * np.arange(16))
    np.testing.assert_allclose(faster[0, :11], 2 + 1.25 * np.arange(11))  # then it starts again


def test_bands_move_together():
    maps = draw(2)
    up, down = shift_bands(maps, [2, -3])
    assert np.array_equal(up[2:], maps[0, :-2]) and np.array_equal(down[:-3], maps[1, 3:])
    assert (up[:2] == maps[0, 0]).all() and (down[-3:] == maps[1, -1]).all()


@pytest.mark.parametrize(("name", "axis"), [("band_mask", 1), ("time_mask", 2)])
def test_a_mask_is_one_stripe_at_the_mean_up_to_its_width(name, axis):
    maps = draw(n=400)
    masked = Augmentation(**{name: 0.5}).vary(maps, rng())
    covered = (masked != maps).all(axis=3 - axis)
    size = maps.shape[axis]
    widths = covered.sum(axis=1)
    assert set(widths) == set(range(size // 2 + 1))
    assert (np.diff(covered.astype(int), prepend=0, append=0, axis=1) == 1).sum(axis=1).max() == 1
    assert covered.any(axis=0).all()
    means = np.broadcast_to(maps.mean(axis=(1, 2), keepdims=True), maps.shape)
    changed = masked != maps
    assert np.array_equal(masked[changed], means[changed])


def test_mixup_mixes_clips_and_genres_by_the_same_shares():
    n = 3000
    codes = np.arange(n) % 3
    one_hot = np.eye(3, dtype=np.float32)[codes]
    maps = np.broadcast_to(codes[:, None, None], (n, 8, 8)).astype(np.float32)
    clips, targets = Augmentation(mixup=0.4).mix(maps, one_hot, rng())
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(clips[:, 0, 0], targets @ [0, 1, 2], atol=1e-5)
    pure = np.arange(n, dtype=np.float32)[:, None]
    generator = rng()
    shares, partners = generator.beta(0.4, 0.4, size=n), generator.permutation(n)
    assert kstest(shares, beta(0.4, 0.4).cdf).pvalue > 0.01
    expected = shares * pure[:, 0] + (1 - shares) * pure[partners, 0]
    np.testing.assert_allclose(mixed(pure, shares, partners)[:, 0], expected, rtol=1e-4)


def test_the_loss_of_mixed_genres_is_the_mix_of_their_losses():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 3, generator=generator, dtype=torch.float64)
    weights = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    codes = torch.tensor([0, 1, 2, 2, 1, 0])
    hard, hard_weight = weighted_cross_entropy(logits, codes, weights)
    one_hot = torch.eye(3, dtype=torch.float64)[codes]
    soft, soft_weight = weighted_cross_entropy(logits, one_hot, weights)
    assert float(hard) == pytest.approx(float(soft)) and hard_weight == pytest.approx(soft_weight)
    share = 0.3
    other = torch.eye(3, dtype=torch.float64)[codes.flip(0)]
    loss, weight = weighted_cross_entropy(logits, share * one_hot + (1 - share) * other, weights)
    parts = -torch.log_softmax(logits, dim=1)
    expected = sum(
        share * weights[a] * parts[row, a] + (1 - share) * weights[b] * parts[row, b]
        for row, (a, b) in enumerate(zip(codes, codes.flip(0), strict=True))
    )
    assert float(loss) * weight == pytest.approx(float(expected))


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"mixup": -0.1}, r"augmentation.mixup is -0.1; it is a number from 0 on"),
        ({"mixup": float("nan")}, "augmentation.mixup is nan"),
        ({"tempo": 1}, "augmentation.tempo is 1; it is from 0 up to 1"),
        ({"band_shift": 1.5}, "augmentation.band_shift is 1.5"),
        ({"masks": True}, "augmentation.masks is True"),
        ({"roll": 1}, "augmentation.roll is 1; it is true or false"),
        ({"mixupp": 0.2}, "there is no augmentation 'mixupp': did you mean mixup"),
    ],
)
def test_strengths_out_of_range_are_refused(params, sentence):
    with pytest.raises(ConfigError, match=sentence):
        create_model("cnn", augmentation=params)


def test_what_is_no_mapping_is_refused():
    with pytest.raises(ConfigError, match="'augmentation' parameter of CnnClassifier"):
        create_model("cnn", augmentation="strong")


def test_a_seed_decides_and_the_bundle_tells(maps, tmp_path):
    X, y = maps
    before = X.copy()
    params = {"epochs": 2, "batch_size": 8, "n_jobs": 1}
    one, two = (create_model("cnn", augmentation=ALL, **params).fit(X, y) for _ in range(2))
    plain = create_model("cnn", **params).fit(X, y)
    assert np.array_equal(one.predict_proba(X), two.predict_proba(X))
    assert one.training_curve_.equals(two.training_curve_)
    assert not np.array_equal(one.predict_proba(X), plain.predict_proba(X))
    assert np.array_equal(X, before)
    folder = save_bundle(
        tmp_path / "bundle", one, genres=sorted(set(y)), taxonomy={}, audio=None, features=None
    )
    loaded = load_bundle(folder)
    assert loaded.info.params["augmentation"] == ALL
    assert np.array_equal(loaded.model.predict_proba(X), one.predict_proba(X))


def test_what_is_varied_is_still_learnt(maps):
    X, y = maps
    strengths = {"roll": True, "time_mask": 0.2, "tempo": 0.2, "mixup": 0.2, "band_shift": 1}
    model = create_model("cnn", epochs=15, batch_size=8, n_jobs=1, augmentation=strengths)
    assert (model.fit(X[::2], y[::2]).predict(X[1::2]) == y[1::2]).mean() > 0.9
