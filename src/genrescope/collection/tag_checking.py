"""Genre tags held against what a model hears."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genrescope.audio.tags import Tags, read_tags
from genrescope.collection.listing import Listed
from genrescope.collection.predicting import name_models, predict_files
from genrescope.collection.tag_genres import TagGenres
from genrescope.errors import GenrescopeError
from genrescope.evaluation.counts import bootstrap, group_counts, metrics_of, percentile_interval
from genrescope.models.bundle_place import read_description
from genrescope.parallel import Workers
from genrescope.progress import progress
from genrescope.report.answers import Answer

COLUMNS = (
    "path", "tag", "tag_genre", "predicted", "probability", "tag_probability", "outside_set",
    "unlike",
)  # fmt: skip
JOIN = "; "  # between the values of one tag
N_RESAMPLES = 1000


@dataclass(frozen=True)
class Agreement:
    """How often tags and model say the same.

    Attributes
    ----------
    n : int
        Files compared.
    agreeing : int
    low, high : float
        95% interval of the share, a bootstrap over artists as tagged (files without an artist count
        as one each); NaN with fewer than two.
    n_artists : int
    """

    n: int
    agreeing: int
    low: float
    high: float
    n_artists: int

    @property
    def share(self) -> float:
        """Of the files compared; NaN where there is none."""
        return self.agreeing / self.n if self.n else float("nan")


@dataclass(frozen=True)
class TagCheck:
    """Tags beside answers.

    Attributes
    ----------
    compared : DataFrame
        A row per file whose tag stands for a genre of the model, in the order of the files:
        `path`; `tag`, its values; `tag_genre`, the most probable genre of those they stand for;
        `predicted`; `probability` of the prediction and `tag_probability` of `tag_genre`;
        `outside_set`, whether the tag lies outside the prediction set, and `unlike`, whether the
        sound is unlike the training clips (None where the model was not calibrated); `artist`.
    untagged : list of str
        Files without a genre tag.
    unmapped : dict of str to tuple of str
        Files whose tag stands for no genre of the model, with its values.
    failures : list of GenrescopeError
        Files of which tag or sound could not be read, and why.
    """

    compared: pd.DataFrame
    untagged: list[str]
    unmapped: dict[str, tuple[str, ...]]
    failures: list[GenrescopeError]

    @property
    def unmapped_values(self) -> Counter[str]:
        """Tag values without a genre, by how many files have them."""
        return Counter(value for values in self.unmapped.values() for value in set(values))

    def disagreements(self) -> pd.DataFrame:
        """The files whose tag is not what the model hears, those the model is surest of first.

        Returns
        -------
        DataFrame
            Columns `COLUMNS`, sorted by `probability` minus `tag_probability`.
        """
        found = self.compared[self.compared["tag_genre"] != self.compared["predicted"]]
        sure = (found["tag_probability"] - found["probability"]).to_numpy()
        return found.iloc[np.argsort(sure, kind="stable")][list(COLUMNS)].reset_index(drop=True)

    def agreement(self, *, seed: int = 0) -> Agreement:
        """How many of the files compared agree, with an interval.

        Parameters
        ----------
        seed : int
            Of the bootstrap.
        """
        frame = self.compared
        groups = [
            f"\0{path}" if artist is None else artist.casefold()
            for path, artist in zip(frame["path"], frame["artist"], strict=True)
        ]
        n_artists = len(set(groups))
        table = pd.DataFrame(
            {"group": groups, "genre": frame["tag_genre"], "predicted": frame["predicted"]}
        )
        low = high = float("nan")
        if n_artists > 1:
            genres = sorted({*table["genre"], *table["predicted"]})
            drawn = bootstrap(group_counts(table, genres), n_resamples=N_RESAMPLES, seed=seed)
            low, high = percentile_interval(metrics_of(drawn)["accuracy"])
        agreeing = int((table["genre"] == table["predicted"]).sum())
        return Agreement(len(frame), agreeing, low, high, n_artists)


def read_all_tags(
    files: Sequence[Listed],
) -> Iterator[tuple[str, Tags | None] | GenrescopeError]:
    """Read the tags of files, in their order; a file that cannot be read is an error among them."""
    for file in files:
        if isinstance(file, GenrescopeError):
            yield file
            continue
        try:
            yield file, read_tags(file)
        except GenrescopeError as error:
            yield error


def check_tags(
    bundle: str | os.PathLike[str], files: Sequence[Listed], *, workers: Workers = None
) -> TagCheck:
    """Compare the genre tags of sound files with what a model hears.

    A disagreement is a lead and not a verdict: the model errs, and a tag can say what no sound
    does. Only files whose tag stands for a genre of the model are decoded.

    Parameters
    ----------
    bundle : pathlib.Path
        A trained model.
    files : sequence of Listed
        From `genrescope.collection.listing.list_sounds`.
    workers : Workers
        Processes; the usable cores where None.

    Returns
    -------
    TagCheck

    Raises
    ------
    BundleError
        Where the model cannot be loaded.
    """
    models, _ = name_models([bundle])
    genres = TagGenres(read_description(bundle).info)
    tagged: dict[str, Tags] = {}
    check = TagCheck(pd.DataFrame(), [], {}, [])
    for found in read_all_tags(files):
        if isinstance(found, GenrescopeError):
            check.failures.append(found)
            continue
        path, tags = found
        if tags is None or not tags.genres:
            check.untagged.append(path)
        elif not genres.of(tags.genres):
            check.unmapped[path] = tags.genres
        else:
            tagged[path] = tags
    rows = []
    with progress(len(tagged), "checking", unit="files") as bar:
        for outcome in predict_files(models, list(tagged), workers=workers):
            bar.advance()
            if isinstance(outcome, GenrescopeError):
                check.failures.append(outcome)
                continue
            (answer,) = outcome
            tags = tagged[answer.path]
            rows.append(_row(answer, tags, genres.of(tags.genres)))
    compared = pd.DataFrame(rows, columns=[*COLUMNS, "artist"])
    return TagCheck(compared, check.untagged, check.unmapped, check.failures)


def _row(answer: Answer, tags: Tags, genres: Sequence[str]) -> dict[str, Any]:
    doubt = answer.doubt
    tag_genre = max(genres, key=lambda genre: answer.probabilities[genre])
    return {
        "path": answer.path,
        "tag": JOIN.join(tags.genres),
        "tag_genre": answer.genre if answer.genre in genres else tag_genre,
        "predicted": answer.genre,
        "probability": answer.probabilities[answer.genre],
        "tag_probability": answer.probabilities[tag_genre],
        "outside_set": None if doubt is None else not set(genres) & set(doubt.genres),
        "unlike": None if doubt is None else doubt.unlike,
        "artist": tags.artist,
    }
