"""Reading and writing files behind URLs."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from genrescope.errors import OutputError, RemoteError
from genrescope.remote.asking import OBJECT_STORES, asking
from genrescope.remote.details import exists, find_files, forget
from genrescope.remote.paths import Address, AtHand, is_url

PARTIAL = ".partial"
REQUESTS = 16  # at a time
DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # of this machine, not of the server


def read_file(path: Address) -> bytes:
    """The content of a file, of this machine or behind a URL.

    Raises
    ------
    RemoteError
    OSError
        Where the file is one of this machine.
    """
    if not is_url(path):
        return Path(path).read_bytes()
    with asking(path) as (filesystem, name):
        return bytes(filesystem.cat_file(name))


def write_file(url: Address, content: bytes, *, new: bool = False) -> None:
    """Write a file behind a URL, whole or not at all.

    Parameters
    ----------
    url : path-like
    content : bytes
    new : bool
        Leave a file that is there alone.

    Raises
    ------
    RemoteError
    FileExistsError
        Where `new` is asked for, and the server says that there is one.
    """
    text = os.fspath(url)
    forget(text)
    taken = new and exists(text)
    with contextlib.ExitStack() as stack:
        if not taken:
            filesystem, name = stack.enter_context(_writing(text))
            # Only stores of objects can be asked to refuse what came between.
            mode = {"mode": "create"} if new and not name.endswith(PARTIAL) else {}
            try:
                filesystem.pipe_file(name, content, **mode)
            except FileExistsError:
                taken = True
    if taken:
        raise FileExistsError(text)


def upload_file(path: Path, url: Address) -> None:
    """Bring a file of this machine behind a URL, whole or not at all.

    Raises
    ------
    RemoteError
    """
    forget(os.fspath(url))
    with _writing(os.fspath(url)) as (filesystem, name):
        filesystem.put_file(str(path), name)


@contextlib.contextmanager
def _writing(url: str) -> Iterator[tuple[Any, str]]:
    with asking(url) as (filesystem, name):
        if url.partition("://")[0] in OBJECT_STORES:
            # Nor is a folder made: on S3 that would make a bucket of a misspelt name.
            yield filesystem, name
            return
        filesystem.makedirs(str(PurePosixPath(name).parent), exist_ok=True)
        yield filesystem, f"{name}{PARTIAL}"
        filesystem.mv(f"{name}{PARTIAL}", name)


def download_file(url: Address, path: Address) -> None:
    """Write the content of a file behind a URL into one of this machine.

    Raises
    ------
    RemoteError
    """
    try:
        with asking(url) as (filesystem, name):
            filesystem.get_file(name, os.fspath(path))
    except RemoteError as error:
        if isinstance(error.__cause__, OSError) and error.__cause__.errno in DISK_ERRORS:
            reason = f"cannot be written ({os.strerror(error.__cause__.errno).lower()})"
            raise OutputError(reason, path=tempfile.gettempdir()) from error
        raise


def remove_file(url: Address) -> None:
    """Remove a file behind a URL, if it is there.

    Raises
    ------
    RemoteError
    """
    forget(os.fspath(url))
    with asking(url) as (filesystem, name), contextlib.suppress(FileNotFoundError):
        filesystem.rm_file(name)


def download_folder(url: Address, folder: Path, *, wanted: Callable[[str], bool]) -> None:
    """Fetch the files below a URL whose relative names are wanted.

    Raises
    ------
    RemoteError
    """
    names = [name for name in find_files(url) if ".." not in name.split("/") and wanted(name)]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(REQUESTS) as pool:
        list(pool.map(lambda name: download_file(f"{url}/{name}", folder / name), names))


def upload_folder(folder: Path, url: Address, *, last: str = "") -> None:
    """Bring every file of a folder behind a URL.

    Parameters
    ----------
    folder : pathlib.Path
    url : path-like
    last : str
        The file without which the others mean nothing.

    Raises
    ------
    RemoteError
    """
    files = {
        path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()
    }
    with ThreadPoolExecutor(REQUESTS) as pool:
        first = [name for name in sorted(files) if name != last]
        list(pool.map(lambda name: upload_file(files[name], f"{url}/{name}"), first))
    if last in files:
        upload_file(files[last], f"{url}/{last}")


@contextlib.contextmanager
def at_hand(path: Address) -> Iterator[AtHand]:
    """A file as one of this machine, for the time of the block.

    What lies behind a URL is fetched once, into a file without a name: nothing of it is left,
    however the process ends.

    Parameters
    ----------
    path : path-like
        A path, a URL, or what is at hand already.

    Yields
    ------
    AtHand

    Raises
    ------
    RemoteError

    Examples
    --------
    >>> write_file("memory://fetched/a.txt", b"whole")
    >>> with at_hand("memory://fetched/a.txt") as fetched:
    ...     print(Path(fetched).read_text(), fetched.name)
    whole memory://fetched/a.txt
    """
    if isinstance(path, AtHand):
        yield path
        return
    name = os.fspath(path)
    if not is_url(name):
        yield AtHand(name, name)
        return
    with tempfile.TemporaryFile(prefix="genrescope-") as copy:
        file = f"/dev/fd/{copy.fileno()}"
        download_file(name, file)
        yield AtHand(name, file)
