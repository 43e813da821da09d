"""One call of a model for the windows of several requests."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

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
        self._waiting: list[tuple[SoundInputs, asyncio.Future[FilePrediction]]] = []
        self._task: asyncio.Task[None] | None = None

    async def answer(self, sound: SoundInputs) -> FilePrediction:
        """The model's answer to a sound, as `Predictor.answer` gives it."""
        future: asyncio.Future[FilePrediction] = asyncio.get_running_loop().create_future()
        self._waiting.append((sound, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return await future

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._next()
            sounds = [sound for sound, _ in batch]
            try:
                answers = await loop.run_in_executor(self._executor, self._ask, sounds)
            except Exception as error:  # noqa: BLE001 (each caller raises it)
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():  # whoever asked may have been cancelled
                    future.set_result(answer)

    def _next(self) -> list[tuple[SoundInputs, asyncio.Future[FilePrediction]]]:
        """The sounds of the next call, in the order they came."""
        count = windows = 0
        for sound, _ in self._waiting:
            windows += len(sound.starts_s)
            if count and windows > self._windows:
                break
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return batch

    def _ask(self, sounds: list[SoundInputs]) -> list[FilePrediction]:
        self._observe(sum(len(sound.starts_s) for sound in sounds))
        tables = self._predictor.tables(sounds)
        return [
            self._predictor.answer(sound, table)
            for sound, table in zip(sounds, tables, strict=True)
        ]
