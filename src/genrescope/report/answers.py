"""Predictions as people and programs read them: a table, CSV, or JSON."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from genrescope.models.predictor import FilePrediction

FORMATS = ("table", "csv", "json")
CLOSE = 0.5  # a genre at least half as likely as the first "could also be" it


def render(answers: Sequence[FilePrediction], format: str) -> str:  # noqa: A002 (the option's word)
    """Lay predictions out as text.

    Parameters
    ----------
    answers : sequence of FilePrediction
    format : str
        `table` (a line per file), `csv` (a row per file, a column per genre) or `json` (windows
        included).

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


def _table(answers: Sequence[FilePrediction]) -> pd.DataFrame:
    if not answers:
        return pd.DataFrame(columns=pd.Index(["path", "duration_s", "windows", "genre"]))
    return pd.concat([answer.frame() for answer in answers], ignore_index=True)


def _record(answer: FilePrediction) -> dict[str, Any]:
    return {
        "path": str(answer.path),
        "genre": answer.genre,
        "duration_s": answer.duration_s,
        "probabilities": {str(g): float(p) for g, p in answer.probabilities.items()},
        "windows": answer.windows.to_dict(orient="records"),
    }


def _line(answer: FilePrediction, width: int) -> str:
    ranked = answer.probabilities.sort_values(ascending=False, kind="stable")
    first = float(ranked.iloc[0])
    close = [str(genre) for genre, p in ranked.iloc[1:].items() if p >= CLOSE * first]
    also = f"  (could also be {' or '.join(close)})" if close else ""
    minutes, seconds = divmod(round(answer.duration_s), 60)
    n = len(answer.windows)
    windows = "1 window" if n == 1 else f"{n} windows"
    length = f"{minutes}:{seconds:02d}, {windows}"
    return f"{answer.path!s:<{width}}  {answer.genre} {first:.2f}{also}  {length}"
