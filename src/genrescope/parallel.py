"""Work spread over processes of one machine, with results in order and memory bounded."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from genrescope.errors import GenrescopeError

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT_PER_WORKER = 2


def cpu_count() -> int:
    """Cores this process may use.

    Examples
    --------
    >>> cpu_count() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_worker() -> None:
    """Prepare a worker process: one thread of BLAS, and an end when its parent ends."""
    from threadpoolctl import threadpool_limits

    # Each process has a core of its own: threads of BLAS inside it would only fight over it.
    threadpool_limits(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # A worker whose parent was killed would wait for work for ever.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def map_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int | None = None,
    on_result: Callable[[Result], None] | None = None,
) -> Iterator[Result]:
    """Apply a function to items in worker processes.

    Parameters
    ----------
    function : callable
        A module-level function of one item; it and the items must be picklable.
    items : iterable
        Read lazily: a bounded number is in flight at a time.
    workers : int, optional
        Processes; the usable cores where not given. With 1 the work stays in this process.
    on_result : callable, optional
        Called with each result as it is handed out.

    Yields
    ------
    object
        The results, in the order of the items.

    Raises
    ------
    GenrescopeError
        Where a worker process dies; whatever the function itself raises passes through.

    Examples
    --------
    >>> list(map_processes(abs, [-1, 2, -3], workers=1))
    [1, 2, 3]
    """
    workers = cpu_count() if workers is None else workers
    for result in _serial(function, items) if workers <= 1 else _pooled(function, items, workers):
        if on_result is not None:
            on_result(result)
        yield result


def _serial(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    for item in items:
        yield function(item)


def _pooled(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    # Forking a process that runs threads (torch, BLAS) can deadlock, hence the fork server.
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("forkserver"),
        initializer=start_worker,
    )
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= workers * IN_FLIGHT_PER_WORKER:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    except BrokenProcessPool as error:
        raise GenrescopeError(
            "a worker process died: out of memory (use fewer workers), killed, or unable to start "
            'because a script calls genrescope outside `if __name__ == "__main__":`; what is '
            "finished stays"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
