"""One run at a time in a folder behind a URL, as far as that can be known."""

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genrescope.errors import OutputError, RemoteError
from genrescope.remote import UrlPath, read_file, remove_file, write_file

LOCK = ".lock.json"
RENEWED_S = 30.0  # seconds between renewals
WATCHED_S = 45.0  # seconds for which an old lock is watched for a sign of life
EXPIRES_S = 300.0  # seconds without a renewal after which a run is taken for dead


class RemoteLock:
    """An object that says which run is at work in a folder, and until when that is believed.

    It is renewed every half minute while the lock is held, and counts for five minutes. A run that
    was killed on this machine is known to be dead at once; one of another machine, where clocks may
    differ, is watched for a while first.

    Parameters
    ----------
    folder : UrlPath
    now : callable
        The time, in seconds since 1970.

    Raises
    ------
    OutputError
        On entering, where another run holds it.
    RemoteError
        Where the server cannot be asked.

    Examples
    --------
    >>> folder = UrlPath("memory://locked")
    >>> with RemoteLock(folder):
    ...     try:
    ...         RemoteLock(folder).__enter__()
    ...     except OutputError as error:
    ...         print(error.reason[:38])
    another run is at work in this folder:
    """

    def __init__(self, folder: UrlPath, *, now: Callable[[], float] = time.time) -> None:
        self.folder, self._now = folder, now
        self._path = folder / LOCK
        self._token = uuid.uuid4().hex
        self._ended = threading.Event()
        self._lost: str | None = None

    def __enter__(self) -> Self:
        held = self._read()
        if held is not None and not self._is_dead(held):
            raise OutputError(_in_use(held, self._path), path=self.folder)
        if held is not None:
            remove_file(self._path)
        try:
            # Of two runs that begin at once the server lets one in, if it is able to.
            write_file(self._path, self._content(), new=True)
        except FileExistsError as error:
            other = self._read() or {}
            raise OutputError(_in_use(other, self._path), path=self.folder) from error
        except RemoteError:
            write_file(self._path, self._content())
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        try:
            if self._lost is None and self._is_mine():
                remove_file(self._path)
        except RemoteError:
            if error is None:  # else that says it already
                raise

    def check(self) -> None:
        """Refuse to go on where another run has taken the folder over.

        Raises
        ------
        OutputError
        """
        if self._lost is not None:
            raise OutputError(self._lost, path=self.folder)

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_S):
            try:
                if not self._is_mine():
                    self._lost = "another run has taken this folder over; this one ends"
                    return
                write_file(self._path, self._content())
            except RemoteError:
                continue  # the run itself will say so when it needs the server

    def _is_mine(self) -> bool:
        held = self._read()
        return held is not None and held.get("token") == self._token

    def _content(self) -> bytes:
        said = {
            "host": socket.gethostname(),
            "machine": _machine(),
            "pid": os.getpid(),
            "started": _started(os.getpid()),
            "token": self._token,
            "renewed": self._now(),
            "renewed_utc": datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="seconds"),
            "expires_s": EXPIRES_S,
        }
        return (json.dumps(said, indent=2) + "\n").encode()

    def _read(self) -> dict[str, Any] | None:
        try:
            content = json.loads(read_file(self._path))
        except RemoteError as error:
            if error.kind == "missing" and "bucket" not in error.reason:
                return None
            raise
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    def _is_dead(self, held: dict[str, Any]) -> bool:
        renewed, pid = held.get("renewed"), held.get("pid")
        if not isinstance(renewed, int | float) or not isinstance(pid, int):
            return True  # nothing this program wrote
        if held.get("host") == socket.gethostname() and held.get("machine") == _machine():
            return _started(pid) != held.get("started")
        if abs(self._now() - renewed) < EXPIRES_S:
            return False
        # Clocks differ between machines: only one that is not renewed is dead.
        time.sleep(WATCHED_S)
        return self._read() == held


def _in_use(held: dict[str, Any], path: UrlPath) -> str:
    return (
        f"another run is at work in this folder: process {held.get('pid', '?')} on "
        f"{held.get('host', '?')}, last heard of at {held.get('renewed_utc', '?')}; wait, or "
        f"give another --out. If it is dead, go on in {EXPIRES_S / 60:.0f} minutes or remove {path}"
    )


def _machine() -> str:
    """Where a process number means the same: this machine since its start, and this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str | None:
    """When a process of this machine began, in ticks; None where there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]  # a dead process that nobody has waited for
