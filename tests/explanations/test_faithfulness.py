import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from genrescope.explanations.faithfulness import (  # noqa: E402
    MEASURES,
    complexity,
    deletion_insertion,
    faithfulness,
    sparseness,
)

SHAPE = (4, 10)
LEVEL = np.linspace(-50, -30, 4)[:, np.newaxis]


class Sums(nn.Module):
    """Each logit is a weighted sum of the spectrogram less its mean level, and a bias."""

    def __init__(self, weights, bias, level=LEVEL):
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(np.asarray(level, np.float32)))
        self.weights = nn.Parameter(torch.as_tensor(np.asarray(weights, np.float32)))
        self.bias = nn.Parameter(torch.as_tensor(np.asarray(bias, np.float32)))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(x - self.mean).flatten(1) @ self.weights.flatten(1).T + self.bias


class Model:
    kind = "cnn"

    def __init__(self, weights, bias, level=LEVEL):
        self.network_ = Sums(weights, bias, level)
        self.classes_ = np.array(["cue", "other", "third"][: len(bias)])

    def answers(self, x):
        """The same probabilities in numpy [shape=(n, n_classes)]."""
        weights, bias = (value.detach().numpy() for value in self.network_.parameters())
        logits = np.einsum("nbf,cbf->nc", x - self.network_.mean.numpy(), weights) + bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def three_genres():
    return Model(np.random.default_rng(0).normal(0, 0.02, (3, *SHAPE)), [0.2, -0.3, 0.1])


def spectrograms(n, seed=0):
    return np.random.default_rng(seed).normal(-40, 12, (n, *SHAPE)).astype(np.float32)


def one_by_one(model, x, values, column, steps):
    """Both curves of one clip, with a loop over the places in order."""
    order = np.argsort(-values, axis=None)
    without, alone = x.astype(np.float64), LEVEL + 0.0 * x
    found = [model.answers(np.stack([without, alone]))[:, column]]
    for place in order:
        without.flat[place], alone.flat[place] = alone.flat[place], without.flat[place]
        found.append(model.answers(np.stack([without, alone]))[:, column])
    return np.array(found)[:: len(order) // steps].T


@pytest.mark.parametrize("steps", [1, 8, 20, 40])
def test_curves_are_those_of_taking_places_one_by_one(steps):
    model, x = three_genres(), spectrograms(4)
    maps = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    targets = ["third", "cue", "other", "cue"]
    found = deletion_insertion(model, x, maps, target=targets, steps=steps)
    assert found.share.tolist() == pytest.approx([step / steps for step in range(steps + 1)])
    for n, column in enumerate([2, 0, 1, 0]):
        taken, put = one_by_one(model, x[n], maps[n], column, steps)
        np.testing.assert_allclose(found.deletion[n], taken, atol=2e-6)
        np.testing.assert_allclose(found.insertion[n], put, atol=2e-6)


def test_curves_begin_and_end_at_the_clip_and_at_the_mean_level():
    model, x = three_genres(), spectrograms(5)
    whole, level = model.answers(x), model.answers(LEVEL + 0 * x)
    best = whole.argmax(axis=1)
    assert len(set(best)) > 1, "the case needs clips of several genres"
    ends = np.stack([whole, level])[:, np.arange(5), best].T
    found = deletion_insertion(model, x, x)  # for the genre that is predicted of each clip
    np.testing.assert_allclose(found.deletion[:, [0, -1]], ends, atol=1e-6)
    np.testing.assert_allclose(found.insertion[:, [-1, 0]], ends, atol=1e-6)


def test_a_flat_map_is_a_random_order_and_mirrored_in_expectation():
    n, model, x = 60, three_genres(), spectrograms(1).repeat(60, axis=0)
    found = deletion_insertion(model, x, np.ones_like(x), target="cue", steps=10, seed=3)
    gaps = found.deletion - found.insertion[:, ::-1]
    assert gaps.std(axis=0)[1:-1].min() > 1e-3, "each copy has an order of its own"
    assert (np.abs(gaps.mean(axis=0)) <= 4 * gaps.std(axis=0) / np.sqrt(n) + 1e-6).all()
    few = [deletion_insertion(model, x[:3], np.ones_like(x[:3]), seed=s)[1] for s in (3, 3, 4)]
    np.testing.assert_array_equal(few[0], few[1])
    assert (few[0] != few[2]).any(axis=1).all()


@pytest.mark.parametrize(("shape", "steps"), [((7, 9), 20), ((5, 2), 20), ((2, 2), 7)])
def test_as_many_places_go_as_the_share_says(shape, steps):
    n, weights = np.prod(shape), np.stack([np.full(shape, 0.1), np.zeros(shape)])
    model = Model(weights, [0, 0], level=[[0.0]])
    x = np.ones((1, *shape), np.float32)  # each place adds 0.1 to the log-odds
    (deletion,) = deletion_insertion(model, x, x, target="cue", steps=steps).deletion
    gone = n - np.log(deletion / (1 - deletion)) / 0.1
    np.testing.assert_allclose(gone, gone.round(), atol=1e-3)
    assert (np.abs(gone - n * np.arange(steps + 1) / steps) <= 0.501).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_no_order_beats_that_of_what_each_place_adds(clip, order):
    model, x = three_genres(), spectrograms(1, seed=clip)
    weights = model.network_.weights.detach().numpy()
    model.network_.weights.data[1:] = 0.0  # the log-odds of the first are a sum over places
    added = (x - LEVEL) * weights[0]
    rival = np.random.default_rng(order).permutation(added.size).reshape(x.shape)
    best, other = (deletion_insertion(model, x, maps, target="cue") for maps in (added, rival))
    assert (best.deletion <= other.deletion + 1e-6).all()
    assert (best.insertion >= other.insertion - 1e-6).all()


def test_a_perfect_map_beats_its_own_negative():
    model, x = three_genres(), spectrograms(6)
    weights = model.network_.weights.detach().numpy()
    added = (x - LEVEL) * (weights[0] - weights[1:].mean(axis=0))
    good, bad = (faithfulness(model, x, maps, target="cue") for maps in (added, -added))
    assert (good["area"] > 0).all() and (bad["area"] < 0).all()
    gains = good - bad
    assert (gains["deletion"] < 0).all() and (gains[["insertion", "fidelity"]] > 0).all(axis=None)


def four_places(scale=1.0):
    """Odds of "cue" 1/2 at the mean level; the places multiply them by 3, 2, 1/2 and 4."""
    factors = np.array([[[3, 2], [1 / 2, 4]], np.ones((2, 2))])
    return Model(np.log(factors) * scale, [-np.log(2), 0], level=[[-40.0]])


@pytest.mark.parametrize(
    ("values", "target", "expected"),
    [
        # the whole clip: odds 6, probability 6/7
        ([2, 0, -1, 1], "cue", (0, 1 / 8, 0, 5 / 14, 1)),  # kept odds 3, left out 1
        ([1, 1, 0, 1], "cue", (1, 0, 6 / 13, 23 / 35, 1)),  # 12 and 1/4
        ([0, 0, 3, 0], "cue", (0, 23 / 30, 0, -6 / 91, 0)),  # 1/4 and 12
        ([0, 0, 3, 0], None, (0, 23 / 30, 0, -6 / 91, 0)),  # what the whole clip is taken for
        ([0, 0, 3, 0], "other", (1, 0, 23 / 30, 6 / 91, 0)),
        ([0, 0, 0, 0], "cue", (0, 11 / 18, 0, 0, 0)),  # the mean level and the whole clip
        ([-1, -2, 0, -1], "cue", (0, 11 / 18, 0, 0, 0)),  # nothing speaks for it: the same
        ([5, 5, 5, 5], "cue", (0, 0, 0, 6 / 7 - 1 / 3, 1)),  # everything is kept
    ],
)
def test_what_is_kept_and_what_is_left_out(values, target, expected):
    maps = np.array(values, np.float32).reshape(1, 2, 2)
    found = faithfulness(four_places(), np.full((1, 2, 2), -39.0), maps, target=target)
    names = ["increase", "drop", "gain", "fidelity", "kept_answer"]
    assert found.loc[0, names].tolist() == pytest.approx(list(expected), abs=1e-6)


@pytest.mark.parametrize(("target", "fidelity"), [("cue", 2 / 3), ("other", -2 / 3)])
def test_certain_answers_divide_nothing_by_0(target, fidelity):
    model, x = four_places(1000.0), np.full((1, 2, 2), -39.0)
    found = faithfulness(model, x, np.ones((1, 2, 2)), target=target).loc[0]
    assert found["fidelity"] == pytest.approx(fidelity)
    assert not found[["drop", "gain", "increase"]].any()


def test_the_table_has_the_areas_of_the_curves_and_a_row_per_clip():
    model, x = three_genres(), spectrograms(4)
    maps = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    targets = ["third", "cue", "other", "cue"]
    table = faithfulness(model, x, maps, target=targets)
    found = deletion_insertion(model, x, maps, target=targets)
    for name, curve in zip(["deletion", "insertion"], found[1:], strict=True):
        trapezoids = (curve[:, 1:] + curve[:, :-1]).sum(axis=1) / 2 / 20
        np.testing.assert_allclose(table[name], trapezoids, atol=1e-9)
    assert faithfulness(model, x, maps, target=targets, curves=found).equals(table)
    assert list(table.columns) == MEASURES and list(table.index) == [0, 1, 2, 3]
    np.testing.assert_allclose(table["area"], table["insertion"] - table["deletion"])
    for n, genre in enumerate(targets):  # a clip's figures are its own, whatever is beside it
        alone = faithfulness(model, x[n : n + 1], maps[n : n + 1], target=genre)
        np.testing.assert_allclose(table.iloc[n], alone.iloc[0], atol=1e-6)


def state(network):
    return (
        [(m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for m in network.modules()],
        [(value.grad, value.requires_grad) for value in network.parameters()],
        [value.tolist() for value in (*network.state_dict().values(), torch.get_rng_state())],
        torch.is_grad_enabled(),
    )


def curves(model, x, maps):
    return np.hstack(deletion_insertion(model, x, maps)[1:])


@pytest.mark.parametrize("measure", [curves, faithfulness])
def test_the_network_is_left_as_it_was_also_after_an_error(measure):
    def fail(_module, _inputs):
        raise RuntimeError("the network fails")

    model, x = three_genres(), spectrograms(2)
    model.network_.eval()
    expected = measure(model, x, x)
    model.network_.train()  # the dropout must not act all the same
    model.network_.weights.requires_grad_(False)
    before = state(model.network_)
    np.testing.assert_array_equal(measure(model, x, x), expected)
    assert state(model.network_) == before
    handle = model.network_.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="the network fails"):
        measure(model, x, x)
    handle.remove()
    assert state(model.network_) == before


def test_sparseness_and_complexity_of_known_shares():
    some = np.zeros((1, 5, 8), np.float32)
    some.flat[[3, 17, 20, 39]] = [2, -2, 2, -2]  # 4 of 40 places, alike but for their signs
    assert sparseness(some).tolist() == pytest.approx([1 - 4 / 40])
    assert complexity(some).tolist() == pytest.approx([np.log(4)])
    steps = np.arange(1, 41, dtype=np.float32).reshape(1, 5, 8)
    assert sparseness(steps).tolist() == pytest.approx([39 / 120])
    assert complexity(np.array([[[1, 2], [1, 0]]])).tolist() == pytest.approx([1.5 * np.log(2)])
    np.testing.assert_allclose(sparseness(-1e-6 * steps), sparseness(steps))
    np.testing.assert_allclose(complexity(-1e-6 * steps), complexity(steps))
    empty_and_flat = np.stack([np.zeros((5, 8)), np.ones((5, 8))])
    assert sparseness(empty_and_flat).tolist() == [0, 0]
    np.testing.assert_allclose(complexity(empty_and_flat), [np.nan, np.log(40)])


def test_no_clips_give_an_empty_table():
    table = faithfulness(three_genres(), spectrograms(0), spectrograms(0))
    assert list(table.columns) == MEASURES and len(table) == 0


def test_impossible_maps_and_targets_are_refused():
    model, x = three_genres(), spectrograms(2)
    with pytest.raises(ValueError, match=r"maps have shape \(1, 4, 10\), the spectrograms"):
        deletion_insertion(model, x, x[:1])
    with pytest.raises(ValueError, match="nothing: not among the model's cue, other, third"):
        faithfulness(model, x, x, target="nothing")
