"""One function applied to many items on a Dask cluster, deaths of workers included."""

import contextlib
import itertools
import os
import pickle
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, NoReturn, Protocol

from genrescope.errors import GenrescopeError
from genrescope.parallel import Item, Result

TRIES = 3  # deaths of a worker that held a piece of work; at the last one it was alone
IN_FLIGHT_PER_WORKER = 3  # one at work, one at the worker, one at the scheduler
HELD_PER_WORKER = 12  # finished out of turn and under way: bounds the memory
LOOK_S = 1.0  # between looks whether scheduler and workers are there


class Cluster(Protocol):
    """What a run asks of the workers it is on."""

    @property
    def client(self) -> Any:
        """The `distributed.Client`."""

    def count(self) -> int:
        """Worker processes now in the cluster."""

    def check(self) -> None:
        """Raise `ClusterError` where the scheduler is lost, or workers have been for too long."""

    def lost(self, error: BaseException | None = None) -> NoReturn:
        """Raise `ClusterError`: the scheduler is gone."""


@dataclass
class _Piece(Generic[Item, Result]):
    number: int
    item: Item
    deaths: int = 0
    future: Any = None
    result: Result | None = None
    done: bool = False


class Run(Generic[Item, Result]):
    """One function applied to many items on a cluster."""

    _numbers = itertools.count()

    def __init__(
        self,
        workers: Cluster,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        on_death: Callable[[Item], Result] | None,
    ) -> None:
        from genrescope.dask_task import versions

        self.workers, self.client = workers, workers.client
        self.left, self.on_death = enumerate(items), on_death
        self.work_bytes = pickle.dumps((versions(), _pickled(function)), protocol=5)
        self.work: Any = None
        self.name = f"{os.getpid()}-{next(self._numbers)}-{time.time_ns()}"
        self.held: deque[_Piece[Item, Result]] = deque()  # in the order of the items
        self.suspects: deque[_Piece[Item, Result]] = deque()
        self.events: queue.SimpleQueue[tuple[_Piece[Item, Result], Any]] = queue.SimpleQueue()

    def results(self) -> Iterator[Result]:
        """What the function made of the items, in their order."""
        try:
            while True:
                self._fill()
                if not self.held:
                    return
                if self.held[0].done:
                    yield self.held.popleft().result  # type: ignore[misc]
                else:
                    self._wait()
        finally:
            self._release()

    def _fill(self) -> None:
        """Keep the workers busy; alone with them what may have killed one before."""
        under_way = sum(piece.future is not None for piece in self.held)
        if self.suspects:
            if not under_way:
                self._submit(self.suspects.popleft())
            return
        count = max(self.workers.count(), 1)
        room = min(
            IN_FLIGHT_PER_WORKER * count - under_way, HELD_PER_WORKER * count - len(self.held)
        )
        for number, item in itertools.islice(self.left, max(room, 0)):
            piece: _Piece[Item, Result] = _Piece(number, item)
            self.held.append(piece)
            self._submit(piece)

    def _submit(self, piece: _Piece[Item, Result]) -> None:
        from genrescope.dask_task import ITEM, keep, run_item

        if self.client.status != "running":
            self.workers.lost()
        if self.work is None:
            name = f"genrescope-work-{self.name}"
            self.work = self.client.submit(keep, self.work_bytes, key=name, pure=False)
        key = (ITEM, self.name, piece.number, piece.deaths)
        item = _pickled(piece.item)
        piece.future = self.client.submit(run_item, self.work, item, key=key, pure=False)
        piece.future.add_done_callback(lambda future: self.events.put((piece, future)))

    def _wait(self) -> None:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            piece, future = self.events.get(timeout=LOOK_S)
        except queue.Empty:
            self.workers.check()
            return
        if future is not piece.future:
            return  # of an earlier try
        piece.future = None
        try:
            piece.result, piece.done = self._fetch(future), True
        except KilledWorker:
            self._died(piece)
        except CancelledError as error:
            self.workers.lost(error)  # nobody else cancels

    def _fetch(self, future: Any) -> Result:
        while True:
            if future.status == "error":
                raise future.exception()
            try:
                content = future.result(timeout=LOOK_S)
            except TimeoutError:  # its worker died after finishing it, and it is done again
                self.workers.check()
            else:
                result: Result = pickle.loads(content)  # noqa: S301 (from a worker)
                return result

    def _died(self, piece: _Piece[Item, Result]) -> None:
        piece.deaths += 1
        if piece.deaths < TRIES - 1:
            self._submit(piece)
        elif piece.deaths < TRIES:
            self.suspects.append(piece)
        elif self.on_death is None:
            raise GenrescopeError(
                f"{TRIES} workers died at the same piece of work: out of memory, or killed; what "
                "is finished stays"
            )
        else:
            piece.result, piece.done = self.on_death(piece.item), True

    def _release(self) -> None:
        futures = [piece.future for piece in self.held if piece.future is not None]
        self.held.clear()
        if futures and self.client.status == "running":
            with contextlib.suppress(Exception):
                self.client.cancel(futures, force=True)
        self.work = None


def _pickled(content: Any) -> bytes:
    from distributed.protocol.pickle import dumps

    found: bytes = dumps(content)  # also of what a script defines itself
    return found
