"""What a server's API and its web page ask: predictions and explanations of sounds, safely."""

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from genrescope.app import work
from genrescope.app.batcher import Batcher
from genrescope.app.metrics import Metrics
from genrescope.app.settings import ServerSettings
from genrescope.app.sounds import Sound, clean_name, openable
from genrescope.app.view import ExplanationView
from genrescope.app.workers import Workers
from genrescope.collection.bundles import name_bundles
from genrescope.errors import AudioError, ConfigError
from genrescope.explanations.explainer import MOMENTS, Explainer
from genrescope.explanations.words import load_language
from genrescope.models.bundle import Bundle
from genrescope.models.doubt import COVERAGE
from genrescope.models.predictor import FilePrediction, Predictor
from genrescope.settings import nearest

Result = TypeVar("Result")
Gone = Callable[[], Awaitable[bool]]


@dataclass(frozen=True)
class ExplainedSound:
    """Why a model answered what it answered for a sound.

    Attributes
    ----------
    content : dict
        What `genrescope explain` writes as `explanation.json`.
    files : dict of str to bytes
        By the names under `files` of each moment: pictures (PNG), sounds (WAV) and maps (NPY).
    """

    content: dict[str, Any]
    files: dict[str, bytes]


class Service:
    """Trained models that answer several people at once.

    Sounds are decoded and explained in worker processes that may be killed; the models are asked
    in a thread, with the windows of several requests in one call. Use it as an asynchronous context
    manager, or call `start` and `stop`.

    Parameters
    ----------
    bundles : iterable of path-like
        Folders of trained models.
    settings : ServerSettings, optional

    Raises
    ------
    BundleError
        Where a model cannot be loaded, or takes features that cannot be computed from sound.
    ConfigError
        Where there is no model, or a library that one needs is not installed.

    Attributes
    ----------
    models : dict of str to Bundle
        By name: the folder's, with its parents' where several are called the same.
    settings : ServerSettings
    metrics : Metrics
    """

    def __init__(
        self,
        bundles: Iterable[str | os.PathLike[str]],
        settings: ServerSettings | None = None,
    ) -> None:
        self.settings = settings or ServerSettings()
        self.metrics = Metrics()
        self._folders = name_bundles(bundles)
        if not self._folders:
            raise ConfigError("a server needs a model")
        predictors = {name: Predictor.load(folder) for name, folder in self._folders.items()}
        self.models: dict[str, Bundle] = {name: p.bundle for name, p in predictors.items()}
        self._needs = {name: predictor.needs for name, predictor in predictors.items()}
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="models")
        self._batchers = {
            name: Batcher(
                predictor,
                self._threads,
                windows=self.settings.windows_per_batch,
                observe=self.metrics.windows.labels(name).observe,
            )
            for name, predictor in predictors.items()
        }
        self._workers = Workers(self.settings, self.metrics)

    @property
    def ready(self) -> bool:
        """Whether it can answer."""
        return self._workers.ready

    async def start(self) -> None:
        """Start the worker processes; returns once they are up."""
        await self._workers.start()

    async def stop(self) -> None:
        """End the worker processes, whatever they are doing."""
        await self._workers.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def predict(
        self,
        sound: Sound,
        models: Sequence[str] | None = None,
        *,
        coverage: float = COVERAGE,
        name: str | None = None,
        gone: Gone | None = None,
    ) -> dict[str, FilePrediction]:
        """Ask models which genre a sound is.

        Parameters
        ----------
        sound : path-like, bytes or binary file
            Anything libsndfile reads. A file object needs a descriptor (`fileno`).
        models : sequence of str, optional
            Names of `models`; all where not given.
        coverage : float
            Of the prediction sets, in (0, 1).
        name : str, optional
            What the sound is called in the answer; the file's name where not given.
        gone : callable, optional
            Asked, when a worker is free, whether nobody waits for the answer any more.

        Returns
        -------
        dict of str to FilePrediction
            By name of the model, in the order asked.

        Raises
        ------
        ConfigError
            Where there is no such model, or the coverage is out of range.
        AudioError
            Where the sound cannot be used, `too-long` and `costly` included.
        ServiceError
            Where the server is busy, or lost the worker.
        """
        asked = list(dict.fromkeys(self.models if models is None else map(self._known, models)))
        if not asked:
            raise ConfigError("no model is asked for")
        Predictor(self.models[asked[0]], coverage=coverage)  # refuses what is out of range
        name = _name(sound, name)
        found = await self._work(
            sound,
            work.read_inputs,
            [need for model in asked for need in self._needs[model]],
            self.settings.sound_seconds,
            gone=gone,
        )
        answers = {}
        for model in asked:
            inputs = replace(found[self._needs[model][0].audio], path=name)
            answers[model] = await self._batchers[model].answer(inputs, coverage=coverage)
        return answers

    async def explain(
        self,
        sound: Sound,
        model: str,
        *,
        target: str | None = None,
        against: str | None = None,
        language: str = "en",
        moments: int = MOMENTS,
        files: bool = True,
        name: str | None = None,
        gone: Gone | None = None,
    ) -> ExplainedSound:
        """Ask a model why.

        Parameters
        ----------
        sound, name, gone
            As in `predict`.
        model : str
            A name of `models`.
        target : str, optional
            The genre to ask about; the one that is heard where not given.
        against : str, optional
            Ask why the target rather than this genre.
        language : str
            Of the sentences.
        moments : int
            Most telling moments shown.
        files : bool
            Whether pictures, sounds and maps are made, which takes longer than to explain.

        Returns
        -------
        ExplainedSound

        Raises
        ------
        ConfigError
            Where there is no such model, genre or language, or a genre is held against itself.
        AudioError, ServiceError
            As `predict`.
        BundleError
            Where the model on disk has changed since the server was started.
        """
        bundle = self.models[self._known(model)]
        explainer = Explainer(bundle)
        explainer.check_question(target=target, against=against, method=None)
        load_language(language)
        method, *beside = explainer.methods
        content, made = await self._work(
            sound,
            work.explain_sound,
            _name(sound, name),
            str(self._folders[model]),
            bundle.info.files,
            longest_s=self.settings.sound_seconds,
            language=language,
            target=target,
            against=against,
            method=method,
            beside=tuple(beside),
            moments=moments,
            drawn=files,
            gone=gone,
        )
        return ExplainedSound(content, made)

    async def view(self, sound: Sound, model: str) -> ExplanationView:
        """Ask a model why, in the form the page shows: in every language at once.

        Parameters
        ----------
        sound, model
            As in `explain`.

        Returns
        -------
        ExplanationView
            Of the most telling moment.

        Raises
        ------
        ConfigError, AudioError, ServiceError, BundleError
            As `explain`.
        """
        files = self.models[self._known(model)].info.files
        folder, longest_s = str(self._folders[model]), self.settings.sound_seconds
        return await self._work(sound, work.view_sound, folder, files, longest_s)

    def _known(self, model: str) -> str:
        if model not in self.models:
            raise ConfigError(f"there is no model {model!r}: {nearest(model, self.models)}")
        return model

    async def _work(
        self, sound: Sound, function: Callable[..., Result], *args: Any, **options: Any
    ) -> Result:
        """What a worker makes of a sound; an error does not tell where the sound was."""
        async with openable(sound) as path:
            try:
                return await self._workers.run(function, path, *args, **options)
            except AudioError as error:
                raise AudioError(error.reason, kind=error.kind) from error


def _name(sound: Sound, name: str | None) -> str:
    if name is None and isinstance(sound, str | os.PathLike):
        name = Path(sound).name
    return clean_name(name)
