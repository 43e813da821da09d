"""The comparisons a report makes: what a change of corpus costs, and which model is better."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genrescope.evaluation.cells import Cell
from genrescope.evaluation.counts import group_counts
from genrescope.evaluation.differences import as_statistic
from genrescope.evaluation.significance import (
    Difference,
    holm,
    paired_difference,
    rank_models,
    unpaired_difference,
)
from genrescope.report.run_directory import RunDirectory

LEVEL = 0.05
N_PERMUTATIONS = 1999
DROP_COLUMNS = [
    *("model", "source", "target", "crossing", "guess"),
    *("in_domain", "in_domain_low", "in_domain_high", "in_domain_n"),
    *("cross", "cross_low", "cross_high", "cross_n"),
    *("drop", "low", "high", "p_value", "p_adjusted", "verdict"),
    *("own", "own_cross", "gap_n"),
    *("gap", "gap_low", "gap_high", "gap_p_value", "gap_p_adjusted", "gap_verdict"),
]


def verdict(
    low: float, high: float, p_adjusted: float, *, above: float = 0.0, below: float = np.inf
) -> str:
    """What a figure allows to be said of its lying between two bounds.

    Parameters
    ----------
    low, high : float
        Its 95% interval.
    p_adjusted : float
        Of the test against the bounds.
    above, below : float
        The bounds; a difference is positive where it lies above 0.

    Returns
    -------
    str
        Where the adjusted p-value is below .05, `positive` if the whole interval lies between the
        bounds and `negative` if it lies beyond one of them; otherwise `undecided`, and `untested`
        where there is no interval.

    Examples
    --------
    >>> verdict(0.1, 0.3, 0.01), verdict(0.1, 0.3, 0.2), verdict(-0.3, -0.1, 0.01)
    ('positive', 'undecided', 'negative')
    """
    if np.isnan(low) or np.isnan(high) or np.isnan(p_adjusted):
        return "untested"
    if p_adjusted < LEVEL and low > above and high < below:
        return "positive"
    if p_adjusted < LEVEL and (high < above or low > below):
        return "negative"
    return "undecided"


def find_drops(run: RunDirectory) -> pd.DataFrame:
    """What each model loses from its own corpus to one it has not met.

    Parameters
    ----------
    run : RunDirectory

    Returns
    -------
    DataFrame
        A row per model, source and target without a common corpus. `drop` is the macro-F1 on the
        source's held-out clips minus that on all clips of the target (different clips: unpaired,
        resampled by group). `gap` is the macro-F1 of the same kind of model trained on the target
        minus that of the one trained on the source, on the target's held-out clips (same clips:
        paired). Scores are means over the seeds. p-values are adjusted by Holm's method over the
        column. Differences that the run has no cells for are NaN, their verdicts `untested`.
    """
    rows = []
    for cell in _crossings(run):
        row = run.row(cell)
        if row is None:
            continue
        rows.append(_drop(run, cell, row) | _gap(run, cell))
    table = pd.DataFrame(rows, columns=pd.Index(DROP_COLUMNS))
    for prefix in ("", "gap_"):
        adjusted = holm(table[f"{prefix}p_value"].to_numpy(dtype="float64"))
        table[f"{prefix}p_adjusted"] = adjusted
        table[f"{prefix}verdict"] = [
            verdict(low, high, p)
            for low, high, p in zip(
                table[f"{prefix}low"].astype("float64"),
                table[f"{prefix}high"].astype("float64"),
                adjusted,
                strict=True,
            )
        ]
    return table


def _crossings(run: RunDirectory) -> list[Cell]:
    cells = [
        Cell(model, source, target)
        for source in run.sources
        for target in run.targets
        for model in run.models
    ]
    return [cell for cell in cells if "all" in cell.parts]


def _drop(run: RunDirectory, cell: Cell, row: dict[str, Any]) -> dict[str, Any]:
    home = Cell(cell.model, cell.source, cell.source)
    at_home = run.row(home, "test")
    difference = Difference(np.nan, np.nan, np.nan, np.nan, 0, 0)
    if at_home is not None:
        difference = unpaired_difference(
            run.predictions(home, "test"),
            run.predictions(cell, row["part"]),
            run.genres,
            by_seed=True,
            seed=run.seed % 2**63,
        )
    return {
        "model": cell.model,
        "source": cell.source,
        "target": cell.target,
        "crossing": run.crossing(cell.source, cell.target),
        **_scores("in_domain", at_home),
        **_scores("cross", row),
        "guess": float(run.guesses(cell, row["part"])["macro_f1"].max()),
        "drop": difference.value,
        "low": difference.low,
        "high": difference.high,
        "p_value": difference.p_value,
    }


def _scores(name: str, row: dict[str, Any] | None) -> dict[str, Any]:
    values = {"": "macro_f1", "_low": "macro_f1_low", "_high": "macro_f1_high", "_n": "n"}
    return {name + end: np.nan if row is None else row[key] for end, key in values.items()}


def _gap(run: RunDirectory, cell: Cell) -> dict[str, Any]:
    own = Cell(cell.model, cell.target, cell.target)
    own_row, cross_row = run.row(own, "test"), run.row(cell, "test")
    if own_row is None or cross_row is None:
        empty = ("own", "own_cross", "gap", "gap_low", "gap_high", "gap_p_value")
        return dict.fromkeys(empty, np.nan) | {"gap_n": 0}
    gap = paired_difference(
        run.predictions(own, "test"),
        run.predictions(cell, "test"),
        run.genres,
        by_seed=True,
        n_permutations=N_PERMUTATIONS,
        seed=run.seed % 2**63,
    )
    return {
        "own": own_row["macro_f1"],
        "own_cross": cross_row["macro_f1"],
        "gap": gap.value,
        "gap_low": gap.low,
        "gap_high": gap.high,
        "gap_p_value": gap.p_value,
        "gap_n": cross_row["n"],
    }


@dataclass(frozen=True)
class Ranking:
    """The models of one source and target, compared in pairs on the same clips.

    Attributes
    ----------
    source, target, part : str
    n, n_seeds : int
        Clips, and the seeds that all models share: those they are compared on.
    scores : dict of str to float
        Macro-F1 of each model, the mean over these seeds, best first.
    pairs : DataFrame
        As from `rank_models`.
    """

    source: str
    target: str
    part: str
    n: int
    n_seeds: int
    scores: dict[str, float]
    pairs: pd.DataFrame


def rank_all(run: RunDirectory) -> list[Ranking]:
    """Compare the models of every source and target; p-values are adjusted within each ranking."""
    rankings = []
    for source in run.sources:
        for target in run.targets:
            cells = [Cell(model, source, target) for model in run.models]
            parts = {cell: part for cell in cells if (part := run.part(cell)) is not None}
            seeds = run.seeds(parts)
            if not parts or not seeds:
                continue
            frames = {
                cell.model: run.predictions(cell, part, seeds=seeds) for cell, part in parts.items()
            }
            pairs = rank_models(
                frames,
                run.genres,
                by_seed=True,
                n_permutations=N_PERMUTATIONS,
                seed=run.seed % 2**63,
            )
            scores = {model: _mean_macro_f1(frame, run.genres) for model, frame in frames.items()}
            first = next(iter(frames.values()))
            rankings.append(
                Ranking(
                    source,
                    target,
                    next(iter(parts.values())),
                    first["clip_id"].nunique(),
                    len(seeds),
                    dict(sorted(scores.items(), key=lambda item: -item[1])),
                    pairs,
                )
            )
    return rankings


def _mean_macro_f1(predictions: pd.DataFrame, genres: Sequence[str]) -> float:
    counts = group_counts(predictions, genres, by_seed=True)
    statistic = as_statistic("macro_f1")
    return float(counts.values(statistic, counts.total()[np.newaxis])[0])
