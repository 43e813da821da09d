"""Worker processes that may be killed at any moment without the server minding."""

import asyncio
import contextlib
import multiprocessing
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import BrokenExecutor
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from genrescope.app import work
from genrescope.app.metrics import Metrics
from genrescope.app.settings import ServerSettings
from genrescope.errors import AudioError, GenrescopeError, ServiceError

Result = TypeVar("Result")
START_S = 120.0  # for a worker to import what it needs, on a machine that is busy
RETRY_S = 1.0


class Workers:
    """A fixed number of worker processes, each replaced when it is lost.

    Each stands in a pool of its own: workers of one pool share locks, and one that is killed while
    it holds a lock takes the pool with it. They are spawned, not forked from a fork server, whose
    socket would be left in the temporary folder if the server were killed.

    Parameters
    ----------
    settings : ServerSettings
    metrics : Metrics
    """

    def __init__(self, settings: ServerSettings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._pools: set[ProcessPool] = set()
        self._free: asyncio.Queue[ProcessPool] = asyncio.Queue()
        self._inside = 0
        self._started = self._stopped = False
        self._replacing: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether the workers have started and have not been stopped."""
        return self._started and not self._stopped

    async def start(self) -> None:
        """Start the processes and wait until they are up."""
        await asyncio.gather(*(self._add() for _ in range(self._settings.workers)))
        self._started = True

    async def stop(self) -> None:
        """End the processes, whatever they are doing."""
        self._stopped = True
        pools, self._pools = self._pools, set()
        await asyncio.gather(*self._replacing, return_exceptions=True)
        await asyncio.gather(*(asyncio.to_thread(_end, pool) for pool in pools))

    async def run(
        self,
        function: Callable[..., Result],
        *args: Any,
        gone: Callable[[], Awaitable[bool]] | None = None,
        **options: Any,
    ) -> Result:
        """Call a function in a worker.

        Parameters
        ----------
        function : callable
            Of a module; what it takes and gives must be picklable.
        *args, **options
            Its arguments.
        gone : callable, optional
            Asked, when a worker is free, whether nobody wants the result any more.

        Raises
        ------
        ServiceError
            `busy` where too many wait already or none was free in time, `lost` where the worker
            died, `gone`.
        AudioError
            `costly` where the work took too long or too much memory.
        Exception
            Whatever the function raises.
        """
        with self._place():
            pool = await self._take()
            if gone is not None and await gone():
                self._free.put_nowait(pool)
                raise ServiceError("the client has gone", kind="gone")
            return await self._call(pool, function, args, options)

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if self._inside >= self._settings.workers + self._settings.waiting:
            raise ServiceError(f"{self._inside} requests are at work or waiting; try again later")
        self._inside += 1
        self._metrics.inside.set(self._inside)
        try:
            yield
        finally:
            self._inside -= 1
            self._metrics.inside.set(self._inside)

    async def _take(self) -> ProcessPool:
        """A free worker that is alive."""
        seconds = self._settings.wait_seconds
        with self._metrics.waiting.track_inprogress():
            try:
                async with asyncio.timeout(seconds):
                    while not (pool := await self._free.get()).active:
                        self._give_back(pool, lost=True)
                    return pool
            except TimeoutError as error:
                raise ServiceError(
                    f"no worker was free within {seconds:g} s; try again later", kind="late"
                ) from error

    async def _call(
        self, pool: ProcessPool, function: Callable[..., Result], args: Any, options: Any
    ) -> Result:
        seconds = self._settings.work_seconds
        lost = True
        try:
            async with asyncio.timeout(seconds + START_S):
                future = pool.schedule(function, args=args, kwargs=options, timeout=seconds)
                result: Result = await asyncio.wrap_future(future)
            lost = False
            return result
        except TimeoutError as error:
            reason = f"the sound takes more than {seconds:g} s of work; send a part of it"
            raise AudioError(reason, kind="costly") from error
        except (ProcessExpired, BrokenExecutor) as error:
            reason = "the process at work on this request ended unexpectedly; try again"
            raise ServiceError(reason, kind="lost") from error
        except MemoryError as error:
            reason = "the sound takes too much memory; send a part of it"
            raise AudioError(reason, kind="costly") from error
        except GenrescopeError:
            lost = False
            raise
        finally:
            self._give_back(pool, lost=lost)

    def _give_back(self, pool: ProcessPool, *, lost: bool) -> None:
        if not lost:
            self._free.put_nowait(pool)
        elif pool in self._pools:
            self._metrics.restarts.inc()
            self._pools.discard(pool)
            task = asyncio.create_task(self._replace(pool))
            self._replacing.add(task)
            task.add_done_callback(self._replacing.discard)

    async def _replace(self, pool: ProcessPool) -> None:
        await asyncio.to_thread(_end, pool)
        while not self._stopped:
            try:
                await self._add()
                return
            except (OSError, RuntimeError, TimeoutError):  # the machine may be out of processes
                await asyncio.sleep(RETRY_S)

    async def _add(self) -> None:
        pool = await asyncio.to_thread(_new_pool, self._settings.worker_bytes)
        if self._stopped:
            await asyncio.to_thread(_end, pool)
            return
        self._pools.add(pool)
        self._free.put_nowait(pool)


def _new_pool(memory_bytes: int) -> ProcessPool:
    pool = ProcessPool(
        max_workers=1,
        initializer=work.start,
        initargs=(memory_bytes,),
        context=multiprocessing.get_context("spawn"),
    )
    try:
        pool.schedule(work.ready).result(timeout=START_S)
    except BaseException:
        _end(pool)
        raise
    return pool


def _end(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()
