"""One call of a model for the windows of several requests."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

from genrescope.models.inputs import SoundInputs
from genrescope.models.predictor import FilePrediction, Predictor


class Batcher:
    """Asks a model in a thread, for all the sounds that came in while it was answering the last.

    Nothing waits for company: a sound that comes alone is answered alone and at once.

    Parameters
    ----------
    predictor : Predictor
    executor : Executor
        Where it is asked.
    windows : int
        Most windows in a call; one sound that has more is a call of its own.
    observe : callable
        Told how many windows each call had.
    """

    def __init__(
        self,
        predictor: Predictor,
        executor: Executor,
        *,
        windows: int,
        observe: Callable[[float], None],
    ) -> None:
        self._predictor = predictor
        self._executor = executor
        self._windows = windows
        self._observe = observe
        self._waiting: list[_Asked] = []
        self._task: asyncio.Task[None] | None = None

    async def answer(self, sound: SoundInputs, *, coverage: float) -> FilePrediction:
        """The model's answer to a sound, as `Predictor.answer` gives it.

        Parameters
        ----------
        sound : SoundInputs
        coverage : float
            Of the prediction set, in (0, 1).
        """
        asked = _Asked(sound, coverage, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return await asked.answer

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._next()
            try:
                answers = await loop.run_in_executor(self._executor, self._ask, batch)
            except Exception as error:  # noqa: BLE001 (each caller raises it)
                for asked in batch:
                    if not asked.answer.done():
                        asked.answer.set_exception(error)
                continue
            for asked, answer in zip(batch, answers, strict=True):
                if not asked.answer.done():  # whoever asked may have been cancelled
                    asked.answer.set_result(answer)

    def _next(self) -> list["_Asked"]:
        """The sounds of the next call, in the order they came."""
        count = windows = 0
        for asked in self._waiting:
            windows += len(asked.sound.starts_s)
            if count and windows > self._windows:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def _ask(self, batch: list["_Asked"]) -> list[FilePrediction]:
        self._observe(sum(len(asked.sound.starts_s) for asked in batch))
        tables = self._predictor.tables([asked.sound for asked in batch])
        return [
            Predictor(self._predictor.bundle, coverage=asked.coverage).answer(asked.sound, table)
            for asked, table in zip(batch, tables, strict=True)
        ]


class _Asked(NamedTuple):
    sound: SoundInputs
    coverage: float
    answer: asyncio.Future[FilePrediction]
