"""The report: one HTML file made from a finished run directory."""

import os
from pathlib import Path
from typing import Any

from genrescope.files import write_text
from genrescope.report.claims.checking import check_claims
from genrescope.report.claims.claims_file import load_claims
from genrescope.report.claims.outcome import Outcome
from genrescope.report.claims.text import figures
from genrescope.report.comparisons import find_drops, rank_all
from genrescope.report.conclusions import (
    answer,
    cautions,
    ranking_sentences,
)
from genrescope.report.embedding import Embedder
from genrescope.report.exhibits import curve_exhibits, drop_exhibit, reliability_exhibits
from genrescope.report.ladders import ladder_exhibits, largest_taken_apart
from genrescope.report.paper import compare_scores, compare_shap, coverage, load_paper
from genrescope.report.reasons import map_exhibits, shap_exhibits
from genrescope.report.run_directory import RunDirectory
from genrescope.report.sections import (
    SCORES,
    confusion_blocks,
    corpus_facts,
    every_row,
    heat_map,
    result_groups,
)
from genrescope.report.templating import css, environment

TEMPLATE = "report.html.j2"


def write_report(run_dir: str | os.PathLike[str]) -> Path:
    """Write `report.html` into a finished run directory, from nothing but the files in it.

    The report is one file: pictures and sounds are inside, nothing is loaded from elsewhere.

    Parameters
    ----------
    run_dir : path-like
        What `genrescope study` wrote.

    Returns
    -------
    pathlib.Path
        The report.

    Raises
    ------
    GenrescopeError
        Where the folder is not a finished run.
    OutputError
        Where the report cannot be written.
    """
    run = RunDirectory.open(run_dir)
    path = run.folder / "report.html"
    write_text(path, environment(run.genres).get_template(TEMPLATE).render(_context(run)))
    return path


def _context(run: RunDirectory) -> dict[str, Any]:
    embed = Embedder(run.folder)
    drops = find_drops(run)
    rankings = rank_all(run)
    rows = [{str(k): v for k, v in row.items()} for row in drops.to_dict("records")]
    first, second = answer(drops)
    ladders = ladder_exhibits(run, embed)
    return {
        "run": run,
        "info": run.info,
        "answer": first,
        "detail": second,
        "apart": largest_taken_apart(ladders, drops),
        "cautions": cautions(run),
        "heat": heat_map(run),
        "corpora": corpus_facts(run),
        "groups": result_groups(run),
        "every_row": every_row(run),
        "score_names": SCORES,
        "n_seeds": int(run.results["seed"].nunique()),
        "seeds_differ": run.results.groupby("model")["seed"].nunique().nunique() > 1,
        "drops": rows,
        "drop_figure": drop_exhibit(drops, embed),
        "ladders": ladders,
        "rankings": [
            {"ranking": ranking, "sentences": ranking_sentences(ranking)} for ranking in rankings
        ],
        "confusions": confusion_blocks(run),
        "reliability": reliability_exhibits(run, embed),
        "shap": shap_exhibits(run, embed),
        "maps": map_exhibits(run, embed),
        "curves": curve_exhibits(run, embed),
        "paper": _paper(run),
        "study_yaml": run.text("study.yaml"),
        "left_out": embed.left_out,
        "css": css(),
    }


def _paper(run: RunDirectory) -> dict[str, Any] | None:
    if run.info.get("reference") != "paper":
        return None
    paper = load_paper()
    covered = coverage(run, paper)
    return {
        "citation": paper["citation"],
        "cells": compare_scores(run, paper),
        "shap": compare_shap(run, paper),
        "claims": [
            {"outcome": outcome, "scores": _by_score(outcome)}
            for outcome in check_claims(run, load_claims())
        ],
        "n_cells": len(covered),
        "n_reported": int(covered["paper"].sum()),
    }


def _by_score(outcome: Outcome) -> list[tuple[str, str, list[tuple[str, ...]]]]:
    return [
        (score, found, [(c.what, *figures(c)) for c in outcome.comparisons if c.score == score])
        for score, found in outcome.by_score().items()
    ]
