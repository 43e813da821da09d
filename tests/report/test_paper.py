import os
import re
from pathlib import Path

import numpy as np
import pytest

from genrescope.evaluation.cells import Cell
from genrescope.report.paper import Counterpart, compare_scores, compare_shap, coverage, load_paper
from genrescope.report.run_directory import RunDirectory


@pytest.fixture(scope="module")
def run(full_run) -> RunDirectory:
    return RunDirectory.open(full_run)


def test_published_figures_are_consistent_with_each_other():
    paper = load_paper()
    assert len(paper["cells"]) == 6
    for cell in paper["cells"]:
        support = np.array(paper["support"][cell["target"]], dtype=float)
        precision, recall, f1 = (np.array(cell[k]) for k in ("precision", "recall", "f1"))
        assert support.sum() == cell["n"]
        assert cell["accuracy"] == pytest.approx((recall * support).sum() / cell["n"], abs=2e-4)
        assert cell["macro_f1"] == pytest.approx(f1.mean(), abs=1e-4)
        assert cell["weighted_f1"] == pytest.approx((f1 * support).sum() / cell["n"], abs=1e-4)
        total = np.where(precision + recall > 0, precision + recall, 1)
        np.testing.assert_allclose(f1, 2 * precision * recall / total, atol=2e-4)


def test_published_figures_are_the_papers():
    source = Path(os.environ.get("GENRESCOPE_DATA", "/nowhere")).parent / "paper.txt"
    if not source.is_file():
        pytest.skip("the paper's text is not at hand")
    text = source.read_text(encoding="utf-8")
    printed = {round(float(value), 4) for value in re.findall(r"\b\d\.\d+\b", text)}
    for cell in load_paper()["cells"]:
        values = [cell["accuracy"], cell["macro_f1"], cell["weighted_f1"]]
        for value in values + cell["precision"] + cell["recall"] + cell["f1"]:
            assert value in printed
    for name, value in load_paper()["shap"]["top"]:
        assert re.search(rf"{name}\s+{value}", text)


def test_our_cells_stand_beside_the_published_ones(run):
    rows = compare_scores(run, load_paper())
    assert [row["ours_n"] for row in rows] == [24, 24, 24, 230, 230, 230]
    accuracy, _, weighted = rows[0]["scores"]
    own = run.row(Cell("forest", "gtzan", "gtzan"))
    assert accuracy["ours"] == own["accuracy"]
    inside = own["accuracy_low"] <= 0.6778 <= own["accuracy_high"]
    assert accuracy["inside"] == inside
    assert weighted["low"] <= weighted["ours"] <= weighted["high"]


def test_a_run_without_the_papers_corpora_has_empty_columns(make_run):
    run = RunDirectory.open(make_run(models=["cnn"], names=["gtzan"], cultures=["Western"]))
    paper = load_paper()
    rows = compare_scores(run, paper)
    assert [row["ours_n"] for row in rows] == [None, None, 24, None, None, None]
    assert rows[0]["scores"][0]["ours"] is None
    assert compare_shap(run, paper) is None
    assert coverage(run, paper)["paper"].tolist() == [True]


def test_counterparts_are_found_by_format_and_kind(make_run):
    run = RunDirectory.open(make_run(models=["forest"], names=["west", "east"]))
    counterpart = Counterpart.of(run, load_paper()["corpora"])
    assert counterpart.corpora == {"gtzan": "west", "korean": "east"}
    assert counterpart.cell("forest", "gtzan", "korean").target == "east"
    assert counterpart.cell("cnn", "gtzan", "korean") is None
