"""Writing files whole or not at all, and the digests by which finished work is recognised."""

import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from genrescope.errors import GenrescopeError, OutputError, RemoteError
from genrescope.remote import content_identity, is_url, look_up

if TYPE_CHECKING:
    import pandas as pd

PARTIAL = ".partial"  # marks temporary files, which begin with a dot
UNREADABLE = "unreadable"  # in place of a digest
SETTLED_NS = 2_000_000_000  # FAT and some network file systems count whole or even seconds
PASSING = {errno.ESTALE, errno.EIO}  # a server that renamed a file, or was away for a moment

Content = TypeVar("Content")


@contextlib.contextmanager
def output_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an `OSError` inside the block into an `OutputError` that names `path`."""
    try:
        yield
    except GenrescopeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot be written ({reason.lower()})", path=path) from error


def cannot_lock(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """What to say where a file system refuses to lock, and not because another run does."""
    reason = (error.strerror or str(error)).lower()
    return OutputError(
        f"cannot be locked against other runs ({reason}); give a place on a local disk, or on a "
        "network file system with locks",
        path=path,
    )


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str], *, keep_mode: bool = False) -> Iterator[Path]:
    """Give a temporary path that becomes `path` when the block ends well.

    The temporary file stands in the same folder, so the rename is atomic; readers see the old
    file or the new one, never a part. Parent folders are made.

    Parameters
    ----------
    path : path-like
        Where the file shall be.
    keep_mode : bool
        Give the file the mode and, where that is permitted, the owner of the one it replaces.

    Yields
    ------
    pathlib.Path
        Where to write; it keeps the suffix of `path`.

    Raises
    ------
    OutputError
        Where the folder or the file cannot be written, the disk is full included.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a" / "b.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    path = Path(path)
    temporary: Path | None = None
    lock = -1
    try:
        with output_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock, temporary = _make_temporary(path)
            yield temporary
            mode = 0o666 & ~_umask()
            if keep_mode:
                replaced = path.stat()
                mode = stat.S_IMODE(replaced.st_mode)
                with contextlib.suppress(PermissionError):
                    os.chown(temporary, replaced.st_uid, replaced.st_gid)
            temporary.chmod(mode)
            temporary.replace(path)
    except BaseException:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise
    finally:
        if lock >= 0:
            os.close(lock)


def _make_temporary(path: Path) -> tuple[int, Path]:
    """A temporary file beside `path`, locked for as long as its handle is open."""
    while True:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem[:40]}-", suffix=f"{PARTIAL}{path.suffix}", dir=path.parent
        )
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = False
        except OSError as error:  # not every file system has locks
            taken = isinstance(error, BlockingIOError)
        # Before it was locked, `sweep_beside` may have taken it for one that was left.
        if not taken and os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)


def sweep_beside(path: str | os.PathLike[str]) -> None:
    """Remove what killed processes left that were writing `path`, others at work or not."""
    path = Path(path)
    form = re.compile(
        re.escape(f".{path.stem[:40]}-") + "[a-z0-9_]{8}" + re.escape(f"{PARTIAL}{path.suffix}")
    )
    with contextlib.suppress(OSError), os.scandir(path.parent) as entries:
        for name in [entry.name for entry in entries if form.fullmatch(entry.name)]:
            with contextlib.suppress(OSError), path.with_name(name).open("r+b") as left:
                fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.with_name(name).unlink()


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove what killed processes were writing below a folder; only where none is writing now."""
    for left in list(Path(folder).rglob(f".*{PARTIAL}*")):
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # where nothing can be removed, it does no harm
                left.unlink(missing_ok=True)


def exchange(one: Path, other: Path) -> bool:
    """Let two files or folders change places in one go; False where the system cannot do that."""
    import ctypes

    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    return bool(rename(here, os.fsencode(one), here, os.fsencode(other), swap) == 0)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write bytes, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write indented UTF-8 JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read UTF-8 JSON."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def write_csv(path: str | os.PathLike[str], frame: "pd.DataFrame", *, index: bool = False) -> None:
    """Write a table as CSV, whole or not at all; floats keep every digit."""
    with atomic_path(path) as temporary:
        frame.to_csv(temporary, index=index, lineterminator="\n")


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 of a file's bytes.

    Within one process a file is read once, as long as it is the same file by number, size and times
    of change, and was not changed just before.
    """
    status = Path(path).stat()
    changed_ns = max(status.st_mtime_ns, status.st_ctime_ns)
    # A file system's clock may not tell two changes apart that follow each other closely, and one
    # that runs ahead of ours tells nothing.
    settled = time.time_ns() - changed_ns > SETTLED_NS
    digest = _sha256_once if settled else _sha256_once.__wrapped__
    return digest(os.fspath(path), (status.st_ino, status.st_size, changed_ns))


@functools.lru_cache(maxsize=200_000)
def _sha256_once(path: str, state: tuple[int, ...]) -> str:  # noqa: ARG001 (the cache's key)
    def read() -> str:
        with Path(path).open("rb", buffering=0) as file:  # the digest has a buffer of its own
            return hashlib.file_digest(file, "sha256").hexdigest()

    return read_again(read)


def read_again(read: Callable[[], Content]) -> Content:
    """Read a file, and once more where a network file system lost its hold of it.

    Parameters
    ----------
    read : callable
        Opens the file and reads it.

    Returns
    -------
    object
        What `read` returned.
    """
    try:
        return read()
    except OSError as error:
        if error.errno not in PASSING:
            raise
    return read()


def content_digest(path: str | os.PathLike[str]) -> str:
    """Digest of an input file, or `UNREADABLE` where it cannot be read.

    A file that went away or lost its permission is a change of content like any other; what is
    wrong with it is said where it is used. Of a file behind a URL it is the digest of what its
    server says of the content, see `genrescope.remote.content_identity`.

    Raises
    ------
    RemoteError
        Where the server cannot be reached: that says nothing of the file.
    """
    if is_url(path):
        try:
            return content_identity(path)
        except RemoteError as error:
            if error.kind in ("missing", "forbidden"):
                return UNREADABLE
            raise
    try:
        return sha256_file(path)
    except OSError:
        return UNREADABLE


def content_digests(paths: Sequence[str]) -> list[str]:
    """`content_digest` of many files; those behind URLs are looked up folder by folder.

    Raises
    ------
    RemoteError
        Where a folder cannot be listed.
    """
    look_up(paths)
    return [content_digest(path) for path in paths]


def sha256_json(content: Any) -> str:
    """Hexadecimal SHA-256 of a value's canonical JSON.

    Examples
    --------
    >>> sha256_json({"b": 1, "a": 2}) == sha256_json({"a": 2, "b": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # File names may hold bytes that are no text, which Python keeps as surrogates.
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
