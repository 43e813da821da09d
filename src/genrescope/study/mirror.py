"""A run directory behind a URL: worked on in a temporary folder, brought over step by step."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genrescope.errors import OutputError
from genrescope.files import PARTIAL, read_json, sha256_file, write_json
from genrescope.remote import (
    UrlPath,
    download_file,
    find_files,
    place_of,
    remove_file,
    upload_file,
    upload_folder,
)
from genrescope.scratch import scratch_folder
from genrescope.study.remote_lock import LOCK, RemoteLock

BOOKS = ".steps"  # what says that other files are finished, and so comes last
INDEX = ".there.json"  # what was brought over and is not kept here
# Large, and read by no later step: left on the server, and known by what the server says of it.
LEFT_THERE = ("features/", "audio/")
REQUESTS = 16  # at a time
State = tuple[int, int]


class Mirror:
    """A temporary folder with what lies behind a URL, and the way back.

    On entering, no other run may be at work there; then what is there is fetched. `push` brings
    over what was written and removed since. At the end, whatever it is, the temporary folder goes.

    Parameters
    ----------
    url : UrlPath

    Attributes
    ----------
    folder : pathlib.Path
        The temporary folder.

    Raises
    ------
    OutputError
        Where another run is at work behind the URL, or the folder cannot be written.
    RemoteError
        Where the server cannot be reached.

    Examples
    --------
    >>> url = UrlPath("memory://mirrored")
    >>> with Mirror(url) as mirror:
    ...     _ = (mirror.folder / "a.txt").write_text("whole")
    ...     mirror.push()
    >>> with Mirror(url) as mirror:
    ...     print((mirror.folder / "a.txt").read_text())
    whole
    """

    def __init__(self, url: UrlPath) -> None:
        self.url = url
        self._stack = contextlib.ExitStack()
        self._pushed: dict[str, State] = {}
        self._there: dict[str, list[str]] = {}  # identity and SHA-256 of what is left there

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._lock = stack.enter_context(RemoteLock(self.url))
            self.folder = stack.enter_context(scratch_folder())
            self._fetch()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _fetch(self) -> None:
        found = find_files(self.url)
        self.bring(name for name in found if not name.startswith(LEFT_THERE))
        path = self.folder / INDEX
        with contextlib.suppress(OSError, ValueError):
            said: dict[str, Any] = read_json(path)
            self._there = {
                name: entry
                for name, entry in said.items()
                if name in found and entry[0] == found[name].identity != ""
            }

    def bring(self, names: Iterable[str]) -> None:
        """Fetch files by their names below the URL."""
        wanted = [name for name in names if name != LOCK and ".." not in name.split("/")]
        for name in wanted:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(REQUESTS) as pool:
            for name in pool.map(self._download, wanted):
                self._pushed[name] = _state(self.folder / name)

    def bring_below(self, folder: str) -> None:
        """Fetch what lies in a folder below the URL."""
        found = find_files(self.url / folder)
        self.bring(f"{folder}/{name}" for name in found)

    def _download(self, name: str) -> str:
        download_file(self.url / name, self.folder / name)
        return name

    def has(self, name: str, digest: str) -> bool:
        """Whether a file that is left there is the one with this SHA-256."""
        return self._there.get(name, ["", ""])[1] == digest

    def push(self) -> None:
        """Bring over what was written here since, and remove what was removed; records come last.

        Raises
        ------
        OutputError
            Where another run has taken the folder over.
        RemoteError
            Where the server cannot be reached; what it has then is not taken for finished.
        """
        self._lock.check()
        here = {
            path.relative_to(self.folder).as_posix(): _state(path)
            for path in self.folder.rglob("*")
            if path.is_file() and PARTIAL not in path.name
        }
        new = [name for name, state in here.items() if self._pushed.get(name) != state]
        removed = [name for name in self._pushed if name not in here and name not in self._there]
        content, books = (
            [name for name in sorted(new) if name.startswith(f"{BOOKS}/") == last]
            for last in (False, True)
        )
        self._send(content, here)
        self._leave([name for name in content if name.startswith(LEFT_THERE)])
        for name in removed:
            self.remove(name)
        self._send([name for name in books if not name.endswith("/lock")], here)

    def _send(self, names: list[str], here: dict[str, State]) -> None:
        with ThreadPoolExecutor(REQUESTS) as pool:
            for name in pool.map(self._upload, names):
                self._pushed[name] = here[name]

    def _upload(self, name: str) -> str:
        upload_file(self.folder / name, self.url / name)
        return name

    def _leave(self, names: list[str]) -> None:
        """Remember what was sent and is not needed here, and make room."""
        large = [name for name in names if not name.startswith("audio/")]
        if not large:
            return
        folders = {name.rpartition("/")[0] for name in large}
        for folder in folders:
            for name, detail in find_files(self.url / folder, below=False).items():
                path = f"{folder}/{name}"
                if path in large:
                    self._there[path] = [detail.identity, sha256_file(self.folder / path)]
                    (self.folder / path).unlink()
        index = self.folder / INDEX
        write_json(index, self._there)
        upload_file(index, self.url / INDEX)
        self._pushed[INDEX] = _state(index)

    def remove(self, name: str) -> None:
        """Remove a file there, whether it is here or left there."""
        if ".." in name.split("/"):
            return  # records are other people's word
        remove_file(self.url / name)
        self._pushed.pop(name, None)
        self._there.pop(name, None)


@contextlib.contextmanager
def written_to(out: str | os.PathLike[str], *, last: str = "") -> Iterator[Path]:
    """A folder to write into, whose content is in `out` when the block ends well.

    Parameters
    ----------
    out : path-like
        A folder, which is written into directly, or a URL.
    last : str
        The file without which the others mean nothing, as in `upload_folder`. What else lies behind
        the URL goes; where it is not of that kind, it is left alone.

    Yields
    ------
    pathlib.Path

    Raises
    ------
    OutputError
        Where something else lies behind the URL.
    RemoteError
        Where it cannot be reached.
    """
    place = place_of(out)
    if not isinstance(place, UrlPath):
        yield Path(place)
        return
    before = find_files(place) if last else {}
    if before and last not in before:
        raise OutputError("holds something else, which is left alone", path=place)
    with scratch_folder() as scratch:
        folder = scratch / place.name
        yield folder
        upload_folder(folder, place, last=last)
        for name in before:
            if not (folder / name).exists():
                remove_file(place / name)


def _state(path: Path) -> State:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
