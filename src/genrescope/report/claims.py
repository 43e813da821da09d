"""What the paper concludes, held against a run: supported, contradicted or undecided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genrescope.evaluation.cells import Cell
from genrescope.evaluation.counts import FloatArray, bootstrap, group_counts, percentile_interval
from genrescope.figures.style import number
from genrescope.report.comparisons import Ranking, verdict
from genrescope.report.conclusions import drop_sentence, interval, listed, ranking_sentences
from genrescope.report.paper import Counterpart, compare_shap
from genrescope.report.run_directory import RunDirectory

HOME, AWAY = "gtzan", "korean"
UNTESTED = "not tested"


@dataclass(frozen=True)
class Claim:
    """One conclusion of the paper.

    Attributes
    ----------
    claim : str
        What the paper concludes.
    paper : str
        What its own figures say to it.
    verdict : str
        `supported`, `contradicted`, `undecided` or `not tested`, by the run's numbers.
    ours : str
        Those numbers.
    """

    claim: str
    paper: str
    verdict: str
    ours: str


def check_claims(
    run: RunDirectory, paper: dict[str, Any], *, drops: pd.DataFrame, rankings: Sequence[Ranking]
) -> list[Claim]:
    """Hold each of the paper's conclusions against a run.

    A claim is supported where every comparison it makes is beyond chance in its direction,
    contradicted where one is beyond chance the other way (for claims about the best or worst
    genre: all are), and undecided in between.

    Parameters
    ----------
    run : RunDirectory
    paper : dict
        As from `load_paper`.
    drops : DataFrame
        As from `find_drops`.
    rankings : sequence of Ranking
        As from `rank_all`.
    """
    checks: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
        "ranking_in_domain": lambda facts: _order(counterpart, facts, rankings),
        "ranking_across": lambda facts: _order(counterpart, facts, rankings),
        "recall_over_precision": lambda facts: _recall(run, counterpart, facts),
        "transfer": lambda _: _transfer(counterpart, drops),
        "best_genre": lambda facts: _genre(run, counterpart, facts, worst=False),
        "worst_genre": lambda facts: _genre(run, counterpart, facts, worst=True),
        "strongest_feature": lambda facts: _feature(run, paper, facts),
        "blues_map": lambda _: _maps(run, counterpart),
    }
    counterpart = Counterpart.of(run, paper)
    claims = []
    for name, facts in paper["claims"].items():
        found, ours = checks[name](facts)
        claims.append(Claim(facts["claim"], facts["paper"], found, ours))
    return claims


def _conclude(verdicts: Sequence[str], *, against: Callable[[Any], bool] = any) -> str:
    if not verdicts or all(found == "untested" for found in verdicts):
        return UNTESTED
    if all(found == "positive" for found in verdicts):
        return "supported"
    if against(found == "negative" for found in verdicts):
        return "contradicted"
    return "undecided"


def _order(
    counterpart: Counterpart, facts: dict[str, Any], rankings: Sequence[Ranking]
) -> tuple[str, str]:
    source, target = counterpart.corpora.get(HOME), counterpart.corpora.get(facts["target"])
    ranking = next((r for r in rankings if (r.source, r.target) == (source, target)), None)
    order = [counterpart.models.get(kind) for kind in facts["order"]]
    if ranking is None or any(model not in ranking.scores for model in order):
        return UNTESTED, "This run does not have all three models on these corpora."
    found = {}
    for pair in ranking.pairs.to_dict("records"):
        said = verdict(pair["low"], pair["high"], pair["p_adjusted"])
        found[pair["better"], pair["worse"]] = said
        found[pair["worse"], pair["better"]] = "negative" if said == "positive" else said
    verdicts = [found[order[a], order[b]] for a, b in ((0, 1), (1, 2), (0, 2))]
    return _conclude(verdicts), " ".join(ranking_sentences(ranking))


def _recall(run: RunDirectory, counterpart: Counterpart, facts: dict[str, Any]) -> tuple[str, str]:
    verdicts, said = [], []
    for target in (HOME, AWAY):
        cell = counterpart.cell(facts["model"], HOME, target)
        counts = None if cell is None else _resamples(run, cell)
        if cell is None or counts is None:
            continue
        total, resampled = counts
        value = float(_macro_recall(total[None])[0] - _macro_precision(total[None])[0])
        low, high = percentile_interval(_macro_recall(resampled) - _macro_precision(resampled))
        verdicts.append(_direction(low, high))
        said.append(f"{interval(value, low, high)} on {cell.target}")
    if not said:
        return UNTESTED, "This run has no such cells."
    return _conclude(verdicts), f"Macro recall minus macro precision: {listed(said)}."


def _transfer(counterpart: Counterpart, drops: pd.DataFrame) -> tuple[str, str]:
    source, target = counterpart.corpora.get(HOME), counterpart.corpora.get(AWAY)
    rows = drops[(drops["source"] == source) & (drops["target"] == target)].to_dict("records")
    if not rows:
        return UNTESTED, "This run has no such cells."
    sentences = [drop_sentence({str(k): v for k, v in row.items()}) for row in rows]
    return _conclude([str(row["verdict"]) for row in rows], against=all), " ".join(sentences)


def _genre(
    run: RunDirectory, counterpart: Counterpart, facts: dict[str, Any], *, worst: bool
) -> tuple[str, str]:
    genre = facts["genre"]
    if genre not in run.genres:
        return UNTESTED, f"This run has no genre {genre}."
    place = run.genres.index(genre)
    verdicts, said = [], []
    for kind in counterpart.models:
        away = counterpart.cell(kind, HOME, AWAY)
        home = counterpart.cell(kind, HOME, HOME)
        there = None if away is None else _resamples(run, away)
        here = None if home is None else _resamples(run, home)
        if away is None or there is None or (worst and here is None):
            continue
        scores = [_f1(counts) for counts in (there[0][None], there[1])]
        if worst and here is not None:
            own = [_f1(counts) for counts in (here[0][None], here[1])]
            scores = [one - two for one, two in zip(own, scores, strict=True)]
        value, resampled = (_lead(table, place) for table in scores)
        low, high = percentile_interval(resampled)
        verdicts.append(_direction(low, high))
        said.append(f"{interval(float(value[0]), low, high)} ({away.model})")
    if not said:
        return UNTESTED, "This run has no such cells."
    what = (
        "fall of F1 beyond the largest other genre's"
        if worst
        else "F1 above the best other genre's"
    )
    return _conclude(verdicts, against=all), f"{genre}'s {what}: {listed(said)}."


def _feature(run: RunDirectory, paper: dict[str, Any], facts: dict[str, Any]) -> tuple[str, str]:
    shap = compare_shap(run, paper)
    if shap is None:
        return UNTESTED, "This run explains no such model."
    table = run.table("explanations", "shap", shap["model"], shap["source"], "per_class.csv")
    first = shap["rows"][0]
    ours = f"First is {first['ours']} ({number(first['ours_value'], 3)})"
    if table is not None and facts["feature"] in set(table["feature"]):
        order = table.set_index("feature").mean(axis=1).sort_values(ascending=False)
        rank = list(order.index).index(facts["feature"]) + 1
        ours += f"; {facts['feature']} is number {rank} of {len(order)}"
    trainings = ("explanations", "stability", shap["model"], shap["source"])
    ranks, summary = run.table(*trainings, "stability.csv"), run.json(*trainings, "stability.json")
    if ranks is None or not summary or summary["n"] < 2:
        return UNTESTED, f"{ours}. A rank without a second split has no uncertainty to test."
    rows = ranks[ranks["feature"] == facts["feature"]]
    if rows.empty:
        return "contradicted", f"{ours}; over {summary['n']} splits it is not among the ten first."
    low, high = float(rows["rank_low"].iloc[0]), float(rows["rank_high"].iloc[0])
    found = "supported" if high == 1 else "contradicted" if low > 1 else "undecided"
    return found, f"{ours}; over {summary['n']} splits its rank is {low:.0f} to {high:.0f} (95%)."


def _maps(run: RunDirectory, counterpart: Counterpart) -> tuple[str, str]:
    source = counterpart.corpora.get(HOME)
    index = run.json("explanations", "grad_cam", source, "index.json") if source else None
    drawn = [entry for entry in index or [] if entry.get("kind") != "none"]
    if not drawn:
        return UNTESTED, "This run has no Grad-CAM pictures of that source."
    said = []
    for genre in run.genres:
        of_genre = [entry for entry in drawn if entry["genre"] == genre]
        full = sum("Grad-CAM" not in entry["empty"] for entry in of_genre)
        said.append(f"{genre} {full} of {len(of_genre)}" if of_genre else f"{genre} not shown")
    moved = _sensitivities(run, str(source))
    return UNTESTED, f"Maps that are not empty: {listed(said)}.{moved}"


def _sensitivities(run: RunDirectory, source: str) -> str:
    """How far Grad-CAM maps of each genre move under small noise, where the run measured it."""
    table = run.table("explanations", "quality", source, "table.csv")
    if table is None:
        return ""
    rows = table[(table["method"] == "grad_cam") & (table["measure"] == "sensitivity")]
    said = [
        f"{row['genre']} {interval(row['value'], row['low'], row['high'])}"
        for row in rows.to_dict("records")
        if row["genre"] in run.genres
    ]
    return f" Under noise of 1 dB maps move by (max-sensitivity): {listed(said)}." if said else ""


def _resamples(run: RunDirectory, cell: Cell) -> tuple[FloatArray, FloatArray] | None:
    row = run.row(cell)
    if row is None:
        return None
    counts = group_counts(run.predictions(cell, str(row["part"])), run.genres)
    if counts.n_groups < 2:
        return None
    return counts.total(), bootstrap(counts, seed=run.seed)


def _direction(low: float, high: float) -> str:
    if low != low or high != high:
        return "untested"
    return "positive" if low > 0 else "negative" if high < 0 else "undecided"


def _rates(counts: FloatArray, below: FloatArray) -> FloatArray:
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.divide(hits, below, out=np.zeros(hits.shape), where=below > 0)


def _macro(rates: FloatArray, counts: FloatArray) -> FloatArray:
    support = counts.sum(axis=-1) > 0
    mean: FloatArray = (rates * support).sum(axis=-1) / support.sum(axis=-1)
    return mean


def _macro_recall(counts: FloatArray) -> FloatArray:
    return _macro(_rates(counts, counts.sum(axis=-1)), counts)


def _macro_precision(counts: FloatArray) -> FloatArray:
    return _macro(_rates(counts, counts.sum(axis=-2)), counts)


def _f1(counts: FloatArray) -> FloatArray:
    return 2 * _rates(counts, counts.sum(axis=-1) + counts.sum(axis=-2))


def _lead(table: FloatArray, place: int) -> FloatArray:
    others = np.delete(table, place, axis=-1)
    lead: FloatArray = table[..., place] - others.max(axis=-1)
    return lead
