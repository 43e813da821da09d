"""Folders for the time of a run: nothing of them is left, or only until the next run."""

import contextlib
import fcntl
import functools
import multiprocessing.util
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from genrescope.errors import OutputError
from genrescope.files import output_errors

LOCK = ".lock"


def scratch_parent() -> Path:
    """The folder below the system's temporary one that holds this user's scratch folders.

    Raises
    ------
    OutputError
        Where it cannot be made, or belongs to somebody else.
    """
    parent = Path(tempfile.gettempdir()) / f"genrescope-{os.getuid()}"
    with output_errors(parent):
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = parent.lstat()
    # Anyone may make that name in /tmp: what others could change is not worked in.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        reason = "is not a folder of this user alone; remove it, or set TMPDIR to another place"
        raise OutputError(reason, path=parent)
    return parent


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is removed when the block ends, however it ends.

    What processes left that were killed is removed first: each holds a lock while it lives.

    Yields
    ------
    pathlib.Path
        An empty folder of this user alone.

    Raises
    ------
    OutputError
        Where it cannot be made.

    Examples
    --------
    >>> with scratch_folder() as folder:
    ...     _ = (folder / "a.txt").write_text("for now")
    >>> folder.exists()
    False
    """
    parent = scratch_parent()
    _sweep(parent)
    lock, folder = _locked(parent)
    try:
        with output_errors(folder):
            folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _lock_of(folder).unlink(missing_ok=True)
        lock.close()
        with contextlib.suppress(OSError):  # others are at work there
            parent.rmdir()


@functools.cache
def process_folder() -> Path:
    """A scratch folder of this process, removed when it ends.

    Raises
    ------
    OutputError
        Where it cannot be made.
    """
    stack = contextlib.ExitStack()
    folder = stack.enter_context(scratch_folder())
    # Worker processes end without `atexit`, and run these.
    multiprocessing.util.Finalize(None, stack.close, exitpriority=10)
    return folder


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}{LOCK}")


def _locked(parent: Path) -> tuple[IO[str], Path]:
    """A lock of a name that nobody has, and the folder of that name, which is not made yet."""
    while True:
        with output_errors(parent):
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # another run may have left
            try:
                handle, name = tempfile.mkstemp(suffix=LOCK, dir=parent)
            except FileNotFoundError:
                continue
        lock = os.fdopen(handle, "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Between the two calls a sweep may have taken it for one that was left.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(lock.fileno()), os.stat(name)):  # noqa: PTH116
                return lock, Path(name.removesuffix(LOCK))
        lock.close()


def _sweep(parent: Path) -> None:
    for path in list(parent.glob(f"*{LOCK}")):
        with contextlib.suppress(OSError), path.open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.with_name(path.name.removesuffix(LOCK)), ignore_errors=True)
            path.unlink(missing_ok=True)
