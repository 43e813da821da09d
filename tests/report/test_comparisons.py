import numpy as np
import pandas as pd
import pytest

from genrescope.evaluation.cells import Cell
from genrescope.report.comparisons import find_drops, rank_all, verdict
from genrescope.report.run_directory import RunDirectory


@pytest.fixture(scope="module")
def run(full_run) -> RunDirectory:
    return RunDirectory.open(full_run)


def test_headline_takes_all_clips_where_none_was_trained_on(run):
    parts = {(row.source, row.target): row.part for row in run.headline.itertuples()}
    assert parts["gtzan", "korean"] == parts["korean", "gtzan"] == "all"
    assert parts["gtzan", "gtzan"] == parts["gtzan", "gtzan+korean"] == "test"
    assert len(run.headline) == 27


def test_drops_cover_each_model_and_direction_and_are_differences_of_results(run):
    drops = find_drops(run)
    assert len(drops) == 6
    for row in drops.to_dict("records"):
        home = run.row(Cell(row["model"], row["source"], row["source"]), "test")
        away = run.row(Cell(row["model"], row["source"], row["target"]), "all")
        assert row["drop"] == pytest.approx(home["macro_f1"] - away["macro_f1"])
        assert row["low"] <= row["drop"] <= row["high"]
        own = run.row(Cell(row["model"], row["target"], row["target"]), "test")
        other = run.row(Cell(row["model"], row["source"], row["target"]), "test")
        assert row["gap"] == pytest.approx(own["macro_f1"] - other["macro_f1"])
        assert row["gap_n"] == own["n"] == other["n"]
        assert row["p_adjusted"] >= row["p_value"]
        assert row["crossing"] == "cross-cultural"


def test_a_missing_in_domain_cell_leaves_the_drop_untested(make_run):
    folder = make_run(models=["forest"])
    results = pd.read_csv(folder / "results.csv")
    results[results["target"] == "korean"].to_csv(folder / "results.csv", index=False)
    drops = find_drops(RunDirectory.open(folder))
    assert drops["source"].tolist() == ["gtzan"]
    assert drops["verdict"].tolist() == ["untested"]
    assert np.isnan(drops["drop"].iloc[0])
    assert drops["gap_verdict"].tolist() == ["positive"]


def test_the_same_culture_twice_is_not_a_change_of_culture(make_run):
    run = RunDirectory.open(make_run(models=["forest"], cultures=["Western", "Western"]))
    assert run.crossing("gtzan", "korean") == "cross-corpus"


def test_an_unknown_culture_is_not_claimed_to_differ(make_run):
    run = RunDirectory.open(make_run(models=["forest"], cultures=["Western", "unknown"]))
    assert run.crossing("gtzan", "korean") == "cross-corpus"


def test_verdicts_need_both_interval_and_adjusted_p():
    assert verdict(0.01, 0.2, 0.2) == "undecided"
    assert verdict(-0.01, 0.2, 0.001) == "undecided"
    assert verdict(0.01, 0.2, 0.049) == "positive"
    assert verdict(-0.2, -0.01, 0.049) == "negative"
    assert verdict(float("nan"), 0.2, 0.01) == "untested"


def test_rankings_compare_all_pairs_on_the_headline_part(run):
    rankings = {(r.source, r.target): r for r in rank_all(run)}
    assert len(rankings) == 9
    ranking = rankings["gtzan", "korean"]
    assert ranking.part == "all" and ranking.n == 230
    assert list(ranking.scores.values()) == sorted(ranking.scores.values(), reverse=True)
    assert len(ranking.pairs) == 3


def test_corpora_called_none_or_nan_are_names(make_run):
    run = RunDirectory.open(make_run(models=["forest"], names=["nan", "none"]))
    assert run.sources == ["nan", "none"]
    assert len(find_drops(run)) == 2
