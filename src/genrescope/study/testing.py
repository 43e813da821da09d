"""Testing one cell: its predictions, its scores, its confusion matrix."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from genrescope.evaluation.cells import Cell, evaluate_cell, predict_cell, select_part
from genrescope.evaluation.metrics import classification, confusion
from genrescope.figures import confusion_figure, save_figure
from genrescope.files import write_csv, write_json
from genrescope.study.material import Material


def write_cell(
    folder: Path,
    cell: Cell,
    members: Sequence[Material],
    *,
    load: Callable[[int], Any],
    seeds: Sequence[int],
    genres: Sequence[str],
    n_resamples: int,
) -> list[dict[str, Any]]:
    """Test a cell and write its files.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `predictions.csv`, `report.json`, `confusion.csv` and `confusion.png`.
    cell : Cell
    members : sequence of Material
        The corpora the target joins.
    load : callable
        Gives the trained model of a seed.
    seeds : sequence of int
        Of the splits and models.
    genres : sequence of str
        In display order.
    n_resamples : int
        Of the scores' bootstrap.

    Returns
    -------
    list of dict
        The cell's rows of `results.csv`; none where the target has no clips to test on.
    """
    predictions = pd.concat(
        [predict_target(cell, members, load(seed), genres=genres, seed=seed) for seed in seeds],
        ignore_index=True,
    )
    scored = evaluate_cell(predictions, cell=cell, genres=genres, n_resamples=n_resamples)
    rows = [row for row in scored if row["n"]]
    if not rows:
        return []
    write_csv(folder / "predictions.csv", predictions)
    # One table stands for the cell: the first seed, and all clips where none was trained on.
    part = cell.parts[-1]
    shown = select_part(predictions[predictions["seed"] == seeds[0]], part)
    counts = confusion(shown, genres)
    write_json(folder / "report.json", classification(shown, genres))
    write_csv(folder / "confusion.csv", counts.rename_axis("genre"), index=True)
    figure = confusion_figure(
        counts,
        title=f"{cell.model}: {cell.source} → {cell.target}",
        subtitle=f"{len(shown)} {'clips' if part == 'all' else 'held-out clips'}",
    )
    save_figure(figure, folder / "confusion.png")
    return rows


def predict_target(
    cell: Cell, members: Sequence[Material], model: Any, *, genres: Sequence[str], seed: int
) -> pd.DataFrame:
    """Predict the clips of a target that a cell evaluates.

    Parameters
    ----------
    cell : Cell
    members : sequence of Material
        The corpora the target joins.
    model : fitted classifier
    genres : sequence of str
        In display order.
    seed : int
        Of the split.

    Returns
    -------
    DataFrame
        As `predictions.csv`: every clip where none took part in training, else the held-out ones.
    """
    frames = []
    for member in members:
        every = "all" in cell.parts
        ids = list(member.clips.index) if every else member.part("test", seed=seed)
        if ids:
            X, clips = member.inputs(model.input, ids), member.clips.loc[ids]
            frames.append(
                predict_cell(model, X, clips, genres, seed=seed, parts=member.parts[seed])
            )
    if frames:
        return pd.concat(frames, ignore_index=True)
    return predict_cell(model, [], members[0].clips.iloc[:0], genres, seed=seed)
