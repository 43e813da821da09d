"""Processes of a Dask cluster as workers: found, checked, given work, and watched."""

import contextlib
import itertools
import logging
import os
import pickle
import queue
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, NoReturn

from genrescope.errors import ClusterError, ConfigError, GenrescopeError
from genrescope.parallel import Item, Result, Workers, process_count

LOCAL = "dask"
PROTOCOLS = ("tcp", "tls")
EXTRA = "a Dask cluster needs the extra: pip install 'genrescope[dask]'"

TRIES = 3  # deaths of a worker that held a piece of work; at the last one it was alone
IN_FLIGHT_PER_WORKER = 3  # one at work, one at the worker, one at the scheduler
HELD_PER_WORKER = 12  # finished out of turn and under way: bounds the memory
LOOK_S = 1.0  # between looks whether scheduler and workers are there
PATIENCE = "genrescope.patience"  # in Dask's configuration: how long to wait for a worker
PATIENCE_DEFAULT = "2 minutes"
CLOSING_S = 5.0

LOGGERS = ("distributed", "tornado", "tornado.application", "asyncio", "bokeh")
SETTINGS = {"distributed.admin.large-graph-warning-threshold": "1 TB"}
# The cluster of one command is nobody else's business: no pages over HTTP, and no variables that
# would leave one thread to all that this process runs later (a network uses every core).
LOCAL_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.nanny.pre-spawn-environ": {},
}


@contextlib.contextmanager
def open_workers(scheduler: str | None, workers: int | None = None) -> Iterator[Workers]:
    """Workers where the user wants them: on this machine or on a Dask cluster.

    Parameters
    ----------
    scheduler : str or None
        None for processes of this machine; `dask` for a cluster of separate processes on this
        machine, which ends with the block; or the address of a scheduler, `tcp://...` or
        `tls://...`, whose keys and certificates Dask's own configuration names.
    workers : int, optional
        Processes of this machine; the usable cores where not given.

    Yields
    ------
    Workers
        For `map_processes` and all that takes `workers`.

    Raises
    ------
    ConfigError
        Where `scheduler` is none of these, Dask is not installed, or a number of workers is given
        for a cluster that has its own.
    ClusterError
        Where the scheduler cannot be reached or is lost inside the block, no worker joins within
        two minutes (`genrescope.patience` in Dask's configuration), or the versions of what makes
        the numbers differ.

    Examples
    --------
    >>> with open_workers(None, 2) as workers:
    ...     workers
    2
    """
    if scheduler is None:
        yield workers
        return
    if scheduler != LOCAL and scheduler.partition("://")[0] not in PROTOCOLS:
        raise ConfigError(
            f"the scheduler is {scheduler!r}, it should be {LOCAL} or an address such as "
            "tcp://10.0.0.1:8786"
        )
    if scheduler != LOCAL and workers is not None:
        raise ConfigError(
            f"how many workers there are is for {scheduler} to say, not for --workers"
        )
    try:
        import dask
        import distributed
    except ImportError as error:
        raise ConfigError(EXTRA) from error
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        stack.enter_context(dask.config.set(SETTINGS))
        if scheduler == LOCAL:
            cluster = _local_cluster(process_count(workers), stack)
            found = DaskWorkers(_connect(cluster, cluster.scheduler_address), started_here=True)
        else:
            found = DaskWorkers(_connect(scheduler, scheduler))
        stack.callback(_close, found.client)
        found.prepare()
        try:
            yield found
        except GenrescopeError:
            raise
        except Exception as error:
            # Libraries that use the client say this in words of their own.
            if found.client.status == "running" or isinstance(error, distributed.KilledWorker):
                raise
            found.lost(error)


class DaskWorkers:
    """The worker processes of a Dask cluster; use `open_workers`.

    Attributes
    ----------
    client : distributed.Client
    address : str
        The scheduler's.
    """

    def __init__(self, client: Any, *, started_here: bool = False) -> None:
        self.client = client
        self.address = str(client.scheduler.address)
        self._started_here = started_here
        self._counted = (0.0, 0)
        self._last_seen = time.monotonic()

    def prepare(self) -> None:
        """Wait for a worker, and see that all are fit for the work."""
        from genrescope.dask_task import DeathsAtOnce, check_versions, versions

        try:
            self.client.register_plugin(DeathsAtOnce())
        except Exception as error:
            raise ClusterError(
                f"the scheduler at {self.address} cannot load genrescope ({error}): install it "
                "there as on the workers"
            ) from error
        while not self.count():
            self.check()
            time.sleep(LOOK_S / 10)
        threads = self._ask(self.client.nthreads)
        for worker, found in self._ask(
            lambda: self.client.run(versions, on_error="return")
        ).items():
            if isinstance(found, Exception):
                raise ClusterError(
                    f"the worker at {worker} cannot load genrescope ({found}): install it on "
                    "every machine"
                )
            check_versions(versions(), found, where=f"the worker at {worker}")
        several = sorted({count for count in threads.values() if count > 1})
        if several:
            print(
                f"note: workers at {self.address} have {several[-1]} threads, of which genrescope "
                "uses one well: start more processes, with `--nthreads 1`",
                file=sys.stderr,
            )

    def count(self) -> int:
        """Worker processes now in the cluster."""
        asked, number = self._counted
        if time.monotonic() - asked > LOOK_S or not number:
            number = len(self._ask(self.client.nthreads))
            self._counted = time.monotonic(), number
            if number:
                self._last_seen = time.monotonic()
        return number

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        on_death: Callable[[Item], Result] | None = None,
    ) -> Iterator[Result]:
        """Apply a function to items, as `map_processes` does."""
        return _Run(self, function, items, on_death).results()

    def check(self) -> None:
        """Raise `ClusterError` where the scheduler is lost, or workers have been for too long."""
        import dask

        if self.client.status != "running":
            self.lost()
        if not self.count():
            waited = time.monotonic() - self._last_seen
            patience = dask.utils.parse_timedelta(dask.config.get(PATIENCE, PATIENCE_DEFAULT))
            if waited > patience:
                raise ClusterError(
                    f"the cluster at {self.address} has had no worker for {waited:.0f} s; what is "
                    "finished stays: start workers and run again"
                )

    def lost(self, error: BaseException | None = None) -> NoReturn:
        """Raise `ClusterError`: the scheduler is gone."""
        what = "Dask cluster" if self._started_here else f"scheduler at {self.address}"
        raise ClusterError(
            f"the {what} was lost; what is finished stays: run again to go on"
        ) from error

    def _ask(self, question: Callable[[], Any]) -> Any:
        """Put a question to the scheduler."""
        if self.client.status != "running":
            self.lost()
        try:
            return question()
        except (OSError, TimeoutError) as error:
            self.lost(error)


@dataclass
class _Piece(Generic[Item, Result]):
    number: int
    item: Item
    deaths: int = 0
    future: Any = None
    result: Result | None = None
    done: bool = False


class _Run(Generic[Item, Result]):
    """One function applied to many items on a cluster."""

    _numbers = itertools.count()

    def __init__(
        self,
        workers: DaskWorkers,
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


def _connect(target: Any, address: str) -> Any:
    from distributed import Client

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which are checked more closely
            return Client(target, set_as_default=False, name="genrescope")
    except (OSError, TimeoutError, TypeError, ValueError, RuntimeError) as error:
        raise ClusterError(f"no Dask scheduler can be reached at {address} ({error})") from error


def _local_cluster(count: int, stack: contextlib.ExitStack) -> Any:
    import dask
    from distributed import LocalCluster
    from distributed.security import Security

    stack.enter_context(dask.config.set(LOCAL_SETTINGS))
    try:
        cluster = LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            security=Security.temporary(),  # other users of the machine stay out
            silence_logs=logging.CRITICAL + 1,
        )
    except (OSError, TimeoutError, RuntimeError) as error:
        raise ClusterError(f"no Dask cluster can be started here ({error})") from error
    stack.callback(lambda: cluster.close(timeout=CLOSING_S))
    return cluster


def _close(client: Any) -> None:
    with contextlib.suppress(Exception):
        client.close(timeout=CLOSING_S)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave it to typed errors to say what went wrong on the network."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("distributed.")]
    before = {name: logging.getLogger(name).level for name in (*LOGGERS, *names)}
    for name in before:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
