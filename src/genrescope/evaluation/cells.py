"""The cells of a study: one model, one source, one target, and their rows in results.csv."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.evaluation.metrics import SCORES, score

JOIN = "+"
PREDICTION_COLUMNS = ("seed", "part", "clip_id", "group", "genre", "predicted")
RESULT_COLUMNS = ("model", "source", "target", "part", "seed", *SCORES)


def source_members(source: str) -> tuple[str, ...]:
    """Names of the corpora a source or target is made of.

    Examples
    --------
    >>> source_members("gtzan+korean")
    ('gtzan', 'korean')
    """
    return tuple(source.split(JOIN))


def evaluated_parts(source: str, target: str) -> list[str]:
    """Parts of the target that are scored.

    Returns
    -------
    list of str
        `test`, the held-out split; and `all`, every clip, only where source and target share no
        corpus, since otherwise a part of the clips was trained on.

    Examples
    --------
    >>> evaluated_parts("gtzan", "korean"), evaluated_parts("gtzan", "gtzan+korean")
    (['test', 'all'], ['test'])
    """
    shared = set(source_members(source)) & set(source_members(target))
    return ["test"] if shared else ["test", "all"]


@dataclass(frozen=True, order=True)
class Cell:
    """One model trained on one source and tested on one target.

    Parameters
    ----------
    model : str
        Kind of model: `forest`, `boosting`, `cnn`.
    source, target : str
        A corpus name, or several joined by `+`.

    Examples
    --------
    >>> cell = Cell("forest", "gtzan", "gtzan+korean")
    >>> str(cell.folder), cell.parts
    ('cells/forest/gtzan__gtzan+korean', ['test'])
    """

    model: str
    source: str
    target: str

    @property
    def folder(self) -> PurePosixPath:
        """Folder of the cell's files, relative to the run directory."""
        return PurePosixPath("cells", self.model, f"{self.source}__{self.target}")

    @property
    def parts(self) -> list[str]:
        """Parts of the target that are scored: `evaluated_parts` of source and target."""
        return evaluated_parts(self.source, self.target)


def align_probabilities(
    probabilities: npt.ArrayLike, classes: Sequence[str], genres: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Bring a model's probability columns into the study's genre order.

    Parameters
    ----------
    probabilities : array [shape=(n, n_classes)]
        Columns in the order of `classes`.
    classes : sequence of str
        The model's own classes.
    genres : sequence of str
        The study's genres; those the model never saw get probability 0.

    Returns
    -------
    numpy.ndarray [shape=(n, n_genres)]

    Raises
    ------
    ValueError
        Where a class of the model is not among `genres`.

    Examples
    --------
    >>> align_probabilities([[0.25, 0.75]], ["a", "b"], ["b", "c", "a"]).tolist()
    [[0.75, 0.0, 0.25]]
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    places = pd.Index(list(genres)).get_indexer(pd.Index(list(classes)))
    if (places < 0).any():
        strange = [str(name) for name, place in zip(classes, places, strict=True) if place < 0]
        raise ValueError(f"the model knows {', '.join(strange)}, not among the study's genres")
    aligned = np.zeros((len(probabilities), len(genres)))
    aligned[:, places] = probabilities
    return aligned


def predict_cell(
    model: Any,
    X: Any,
    clips: pd.DataFrame,
    genres: Sequence[str],
    *,
    seed: int = 0,
    parts: "pd.Series[Any] | None" = None,
) -> pd.DataFrame:
    """Predict clips and lay the answers out as `predictions.csv`.

    Parameters
    ----------
    model : fitted classifier
        `predict_proba` and `classes_` as in scikit-learn.
    X : DataFrame, or array [shape=(n, ...)]
        The model's input, row by row for `clips`.
    clips : DataFrame [shape=(n, ...)]
        Columns `group`, `genre`, and `clip_id` as a column or as the index.
    genres : sequence of str
        The study's genres, in display order.
    seed : int
        Seed of the split and the model, for the `seed` column.
    parts : Series, optional
        The clips' own split part by `clip_id`; `test` for every clip where not given.

    Returns
    -------
    DataFrame [shape=(n, 6 + n_genres)]
        `PREDICTION_COLUMNS`, then the probability of each genre. `predicted` is the genre of
        the largest probability, the first in genre order among equals.

    Raises
    ------
    ValueError
        Where rows do not belong together, a clip has no part, or the model knows other genres.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> clips = pd.DataFrame({"clip_id": ["1", "2"], "group": ["a", "b"], "genre": ["x", "y"]})
    >>> model = DummyClassifier(strategy="prior").fit([[0], [0]], ["x", "y"])
    >>> predict_cell(model, [[0], [0]], clips, ["x", "y"])["predicted"].tolist()
    ['x', 'x']
    """
    clip_ids = clips.get("clip_id", clips.index).to_numpy()
    if len(X) != len(clips):
        raise ValueError(f"{len(X)} inputs for {len(clips)} clips")
    if isinstance(X, pd.DataFrame) and not np.array_equal(X.index.to_numpy(), clip_ids):
        raise ValueError("the inputs' index is not the clips' clip_id, in the same order")
    part = np.full(len(clips), "test", dtype=object)
    if parts is not None:
        own = parts.reindex(clip_ids)
        if own.isna().any():
            raise ValueError(f"{int(own.isna().sum())} clips have no part in the split")
        part = own.to_numpy(dtype=object)
    probabilities = (
        align_probabilities(model.predict_proba(X), model.classes_, genres)
        if len(clips)
        else np.zeros((0, len(genres)))
    )
    frame = pd.DataFrame(
        {
            "seed": np.full(len(clips), seed, dtype=np.int64),
            "part": pd.Series(part, dtype="str"),
            "clip_id": pd.Series(clip_ids, dtype="str"),
            "group": pd.Series(clips["group"].to_numpy(), dtype="str"),
            "genre": pd.Series(clips["genre"].to_numpy(), dtype="str"),
            "predicted": pd.Series(
                np.asarray(genres, dtype=object)[probabilities.argmax(axis=1)], dtype="str"
            ),
        }
    )
    return pd.concat([frame, pd.DataFrame(probabilities, columns=list(genres))], axis=1)


def prediction_columns(genres: Sequence[str]) -> list[str]:
    """Columns of `predictions.csv`, in order.

    Examples
    --------
    >>> prediction_columns(["x", "y"])[-3:]
    ['predicted', 'x', 'y']
    """
    return [*PREDICTION_COLUMNS, *genres]


def read_predictions(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a `predictions.csv` back to the last digit.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    DataFrame
        As `predict_cell` made it; genres called "NA" or "None" stay words.

    Raises
    ------
    ValueError
        Where a column of `PREDICTION_COLUMNS` is missing.
    """
    # Words and numbers alike are read as text: no value is taken for a missing one, and the
    # conversion below is exact in every version of pandas.
    frame = pd.read_csv(path, dtype="str", keep_default_na=False)
    missing = [name for name in PREDICTION_COLUMNS if name not in frame]
    if missing:
        raise ValueError(f"{os.fspath(path)} lacks the columns {', '.join(missing)}")
    columns: dict[str, Any] = {"seed": frame["seed"].to_numpy(dtype=object).astype(np.int64)}
    for name in frame.columns.difference(list(PREDICTION_COLUMNS)):
        columns[name] = frame[name].to_numpy(dtype=object).astype(np.float64)
    return frame.assign(**columns)


def select_part(predictions: pd.DataFrame, part: str) -> pd.DataFrame:
    """Rows of an evaluated part: those held out for `test`, every row for `all`.

    Raises
    ------
    ValueError
        For another part.

    Examples
    --------
    >>> frame = pd.DataFrame({"part": ["train", "test"], "clip_id": ["1", "2"]})
    >>> select_part(frame, "test")["clip_id"].tolist(), len(select_part(frame, "all"))
    (['2'], 2)
    """
    if part not in ("test", "all"):
        raise ValueError(f"{part!r} is not an evaluated part: test or all")
    return predictions if part == "all" else predictions[predictions["part"] == part]


def evaluate_cell(
    predictions: pd.DataFrame,
    *,
    cell: Cell,
    genres: Sequence[str],
    parts: Sequence[str] | None = None,
    n_resamples: int = 1000,
    bootstrap_seed: int = 0,
) -> list[dict[str, Any]]:
    """Score a cell's predictions: one row of `results.csv` per seed and evaluated part.

    Parameters
    ----------
    predictions : DataFrame
        As from `predict_cell`, of one seed or several.
    cell : Cell
    genres : sequence of str
        The study's genres, in display order.
    parts : sequence of str, optional
        Evaluated parts; `cell.parts` where not given.
    n_resamples, bootstrap_seed : int
        As in `score`.

    Returns
    -------
    list of dict
        Keys are `RESULT_COLUMNS`, in that order; seeds in rising order. A part without clips
        has `n` 0 and NaN scores.

    Examples
    --------
    >>> frame = pd.DataFrame({"seed": 0, "part": "test", "clip_id": ["1", "2"],
    ...     "group": ["a", "b"], "genre": ["x", "y"], "predicted": ["x", "x"],
    ...     "x": [0.9, 0.6], "y": [0.1, 0.4]})
    >>> rows = evaluate_cell(frame, cell=Cell("forest", "a", "b"), genres=["x", "y"])
    >>> [(row["part"], row["n"], row["accuracy"]) for row in rows]
    [('test', 2, 0.5), ('all', 2, 0.5)]
    """
    rows = []
    for seed in sorted(predictions["seed"].unique()):
        of_seed = predictions[predictions["seed"] == seed]
        for part in cell.parts if parts is None else parts:
            scores = score(
                select_part(of_seed, part), genres, n_resamples=n_resamples, seed=bootstrap_seed
            )
            names = (cell.model, cell.source, cell.target, part, int(seed))
            rows.append(dict(zip(RESULT_COLUMNS, (*names, *scores.values()), strict=True)))
    return rows
