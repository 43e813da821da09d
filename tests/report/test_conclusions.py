import re

import numpy as np
import pandas as pd
import pytest

from genrescope.report.comparisons import Ranking, find_drops, rank_all
from genrescope.report.conclusions import (
    answer,
    cautions,
    drop_sentence,
    listed,
    p_words,
    ranking_sentences,
)
from genrescope.report.run_directory import RunDirectory

CLAIM = re.compile(r"(\w+) scores higher than (\w+)")


def drops(*verdicts: str, crossing: str = "cross-cultural") -> pd.DataFrame:
    signs = {"positive": 1, "negative": -1, "undecided": 0, "untested": np.nan}
    rows = [
        {
            "model": "forest", "source": "a", "target": "b", "crossing": crossing,
            "in_domain": 0.8, "in_domain_low": 0.7, "in_domain_high": 0.9,
            "cross": 0.8 - 0.3 * signs[name], "cross_low": 0.2, "cross_high": 0.6, "guess": 0.25,
            "drop": 0.3 * signs[name], "low": 0.3 * signs[name] - 0.1,
            "high": 0.3 * signs[name] + 0.1,
            "p_adjusted": 0.01, "verdict": name,
        }
        for name in verdicts
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (["positive"] * 3, "Not without loss: in all 3 moves"),
        (["positive"], "Not without loss: in the one move"),
        (["positive", "undecided", "undecided"], "Only in part: in 1 of 3 moves"),
        (["positive", "negative", "undecided"], "in 1 it rises; 1 remains undecided."),
        (["negative", "undecided"], "No loss is shown: in 1 of 2 moves"),
        (["undecided"] * 4, "Undecided: in none of 4 moves"),
        (["undecided"], "Undecided: in the one move"),
        (["untested"] * 2, "cannot be tested"),
    ],
)
def test_the_answer_counts_what_was_shown(verdicts, words):
    assert words in answer(drops(*verdicts))[0]


def test_untested_comparisons_are_not_counted_as_undecided():
    assert "in all 2 moves" in answer(drops("positive", "positive", "untested"))[0]


def test_the_answer_speaks_of_cultures_only_where_they_differ():
    assert "another culture" in answer(drops("positive"))[0]
    first, second = answer(drops("positive", crossing="cross-corpus"))
    assert "cultur" not in first + second


def test_no_crossing_no_answer():
    first, second = answer(drops())
    assert "does not say" in first and second == ""


def test_a_drop_that_is_not_shown_is_not_called_one():
    row = drops("undecided").iloc[0].to_dict()
    assert "no change beyond chance" in drop_sentence(row)
    assert "falls" not in drop_sentence(row)
    rising = drop_sentence(drops("negative").iloc[0].to_dict())
    assert "macro-F1 rises by .30 [.20, .40]" in rising


def test_models_that_are_alike_are_never_ranked(make_run):
    folder = make_run(models=["one", "two", "three"])
    rankings = rank_all(RunDirectory.open(folder))
    assert rankings
    for ranking in rankings:
        check_claims_against_pairs(ranking)


def test_claims_of_a_full_run_are_exactly_the_significant_pairs(full_run):
    rankings = rank_all(RunDirectory.open(full_run))
    claimed = sum(check_claims_against_pairs(ranking) for ranking in rankings)
    assert claimed > 5


def check_claims_against_pairs(ranking: Ranking) -> int:
    pairs = ranking.pairs
    shown = {
        (row.better, row.worse)
        for row in pairs.itertuples()
        if row.p_adjusted < 0.05 and row.low > 0
    }
    sentences = " ".join(ranking_sentences(ranking))
    assert set(CLAIM.findall(sentences)) == shown
    if len(shown) < len(pairs):
        assert "ot distinguishable" in sentences
    if not shown:
        assert "higher" not in sentences and "better" not in sentences
    return len(shown)


def test_one_model_has_no_rank():
    ranking = Ranking("a", "b", "all", 90, 1, {"forest": 0.5}, pd.DataFrame())
    assert ranking_sentences(ranking) == ["There is only one model, so there is nothing to rank."]


def test_an_untestable_pair_is_not_claimed():
    pair = {"better": "x", "worse": "y", "better_score": 0.9, "worse_score": 0.1, "difference": 0.8}
    nothing = {"low": np.nan, "high": np.nan, "p_value": 1.0, "p_adjusted": 1.0}
    ranking = Ranking("a", "b", "all", 2, 1, {"x": 0.9, "y": 0.1}, pd.DataFrame([pair | nothing]))
    (sentence,) = ranking_sentences(ranking)
    assert "x and y are not distinguishable" in sentence and "[no interval]" in sentence


def test_cautions_follow_from_the_corpora(full_run, make_run):
    full = " ".join(cautions(RunDirectory.open(full_run)))
    assert "korean is synthetic" in full
    assert "In korean the artist is not known for every clip" in full
    assert "In gtzan" not in full
    assert "not yet a difference between cultures" in full
    alone = make_run(models=["forest"], names=["gtzan"], cultures=["Western"])
    assert cautions(RunDirectory.open(alone)) == []


def test_no_loss_between_alike_corpora_is_not_reported_as_one(make_run):
    run = RunDirectory.open(make_run(models=["cnn"], loss=0.0))
    table = find_drops(run)
    assert "positive" not in set(table["verdict"])
    assert "falls" not in answer(table)[0]


def test_small_words():
    assert listed(["a", "b"]) == "a and b"
    assert p_words(float("nan")) == "p unknown"
