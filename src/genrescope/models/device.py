"""Where torch computes, on how many threads, and how to make it repeatable."""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator

import torch
import torch.utils.deterministic

from genrescope.errors import ConfigError
from genrescope.parallel import cpu_count


def pick_device(name: str) -> torch.device:
    """A device by name, if it is there.

    Parameters
    ----------
    name : str
        `auto` (the first CUDA device where there is one, else the CPU), `cpu`, `cuda`, `cuda:1`.

    Raises
    ------
    ConfigError
        Where there is no such device.

    Examples
    --------
    >>> pick_device("cpu")
    device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(
            f"device is {name!r}; it is one of auto, cpu, cuda, cuda:1 and so on"
        ) from error
    if device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device is {name!r}; networks run on cpu or cuda")
    available = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= available:
        raise ConfigError(f"device is {name!r}, but there are {available} CUDA devices")
    return device


def where_it_trains(device: torch.device, n_jobs: int | None = None) -> str:
    """Where a network is trained, in a sentence: never on the workers of a cluster.

    Parameters
    ----------
    device : torch.device
    n_jobs : int, optional
        Threads asked for, as in `threads`.

    Examples
    --------
    >>> where_it_trains(torch.device("cpu"), 1)
    'the network trains on this machine: 1 core'
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"the network trains on this machine: {name} ({device})"
    count = _thread_count(n_jobs)
    return f"the network trains on this machine: {count} core{'s' * (count != 1)}"


@functools.cache
def announce(sentence: str) -> None:
    """Say a sentence on stderr, once in a process."""
    print(sentence, file=sys.stderr, flush=True)


def _thread_count(n_jobs: int | None) -> int:
    # Never more than torch was given: a worker process may have been limited to one.
    if n_jobs is None or n_jobs < 1:
        return min(torch.get_num_threads(), cpu_count())
    return n_jobs


@contextlib.contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Set torch's threads inside the block, and put the old number back."""
    before = torch.get_num_threads()
    torch.set_num_threads(_thread_count(n_jobs))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fills_memory() -> bool:
    return bool(torch.utils.deterministic.fill_uninitialized_memory)  # type: ignore[attr-defined]


def _fill_memory(value: bool) -> None:
    torch.utils.deterministic.fill_uninitialized_memory = value  # type: ignore[attr-defined]


@contextlib.contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Seeded, deterministic torch inside the block; the caller's generators and flags after it."""
    if device.type == "cuda":
        # cuBLAS reads this once, when the process first multiplies matrices on the device.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    devices = [device] if device.type == "cuda" else []
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = _fills_memory()
    benchmark = torch.backends.cudnn.benchmark
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        try:
            # CUDA has no deterministic form of some steps: there torch warns instead of stopping.
            torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
            # Filling fresh memory guards against reading it too early, which nothing here does.
            _fill_memory(False)
            torch.backends.cudnn.benchmark = False
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
            _fill_memory(fill)
            torch.backends.cudnn.benchmark = benchmark
