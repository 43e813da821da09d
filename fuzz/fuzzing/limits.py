"""Bounds of memory and time for the process that reads foreign bytes, and what went beyond them."""

import contextlib
import hashlib
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from fuzzing.target import Target


def limit_memory(target: Target) -> None:
    """Let this process take no more than a target's bound beyond what it has taken by now."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (taken_memory() + target.memory, most))


def taken_memory() -> int:
    """Bytes of address space that this process has taken."""
    statm = Path("/proc/self/statm").read_text(encoding="ascii")
    return int(statm.split()[0]) * resource.getpagesize()


@contextlib.contextmanager
def limited_time(seconds: int) -> Iterator[None]:
    """Raise `TimeoutError` in what takes longer; what is stuck in a library is left to a parent."""

    def too_long(*_: object) -> None:
        raise TimeoutError(f"still busy after {seconds} s")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Findings:
    """Inputs that raise, one kept for each place in the code.

    Parameters
    ----------
    target : Target
    folder : pathlib.Path
        Gets the inputs, and beside each its traceback. The input under way stands in `.current`,
        for what ends the process.
    """

    def __init__(self, target: Target, folder: Path) -> None:
        self.target, self.folder = target, folder
        self.runs = 0
        self.found: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._current = folder / ".current"

    def check(self, data: bytes) -> None:
        """Give an input to the target; keep it if it raises."""
        self.runs += 1
        self._current.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.target.check(data)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
            self._keep(data, error)

    def _keep(self, data: bytes, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if "/genrescope/" in frame.filename] or list(frames)
        place = f"{type(error).__name__} {own[-1].filename} {own[-1].lineno}"
        name = f"{type(error).__name__}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
        if (self.folder / f"{name}.txt").exists():
            return
        self.found.append(f"{name}: {str(error)[:300]}")
        (self.folder / name).write_bytes(data)
        text = "".join(traceback.format_exception(error))
        (self.folder / f"{name}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
        print(f"finding: {self.folder / name}: {str(error)[:200]!r}", file=sys.stderr)
