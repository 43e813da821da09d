"""Where a feature store lies: a folder of this machine, or any URL that fsspec knows."""

import contextlib
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from genrescope.errors import ConfigError
from genrescope.files import atomic_path, output_errors, sha256_json, sweep, write_bytes

LOCK = ".lock"
CACHE = "XDG_CACHE_HOME"


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
        self.url = os.fspath(url)
        protocol, separator, rest = self.url.partition("://")
        if protocol == "file":
            self.url, separator = rest, ""
        self.local = None if separator else Path(self.url)

    def __repr__(self) -> str:
        return f"Place({self.url!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"url": self.url, "local": self.local}  # worker processes connect for themselves

    @cached_property
    def _remote(self) -> tuple[Any, str]:
        import fsspec

        try:
            filesystem, root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            reason = f"cannot be used as a place for features: {error}"
            raise ConfigError(reason, path=self.url) from error
        return filesystem, str(root)

    def _address(self, name: str) -> str:
        return str(PurePosixPath(self._remote[1]) / name)

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; none where there is no such folder."""
        if self.local is not None:
            with contextlib.suppress(FileNotFoundError), os.scandir(self.local / folder) as entries:
                return sorted(entry.name for entry in entries if not entry.name.startswith("."))
            return []
        filesystem, _ = self._remote
        with contextlib.suppress(FileNotFoundError):
            found = filesystem.ls(self._address(folder), detail=False, refresh=True)
            return sorted(PurePosixPath(name).name for name in found)
        return []

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all.

        Raises
        ------
        OutputError
            Where it cannot be written.
        """
        if self.local is not None:
            write_bytes(self.local / name, content)
            return
        filesystem, _ = self._remote
        address = self._address(name)
        with output_errors(f"{self.url}/{name}"):
            filesystem.makedirs(str(PurePosixPath(address).parent), exist_ok=True)
            # Object stores show an object when it is whole; elsewhere the rename sees to that.
            filesystem.pipe_file(f"{address}.partial", content)
            filesystem.mv(f"{address}.partial", address)

    def path(self, name: str) -> Path:
        """A file on this machine with the content of `name`: itself, or a copy in the cache.

        Copies are kept under `genrescope` in the user's cache folder (`$XDG_CACHE_HOME`, or
        `~/.cache`), so a name must always stand for the same content.

        Raises
        ------
        FileNotFoundError
            Where there is no such file.
        """
        if self.local is not None:
            return self.local / name
        cache = Path(os.environ.get(CACHE) or Path.home() / ".cache")
        copy = cache / "genrescope" / sha256_json(self.url)[:16] / name
        if not copy.exists():
            filesystem, _ = self._remote
            with atomic_path(copy) as temporary:
                filesystem.get_file(self._address(name), str(temporary))
        return copy

    def remove(self, name: str) -> None:
        """Remove a file and its copy in the cache, where they are there."""
        with contextlib.suppress(FileNotFoundError):
            if self.local is None:
                self.path(name).unlink()
                self._remote[0].rm_file(self._address(name))
            else:
                (self.local / name).unlink()

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """Say that this process writes here; leftovers of killed ones go where no other does.

        Raises
        ------
        OutputError
            Where the folder cannot be made.
        """
        if self.local is None:
            yield
            return
        import fcntl

        with output_errors(self.local):
            self.local.mkdir(parents=True, exist_ok=True)
            lock = (self.local / LOCK).open("w")
        with lock:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                sweep(self.local)
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield
