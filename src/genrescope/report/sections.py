"""The report's tables as the template takes them: corpora, results, confusion."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import pandas as pd

from genrescope.evaluation.cells import Cell, evaluated_parts
from genrescope.figures.confusion import recall_shares
from genrescope.parquet_file import read_frame
from genrescope.report.run_directory import RunDirectory
from genrescope.report.run_files import damage_named

EXAMPLES = 3  # failures shown of each kind
GROUP_WORDS = {
    "artist": "artist",
    "track": "track (the artist is not known)",
    "song": "song",
    "phrase": "phrase of a song",
    "stem": "file stem (song and artist are not known)",
    "row": "row of the table (track and artist are not known)",
}
HOT = 0.74  # share of the score scale from which white text reads better than ink
SCORES = ("accuracy", "macro_f1", "balanced_accuracy", "weighted_f1", "kappa", "ece")
GUESSES = {"majority": "majority guess", "prior": "guess by shares", "uniform": "uniform guess"}


def heat_map(run: RunDirectory) -> dict[str, Any]:
    """The results grid: a panel per model, and what guessing scores.

    Returns
    -------
    dict
        `targets`, `panels` (model, rows of source and cells) and `guesses`, a row per target and
        part. A cell is None where the run has none, else its scores with `guess` (the best guess's
        macro-F1) and `hot` (print in white).
    """
    guess_rows: dict[tuple[str, str], dict[str, Any]] = {}
    panels = []
    for model in run.models:
        rows = []
        for source in run.sources:
            cells: list[dict[str, Any] | None] = []
            for target in run.targets:
                cell = Cell(model, source, target)
                row = run.row(cell)
                if row is not None:
                    part = str(row["part"])
                    guess = run.guesses(cell, part)
                    found = {"target": target, "part": part, "n": int(row["n"])}
                    found |= {str(name): values for name, values in guess.T.to_dict().items()}
                    guess_rows.setdefault((target, part), found)
                    best = float(guess["macro_f1"].max())
                    row |= {"guess": best, "hot": row["macro_f1"] >= HOT}
                cells.append(row)
            rows.append({"source": source, "cells": cells})
        panels.append({"model": model, "rows": rows})
    order = {target: place for place, target in enumerate(run.targets)}
    found_guesses = sorted(guess_rows.values(), key=lambda row: (order[row["target"]], row["part"]))
    return {"targets": run.targets, "panels": panels, "guesses": found_guesses}


def corpus_facts(run: RunDirectory) -> list[dict[str, Any]]:
    """Facts about each corpus, with its split sizes and examples of its failures."""
    failures = run.table("failures.csv")
    splits = _split_sizes(run)
    found = []
    for name, facts in run.corpora.items():
        own = None
        if failures is not None and not failures.empty:
            own = failures[failures["corpus"] == name] if "corpus" in failures else failures
        defaults = {"synthetic": False, "unmapped": {}, "notes": [], "genres": {}}
        found.append(
            defaults
            | facts
            | {
                "name": name,
                "groups_by": [
                    (GROUP_WORDS.get(kind, kind), count)
                    for kind, count in facts.get("group_kind", {}).items()
                ],
                "parts": splits.get(name, {}),
                "failed": _failures(facts.get("failures", {}), own),
                "missing_genres": [g for g in run.genres if not facts.get("genres", {}).get(g)],
            }
        )
    return found


def _failures(counts: dict[str, int], rows: pd.DataFrame | None) -> list[dict[str, Any]]:
    listed = []
    for kind, count in counts.items():
        own = pd.DataFrame() if rows is None else rows[rows["kind"] == kind]
        examples = [
            {"path": "/".join(PurePath(str(row["path"])).parts[-3:]), "reason": str(row["reason"])}
            for row in own.head(EXAMPLES).to_dict("records")
        ]
        listed.append({"kind": kind, "count": count, "examples": examples})
    return listed


def _split_sizes(run: RunDirectory) -> dict[str, dict[str, int]]:
    path = run.folder / "splits.parquet"
    if not path.is_file():
        return {}
    with damage_named(path):
        table = read_frame(path)
        table = table[table["seed"] == run.seed]
        counts = table.groupby(["corpus", "part"], as_index=False).size()
    sizes: dict[str, dict[str, int]] = {}
    for row in counts.to_dict("records"):
        sizes.setdefault(str(row["corpus"]), {})[str(row["part"])] = int(row["size"])
    return sizes


def result_groups(run: RunDirectory) -> list[dict[str, Any]]:
    """All scores over all seeds, by source, target and part, what guessing scores among them.

    Returns
    -------
    list of dict
        `source`, `target`, `part`, `models` (a row of `summarise` per model) and `guesses` (the
        same, with the guess's `name`).
    """
    groups = []
    for source in run.sources:
        for target in run.targets:
            for part in evaluated_parts(source, target):
                cells = [Cell(model, source, target) for model in run.models]
                found = [(cell, row) for cell in cells if (row := run.row(cell, part)) is not None]
                if not found:
                    continue
                guess = run.guesses(found[0][0], part)
                groups.append(
                    {
                        "source": source,
                        "target": target,
                        "part": part,
                        "models": [row for _, row in found],
                        "guesses": [
                            {"name": words, **guess.loc[name].to_dict()}
                            for name, words in GUESSES.items()
                        ],
                    }
                )
    return groups


def every_row(run: RunDirectory) -> list[dict[str, Any]]:
    """The rows of `results.csv`."""
    return [{str(k): v for k, v in row.items()} for row in run.results.to_dict("records")]


def confusion_blocks(run: RunDirectory) -> list[dict[str, Any]]:
    """Confusion matrices and per-class scores of every cell, models side by side.

    Returns
    -------
    list of dict
        `source`, `target`, `part`, `n`, `guess` (what guessing scores), `matrices` (model, rows
        of genre, support, cells of count, share, right and hot) and `classes` (genre, support and
        its share, and per model a row of `summarise_genres`).
    """
    blocks = []
    for source in run.sources:
        for target in run.targets:
            cells = [Cell(model, source, target) for model in run.models]
            found = [(cell, row) for cell in cells if (row := run.row(cell)) is not None]
            matrices = [_matrix(run, cell) for cell, _ in found]
            shown = [matrix for matrix in matrices if matrix is not None]
            if not shown:
                continue
            cell, row = found[0]
            blocks.append(
                {
                    "source": source,
                    "target": target,
                    "part": row["part"],
                    "n": int(row["n"]),
                    "guess": run.guesses(cell, str(row["part"])).T.to_dict(),
                    "matrices": shown,
                    "classes": _class_rows(run, [cell for cell, _ in found], str(row["part"])),
                }
            )
    return blocks


def _matrix(run: RunDirectory, cell: Cell) -> dict[str, Any] | None:
    table = run.table(*cell.folder.parts, "confusion.csv")
    if table is None:
        return None
    table = table.set_index(table.columns[0])
    shares = recall_shares(table)
    rows = []
    for place, genre in enumerate(table.index):
        counts = [int(count) for count in table.iloc[place]]
        rows.append(
            {
                "genre": str(genre),
                "support": sum(counts),
                "cells": [
                    {
                        "count": count,
                        "share": float(share),
                        "right": column == place,
                        "hot": share >= HOT,
                        "predicted": str(table.columns[column]),
                    }
                    for column, (count, share) in enumerate(
                        zip(counts, shares.iloc[place], strict=True)
                    )
                ],
            }
        )
    return {"model": cell.model, "genres": [str(name) for name in table.columns], "rows": rows}


def _class_rows(run: RunDirectory, cells: Sequence[Cell], part: str) -> list[dict[str, Any]]:
    tables = [run.genre_scores(cell, part) for cell in cells]
    clips = run.predictions(cells[0], part).drop_duplicates("clip_id")["genre"].value_counts()
    return [
        {
            "genre": genre,
            "support": int(clips[genre]),
            "share": float(clips[genre] / clips.sum()),
            "models": [table.loc[genre].to_dict() for table in tables],
        }
        for genre in run.genres
        if genre in clips
    ]
