"""Work spread over processes, of one machine or of a cluster: results in order, memory bounded."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, islice
from multiprocessing import forkserver
from typing import Any, Protocol, TypeAlias, TypeVar

from genrescope.errors import GenrescopeError

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT_PER_WORKER = 2
_preloaded: list[str] = []


class RemoteWorkers(Protocol):
    """Processes of a cluster, as `genrescope.dask_workers.open_workers` gives them."""

    @property
    def address(self) -> str:
        """The scheduler's address."""

    @property
    def client(self) -> Any:
        """The `distributed.Client`, for libraries that have their own way of using one."""

    def count(self) -> int:
        """Processes now at work."""

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        on_death: Callable[[Item], Result] | None = None,
    ) -> Iterator[Result]:
        """Apply a function to items; `map_processes` is how to call it."""


# So many processes of this machine, its usable cores where None, or those of a cluster.
Workers: TypeAlias = int | RemoteWorkers | None


def cpu_count() -> int:
    """Cores this process may use.

    Examples
    --------
    >>> cpu_count() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_count(workers: Workers) -> int:
    """How many processes these are.

    Examples
    --------
    >>> process_count(2), process_count(None) == cpu_count()
    (2, True)
    """
    if workers is None:
        return cpu_count()
    return workers if isinstance(workers, int) else workers.count()


def at_most(workers: Workers, items: int) -> Workers:
    """No more processes of this machine than there are items: starting one takes a second.

    Examples
    --------
    >>> at_most(8, 3), at_most(2, 3)
    (3, 2)
    """
    if workers is None or isinstance(workers, int):
        return min(process_count(workers), items)
    return workers


def start_worker() -> None:
    """Prepare a worker process: one thread of BLAS, and an end when its parent ends."""
    from threadpoolctl import threadpool_limits

    # Each process has a core of its own: threads of BLAS inside it would only fight over it.
    threadpool_limits(1)
    # Ctrl-C reaches every process of a terminal; the parent alone decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker whose parent was killed would wait for work for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def preload(*modules: str) -> None:
    """Have the processes of this machine that are still to be started begin with some modules.

    They are forked from one process, which imports them once: a second or two for each otherwise.
    Without effect once that process is there, so what does several kinds of work calls it first.

    Parameters
    ----------
    *modules : str
        Importable names. Those that start threads when they are imported are none to preload.
    """
    _preloaded.extend(name for name in modules if name not in _preloaded)
    multiprocessing.set_forkserver_preload(["__main__", *_preloaded])


def map_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: Workers = None,
    on_result: Callable[[Result], None] | None = None,
    on_death: Callable[[Item], Result] | None = None,
) -> Iterator[Result]:
    """Apply a function to items in worker processes.

    Parameters
    ----------
    function : callable
        A module-level function of one item; it and the items must be picklable.
    items : iterable
        Read lazily: a bounded number is in flight at a time.
    workers : Workers
        Processes; the usable cores where None. With 1 the work stays in this process.
    on_result : callable, optional
        Called with each result as it is handed out.
    on_death : callable, optional
        What stands for the result of an item that kills its process, called in this process. The
        work then never stays in this process, and items that were under way beside such an item
        are done again, to find out which it was.

    Yields
    ------
    object
        The results, in the order of the items.

    Raises
    ------
    GenrescopeError
        Where a worker process dies and `on_death` is not given, or where no process can be
        started; whatever the function itself raises passes through.
    ClusterError
        Where the workers are those of a cluster, and its scheduler or all of them are lost.

    Examples
    --------
    >>> list(map_processes(abs, [-1, 2, -3], workers=1))
    [1, 2, 3]
    """
    results: Iterator[Result]
    if workers is not None and not isinstance(workers, int):
        results = workers.map(function, items, on_death=on_death)
    elif process_count(workers) <= 1 and on_death is None:
        results = map(function, items)
    else:
        results = _pooled(function, items, process_count(workers), on_death)
    for result in results:
        if on_result is not None:
            on_result(result)
        yield result


def _pooled(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    workers: int,
    on_death: Callable[[Item], Result] | None,
) -> Iterator[Result]:
    left = iter(items)
    under_way: deque[tuple[Item, Future[Result]]] = deque()
    pool = _pool(workers, function)
    try:
        while True:
            for item in islice(left, workers * IN_FLIGHT_PER_WORKER - len(under_way)):
                under_way.append((item, _submit(pool, function, item)))
            if not under_way:
                return
            try:
                result = under_way[0][1].result()
            except BrokenProcessPool as error:
                _end(pool)
                if on_death is None or not _can_start():
                    raise GenrescopeError(
                        "a worker process died: out of memory (use fewer workers), killed, or "
                        "unable to start because a script calls genrescope outside "
                        '`if __name__ == "__main__":`; what is finished stays'
                    ) from error
                unfinished = [item for item, _ in under_way]
                under_way.clear()
                if workers > 1:
                    # One of these did it; alone with a process, the first unfinished one did.
                    yield from _pooled(function, unfinished, 1, on_death)
                else:
                    yield on_death(unfinished[0])
                    left = chain(unfinished[1:], left)
                pool = _pool(workers, function)
            else:
                under_way.popleft()
                yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end(pool: ProcessPoolExecutor) -> None:
    """Shut down a pool one of whose processes died."""
    # An executor that breaks while it starts a process overlooks that one, and then waits for it
    # for ever; which processes there are it does not publish.
    processes = dict(getattr(pool, "_processes", None) or {})
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes.values():
        process.kill()


def _pool(workers: int, function: Callable[..., Any] = cpu_count) -> ProcessPoolExecutor:
    # Forking a process that runs threads (torch, BLAS) can deadlock, hence the fork server.
    context = multiprocessing.get_context("forkserver")
    while isinstance(function, partial):
        function = function.func
    preload(function.__module__)
    # Ctrl-C is for this process alone: the server would say a traceback while it imports.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return ProcessPoolExecutor(max(workers, 1), mp_context=context, initializer=start_worker)


def _submit(
    pool: ProcessPoolExecutor, function: Callable[[Item], Result], item: Item
) -> Future[Result]:
    try:
        return pool.submit(function, item)
    except (BrokenProcessPool, OSError, EOFError) as error:
        # A process that dies while it or another is being started closes their pipes.
        broken: Future[Result] = Future()
        broken.set_exception(BrokenProcessPool(str(error)))
        return broken


def _can_start() -> bool:
    try:
        with _pool(1) as pool:
            return pool.submit(cpu_count).result() > 0
    except (BrokenProcessPool, OSError, EOFError):
        return False
