"""Where torch computes, on how many threads, and how to make it repeatable."""

import contextlib
import os
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


@contextlib.contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Set torch's threads inside the block, and put the old number back."""
    before = torch.get_num_threads()
    # Never more than torch was given: a worker process may have been limited to one.
    torch.set_num_threads(min(before, cpu_count()) if n_jobs is None or n_jobs < 1 else n_jobs)
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
