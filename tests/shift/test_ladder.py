import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from genrescope.shift.ladder import TOTAL, Rung, climb, with_shares

GENRES = ["a", "b", "c"]


def answers(seed, n=60, groups=12, right=0.7):
    rng = np.random.default_rng(seed)
    genre = rng.choice(GENRES, n)
    guess = rng.choice(GENRES, n)
    return pd.DataFrame(
        {
            "clip_id": [str(k) for k in range(n)],
            "group": [str(k % groups) for k in range(n)],
            "genre": genre,
            "predicted": np.where(rng.random(n) < right, genre, guess),
        }
    )


def harder(frame, seed, share):
    rng = np.random.default_rng(seed)
    lost = rng.random(len(frame)) < share
    return frame.assign(
        predicted=np.where(lost, rng.choice(GENRES, len(frame)), frame["predicted"])
    )


def ladder(seed=0, share=0.3):
    first = answers(seed)
    second = harder(first, seed + 1, share)
    return [
        Rung("home", first),
        Rung("shorter", second),
        Rung("shares", second, target_shares=True),
        Rung("what remains", answers(seed + 2, n=80, groups=20, right=0.4), of_target=True),
    ]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.floats(0, 1), st.sampled_from(["macro_f1", "accuracy", "kappa"]))
def test_the_steps_sum_to_the_whole_drop(seed, share, metric):
    found = climb(ladder(seed, share), GENRES, metric=metric, n_resamples=20)
    steps = found[found["name"] != TOTAL]["drop"].iloc[1:]
    total = found.set_index("name").loc[TOTAL, "drop"]
    assert steps.sum() == pytest.approx(total, abs=1e-12)
    assert total == pytest.approx(found["score"].iloc[0] - found["score"].iloc[-1])
    shares = found["share"].iloc[1:-1]
    assert shares.isna().all() or shares.sum() == pytest.approx(1.0)


def test_the_ends_are_the_scores_of_the_corpora():
    rungs = ladder()
    found = climb(rungs, GENRES)
    for place, rung in ((0, rungs[0]), (3, rungs[3])):
        truth, predicted = rung.answers["genre"], rung.answers["predicted"]
        known = f1_score(truth, predicted, average="macro", labels=GENRES)
        assert found["score"][place] == pytest.approx(known)
        assert found["low"][place] < known < found["high"][place]


def test_a_step_that_changes_nothing_costs_nothing_for_sure():
    first = answers(0)
    found = climb([Rung("a", first), Rung("b", first.sample(frac=1, random_state=1))], GENRES)
    assert found.loc[1, ["drop", "drop_low", "drop_high"]].abs().max() == 0


def test_source_rungs_are_paired():
    first = answers(0, right=0.7)
    second = harder(first, 1, 0.05)
    steps = climb([Rung("a", first), Rung("b", second)], GENRES)
    apart = climb([Rung("a", first), Rung("b", second, of_target=True)], GENRES)
    width = steps["drop_high"] - steps["drop_low"]
    assert width[1] < 0.8 * (apart["drop_high"] - apart["drop_low"])[1]


def test_shares_keep_recall_and_take_the_targets_support():
    counts = np.array([[8.0, 2.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    found = with_shares(counts, np.array([5.0, 100.0, 7.0]))
    np.testing.assert_allclose(found, [[4.0, 1.0, 0.0], [25.0, 75.0, 0.0], [0.0, 0.0, 0.0]])


def test_label_shift_alone_is_all_in_its_step():
    home = answers(3, n=3000, groups=3000)
    rng = np.random.default_rng(0)
    weight = home["genre"].map({"a": 6.0, "b": 1.0, "c": 0.5})
    away = home.iloc[rng.choice(3000, 3000, p=weight / weight.sum())].reset_index(drop=True)
    away = away.assign(clip_id=range(3000), group=range(3000))
    rungs = [Rung("home", home), Rung("shares", home, target_shares=True)]
    found = climb([*rungs, Rung("what remains", away, of_target=True)], GENRES)
    step, rest = found["drop"][1], found["drop"][2]
    assert abs(step) > 0.02 and abs(rest) < 0.02
    assert found["drop_low"][2] < 0 < found["drop_high"][2]


def test_intervals_hold_the_truth_in_nine_of_ten_draws():
    population = answers(0, n=4000, groups=1000, right=0.8)
    worse = harder(population, 1, 0.3)
    away = answers(2, n=4000, groups=1000, right=0.5)

    def draw(frame, groups, offset):
        found = frame.merge(pd.DataFrame({"group": groups, "draw": range(len(groups))}))
        labels = found["draw"].astype(str)
        return found.assign(group=labels, clip_id=found["clip_id"] + "/" + labels + offset)

    def rungs(groups, others):
        return [
            Rung("home", draw(population, groups, "s")),
            Rung("shorter", draw(worse, groups, "s")),
            Rung("what remains", draw(away, others, "t"), of_target=True),
        ]

    names = np.array(sorted(population["group"].unique()))
    truth = climb(rungs(names, names), GENRES, n_resamples=2)["drop"].to_numpy()
    held = np.zeros(len(truth))
    for seed in range(50):
        rng = np.random.default_rng(seed)
        found = climb(
            rungs(rng.choice(names, 60), rng.choice(names, 70)), GENRES, n_resamples=200, seed=seed
        )
        held += (found["drop_low"] <= truth) & (truth <= found["drop_high"])
    assert (held[1:] >= 45).all()


def test_one_group_has_no_interval():
    first = answers(0, groups=1)
    found = climb([Rung("a", first), Rung("b", harder(first, 1, 0.5))], GENRES)
    assert found["drop"].iloc[1] == found["drop"].iloc[1]
    assert found["drop_low"].isna().all() and found["share"].isna().all()


def test_other_clips_are_refused():
    with pytest.raises(ValueError, match="other clips"):
        climb([Rung("a", answers(0)), Rung("b", answers(0, n=50))], GENRES)
