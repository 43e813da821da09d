"""Sentences made from the numbers, none stronger than its interval allows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from genrescope.evaluation.cells import evaluated_parts
from genrescope.figures.style import number
from genrescope.report.comparisons import Ranking, verdict
from genrescope.report.run_directory import RunDirectory


def listed(words: Sequence[str], last: str = "and") -> str:
    """Words as a sentence lists them.

    Examples
    --------
    >>> listed(["a", "b", "c"]), listed(["a"])
    ('a, b and c', 'a')
    """
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def interval(value: float, low: float, high: float, digits: int = 2) -> str:
    """A value with its interval.

    Examples
    --------
    >>> interval(0.35, 0.281, 0.42), interval(0.35, float("nan"), float("nan"))
    ('.35 [.28, .42]', '.35 [no interval]')
    """
    if low != low or high != high:
        return f"{number(value, digits)} [no interval]"
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


def p_words(p_value: float) -> str:
    """A p-value in words.

    Examples
    --------
    >>> p_words(0.0004), p_words(0.034), p_words(1.0)
    ('p < .001', 'p = .034', 'p = 1.000')
    """
    if p_value != p_value:
        return "p unknown"
    return "p < .001" if p_value < 0.001 else f"p = {number(p_value, 3)}"


def answer(drops: pd.DataFrame) -> tuple[str, str]:
    """The answer of a study in a sentence, and the sentence that makes it precise.

    Parameters
    ----------
    drops : DataFrame
        As from `find_drops`.

    Returns
    -------
    tuple of str
        The second is empty where there is nothing to add.
    """
    if drops.empty:
        return (
            "No model was tested on a corpus that took no part in its training, so this run "
            "does not say how well genres carry over.",
            "",
        )
    tested = drops[drops["verdict"] != "untested"]
    if tested.empty:
        return (
            "The cost of a change of corpus cannot be tested: in-domain cells are missing, or a "
            "side has fewer than two groups.",
            "",
        )
    what = "culture" if (tested["crossing"] == "cross-cultural").all() else "corpus"
    counts = tested["verdict"].value_counts()
    falls, rises = int(counts.get("positive", 0)), int(counts.get("negative", 0))
    total = len(tested)
    moves = f"{total} moves of a trained model to another {what}"
    if total == 1:
        moves = f"the one move of a trained model to another {what}"
    if falls == total:
        every = "all " if total > 1 else ""
        sentence = f"Not without loss: in {every}{moves}, macro-F1 falls beyond chance."
    elif falls:
        sentence = f"Only in part: in {falls} of {moves}, macro-F1 falls beyond chance"
        sentence += f", in {rises} it rises" if rises else ""
        rest = total - falls - rises
        sentence += f"; {rest} remain{'s' if rest == 1 else ''} undecided." if rest else "."
    elif rises:
        sentence = f"No loss is shown: in {rises} of {moves}, macro-F1 rises beyond chance."
    else:
        none = "in" if total == 1 else "in none of"
        sentence = f"Undecided: {none} {moves} is a change of macro-F1 beyond chance shown."
        if total == 1:
            sentence = f"Undecided: in {moves}, macro-F1 does not change beyond chance."
    return sentence, _largest(tested)


def _largest(tested: pd.DataFrame) -> str:
    row: dict[str, Any] = tested.iloc[
        int(np.argmax(tested["drop"].to_numpy(dtype="float64")))
    ].to_dict()  # type: ignore[assignment]
    at_home = interval(row["in_domain"], row["in_domain_low"], row["in_domain_high"])
    away = interval(row["cross"], row["cross_low"], row["cross_high"])
    change = interval(row["drop"], row["low"], row["high"])
    above = int((tested["cross_low"] > tested["guess"]).sum())
    lie = "lies" if above == 1 else "lie"
    return (
        f"The largest drop is {change}: {row['model']} trained on {row['source']} scores "
        f"{at_home} there and {away} on {row['target']}. Of {len(tested)} such scores away from "
        f"home, {above} {lie} above the best guess with the whole interval."
    )


def drop_sentence(row: dict[str, Any]) -> str:
    """What one row of `find_drops` allows to be said of the drop."""
    change = interval(row["drop"], row["low"], row["high"])
    where = f"{row['model']}, {row['source']} → {row['target']}"
    if row["verdict"] == "untested":
        return f"{where}: the drop cannot be tested."
    said = {
        "positive": f"macro-F1 falls by {change}",
        "negative": f"macro-F1 rises by {interval(-row['drop'], -row['high'], -row['low'])}",
        "undecided": f"no change beyond chance (in-domain minus {row['crossing']} {change})",
    }[row["verdict"]]
    return f"{where}: {said}, adjusted {p_words(row['p_adjusted'])}."


def ranking_sentences(ranking: Ranking) -> list[str]:
    """What a ranking allows to be said: an order only where the paired test gives one."""
    clips = f"{ranking.n:,} clips"
    if len(ranking.scores) < 2:
        return ["There is only one model, so there is nothing to rank."]
    pairs: list[dict[str, Any]] = ranking.pairs.to_dict("records")  # type: ignore[assignment]
    decided = {
        (str(pair["better"]), str(pair["worse"]))
        for pair in pairs
        if verdict(pair["low"], pair["high"], pair["p_adjusted"]) == "positive"
    }
    sentences = [
        f"{pair['better']} scores higher than {pair['worse']}: "
        f"{number(pair['better_score'])} against {number(pair['worse_score'])}, difference "
        f"{_difference(pair)}, adjusted {p_words(pair['p_adjusted'])}."
        for pair in pairs
        if (pair["better"], pair["worse"]) in decided
    ]
    if not decided:
        widest = max(pairs, key=lambda pair: pair["difference"])
        names = listed(list(ranking.scores))
        return [
            f"{names} are not distinguishable on these {clips} (largest difference "
            f"{_difference(widest)}, {widest['better']} against {widest['worse']}, adjusted "
            f"{p_words(widest['p_adjusted'])})."
        ]
    open_pairs = [
        f"{pair['better']} and {pair['worse']} ({_difference(pair)}, "
        f"adjusted {p_words(pair['p_adjusted'])})"
        for pair in pairs
        if (pair["better"], pair["worse"]) not in decided
    ]
    if open_pairs:
        sentences.append(f"Not distinguishable on these {clips}: {listed(open_pairs)}.")
    return sentences


def _difference(pair: dict[str, Any]) -> str:
    return interval(pair["difference"], pair["low"], pair["high"])


def cautions(run: RunDirectory) -> list[str]:
    """What a reader has to know before believing the numbers, from the facts of the corpora."""
    corpora = run.corpora
    found = []
    made = [name for name, facts in corpora.items() if facts.get("synthetic")]
    if made:
        found.append(
            f"{listed(made)} {'is' if len(made) == 1 else 'are'} synthetic: rendered by the "
            "program itself. Numbers on it show that the program works, and say nothing about "
            "music or cultures."
        )
    for name, facts in corpora.items():
        kinds = dict(facts.get("group_kind", {}))
        total = sum(kinds.values())
        if total and kinds.get("artist", 0) < total:
            others = [f"{count:,} by {kind}" for kind, count in kinds.items() if kind != "artist"]
            found.append(
                f"In {name} the artist is not known for every clip, so clips are kept together "
                f"otherwise ({listed(others)}). An artist may then stand on both sides of a split, "
                "which lifts in-domain scores and every drop measured from them."
            )
    if any("all" in evaluated_parts(s, t) for s in run.sources for t in run.targets):
        apart = "“What the drop is made of”, below, takes that apart as far as it can be."
        if not any((run.folder / "ladder").glob("*/*/ladder.csv")):
            apart = "This run measures the drop, not its cause."
        found.append(
            "A drop between corpora is not yet a difference between cultures: they may also differ "
            f"in how genres were labelled, in recording, clip length and instruments. {apart}"
        )
    return found
