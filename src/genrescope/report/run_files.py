"""Reading the files of a run directory, which anyone may have written."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field, ValidationError

from genrescope.errors import GenrescopeError
from genrescope.evaluation.cells import read_predictions
from genrescope.files import read_json
from genrescope.remote import UrlPath, download_folder
from genrescope.scratch import process_folder

CELL_KEYS = ["model", "source", "target"]
READ = (".csv", ".json", ".yaml")  # of what pages and claims are made of


class _Info(BaseModel):
    """What of `run.json` is relied on."""

    genres: list[str] = Field(min_length=1)
    corpora: dict[str, dict[str, Any]]
    seeds: list[int] = []
    n_resamples: int = Field(1000, ge=1, le=100_000)
    models: dict[str, dict[str, Any]] = {}
    sources: list[str] = []
    targets: list[str] = []


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn what reading a file of other content raises into an error that names it."""
    try:
        yield
    except GenrescopeError:
        raise
    except OSError as error:
        reason = f"cannot be read ({(error.strerror or str(error)).lower()})"
        raise GenrescopeError(reason, path=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise GenrescopeError(f"is damaged: {place}: {first['msg']}", path=path) from error
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise GenrescopeError(
            f"is damaged, or of another program ({type(error).__name__}: {error})", path=path
        ) from error


def fetched(url: UrlPath) -> Path:
    """The tables of a run behind a URL, in a folder that goes with this process."""
    folder = Path(tempfile.mkdtemp(dir=process_folder()))
    download_folder(url, folder, wanted=lambda name: name.endswith(READ) and _is_read(name))
    return folder


def _is_read(name: str) -> bool:
    return not name.startswith(("features/", "audio/", "models/", "seeds/"))


def read_info(path: Path) -> dict[str, Any]:
    """`run.json`, once it says what is relied on.

    Raises
    ------
    GenrescopeError
    """
    with damage_named(path):
        info: dict[str, Any] = read_json(path)
        _Info.model_validate(info)
    return info


def read_results(path: Path) -> pd.DataFrame:
    """`results.csv`, with words and numbers where they belong.

    Raises
    ------
    GenrescopeError
    """
    with damage_named(path):
        return _typed(path)


def _typed(path: Path) -> pd.DataFrame:
    words = [*CELL_KEYS, "part"]
    frame = pd.read_csv(
        path, dtype=dict.fromkeys(words, "str"), keep_default_na=False, na_values=[""]
    )
    if frame[[*words, "seed"]].isna().any(axis=None) or not set(frame["part"]) <= {"test", "all"}:
        raise ValueError("a row does not say what it is of")
    frame["seed"] = frame["seed"].astype("int64")
    numbers = frame.columns.difference(words)
    return frame.astype(dict.fromkeys(numbers.difference(["seed", "n"]), "float64"))


def read_cell(path: Path, genres: list[str]) -> pd.DataFrame:
    """`predictions.csv` of a cell: about a run's genres, with how likely each is.

    Raises
    ------
    GenrescopeError
    """
    with damage_named(path):
        return _checked(read_predictions(path), genres)


def _checked(predictions: pd.DataFrame, genres: list[str]) -> pd.DataFrame:
    shares = predictions[genres].to_numpy(np.float64)
    named = set(predictions["genre"]) | set(predictions["predicted"])
    if not np.isfinite(shares).all() or not named <= set(genres):
        raise ValueError("a probability is no number, or a genre none of the run's")
    return predictions
