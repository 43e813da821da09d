"""Genres written into the tags of many files, and put back; dry unless told otherwise."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from genrescope.audio.tags import Tags, restore_genres, write_genres
from genrescope.collection.listing import Listed
from genrescope.collection.predicting import name_models, predict_files
from genrescope.collection.tag_checking import read_all_tags
from genrescope.collection.tag_genres import TagGenres
from genrescope.errors import GenrescopeError
from genrescope.models.bundle_place import read_description
from genrescope.parallel import Workers
from genrescope.progress import progress
from genrescope.report.answers import Answer

SURE = 0.9  # probability from which an answer of a model without prediction sets is written


@dataclass(frozen=True)
class TagChange:
    """What becomes of the genre of one file.

    Attributes
    ----------
    path : str
    old, new : tuple of str
        The genres before and after; empty where there is none.
    probability : float or None
        The model's, of the new genre; None where no model was asked.
    left : str or None
        Why the file is left as it is; None where it changes.
    """

    path: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    probability: float | None = None
    left: str | None = None


Outcome = TagChange | GenrescopeError


def write_heard(
    bundle: str | os.PathLike[str],
    files: Sequence[Listed],
    *,
    write: bool = False,
    at_least: float | None = None,
    only_missing: bool = False,
    workers: Workers = None,
) -> Iterator[Outcome]:
    """Write the genre a model hears, where it is sure.

    Parameters
    ----------
    bundle : pathlib.Path
        A trained model.
    files : sequence of Listed
        From `genrescope.collection.listing.list_sounds`.
    write : bool
        Write; without it nothing is touched.
    at_least : float, optional
        Probability from which an answer is sure. Where not given, an answer is sure if its
        prediction set holds one genre; of a model without such sets, if it reaches `SURE`.
    only_missing : bool
        Leave files that have a genre.
    workers : Workers
        Processes; the usable cores where None.

    Yields
    ------
    TagChange or GenrescopeError
        For each file, first those that are not asked about, then in the order of the files. Files
        unlike anything in training are left, those whose tag already stands for the genre, and
        those whose tag stands for none of the model's genres: it knows no better.

    Raises
    ------
    BundleError
        Where the model cannot be loaded.
    """
    models, _ = name_models([bundle])
    genres = TagGenres(read_description(bundle).info)
    asked: dict[str, tuple[str, ...]] = {}
    for found in read_all_tags(files):
        if isinstance(found, GenrescopeError):
            yield found
            continue
        path, tags = found
        old = _genres(tags)
        if old and only_missing:
            yield TagChange(path, old, old, left="has a genre")
        elif old and not genres.of(old):
            yield TagChange(path, old, old, left="has a genre the model does not know")
        else:
            asked[path] = old
    with progress(len(asked), "asking", unit="files") as bar:
        for outcome in predict_files(models, list(asked), workers=workers):
            bar.advance()
            if isinstance(outcome, GenrescopeError):
                yield outcome
                continue
            (answer,) = outcome
            old = asked[answer.path]
            probability = answer.probabilities[answer.genre]
            if answer.genre in genres.of(old):
                yield TagChange(answer.path, old, old, probability, "says so already")
            elif (reason := _doubtful(answer, at_least)) is not None:
                yield TagChange(answer.path, old, old, probability, reason)
            else:
                yield _write(answer.path, old, (answer.genre,), probability, write=write)


def write_given(
    files: Sequence[Listed], genres: Sequence[str], *, write: bool = False
) -> Iterator[Outcome]:
    """Write the same genres into all files; no model is asked.

    Parameters
    ----------
    files, write
        As of `write_heard`.
    genres : sequence of str

    Yields
    ------
    TagChange or GenrescopeError
        In the order of the files.
    """
    for found in read_all_tags(files):
        if isinstance(found, GenrescopeError):
            yield found
        else:
            yield _write(found[0], _genres(found[1]), tuple(genres), write=write)


def restore_kept(files: Sequence[Listed], *, write: bool = False) -> Iterator[Outcome]:
    """Put back the genres that were there before the first change.

    Parameters
    ----------
    files, write
        As of `write_heard`.

    Yields
    ------
    TagChange or GenrescopeError
        In the order of the files.
    """
    for found in read_all_tags(files):
        if isinstance(found, GenrescopeError):
            yield found
            continue
        path, tags = found
        if tags is None or tags.kept is None:
            yield TagChange(path, _genres(tags), _genres(tags), left="was never changed")
            continue
        change = TagChange(path, tags.genres, tags.kept)
        yield _attempt(change, partial(restore_genres, path, dry_run=not write))


def _genres(tags: Tags | None) -> tuple[str, ...]:
    return () if tags is None else tags.genres


def _doubtful(answer: Answer, at_least: float | None) -> str | None:
    """Why an answer is not written."""
    doubt = answer.doubt
    if doubt is not None and doubt.unlike:
        return "unlike anything in training"
    if at_least is None and doubt is not None:
        sure = doubt.genres == (answer.genre,)
    else:
        sure = answer.probabilities[answer.genre] >= (SURE if at_least is None else at_least)
    return None if sure else "not sure enough"


def _write(
    path: str,
    old: tuple[str, ...],
    new: tuple[str, ...],
    probability: float | None = None,
    *,
    write: bool,
) -> Outcome:
    change = TagChange(path, old, new, probability)
    return _attempt(change, partial(write_genres, path, new, dry_run=not write))


def _attempt(change: TagChange, action: Callable[[], bool]) -> Outcome:
    try:
        changes = action()
    except GenrescopeError as error:
        return error
    if changes:
        return change
    return TagChange(change.path, change.old, change.old, change.probability, "says so already")
