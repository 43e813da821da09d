"""Predictions as people and programs read them: a table, CSV, or JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from genrescope.figures.style import number
from genrescope.models.doubt import Doubt
from genrescope.models.predictor import FilePrediction

FORMATS = ("table", "csv", "json")
CLOSE = 0.5  # a genre at least half as likely as the first "could also be" it
DOUBT_COLUMNS = ("prediction_set", "coverage", "unusual", "unlike")


def render(answers: Sequence[FilePrediction], format: str) -> str:  # noqa: A002 (the option's word)
    """Lay predictions out as text.

    Parameters
    ----------
    answers : sequence of FilePrediction
    format : str
        `table` (a line per file), `csv` (a row per file; a column per genre, then
        `prediction_set`, its genres joined by `|`, `coverage`, `unusual` and `unlike`) or `json`
        (windows included, and the whole `doubt`).

    Returns
    -------
    str
        With a line end, or empty for a table of nothing.
    """
    if format == "json":
        return (
            json.dumps([_record(answer) for answer in answers], ensure_ascii=False, indent=2) + "\n"
        )
    if format == "csv":
        return _table(answers).to_csv(index=False, lineterminator="\n")
    width = max((len(str(answer.path)) for answer in answers), default=0)
    return "".join(f"{_line(answer, width)}\n" for answer in answers)


def coverage_line(coverage: Mapping[str, Any]) -> str:
    """How prediction sets did on held-out recordings, in one line.

    Parameters
    ----------
    coverage : mapping
        As `genrescope.study.kept_aside.measured_coverage` gives it.

    Examples
    --------
    >>> coverage_line({"asked": 0.9, "recordings": 28, "covered": 26, "low": 0.774, "high": 0.98,
    ...     "mean_size": 1.25})
    '90% sets: the true genre in 26 of 28 held-out recordings (.93 [.77, .98]), of 1.2 genres'
    """
    share = number(coverage["covered"] / coverage["recordings"])
    return (
        f"{percent(coverage['asked'])} sets: the true genre in {coverage['covered']} of "
        f"{coverage['recordings']} held-out recordings ({share} [{number(coverage['low'])}, "
        f"{number(coverage['high'])}]), of {coverage['mean_size']:.1f} genres"
    )


def percent(share: float) -> str:
    """A share as a percentage with no more digits than it has.

    Examples
    --------
    >>> percent(0.9), percent(0.975)
    ('90%', '97.5%')
    """
    return f"{100 * share:.4g}%"


def _table(answers: Sequence[FilePrediction]) -> pd.DataFrame:
    if not answers:
        names = ("path", "duration_s", "windows", "genre", *DOUBT_COLUMNS)
        return pd.DataFrame(columns=pd.Index(names))
    frame = pd.concat([answer.frame() for answer in answers], ignore_index=True)
    doubts = pd.DataFrame([_cells(answer.doubt) for answer in answers], columns=[*DOUBT_COLUMNS])
    return pd.concat([frame, doubts], axis=1)


def _cells(doubt: Doubt | None) -> list[Any]:
    if doubt is None:
        return [None] * len(DOUBT_COLUMNS)
    return ["|".join(doubt.genres), doubt.coverage, doubt.unusual, doubt.unlike]


def _record(answer: FilePrediction) -> dict[str, Any]:
    return {
        "path": str(answer.path),
        "genre": answer.genre,
        "duration_s": answer.duration_s,
        "probabilities": {str(g): float(p) for g, p in answer.probabilities.items()},
        "doubt": None if answer.doubt is None else asdict(answer.doubt),
        "windows": answer.windows.to_dict(orient="records"),
    }


def _line(answer: FilePrediction, width: int) -> str:
    first = float(answer.probabilities[answer.genre])
    notes = [_also(answer) if answer.doubt is None else _sure(answer.genre, answer.doubt)]
    if answer.doubt is not None and answer.doubt.unlike:
        notes.append("unlike anything it was trained on")
    told = "; ".join(filter(None, notes))
    minutes, seconds = divmod(round(answer.duration_s), 60)
    n = len(answer.windows)
    windows = "1 window" if n == 1 else f"{n} windows"
    length = f"{minutes}:{seconds:02d}, {windows}"
    return (
        f"{answer.path!s:<{width}}  {answer.genre} {first:.2f}{f'  ({told})' if told else ''}  "
        f"{length}"
    )


def _also(answer: FilePrediction) -> str:
    ranked = answer.probabilities.sort_values(ascending=False, kind="stable")
    first = float(ranked.iloc[0])
    close = [str(genre) for genre, p in ranked.iloc[1:].items() if p >= CLOSE * first]
    return f"could also be {' or '.join(close)}" if close else ""


def _sure(genre: str, doubt: Doubt) -> str:
    if not doubt.enough:
        return f"calibrated on too few recordings to be {percent(doubt.coverage)} sure of anything"
    others = [name for name in doubt.genres if name != genre]
    also = f" or {' or '.join(others)}" if others else ""
    return f"{percent(doubt.coverage)} sure: {genre}{also}"
