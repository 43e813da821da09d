"""What runs inside the processes of a Dask cluster: imported there, and nowhere without Dask."""

import functools
import hashlib
import pickle
import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin

from genrescope.errors import ClusterError

ITEM = "genrescope-item"  # the first part of the key of every piece of work
# What decides the numbers, and what carries them. One of several names is installed.
PACKAGES = (
    ("dask",), ("distributed",), ("cloudpickle",), ("numpy",), ("scipy",), ("pandas",),
    ("pyarrow",), ("scikit-learn",), ("xgboost-cpu", "xgboost"), ("shap",), ("soxr",),
    ("soundfile",),
)  # fmt: skip

Versions = Mapping[str, str]


@functools.cache
def versions() -> Versions:
    """What this process runs, as far as results depend on it: versions by name.

    Of genrescope the digest of its source stands for the version, since checkouts of one version
    may differ.

    Examples
    --------
    >>> sorted(set(versions()) & {"genrescope", "numpy", "python"})
    ['genrescope', 'numpy', 'python']
    """
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    source = hashlib.sha256()
    root = Path(__file__).parent
    for file in sorted(root.rglob("*.py")):
        source.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    found["genrescope"] = f"{metadata.version('genrescope')} ({source.hexdigest()[:8]})"
    for names in PACKAGES:
        for name in names:
            try:
                found[names[0]] = metadata.version(name)
            except metadata.PackageNotFoundError:
                continue
            break
    return found


def check_versions(wanted: Versions, found: Versions, *, where: str) -> None:
    """Refuse a process that runs other versions.

    Parameters
    ----------
    wanted, found : mapping of str to str
        Of this process and the other, from `versions`.
    where : str
        Names the other.

    Raises
    ------
    ClusterError
        Of kind `versions`, with every difference.

    Examples
    --------
    >>> check_versions({"numpy": "2.1"}, {"numpy": "2.0"}, where="the worker a")
    Traceback (most recent call last):
    genrescope.errors.ClusterError: the worker a has numpy 2.0, here it is 2.1; results depend on \
versions: install the same on every machine
    """
    differences = [
        f"{name} {found.get(name, 'not at all')}, here it is {wanted.get(name, 'not there')}"
        for name in sorted({*wanted, *found})
        if wanted.get(name) != found.get(name)
    ]
    if differences:
        raise ClusterError(
            f"{where} has {'; '.join(differences)}; results depend on versions: install the same "
            "on every machine",
            kind="versions",
        )


def keep(content: bytes) -> bytes:
    """A result that Dask keeps where it is needed, and makes again where it was lost."""
    return content


def run_item(work: bytes, item: bytes) -> bytes:
    """Apply a function to an item; all three as bytes, which the scheduler passes on unopened."""
    function = _prepared(work)
    return pickle.dumps(function(pickle.loads(item)), protocol=5)  # noqa: S301 (Dask's own way)


@functools.lru_cache(maxsize=4)
def _prepared(work: bytes) -> Callable[[Any], Any]:
    wanted, function = pickle.loads(work)  # noqa: S301 (a cluster trusts its client)
    # A worker that joined meanwhile has not been asked yet.
    check_versions(wanted, versions(), where=f"the worker on {platform.node()}")
    _one_thread()
    made: Callable[[Any], Any] = pickle.loads(function)  # noqa: S301
    return made


@functools.cache
def _one_thread() -> None:
    from threadpoolctl import threadpool_limits

    # For good: a limit that ends with a piece of work would be lifted under another's feet.
    threadpool_limits(1)


class DeathsAtOnce(SchedulerPlugin):  # type: ignore[misc]
    """Has the scheduler report a piece of work at the first death of a worker that holds it.

    It would otherwise run the work on three more workers, and kill them too. Other people's work
    is left alone.
    """

    name = "genrescope-deaths"
    idempotent = True

    def update_graph(self, scheduler: Any, *, tasks: Any, **_: Any) -> None:
        """Mark new pieces of work as having used up their other tries."""
        for key in tasks:
            if isinstance(key, tuple) and key[0] == ITEM:
                task = scheduler.tasks[key]
                task.suspicious = max(task.suspicious, scheduler.allowed_failures)
