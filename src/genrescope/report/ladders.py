"""Confound ladders in words and pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genrescope.figures.decomposition import waterfall_figure
from genrescope.figures.style import number
from genrescope.report.conclusions import interval, listed
from genrescope.report.embedding import Embedder
from genrescope.report.run_directory import RunDirectory
from genrescope.shift.ladder import REST


def ladder_sentences(ladder: pd.DataFrame) -> list[str]:
    """What a ladder says, none of it stronger than its intervals.

    Parameters
    ----------
    ladder : DataFrame
        As from `shift.ladder.climb`.

    Returns
    -------
    list of str
        The drop; which steps are beyond chance; what remains.

    Examples
    --------
    >>> ladder = pd.DataFrame({"name": ["at home", "padding", "what remains", "in all"],
    ...     "score": [0.8, 0.5, 0.4, 0.4], "low": [0.7, 0.4, 0.3, 0.3],
    ...     "high": [0.9, 0.6, 0.5, 0.5], "drop": [None, 0.3, 0.1, 0.4],
    ...     "drop_low": [None, 0.2, -0.1, 0.2], "drop_high": [None, 0.4, 0.3, 0.5]})
    >>> for sentence in ladder_sentences(ladder):
    ...     print(sentence)
    Macro-F1 falls from .80 to .40: .40 [.20, .50] in all.
    Beyond chance: padding .30 [.20, .40].
    What remains, with everything else alike, is .10 [−.10, .30], which could be nothing.
    """
    first, *steps, total = _rows(ladder)
    whole = interval(total["drop"], total["drop_low"], total["drop_high"])
    ends = f"from {number(first['score'])} to {number(total['score'])}"
    if not total["drop_low"] > 0:
        return [f"Macro-F1 goes {ends}; the drop of {whole} is not beyond chance."]
    said = [f"Macro-F1 falls {ends}: {whole} in all."]
    others = [row for row in steps if row["name"] != REST]
    sure = [_step(row) for row in others if row["drop_low"] > 0]
    gains = [_step(row) for row in others if row["drop_high"] < 0]
    said.append(
        f"Beyond chance: {listed(sure)}." if sure else "No step by itself is beyond chance."
    )
    if gains:
        said.append(f"Against the drop: {listed(gains)}.")
    for rest in steps:
        if rest["name"] == REST:
            left = interval(rest["drop"], rest["drop_low"], rest["drop_high"])
            doubt = "" if rest["drop_low"] > 0 else ", which could be nothing"
            said.append(f"What remains, with everything else alike, is {left}{doubt}.")
    return said


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return table.to_dict("records")  # type: ignore[return-value]


def _step(row: dict[str, Any]) -> str:
    return f"{row['name']} {interval(row['drop'], row['drop_low'], row['drop_high'])}"


def ladder_exhibit(ladder: pd.DataFrame, embed: Embedder, *, title: str) -> dict[str, Any]:
    """A ladder as the templates take it: sentences, figure, rows."""
    taken = (ladder["drop"] != 0) | (ladder["drop_low"] != 0) | (ladder["drop_high"] != 0)
    drawn = ladder[taken].reset_index(drop=True)
    last = drawn.index[-1]
    drawn.loc[last, ["drop", "drop_low", "drop_high"]] = float("nan")
    drawn.loc[last, "name"] = "on the target"
    n = [int(count) for count in (ladder["n"].iloc[0], ladder["n"].iloc[-1])]
    groups = [int(count) for count in (ladder["n_groups"].iloc[0], ladder["n_groups"].iloc[-1])]
    subtitle = (
        f"Each step changes one thing more; {n[0]:,} source clips in {groups[0]:,} groups, "
        f"{n[1]:,} target clips in {groups[1]:,}"
    )
    return {
        "sentences": ladder_sentences(ladder),
        "figure": embed.figure(waterfall_figure(drawn, title=title, subtitle=subtitle)),
        "rows": ladder.assign(note=ladder["note"].fillna("")).to_dict("records"),
    }


def read_ladder(folder: Path) -> pd.DataFrame | None:
    """The ladder of a run directory's folder; None where there is none."""
    path = folder / "ladder.csv"
    return pd.read_csv(path) if path.is_file() else None


def ladder_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """The ladders of a study: `model`, `source`, `target` and what `ladder_exhibit` gives."""
    found = []
    for source in run.sources:
        for target in run.targets:
            for model in run.models:
                ladder = read_ladder(run.folder / "ladder" / model / f"{source}__{target}")
                if ladder is not None:
                    names = {"model": model, "source": source, "target": target}
                    title = f"{model}: from {source} to {target}"
                    found.append(names | ladder_exhibit(ladder, embed, title=title))
    return found


def largest_taken_apart(ladders: Sequence[dict[str, Any]], drops: pd.DataFrame) -> str:
    """What the ladder of the largest drop says; nothing where it has none.

    Parameters
    ----------
    ladders : sequence of dict
        As from `ladder_exhibits`.
    drops : DataFrame
        As from `find_drops`.
    """
    tested = drops[drops["verdict"] != "untested"] if len(drops) else drops
    if not len(tested):
        return ""
    largest = tested.sort_values("drop").iloc[-1]
    names = ("model", "source", "target")
    for found in ladders:
        if all(found[name] == largest[name] for name in names):
            where = f"on {int(found['rows'][0]['n']):,} clips of {found['source']}"
            return f"Step by step, {where}: {' '.join(found['sentences'])}"
    return ""
