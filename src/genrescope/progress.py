"""Progress of long work: a bar on a terminal, plain lines elsewhere, always on standard error."""

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Protocol

SECONDS_BETWEEN_LINES = 10.0


class Progress(Protocol):
    """What long work reports to."""

    def advance(self, count: int = 1) -> None:
        """Say that `count` more units are done."""


class _Bar:
    def __init__(self, total: int, description: str, unit: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._progress = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{unit}  {{task.fields[rate]}}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            # What is printed meanwhile goes above the bar, unless it goes to a file or a pipe.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._unit = unit
        self._task = self._progress.add_task(description, total=total, rate="")
        self._progress.start()

    def advance(self, count: int = 1) -> None:
        self._progress.advance(self._task, count)
        speed = self._progress.tasks[self._task].speed
        if speed:
            self._progress.update(self._task, rate=f"{speed:.0f}/s")

    def close(self) -> None:
        self._progress.stop()


class _Lines:
    def __init__(self, total: int, description: str, unit: str) -> None:
        self._total, self._description, self._unit = total, description, unit
        self._done = 0
        self._start = self._last = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self._say(now)

    def _say(self, now: float) -> None:
        rate = self._done / max(now - self._start, 1e-9)
        left = f", {(self._total - self._done) / rate:.0f} s left" if rate else ""
        print(
            f"{self._description}: {self._done} of {self._total} {self._unit}, {rate:.3g}/s{left}",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        if self._last > self._start:
            self._say(time.monotonic())


@contextlib.contextmanager
def progress(total: int, description: str, *, unit: str = "clips") -> Iterator[Progress]:
    """Show how far long work is.

    Parameters
    ----------
    total : int
        Units of work in all.
    description : str
        What is being done, in a few words.
    unit : str
        What is counted, in the plural.

    Yields
    ------
    Progress
        Call its `advance` as units are finished.

    Examples
    --------
    >>> with progress(2, "counting", unit="numbers") as bar:
    ...     bar.advance()
    ...     bar.advance()
    """
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    shown = (_Bar if on_terminal else _Lines)(total, description, unit)
    try:
        yield shown
    finally:
        shown.close()
