"""Where a feature store lies: a folder of this machine, or any URL that fsspec knows."""

import contextlib
import errno
import fcntl
import functools
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from genrescope.errors import RemoteError
from genrescope.files import output_errors, read_again, sha256_json, sweep, write_bytes
from genrescope.remote import (
    UrlPath,
    download_file,
    find_files,
    place_of,
    remove_file,
    write_file,
)
from genrescope.scratch import process_folder

LOCK = ".lock"
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


class Place:
    """Files under one root, each there whole or not at all.

    Parameters
    ----------
    url : path-like
        A folder, or a URL such as `s3://bucket/features` or `memory://features`. Packages for
        other protocols than local files are installed by the user.

    Examples
    --------
    >>> place = Place("memory://example")
    >>> place.write("a/b.txt", b"whole")
    >>> place.names("a"), place.path("a/b.txt").read_bytes()
    (['b.txt'], b'whole')
    """

    def __init__(self, url: str | os.PathLike[str]) -> None:
        place = place_of(url)
        self.url = str(place)
        self.local = None if isinstance(place, UrlPath) else Path(place)

    def __repr__(self) -> str:
        return f"Place({self.url!r})"

    def _address(self, name: str) -> str:
        return f"{self.url}/{name}"

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; none where there is no such folder."""
        if self.local is not None:
            with contextlib.suppress(FileNotFoundError):
                here = read_again(functools.partial(os.listdir, self.local / folder))
                return sorted(name for name in here if not name.startswith("."))
            return []
        found = find_files(f"{self.url}/{folder}", below=False)
        # What ends so is being written, where the server has no better way.
        return sorted(name for name in found if not name.endswith(".partial"))

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all.

        Raises
        ------
        OutputError, RemoteError
            Where it cannot be written.
        """
        if self.local is not None:
            write_bytes(self.local / name, content)
        else:
            write_file(self._address(name), content)

    def path(self, name: str) -> Path:
        """A file on this machine with the content of `name`: itself, or a copy.

        A copy is fetched once in the life of the process, in whose temporary folder it is, so a
        name must always stand for the same content.

        Raises
        ------
        FileNotFoundError
            Where there is no such file.
        RemoteError
            Where the server cannot be reached.
        """
        if self.local is not None:
            return self.local / name
        copy = self._copy(name)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            partial = copy.with_name(f".{copy.name}.partial")
            try:
                download_file(self._address(name), partial)
            except RemoteError as error:
                if error.kind == "missing":
                    raise FileNotFoundError(self._address(name)) from error
                raise
            with output_errors(copy):
                partial.replace(copy)
        return copy

    def _copy(self, name: str) -> Path:
        return process_folder() / "features" / sha256_json(self.url)[:16] / PurePosixPath(name)

    def remove(self, name: str) -> None:
        """Remove a file and its copy, where they are there."""
        if self.local is not None:
            # Where nothing can be written, or a folder is in the way, writing it anew will say so.
            with contextlib.suppress(OSError):
                (self.local / name).unlink(missing_ok=True)
            return
        self._copy(name).unlink(missing_ok=True)
        remove_file(self._address(name))

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Say that this process may write here; leftovers of killed ones go where no other does.

        A folder that can only be read is left as it is.

        Raises
        ------
        OutputError
            Where there is no folder and none can be made.
        """
        with contextlib.ExitStack() as stack:
            if self.local is not None:
                with output_errors(self.local):
                    self._lock(stack)
            yield

    def _lock(self, stack: contextlib.ExitStack) -> None:
        assert self.local is not None
        try:
            self.local.mkdir(parents=True, exist_ok=True)
            # Open for reading too: over NFS, a shared lock needs that.
            lock = stack.enter_context((self.local / LOCK).open("a+"))
        except OSError as error:
            if error.errno in READ_ONLY and self.local.is_dir():
                return
            raise
        # Without locks nobody knows who else is at work, and nothing is swept.
        with contextlib.suppress(OSError):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                sweep(self.local)
            fcntl.flock(lock, fcntl.LOCK_SH)
