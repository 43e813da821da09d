"""Processes of a Dask cluster as workers: found, checked, given work, and watched."""

import contextlib
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn

from genrescope.dask_run import LOOK_S, Run
from genrescope.errors import ClusterError, ConfigError, GenrescopeError
from genrescope.parallel import Item, Result, Workers, process_count

LOCAL = "dask"
PROTOCOLS = ("tcp", "tls")
EXTRA = "a Dask cluster needs the extra: pip install 'genrescope[dask]'"

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
        return Run(self, function, items, on_death).results()

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
    stack.callback(_close, cluster)
    return cluster


def _close(ended: Any) -> None:
    # Its processes end with this one in any case.
    with contextlib.suppress(Exception):
        ended.close(timeout=CLOSING_S)


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
