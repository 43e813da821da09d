import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from genrescope.evaluation.calibration import calibrate
from genrescope.evaluation.cells import Cell, evaluate_cell
from genrescope.evaluation.counts import group_counts, metrics_of
from genrescope.evaluation.differences import paired_difference, unpaired_difference
from genrescope.evaluation.guesses import guess_counts, guess_shares
from genrescope.evaluation.metrics import expected_calibration_error, score
from genrescope.evaluation.rates import rates_of
from genrescope.evaluation.summary import (
    evaluate_guesses,
    summarise,
    summarise_genres,
    summarise_guess,
)

GENRES = ["x", "y", "z"]
KOREAN = {"Blues-like": 183, "HipHop/Rap": 325, "Pop/Dance/RnB": 1932, "Rock/Metal": 1020}


def make(n=120, *, seeds=(0,), skill=1.5, group_size=3, rng=0):
    """Predictions of the same clips by a model of each seed."""
    rng = np.random.default_rng(rng)
    truth = rng.choice(GENRES, n, p=[0.6, 0.3, 0.1])
    frames = []
    for seed in seeds:
        logits = rng.normal(size=(n, 3)) + skill * (truth[:, None] == np.array(GENRES))
        odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        frame = pd.DataFrame(odds, columns=GENRES).assign(
            seed=seed,
            part="test",
            clip_id=[f"c{k}" for k in range(n)],
            group=[f"g{k // group_size}" for k in range(n)],
            genre=truth,
            predicted=np.array(GENRES)[odds.argmax(axis=1)],
        )
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def clips_of(counts):
    truth = np.repeat(list(counts), list(counts.values()))
    names = [str(k) for k in range(len(truth))]
    return pd.DataFrame(
        {"seed": 0, "part": "test", "clip_id": names, "group": names, "genre": truth}
    ).assign(predicted=truth)


def test_one_seed_is_scored_as_in_results_csv():
    frame = make()
    row, known = summarise(frame, GENRES, n_resamples=300), score(frame, GENRES, n_resamples=300)
    for name in set(known) - {"majority_accuracy"}:
        assert row[name] == pytest.approx(known[name], abs=1e-12), name
    assert np.isnan(row["accuracy_sd"]) and row["n_seeds"] == 1


def test_several_seeds_are_their_mean():
    frame = make(seeds=(3, 4, 9))
    row = summarise(frame, GENRES, n_resamples=100)
    own = pd.DataFrame([score(one, GENRES, n_resamples=2) for _, one in frame.groupby("seed")])
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa", "ece"):
        assert row[name] == pytest.approx(own[name].mean())
        assert row[f"{name}_sd"] == pytest.approx(own[name].std())
    assert row["n"] == 120 and row["n_seeds"] == 3


def test_seeds_are_no_new_clips():
    """Twenty models that answer alike leave the interval of one."""
    one = make(200, group_size=1)
    many = pd.concat([one.assign(seed=seed) for seed in range(20)])
    first, all_seeds = (summarise(frame, GENRES, n_resamples=400) for frame in (one, many))
    for name in ("accuracy_low", "accuracy_high", "macro_f1_low", "ece_high"):
        assert all_seeds[name] == pytest.approx(first[name])
    # The textbook spread of a share of 200 clips, and not of twenty times as many.
    share = first["accuracy"]
    width = 2 * 1.96 * np.sqrt(share * (1 - share) / 200)
    assert all_seeds["accuracy_high"] - all_seeds["accuracy_low"] == pytest.approx(width, rel=0.15)


def test_intervals_hold_their_level_with_seeds_that_hold_out_other_groups():
    """Each of three models is tested on a third of the groups; the truth is known."""
    inside = 0
    for trial in range(60):
        rng = np.random.default_rng(trial)
        right = rng.random(90) < 0.7
        frame = pd.DataFrame(
            {"seed": np.repeat([0, 1, 2], 30), "group": [f"g{k}" for k in range(90)],
             "clip_id": [f"c{k}" for k in range(90)], "genre": "x",
             "predicted": np.where(right, "x", "y"), "x": 0.5, "y": 0.5}
        )  # fmt: skip
        row = summarise(frame, ["x", "y"], n_resamples=150)
        inside += row["accuracy_low"] <= 0.7 <= row["accuracy_high"]
    assert 52 <= inside < 60


def test_differences_by_seed_are_differences_of_means():
    a, b = make(seeds=(0, 1), skill=2.0), make(seeds=(0, 1), skill=1.0)
    found = paired_difference(a, b, GENRES, by_seed=True, n_permutations=499)
    means = [summarise(frame, GENRES, n_resamples=2)["macro_f1"] for frame in (a, b)]
    assert found.value == pytest.approx(means[0] - means[1])
    assert found.low < found.value < found.high and found.p_value < 0.05
    apart = unpaired_difference(a, b, GENRES, by_seed=True)
    assert apart.value == pytest.approx(found.value)
    assert apart.high - apart.low > found.high - found.low
    pooled = paired_difference(a, b, GENRES, n_permutations=99)
    assert pooled.value != pytest.approx(found.value, abs=1e-6)


@given(st.lists(st.integers(0, 30), min_size=9, max_size=9).filter(sum))
@settings(max_examples=50, deadline=None)
def test_rates_are_scikit_learns(cells):
    counts = np.array(cells, dtype=float).reshape(3, 3)
    true, predicted = (axis.ravel() for axis in np.indices((3, 3)))
    known = metrics.precision_recall_fscore_support(
        true, predicted, sample_weight=counts.ravel(), labels=[0, 1, 2], zero_division=0
    )
    for name, values in zip(("precision", "recall", "f1"), known, strict=False):
        np.testing.assert_allclose(rates_of(counts)[name], values, atol=1e-12)
    present = counts.sum(axis=1) > 0
    assert metrics_of(counts)["macro_precision"] == pytest.approx(known[0][present].mean())
    assert metrics_of(counts)["macro_recall"] == metrics_of(counts)["balanced_accuracy"]


def test_guesses_are_the_papers():
    clips = clips_of(KOREAN)
    expected = {"majority": (0.558, 0.179), "prior": (0.410, 0.250), "uniform": (0.25, 0.21)}
    for guess, figures in expected.items():
        row = summarise_guess(clips, list(KOREAN), guess, n_resamples=100)
        assert (round(row["accuracy"], 3), round(row["macro_f1"], 3)) == figures
        assert row["kappa"] == pytest.approx(0, abs=1e-12)
        assert row["accuracy_low"] <= row["accuracy"] + 1e-12
    with_none = [*KOREAN, "Jazz"]
    assert summarise_guess(clips, with_none, "uniform", n_resamples=2)["accuracy"] == 0.25


def test_guesses_agree_with_guessing():
    counts = {"x": 3000, "y": 12000, "z": 5000}
    clips, rng = clips_of(counts), np.random.default_rng(0)
    shares = np.array(list(counts.values())) / 20000
    for guess, q in {"prior": shares, "uniform": np.full(3, 1 / 3)}.items():
        row = summarise_guess(clips, list(counts), guess, n_resamples=2)
        answer = rng.choice(list(counts), size=20000, p=q)
        assert row["accuracy"] == pytest.approx(np.mean(answer == clips["genre"]), abs=0.01)
        macro = metrics.f1_score(clips["genre"], answer, average="macro")
        assert row["macro_f1"] == pytest.approx(macro, abs=0.01)
        stated = dict(zip(counts, q, strict=True))
        confidence = [stated[name] for name in answer]
        error = expected_calibration_error(confidence, answer == clips["genre"])
        assert row["ece"] == pytest.approx(error, abs=0.01)
    majority = summarise_guess(clips, list(counts), "majority", n_resamples=2)
    assert majority["ece"] == pytest.approx(0.4)


def test_guesses_of_no_clips_are_undefined():
    shares = guess_shares(np.zeros(2), "prior")
    assert np.isnan(metrics_of(guess_counts(np.zeros((2, 2)), shares))["accuracy"])


def test_rows_of_guessing_have_the_columns_of_results_csv():
    frame = make(60, seeds=(0, 1))
    frame.loc[:29, "part"] = "train"
    rows = evaluate_guesses(frame, source="a", target="b", genres=GENRES, n_resamples=20)
    known = evaluate_cell(frame, cell=Cell("forest", "a", "b"), genres=GENRES, n_resamples=20)
    assert list(rows[0]) == list(known[0])
    assert len(rows) == 3 * len(known)
    for row, own in zip(rows, known, strict=False):  # the first guess is the majority's
        assert row["model"] == "guess:majority"
        for name in ("source", "target", "part", "seed", "n", "majority_accuracy"):
            assert row[name] == own[name]
        assert row["accuracy"] == pytest.approx(own["majority_accuracy"])


def test_lift_is_f1_above_a_guess_by_shares():
    frame = make()
    table = summarise_genres(frame, GENRES, n_resamples=100)
    counts = group_counts(frame, GENRES).total()
    guess = rates_of(guess_counts(counts, guess_shares(counts.sum(axis=1), "prior")))
    for place, genre in enumerate(GENRES):
        own = table.loc[genre]
        assert own["lift"] == pytest.approx(own["f1"] - guess["f1"][place])
        for name in ("precision", "recall", "f1"):
            assert guess[name][place] == pytest.approx(counts.sum(axis=1)[place] / 120)
        assert own["lift_low"] < own["lift"] < own["lift_high"]


def test_reliability_adds_up_to_the_error():
    frame = make(400)
    found = calibrate(frame, GENRES, n_resamples=100)
    bins = found.bins[found.bins["n"] > 0]
    assert bins["n"].sum() == found.n == 400
    gaps = (bins["n"] * (bins["accuracy"] - bins["confidence"]).abs()).sum() / 400
    assert found.ece == pytest.approx(gaps)
    confidence = frame[GENRES].max(axis=1)
    known = expected_calibration_error(confidence, frame["genre"] == frame["predicted"])
    assert found.ece == pytest.approx(known)
    assert (bins["low"] < bins["confidence"]).all() and (bins["confidence"] <= bins["high"]).all()
    assert (bins["accuracy_low"] <= bins["accuracy"]).all()
    assert (bins["accuracy"] <= bins["accuracy_high"]).all()


def test_calibrated_answers_have_a_small_error_and_sure_ones_a_large_one():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.5, 1, 20000)
    frame = pd.DataFrame(
        {"seed": 0, "clip_id": np.arange(20000).astype(str), "predicted": "x", "x": p, "y": 1 - p}
    ).assign(group=lambda f: f["clip_id"], genre=np.where(rng.random(20000) < p, "x", "y"))
    honest = calibrate(frame, ["x", "y"], n_resamples=100)
    assert honest.ece < 0.02 and honest.ece_high < 0.03
    sure = calibrate(frame.assign(x=0.99, y=0.01), ["x", "y"], n_resamples=100)
    assert sure.ece == pytest.approx(0.99 - np.mean(frame["genre"] == "x"))
    assert sure.ece_low < sure.ece < sure.ece_high
    assert np.isnan(calibrate(frame.head(3).assign(group="a"), ["x", "y"]).ece_low)
