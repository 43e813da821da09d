"""A run directory whose numbers are the paper's, for claims to be held against.

Which clips each model got right is not published, so the pairing of the models is made up: `most`
alike (all models are right on the same clips as far as their numbers allow), `least` alike (the
right answers of one model begin where those of the one before end) or `chance`. Every clip is a
group of its own, as in a split at random. `python paper_run.py DIR [PAIRING]` writes one.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from paper_matrices import Counts, published

from genrescope.evaluation.cells import (
    RESULT_COLUMNS,
    Cell,
    evaluate_cell,
    prediction_columns,
    select_part,
)
from genrescope.evaluation.metrics import classification, confusion
from genrescope.files import write_csv, write_json
from genrescope.report.paper import load_paper

PAIRINGS = ("most", "least", "chance")
STATED = 0.7  # probability given to every answer; the paper prints none


def answers(matrices: list[Counts], pairing: str) -> list[np.ndarray]:
    """Each model's answers, as genre places, to the same clips ordered by true genre."""
    rng = np.random.default_rng(0)
    found: list[list[np.ndarray]] = [[] for _ in matrices]
    for genre in range(len(matrices[0])):
        start = 0
        for model, counts in enumerate(matrices):
            row = counts[genre]
            # Right answers first, then the wrong ones in one order for all models.
            order = [genre, *(k for k in range(len(row)) if k != genre)]
            given = np.repeat(order, row[order])
            if pairing == "least":
                given = np.roll(given, start)
                start += row[genre]
            elif pairing == "chance":
                given = rng.permutation(given)
            found[model].append(given)
    return [np.concatenate(parts) for parts in found]


def write_paper_run(folder: Path, pairing: str) -> Path:
    """Write the run; it has the paper's six cells and its SHAP list."""
    paper, matrices = load_paper(), published()
    genres = paper["genres"]
    models = ["forest", "boosting", "cnn"]
    rows = []
    for target in ("gtzan", "korean"):
        cells = [Cell(model, "gtzan", target) for model in models]
        support = paper["support"][target]
        truth = np.repeat(np.arange(len(genres)), support)
        clips = pd.DataFrame({"clip_id": [f"{target}/{k:04}@0" for k in range(len(truth))]})
        given = answers([matrices[c.model, c.source, c.target] for c in cells], pairing)
        for cell, places in zip(cells, given, strict=True):
            frame = clips.assign(group=clips["clip_id"], genre=np.array(genres)[truth], seed=0)
            frame = frame.assign(part="test", predicted=np.array(genres)[places])
            if target == "korean":
                frame.loc[frame.index % 7 != 0, "part"] = "train"
            rest = (1 - STATED) / (len(genres) - 1)
            odds = np.where(np.arange(len(genres)) == places[:, np.newaxis], STATED, rest)
            frame[genres] = odds
            frame = frame[prediction_columns(genres)]
            rows += evaluate_cell(frame, cell=cell, genres=genres)
            shown = select_part(frame, cell.parts[-1])
            place = folder / cell.folder
            write_csv(place / "predictions.csv", frame)
            write_csv(place / "confusion.csv", confusion(shown, genres), index=True)
            write_json(place / "report.json", classification(shown, genres))
    write_csv(folder / "results.csv", pd.DataFrame(rows, columns=list(RESULT_COLUMNS)))
    top = pd.DataFrame(paper["shap"]["top"], columns=["feature", "mean_abs_shap"])
    top.insert(0, "rank", range(1, len(top) + 1))
    write_csv(folder / "explanations" / "shap" / "boosting" / "gtzan" / "top_features.csv", top)
    facts = {
        name: {"format": form, "culture": culture}
        for (name, form), culture in zip(
            paper["corpora"].items(), ("Western", "Korean"), strict=True
        )
    }
    info = {"name": "paper", "genres": genres, "corpora": facts, "seeds": [0], "models": {}}
    info |= {"sources": ["gtzan"], "targets": ["gtzan", "korean"], "reference": "paper"}
    write_json(folder / "run.json", info)
    return folder


if __name__ == "__main__":
    print(write_paper_run(Path(sys.argv[1]), *(sys.argv[2:] or ["most"])))
