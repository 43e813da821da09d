"""Asking models about many files: several files a question, in several processes, in order."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from genrescope.collection.bundles import name_bundles
from genrescope.collection.elsewhere import ask_elsewhere
from genrescope.collection.listing import Listed
from genrescope.errors import AudioError, BundleError, GenrescopeError
from genrescope.models.bundle_place import read_description
from genrescope.models.doubt import COVERAGE
from genrescope.models.inputs import Need, SoundInputs, inputs_from_file
from genrescope.models.predictor import FilePrediction, Predictor
from genrescope.parallel import Workers, at_most, map_processes
from genrescope.report.answers import Answer
from genrescope.settings import AudioSettings

SHARDS = 16  # enough for processes to share a short list
# A forest of 500 trees takes 40 ms to ask, whether about 1 window or 400: the more files together,
# the less it costs, and the more is lost by a run that is killed.
FILES_PER_SHARD = (8, 128)
MODELS_IN_MEMORY = 16  # of a process: the workers of a cluster outlive a run and its models
WINDOWS_PER_QUESTION = 512  # 32 MB of log-mel spectrograms

# What there is to say of one file: an answer of each model, or why there is none.
Outcome = list[Answer] | GenrescopeError


class Model(NamedTuple):
    """A bundle by what it is called and what is in it.

    Attributes
    ----------
    folder : str
    name : str
        As `genrescope.collection.bundles.name_bundles` gives it.
    digest : str
        SHA-256 of its description, which holds those of its other files.
    """

    folder: str
    name: str
    digest: str

    @property
    def label(self) -> str:
        """The name and the first eight digits of the digest: `my-genres@1a2b3c4d`."""
        return f"{self.name}@{self.digest[:8]}"


class Wanted(NamedTuple):
    """What is wanted beside the genre of a file.

    Attributes
    ----------
    timeline : bool
        The answers to its windows.
    coverage : float
        Of the prediction sets, in (0, 1).
    """

    timeline: bool = False
    coverage: float = COVERAGE


GENRE_ALONE = Wanted()


class Shard(NamedTuple):
    """Files that are read by one process and asked about together.

    Attributes
    ----------
    models : tuple of Model
    files : tuple of Listed
    wanted : Wanted
    """

    models: tuple[Model, ...]
    files: tuple[Listed, ...]
    wanted: Wanted


def name_models(folders: Iterable[str | os.PathLike[str]]) -> tuple[tuple[Model, ...], list[str]]:
    """Tell models apart by name and content, without loading them.

    Parameters
    ----------
    folders : iterable of path-like
        Bundles, or their URLs; one that is named twice counts once.

    Returns
    -------
    models : tuple of Model
    genres : list of str
        That they know, in display order.

    Raises
    ------
    BundleError
        Where one is no bundle.
    """
    named = name_bundles(folders)
    described = {name: read_description(path) for name, path in named.items()}
    infos = [one.info for one in described.values()]
    models = tuple(Model(str(path), name, described[name].digest) for name, path in named.items())
    return models, list(dict.fromkeys(genre for info in infos for genre in info.genres))


def cut_shards(
    models: Sequence[Model], files: Sequence[Listed], wanted: Wanted = GENRE_ALONE
) -> list[Shard]:
    """Divide a list of files at places that depend on nothing but its length."""
    fewest, most = FILES_PER_SHARD
    count = min(max(len(files) // SHARDS, fewest), most)
    return [
        Shard(tuple(models), tuple(files[first : first + count]), wanted)
        for first in range(0, len(files), count)
    ]


def predict_files(
    models: Sequence[Model],
    files: Sequence[Listed],
    *,
    wanted: Wanted = GENRE_ALONE,
    workers: Workers = None,
) -> Iterator[Outcome]:
    """Ask models about files; one that cannot be used does not stop the rest.

    Files are decoded once for all models with the same audio settings. Neither their number nor
    their length adds to the memory this takes.

    Parameters
    ----------
    models : sequence of Model
        From `name_models`.
    files : sequence of Listed
        From `list_sounds`; what is listed as an error is passed on.
    wanted : Wanted
    workers : Workers
        Processes; the usable cores where None. They do not change the answers.

    Yields
    ------
    list of Answer or GenrescopeError
        In the order of the files: an answer of each model, or why there is none. `died` is the kind
        of a file that ended the process that read it.

    Raises
    ------
    BundleError, ConfigError
        Where a model cannot be loaded, or the coverage is out of range.
    GenrescopeError
        Where no process can be started.
    ClusterError
        Where workers of a cluster do not see what this process sees, or are lost.
    """
    shards = cut_shards(models, files, wanted)
    for outcomes in predict_shards(shards, workers=workers):
        yield from outcomes


def predict_shards(shards: Sequence[Shard], *, workers: Workers = None) -> Iterator[list[Outcome]]:
    """Ask about shards in processes of their own; results and errors as of `predict_files`."""
    if len(shards) == 1 and len(shards[0].files) == 1:
        # A single file has nobody to take with it, and a process takes a second to start.
        yield predict_shard(shards[0])
        return
    yield from _asked(shards, at_most(workers, len(shards)), _file_by_file)


def _asked(
    shards: Sequence[Shard],
    workers: Workers,
    on_death: Callable[[Shard, Workers], list[Outcome]],
) -> Iterator[list[Outcome]]:
    if workers is None or isinstance(workers, int):
        return map_processes(
            predict_shard, shards, workers=workers, on_death=lambda shard: on_death(shard, 1)
        )
    return ask_elsewhere(
        predict_shard, shards, workers=workers, on_death=lambda shard: on_death(shard, workers)
    )


def _file_by_file(shard: Shard, workers: Workers) -> list[Outcome]:
    singles = [shard._replace(files=(file,)) for file in shard.files]
    return [outcome for outcomes in _asked(singles, workers, _died) for outcome in outcomes]


def _died(single: Shard, workers: Workers) -> list[Outcome]:  # noqa: ARG001 (none is left to try)
    (file,) = single.files
    path = file.path if isinstance(file, AudioError) else file
    reason = "the process that read this file was killed, or ran out of memory"
    return [AudioError(reason, path=path, kind="died")]


@functools.lru_cache(maxsize=MODELS_IN_MEMORY)
def _loaded(model: Model, coverage: float) -> Predictor:
    predictor = Predictor.load(model.folder, coverage=coverage)
    if read_description(model.folder).digest != model.digest:
        raise BundleError("the model was replaced while files were read", path=model.folder)
    estimator = predictor.bundle.model
    if "n_jobs" in estimator.get_params():
        estimator.set_params(n_jobs=1)  # a process has one core; threads would also move last bits
    return predictor


def predict_shard(shard: Shard) -> list[Outcome]:
    """Ask about one shard, in this process.

    Raises
    ------
    BundleError, ConfigError
        Where a model cannot be loaded.
    """
    predictors = [_loaded(model, shard.wanted.coverage) for model in shard.models]
    by_audio: dict[AudioSettings, list[int]] = {}
    for k, predictor in enumerate(predictors):
        by_audio.setdefault(predictor.need.audio, []).append(k)
    found: list[dict[int, FilePrediction]] = [{} for _ in shard.files]
    errors: dict[int, GenrescopeError] = {
        k: file for k, file in enumerate(shard.files) if isinstance(file, AudioError)
    }
    for members in by_audio.values():
        hearing = _Hearing([predictors[k] for k in members])
        for number, file in enumerate(shard.files):
            if isinstance(file, AudioError) or number in errors:
                continue
            try:
                hearing.listen(number, file)
            except AudioError as error:
                errors[number] = error
            except MemoryError:
                reason = "this file takes more memory than there is"
                errors[number] = AudioError(reason, path=file, kind="died")
        for number in range(len(shard.files)):
            if number in errors:
                continue
            try:
                found[number] |= zip(members, hearing.answers(number), strict=True)
            except AudioError as error:
                errors[number] = error
    return [
        errors[number]
        if number in errors
        else [
            Answer.of(
                predictions[k],
                model=model.label,
                window_s=predictors[k].need.audio.clip_seconds,
                timeline=shard.wanted.timeline,
            )
            for k, model in enumerate(shard.models)
        ]
        for number, predictions in enumerate(found)
    ]


@dataclass
class _Hearing:
    """Files that are read, and the answers of models that share their sound."""

    predictors: Sequence[Predictor]
    _waiting: list[tuple[int, SoundInputs]] = field(default_factory=list)
    _passed: dict[int, list[SoundInputs]] = field(default_factory=dict)
    _tables: dict[int, list[list[npt.NDArray[np.float64]]]] = field(default_factory=dict)

    def listen(self, number: int, path: str) -> None:
        needs: list[Need] = list(dict.fromkeys(need for p in self.predictors for need in p.needs))
        for part in inputs_from_file(path, needs):
            self._waiting.append((number, part))
            if sum(len(one.starts_s) for _, one in self._waiting) >= WINDOWS_PER_QUESTION:
                self._ask()

    def answers(self, number: int) -> list[FilePrediction]:
        if self._waiting:
            self._ask()
        sound = SoundInputs.joined(self._passed[number])
        tables = zip(*self._tables[number], strict=True)
        return [
            predictor.answer(sound, np.concatenate(table))
            for predictor, table in zip(self.predictors, tables, strict=True)
        ]

    def _ask(self) -> None:
        """One question to each model; of the sounds, only their places are kept."""
        numbers, parts = zip(*self._waiting, strict=True)
        answers = zip(*(one.tables(parts) for one in self.predictors), strict=True)
        for number, part, tables in zip(numbers, parts, answers, strict=True):
            self._passed.setdefault(number, []).append(replace(part, arrays={}))
            self._tables.setdefault(number, []).append(list(tables))
        self._waiting.clear()
