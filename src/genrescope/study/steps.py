"""Which steps of a run are finished and still valid, kept on disk so that a killed run resumes."""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from genrescope import __version__
from genrescope.errors import OutputError
from genrescope.files import (
    cannot_lock,
    output_errors,
    read_json,
    sha256_file,
    sha256_json,
    sweep,
    write_json,
)
from genrescope.remote import UrlPath, place_of
from genrescope.study.mirror import Mirror

LEDGER = ".steps"
Outcome = TypeVar("Outcome")


@dataclass
class Ledger:
    """The finished steps of a run directory.

    A step is known by its name. Its record holds the key (a digest of everything the step
    depends on), the SHA-256 of each file it wrote and a small result. A step is valid while its
    key is unchanged and its files still have their digests; otherwise it runs again. The record
    is written after the files, so a killed step leaves none.

    Parameters
    ----------
    place : path-like
        The run directory, a folder or a URL. It is locked while the ledger is open.
    fresh : bool
        Forget every finished step.

    Attributes
    ----------
    address : pathlib.Path or UrlPath
        The run directory.
    folder : pathlib.Path
        Where steps write: the run directory, or, while the ledger is open, a temporary folder whose
        content is brought to the URL after each step.

    Raises
    ------
    OutputError
        Where the folder cannot be written, or another run is at work in it.
    RemoteError
        Where a URL cannot be reached.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> def write():
    ...     _ = (folder / "a.txt").write_text("done")
    ...     return {"answer": 42}
    >>> for attempt in range(2):
    ...     with Ledger(folder) as ledger:
    ...         result = ledger.run("a", {"setting": 1}, [folder / "a.txt"], write)
    ...         print(result, ledger.computed)
    {'answer': 42} ['a']
    {'answer': 42} []
    """

    place: str | os.PathLike[str]
    fresh: bool = False
    computed: list[str] = field(default_factory=list)
    durations: dict[str, float] = field(default_factory=dict)
    address: Path | UrlPath = field(init=False)
    folder: Path = field(init=False)
    _visited: dict[str, str] = field(default_factory=dict)
    _mirror: Mirror | None = None

    def __post_init__(self) -> None:
        self.address = place_of(self.place)
        self.folder = Path(self.address)

    def __enter__(self) -> Self:
        self._stack = contextlib.ExitStack()
        with self._stack:
            if isinstance(self.address, UrlPath):
                self._mirror = self._stack.enter_context(Mirror(self.address))
                self.folder = self._mirror.folder
            self._open()
            self._stack = self._stack.pop_all()
        return self

    def _open(self) -> None:
        with output_errors(self.folder):
            (self.folder / LEDGER).mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / LEDGER / "lock").open("w")
        self._stack.callback(self._lock.close)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                "another run is at work in this folder; wait for it or give another --out",
                path=self.folder,
            ) from error
        except OSError as error:
            raise cannot_lock(self.folder, error) from error
        sweep(self.folder)
        if self.fresh:
            for record in self._records():
                with output_errors(record):
                    record.unlink()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._push()

    def _push(self) -> None:
        if self._mirror is not None:
            self._mirror.push()

    def bring(self, folder: str) -> None:
        """Fetch a folder of large files that this run goes on with, where it is behind a URL."""
        if self._mirror is not None:
            self._mirror.bring_below(folder)

    def _records(self) -> list[Path]:
        return sorted((self.folder / LEDGER).glob("*.json"))

    def _record(self, name: str) -> Path:
        # A digest keeps the file name flat and short whatever the names of corpora are.
        return self.folder / LEDGER / f"{sha256_json(name)[:24]}.json"

    def run(
        self,
        name: str,
        inputs: Any,
        outputs: Iterable[Path],
        compute: Callable[[], Any],
    ) -> Any:
        """Run a step unless it is finished and valid.

        Parameters
        ----------
        name : str
            What the step is called; unique in the run.
        inputs : JSON value
            Everything the outcome depends on.
        outputs : iterable of pathlib.Path
            The files the step writes, inside the run directory; a folder stands for all in it.
        compute : callable
            Does the work and returns a small JSON value.

        Returns
        -------
        JSON value
            What `compute` returned, now or when the step was last run.
        """
        key = sha256_json({"version": __version__, "step": name, "inputs": inputs})
        self._visited[name] = key
        path = self._record(name)
        record = _read_record(path)
        if record is not None and record["key"] == key and self._intact(record["files"]):
            self.durations[name] = record["seconds"]
            return record["result"]
        with output_errors(path):
            path.unlink(missing_ok=True)
        # What the step wrote before and does not write again would be taken for its own.
        for file in record["files"] if record is not None else ():
            self._remove(file)
        print(name, file=sys.stderr, flush=True)
        start = time.perf_counter()
        result = compute()
        seconds = time.perf_counter() - start
        written = {
            file.relative_to(self.folder).as_posix(): sha256_file(file)
            for output in outputs
            for file in _files_of(output)
        }
        _write_record(
            path,
            {"name": name, "key": key, "seconds": seconds, "files": written, "result": result},
        )
        self._push()
        self.computed.append(name)
        self.durations[name] = seconds
        return result

    def timed(
        self,
        name: str,
        compute: Callable[[], Outcome],
        *,
        worked: Callable[[Outcome], bool] = lambda _: True,
    ) -> Outcome:
        """Run what keeps its own books of finished work, and remember how long it took.

        Parameters
        ----------
        name : str
            What is done; unique in the run.
        compute : callable
            Does it.
        worked : callable
            Whether there was anything to do, by what `compute` returned; where not, the time it
            took when there was is what counts.

        Returns
        -------
        object
            What `compute` returned.
        """
        start = time.perf_counter()
        outcome = compute()
        seconds = time.perf_counter() - start
        self._visited[name] = ""
        record = _read_record(self._record(name))
        if record is not None and not worked(outcome):
            seconds = record["seconds"]
        else:
            entry = {"name": name, "key": "", "seconds": seconds, "files": {}, "result": None}
            _write_record(self._record(name), entry)
            self._push()
        self.durations[name] = seconds
        return outcome

    def key(self, name: str) -> str:
        """Digest of everything a step of this run depended on."""
        return self._visited[name]

    def _intact(self, files: dict[str, str]) -> bool:
        for name, digest in files.items():
            path = self.folder / name
            try:
                if path.is_file():
                    intact = sha256_file(path) == digest
                else:
                    intact = self._mirror is not None and self._mirror.has(name, digest)
            except (OSError, ValueError):  # what cannot be read, or no name of a file: made again
                intact = False
            if not intact:
                return False
        return True

    def _remove(self, name: str) -> None:
        if self._mirror is not None and not (self.folder / name).exists():
            self._mirror.remove(name)
        else:
            _remove(self.folder, name)

    def prune(self) -> None:
        """Remove what an earlier configuration left: files of steps this run did not visit."""
        records = {path: _read_record(path) for path in self._records()}
        kept = {
            name
            for record in records.values()
            if record is not None and record["name"] in self._visited
            for name in record["files"]
        }
        for path, record in records.items():
            if record is not None and record["name"] in self._visited:
                continue
            for name in record["files"] if record is not None else ():
                if name not in kept:
                    self._remove(name)
            path.unlink()


def _files_of(output: Path) -> list[Path]:
    if output.is_dir():
        return sorted(path for path in output.rglob("*") if path.is_file())
    return [output]


def _write_record(path: Path, record: dict[str, Any]) -> None:
    write_json(path, {"sha256": sha256_json(record), **record})


def _read_record(path: Path) -> dict[str, Any] | None:
    """A record, where it is whole: its result goes on into the study's tables."""
    try:
        record = read_json(path)
        if record.pop("sha256") != sha256_json(record):
            return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    # The digest shows accidents; against who computes it anew, what a record says is looked at.
    wanted = {"name": str, "key": str, "seconds": float, "files": dict}
    if not all(isinstance(record.get(name), kind) for name, kind in wanted.items()):
        return None
    return dict(record) if "result" in record else None


def _remove(folder: Path, name: str) -> None:
    try:
        path = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError):  # no name that a file can have, or links in a ring
        return
    if not path.is_relative_to(folder.resolve()):
        return
    # What is gone already, or something else stands in its place, is found out where it is written.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == folder.resolve() or any(parent.iterdir()):
                return
            parent.rmdir()
