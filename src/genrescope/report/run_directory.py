"""A finished run directory as the report reads it: from the disk and from nothing else."""

import os
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pandas as pd

from genrescope.errors import GenrescopeError
from genrescope.evaluation.cells import Cell, select_part, source_members
from genrescope.evaluation.guesses import GUESSES
from genrescope.evaluation.summary import (
    GUESS_PREFIX,
    summarise,
    summarise_genres,
    summarise_guess,
)
from genrescope.files import read_json
from genrescope.remote import UrlPath, place_of
from genrescope.report.run_files import (
    CELL_KEYS,
    damage_named,
    fetched,
    read_cell,
    read_info,
    read_results,
)

NEEDED = ("run.json", "results.csv")
UNKNOWN_CULTURES = {"", "unknown"}


@dataclass
class RunDirectory:
    """What `genrescope study` left in a folder.

    Scores and tests are of all seeds, means with intervals from a bootstrap that draws a group with
    its clips of every seed; explanations and confusion matrices are of the first seed.

    Attributes
    ----------
    folder : pathlib.Path
    info : dict
        The content of `run.json`.
    results : DataFrame
        The content of `results.csv`, without the rows of guessing.
    """

    folder: Path
    info: dict[str, Any]
    results: pd.DataFrame
    _predictions: dict[Cell, pd.DataFrame] = field(default_factory=dict)
    _scores: dict[tuple[Cell, str], dict[str, Any]] = field(default_factory=dict)
    _guesses: dict[tuple[str, str, str], pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Self:
        """Read the provenance and the results of a run.

        Parameters
        ----------
        folder : path-like
            A run directory or its URL; of a remote one the tables are fetched into a temporary
            folder of this process.

        Raises
        ------
        GenrescopeError
            Where the folder is not a finished run.
        RemoteError
            Where a URL cannot be reached.
        """
        place = place_of(folder)
        folder = fetched(place) if isinstance(place, UrlPath) else Path(place)
        missing = [name for name in NEEDED if not (folder / name).is_file()]
        if missing:
            raise GenrescopeError(
                f"is not a finished run: {' and '.join(missing)} not found", path=place
            )
        results = read_results(folder / "results.csv")
        guessed = results["model"].str.startswith(GUESS_PREFIX)
        models = results[~guessed].reset_index(drop=True)
        return cls(folder, read_info(folder / "run.json"), models)

    @property
    def genres(self) -> list[str]:
        """The genres, in display order."""
        return [str(genre) for genre in self.info["genres"]]

    @property
    def seed(self) -> int:
        """The first seed, of which confusion matrices and explanations are."""
        return (
            int(self.info["seeds"][0])
            if self.info.get("seeds")
            else int(self.results["seed"].min())
        )

    @property
    def corpora(self) -> dict[str, dict[str, Any]]:
        """Facts about each corpus, by name."""
        return dict(self.info["corpora"])

    @property
    def n_resamples(self) -> int:
        """Bootstrap draws behind each interval."""
        return int(self.info.get("n_resamples", 1000))

    @cached_property
    def headline(self) -> pd.DataFrame:
        """One row per cell with its part: all clips if none was trained on, else held-out ones."""
        order = self.results.assign(rank=self.results["part"].map({"all": 0, "test": 1}))
        best = order.sort_values("rank", kind="stable").drop_duplicates(CELL_KEYS)
        return best.sort_index()[[*CELL_KEYS, "part"]].reset_index(drop=True)

    @cached_property
    def models(self) -> list[str]:
        """Models with results, in the order of the configuration."""
        return _ordered(self.results["model"], self.info.get("models", {}))

    @cached_property
    def sources(self) -> list[str]:
        """Sources with results, in the order of the configuration."""
        return _ordered(self.results["source"], self.info.get("sources", []))

    @cached_property
    def targets(self) -> list[str]:
        """Targets with results, in the order of the configuration."""
        return _ordered(self.results["target"], self.info.get("targets", []))

    def kind(self, model: str) -> str:
        """Kind of a model: `forest`, `boosting`, `cnn`."""
        return str(self.info.get("models", {}).get(model, {}).get("kind", model))

    def part(self, cell: Cell, part: str | None = None) -> str | None:
        """A part of a cell, the headline's where none is named; None if the run has not got it."""
        table = self.headline if part is None else self.results[self.results["part"] == part]
        match = table[self._of(cell, table)]
        return None if match.empty else str(match["part"].iloc[0])

    def row(self, cell: Cell, part: str | None = None) -> dict[str, Any] | None:
        """A cell's scores over its seeds, as `summarise` gives them; None where it has none.

        Its names and its part are among them. The part is the headline's where none is named.
        """
        known = self.part(cell, part)
        if known is None:
            return None
        if (cell, known) not in self._scores:
            names = {"model": cell.model, "source": cell.source, "target": cell.target}
            scores = summarise(
                self.predictions(cell, known), self.genres, n_resamples=self.n_resamples
            )
            self._scores[cell, known] = names | {"part": known} | scores
        return dict(self._scores[cell, known])

    def rows(self) -> Iterator[dict[str, Any]]:
        """The scores of every cell and part, as `row` gives them, with `majority_accuracy`."""
        for names in self.results[[*CELL_KEYS, "part"]].drop_duplicates().to_dict("records"):
            cell = Cell(*(str(names[key]) for key in CELL_KEYS))
            row = self.row(cell, str(names["part"]))
            if row is not None:
                guess = self.guesses(cell, row["part"])
                yield row | {"majority_accuracy": guess["accuracy"]["majority"]}

    def genre_scores(self, cell: Cell, part: str) -> pd.DataFrame:
        """A cell's scores by genre over its seeds, as `summarise_genres` gives them."""
        predictions = self.predictions(cell, part)
        return summarise_genres(predictions, self.genres, n_resamples=self.n_resamples)

    @staticmethod
    def _of(cell: Cell, table: pd.DataFrame) -> "pd.Series[bool]":
        return (
            (table["model"] == cell.model)
            & (table["source"] == cell.source)
            & (table["target"] == cell.target)
        )

    def seeds(self, cells: Iterable[Cell]) -> list[int]:
        """The seeds that all of some cells were tested with: those on which they are compared."""
        common: set[int] | None = None
        for cell in cells:
            own = {int(seed) for seed in self.results.loc[self._of(cell, self.results), "seed"]}
            common = own if common is None else common & own
        return sorted(common or ())

    def predictions(
        self, cell: Cell, part: str, *, seeds: Collection[int] | None = None
    ) -> pd.DataFrame:
        """A cell's predictions of one evaluated part, of some seeds; of all where not given."""
        if cell not in self._predictions:
            path = self.folder / cell.folder / "predictions.csv"
            if not path.is_file():
                raise GenrescopeError("is missing from the run", path=path)
            self._predictions[cell] = read_cell(path, self.genres)
        frame = self._predictions[cell]
        if seeds is not None:
            frame = frame[frame["seed"].isin(list(seeds))]
        return select_part(frame, part)

    def guesses(self, cell: Cell, part: str) -> pd.DataFrame:
        """What guessing scores on a cell's clips: index `majority`, `prior`, `uniform`.

        Columns are those of `summarise_guess`.
        """
        key = (cell.source, cell.target, part)
        if key not in self._guesses:
            predictions = self.predictions(cell, part)
            rows = {
                guess: summarise_guess(
                    predictions, self.genres, guess, n_resamples=self.n_resamples
                )
                for guess in GUESSES
            }
            self._guesses[key] = pd.DataFrame.from_dict(rows, orient="index")
        return self._guesses[key]

    def crossing(self, source: str, target: str) -> str:
        """What lies between source and target: `cross-cultural`, or `cross-corpus`."""
        one, two = (
            {str(self.corpora.get(name, {}).get("culture", "")) for name in source_members(names)}
            for names in (source, target)
        )
        apart = not one & two and not (one | two) & UNKNOWN_CULTURES
        return "cross-cultural" if apart else "cross-corpus"

    def table(self, *parts: str) -> pd.DataFrame | None:
        """A CSV of the run, or None where there is none."""
        path = self.folder.joinpath(*parts)
        # A genre may be called "None" or "NA": only an empty field is missing.
        if not path.is_file():
            return None
        with damage_named(path):
            return pd.read_csv(path, keep_default_na=False, na_values=[""])

    def text(self, *parts: str) -> str | None:
        """A text file of the run, or None where there is none."""
        path = self.folder.joinpath(*parts)
        if not path.is_file():
            return None
        with damage_named(path):
            return path.read_text(encoding="utf-8")

    def json(self, *parts: str) -> Any:
        """A JSON file of the run, or None where there is none."""
        path = self.folder.joinpath(*parts)
        if not path.is_file():
            return None
        with damage_named(path):
            return read_json(path)


def _ordered(column: "pd.Series[Any]", order: Iterable[str]) -> list[str]:
    present = list(dict.fromkeys(column))
    wanted = list(order)
    return sorted(present, key=lambda name: wanted.index(name) if name in wanted else len(wanted))
