"""Tags that are not what a model hears, as people and programs read them."""

import json
from typing import Any

import pandas as pd
from rich.cells import cell_len

from genrescope.report.layouts import encodable, printable
from genrescope.taxonomy import normalise_label

FORMATS = ("table", "csv", "json", "jsonl")


def render_disagreements(found: pd.DataFrame, format: str) -> str:  # noqa: A002 (the option's word)
    """Lay disagreements out as text.

    Parameters
    ----------
    found : DataFrame
        From `TagCheck.disagreements`.
    format : str
        One of `FORMATS`: a line per file, CSV, a list of objects, or an object per line.

    Returns
    -------
    str
        With a line end, or empty for a table or JSON lines of nothing.

    Examples
    --------
    >>> found = pd.DataFrame([{"path": "a.mp3", "tag": "Hard Rock", "tag_genre": "Rock/Metal",
    ...     "predicted": "Blues-like", "probability": 0.93, "tag_probability": 0.02,
    ...     "outside_set": True, "unlike": False}])
    >>> print(render_disagreements(found, "table"), end="")
    a.mp3  tagged Hard Rock (Rock/Metal) 0.02  heard as Blues-like 0.93  tag outside the set
    """
    if format == "csv":
        return encodable(found.to_csv(index=False, lineterminator="\n"))
    if format == "table":
        return _table(found)
    objects = [json.dumps(row, ensure_ascii=False) for row in found.to_dict(orient="records")]
    if format == "jsonl":
        return encodable("".join(f"{one}\n" for one in objects))
    return encodable("[" + ",".join(f"\n{one}" for one in objects) + "\n]\n")


def _table(found: pd.DataFrame) -> str:
    rows = [_cells(row) for row in found.to_dict(orient="records")]
    if not rows:
        return ""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            # Korean letters take two cells of a terminal.
            cell + " " * (width - cell_len(cell))
            for cell, width in zip(row, widths, strict=True)
        )
        for row in rows
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _cells(row: dict[Any, Any]) -> tuple[str, ...]:
    same = normalise_label(row["tag"]) == normalise_label(row["tag_genre"])
    meant = "" if same else f" ({row['tag_genre']})"
    doubts = ["tag outside the set"] if row["outside_set"] else []
    doubts += ["unlike anything in training"] if row["unlike"] else []
    return (
        printable(row["path"]),
        printable(f"tagged {row['tag']}{meant} {row['tag_probability']:.2f}"),
        f"heard as {row['predicted']} {row['probability']:.2f}",
        ", ".join(doubts),
    )
