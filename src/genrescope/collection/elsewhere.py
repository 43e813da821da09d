"""Asking about files on other machines: under names that hold there, and seeing what they see."""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from platform import node
from typing import TYPE_CHECKING, NamedTuple

from genrescope.errors import AudioError, BundleError, ClusterError, GenrescopeError
from genrescope.parallel import RemoteWorkers, map_processes
from genrescope.remote import is_url

if TYPE_CHECKING:
    from genrescope.collection.listing import Listed
    from genrescope.collection.predicting import Outcome, Shard

Ask = Callable[["Shard"], list["Outcome"]]


class _Asked(NamedTuple):
    outcomes: "list[Outcome]"
    unseen: str | None = None  # a file or model that is not there
    where: str = ""


def ask_elsewhere(
    ask: Ask, shards: "Sequence[Shard]", *, workers: RemoteWorkers, on_death: Ask
) -> "Iterator[list[Outcome]]":
    """Ask about shards on the workers of a cluster.

    Parameters
    ----------
    ask : callable
        Gives the outcomes of a shard; a module-level function.
    shards : sequence of Shard
    workers : RemoteWorkers
    on_death : callable
        Gives the outcomes of a shard that ended the processes that read it.

    Yields
    ------
    list of Outcome
        As `ask` gives it, with the paths as they stand in the shards.

    Raises
    ------
    ClusterError
        Where a worker does not see a model, or a file that this process sees.
    """
    found = map_processes(
        functools.partial(_ask, ask),
        map(_anywhere, shards),
        workers=workers,
        on_death=lambda shard: _Asked(on_death(shard)),
    )
    for shard, (outcomes, unseen, where) in zip(shards, found, strict=True):
        if unseen is not None and (not outcomes or os.access(unseen, os.R_OK)):
            raise ClusterError(
                f"is not there on {where}: models and audio have to lie where every machine sees "
                "them, under the same name",
                path=unseen,
                kind="unshared",
            )
        yield [_named(*one) for one in zip(shard.files, outcomes, strict=True)]


def _ask(ask: Ask, shard: "Shard") -> _Asked:
    try:
        outcomes = ask(shard)
    except BundleError:
        missing = [m.folder for m in shard.models if not (is_url(m.folder) or _seen(m.folder))]
        if not missing:
            raise
        return _Asked([], missing[0], node())
    unread = [
        one.path
        for one in outcomes
        if isinstance(one, AudioError) and one.kind == "unreadable" and one.path is not None
    ]
    unseen = [path for path in unread if not (is_url(path) or _seen(path))]
    return _Asked(outcomes, unseen[0] if unseen else None, node())


def _seen(path: str) -> bool:
    return os.access(path, os.R_OK)


def _anywhere(shard: "Shard") -> "Shard":
    """The shard under names that do not depend on the folder a process started in."""
    models = tuple(model._replace(folder=_absolute(model.folder)) for model in shard.models)
    files = tuple(_absolute(one) if isinstance(one, str) else one for one in shard.files)
    return shard._replace(models=models, files=files)


def _absolute(path: str) -> str:
    return path if is_url(path) else str(Path(path).absolute())


def _named(file: "Listed", outcome: "Outcome") -> "Outcome":
    if isinstance(outcome, GenrescopeError):
        path = file.path if isinstance(file, GenrescopeError) else file
        return type(outcome)(outcome.reason, path=path, kind=outcome.kind)
    return [replace(answer, path=str(file)) for answer in outcome]
