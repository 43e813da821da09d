import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from genrescope.evaluation.counts import bootstrap, group_counts, metrics_of, resample_weights
from genrescope.evaluation.metrics import (
    SCORES,
    classification,
    confusion,
    expected_calibration_error,
    score,
)

GENRES = ["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"]


def make_predictions(n=200, n_groups=20, *, seed=0, genres=GENRES, skill=1.5, truths=None):
    rng = np.random.default_rng(seed)
    truth = rng.choice(truths or len(genres), size=n)
    logits = rng.normal(size=(n, len(genres)))
    logits[np.arange(n), truth] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    frame = pd.DataFrame(
        {
            "seed": 0,
            "part": "test",
            "clip_id": [f"c{i:04d}" for i in range(n)],
            "group": [f"g{i}" for i in rng.integers(n_groups, size=n)],
            "genre": np.asarray(genres)[truth],
            "predicted": np.asarray(genres)[probabilities.argmax(axis=1)],
        }
    )
    return pd.concat([frame, pd.DataFrame(probabilities, columns=genres)], axis=1)


def test_scores_are_scikit_learns():
    frame = make_predictions()
    row = score(frame, GENRES)
    truth, predicted = frame["genre"].tolist(), frame["predicted"].tolist()
    assert list(row) == list(SCORES)
    assert row["n"] == 200
    expected = {
        "accuracy": sk.accuracy_score(truth, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(truth, predicted),
        "macro_f1": sk.f1_score(truth, predicted, average="macro"),
        "weighted_f1": sk.f1_score(truth, predicted, average="weighted"),
        "kappa": sk.cohen_kappa_score(truth, predicted),
        "majority_accuracy": frame["genre"].value_counts(normalize=True).max(),
    }
    for name, value in expected.items():
        assert row[name] == pytest.approx(value, abs=1e-12), name


def test_macro_f1_averages_over_genres_with_support():
    frame = make_predictions(truths=2, skill=0.5)
    assert set(frame["predicted"]) == set(GENRES), "the case needs predictions without support"
    truth, predicted = frame["genre"].tolist(), frame["predicted"].tolist()
    expected = sk.f1_score(truth, predicted, labels=GENRES[:2], average="macro")
    row = score(frame, GENRES)
    assert row["macro_f1"] == pytest.approx(expected, abs=1e-12)
    expected = sk.recall_score(truth, predicted, labels=GENRES[:2], average="macro")
    assert row["balanced_accuracy"] == pytest.approx(expected, abs=1e-12)


def test_each_resample_is_scored_as_if_its_rows_were_repeated():
    frame = make_predictions(n=60, n_groups=6, truths=3)
    weights = next(resample_weights(6, 8, seed=3))
    resampled = metrics_of(bootstrap(group_counts(frame, GENRES), n_resamples=8, seed=3))
    groups = sorted(frame["group"].unique())
    for k, drawn in enumerate(weights):
        rows = pd.concat(
            [
                frame[frame["group"] == g]
                for g, w in zip(groups, drawn, strict=True)
                for _ in range(w)
            ]
        )
        truth, predicted = rows["genre"].tolist(), rows["predicted"].tolist()
        present = [genre for genre in GENRES if genre in truth]
        macro = sk.f1_score(truth, predicted, labels=present, average="macro")
        assert resampled["macro_f1"][k] == pytest.approx(macro, abs=1e-12)
        assert resampled["accuracy"][k] == pytest.approx(sk.accuracy_score(truth, predicted))


def test_resampling_in_blocks_is_resampling_at_once(monkeypatch):
    whole = np.concatenate(list(resample_weights(7, 50, seed=1)))
    monkeypatch.setattr("genrescope.evaluation.counts.BLOCK_WEIGHTS", 7 * 6)
    blocks = list(resample_weights(7, 50, seed=1))
    assert len(blocks) == 9
    assert np.array_equal(np.concatenate(blocks), whole)


def test_interval_covers_the_truth_about_as_often_as_it_says():
    # 40 groups of 5 clips, all of a group right or all wrong with probability .7: the spread of
    # the accuracy is that of 40 draws, not of 200.
    hits = 0
    rng = np.random.default_rng(0)
    for trial in range(200):
        right = np.repeat(rng.random(40) < 0.7, 5)
        truth = np.tile(["x", "y"], 100)
        other = np.where(truth == "x", "y", "x")
        predicted = np.where(right, truth, other)
        frame = pd.DataFrame(
            {
                "group": np.repeat(np.arange(40), 5).astype(str),
                "genre": truth,
                "predicted": predicted,
                "x": (predicted == "x") * 1.0,
                "y": (predicted == "y") * 1.0,
            }
        )
        row = score(frame, ["x", "y"], n_resamples=200, seed=trial)
        hits += row["accuracy_low"] <= 0.7 <= row["accuracy_high"]
    assert 0.88 <= hits / 200 <= 0.99


def test_same_seed_same_interval_and_other_seed_another():
    frame = make_predictions()
    assert score(frame, GENRES, seed=1) == score(frame, GENRES, seed=1)
    assert score(frame, GENRES, seed=1) != score(frame, GENRES, seed=2)


@given(
    labels=st.lists(
        st.tuples(st.sampled_from("abcde"), st.integers(0, 2), st.integers(0, 2)),
        min_size=1,
        max_size=40,
    ),
    order=st.randoms(use_true_random=False),
)
@hypothesis_settings(max_examples=60, deadline=None)
def test_invariants(labels, order):
    genres = ["x", "y", "z"]
    frame = pd.DataFrame(labels, columns=["group", "t", "p"])
    frame["genre"] = [genres[t] for t in frame["t"]]
    frame["predicted"] = [genres[p] for p in frame["p"]]
    for k, genre in enumerate(genres):
        frame[genre] = np.where(frame["p"] == k, 0.5, 0.25)
    row = score(frame, genres, n_resamples=50)
    rows = list(range(len(frame)))
    order.shuffle(rows)
    assert score(frame.iloc[rows], genres, n_resamples=50) == pytest.approx(row, nan_ok=True)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "ece"):
        assert 0.0 <= row[name] <= 1.0, name
    assert np.isnan(row["kappa"]) or -1.0 <= row["kappa"] <= 1.0
    assert 1 / 3 <= row["majority_accuracy"] <= 1.0
    if len(set(frame["group"])) > 1:
        assert 0.0 <= row["accuracy_low"] <= row["accuracy_high"] <= 1.0
    perfect = frame.assign(predicted=frame["genre"])
    assert score(perfect, genres, n_resamples=50)["macro_f1"] == 1.0


def test_one_group_has_no_interval_and_says_nothing_else():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = score(make_predictions(n_groups=1), GENRES)
    assert np.isnan(row["accuracy_low"]) and np.isnan(row["macro_f1_high"])
    assert 0 < row["accuracy"] < 1


def test_no_clips_no_scores():
    row = score(make_predictions().iloc[:0], GENRES)
    assert row["n"] == 0
    assert all(np.isnan(value) for name, value in row.items() if name != "n")
    assert classification(make_predictions().iloc[:0], GENRES)["Blues-like"]["support"] == 0


def test_kappa_is_undefined_where_all_agree_by_chance():
    frame = pd.DataFrame({"group": ["a", "b"], "genre": "x", "predicted": "x", "x": 1.0, "y": 0.0})
    row = score(frame, ["x", "y"])
    assert np.isnan(row["kappa"])
    assert row["accuracy"] == row["macro_f1"] == row["majority_accuracy"] == 1.0


def test_calibration_error_of_known_bins():
    # 1/15 is the upper edge of the first bin, and belongs to it.
    confidence = [1 / 15, 0.5, 0.5, 1.0]
    correct = [False, True, False, True]
    assert expected_calibration_error(confidence, correct) == pytest.approx((1 / 15) / 4)
    assert expected_calibration_error([0.9] * 10, [True] * 9 + [False]) == pytest.approx(0.0)
    assert expected_calibration_error([0.9] * 10, [False] * 10) == pytest.approx(0.9)


def test_calibration_error_against_a_plain_loop():
    rng = np.random.default_rng(1)
    confidence, correct = rng.random(500), rng.random(500) < 0.6
    expected = 0.0
    for k in range(15):
        inside = (confidence > k / 15) & (confidence <= (k + 1) / 15)
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected)


def test_confusion_and_report_agree_with_scikit_learn():
    frame = make_predictions()
    truth, predicted = frame["genre"].tolist(), frame["predicted"].tolist()
    table = confusion(frame, GENRES)
    assert np.array_equal(table.to_numpy(), sk.confusion_matrix(truth, predicted, labels=GENRES))
    report = classification(frame, GENRES)
    assert report["accuracy"] == pytest.approx(score(frame, GENRES)["accuracy"])
    assert report["macro avg"]["f1-score"] == pytest.approx(score(frame, GENRES)["macro_f1"])
    assert report["Rock/Metal"]["support"] == truth.count("Rock/Metal")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.assign(genre="Jazz"), "genre holds Jazz"),
        (lambda f: f.assign(predicted="Jazz"), "predicted holds Jazz"),
        (lambda f: f.assign(group=None), "without a group"),
        (lambda f: f.drop(columns="predicted"), "lack the columns predicted"),
        (lambda f: f.drop(columns="Rock/Metal"), "probability columns Rock/Metal"),
    ],
)
def test_unusable_predictions_are_refused_with_a_sentence(change, words):
    with pytest.raises(ValueError, match=words):
        score(change(make_predictions()), GENRES)


def test_a_thousand_resamples_of_thousands_of_clips_are_fast():
    import time

    frame = make_predictions(n=5000, n_groups=5000)
    start = time.perf_counter()
    score(frame, GENRES)
    assert time.perf_counter() - start < 5.0
