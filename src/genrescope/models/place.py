"""Where models train: in this process, or their trees on the workers of a cluster."""

import concurrent.futures
import contextlib
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from genrescope.errors import ClusterError, ConfigError, GenrescopeError
from genrescope.parallel import RemoteWorkers, Workers

MEMORY = "GENRESCOPE_MEMORY"  # bytes a training process may take, in the environment
TABLE_SHARE = 0.25  # of that memory: a table is held about twice, its gradients and trees beside it
CGROUP = Path("/sys/fs/cgroup/memory.max")

_workers: ContextVar[Workers] = ContextVar("workers", default=None)


@contextlib.contextmanager
def training_on(workers: Workers) -> Iterator[None]:
    """Let models that can train on the workers of a cluster inside the block.

    A forest grows its trees there; boosted trees are trained there where their table does not fit
    one worker. Processes of this machine change nothing.

    Parameters
    ----------
    workers : Workers

    Examples
    --------
    >>> with training_on(2):
    ...     cluster() is None
    True
    """
    token = _workers.set(workers)
    try:
        yield
    finally:
        _workers.reset(token)


def cluster() -> RemoteWorkers | None:
    """The cluster that models train on here, if there is one."""
    workers = _workers.get()
    return None if workers is None or isinstance(workers, int) else workers


def fits(n_bytes: int) -> bool:
    """Whether a table is small enough to be learned from in the memory of one process.

    It may take a quarter of the process's memory: of the bytes that `GENRESCOPE_MEMORY` names;
    else of what the least worker of the cluster may use, or of this machine's.

    Parameters
    ----------
    n_bytes : int
        Of the table, in 32-bit floats.

    Raises
    ------
    ConfigError
        Where `GENRESCOPE_MEMORY` is no number of bytes.

    Examples
    --------
    >>> fits(1000)
    True
    """
    return n_bytes <= TABLE_SHARE * _memory()


def _memory() -> float:
    named = os.environ.get(MEMORY)
    if named is not None:
        if not named.isdecimal():
            raise ConfigError(f"{MEMORY} is {named!r}, it should be a number of bytes")
        return int(named)
    workers = cluster()
    if workers is not None:
        known = workers.client.scheduler_info(n_workers=-1)["workers"].values()
        # Dask states 0 for workers without a limit.
        return float(
            min((one["memory_limit"] or float("inf") for one in known), default=float("inf"))
        )
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with contextlib.suppress(OSError, ValueError):
        limits.append(int(CGROUP.read_text()))
    return min(limits)


@contextlib.contextmanager
def trees_on_workers() -> Iterator[None]:
    """Let scikit-learn grow trees on the workers of the cluster inside the block, if there is one.

    Raises
    ------
    ClusterError
        Where workers are lost at the same piece of work again and again, or the scheduler is.
    """
    workers = cluster()
    if workers is None:
        yield
        return
    import joblib

    with (
        cluster_errors(workers, "grow the trees"),
        joblib.parallel_config(_joblib_backend(workers.client)),
    ):
        yield


@contextlib.contextmanager
def cluster_errors(workers: RemoteWorkers, task: str) -> Iterator[None]:
    """Turn whatever fails inside the block into a `ClusterError`: what is trained on was checked.

    Parameters
    ----------
    workers : RemoteWorkers
    task : str
        What they were to do, as a verb with its object.
    """
    try:
        yield
    except GenrescopeError:
        raise
    except Exception as error:
        raise ClusterError(
            f"the cluster at {workers.address} could not {task} ({type(error).__name__}: {error}); "
            "what is finished stays: run again to go on"
        ) from error


class _Broadcasting:
    """A Dask client that gives every worker a copy of data, so that none is lost with one."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def scatter(self, data: Any, **options: Any) -> Any:
        return self._client.scatter(data, **(options | {"broadcast": True}))


def _joblib_backend(client: Any) -> Any:
    """Joblib's Dask backend; by itself it waits for ever where Dask gives up on a piece of work."""
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):  # type: ignore[misc]
        def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
            if self.client.status == "running":
                job = super().submit(func, callback)
            else:
                job = concurrent.futures.Future()
                job.set_exception(ClusterError("the scheduler was lost"))
            job.add_done_callback(lambda done: _tell(done.exception(), callback))
            return job

    return Backend(client=_Broadcasting(client))


def _tell(error: BaseException | None, callback: Callable[[Any], None]) -> None:
    if error is not None:
        callback(error)
