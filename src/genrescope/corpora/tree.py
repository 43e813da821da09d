"""What lies below a corpus's root: folders of this machine, or one listing of a URL."""

import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Protocol

from genrescope.corpora.table import (
    LEFTOVERS,
    Failure,
    composed_first,
    failure,
    list_folder,
    walk_files,
)
from genrescope.errors import CorpusError
from genrescope.remote import UrlPath, exists, find_files


class Tree(Protocol):
    """Files and folders below a root, hidden ones left out."""

    root: PurePath

    def walk(self, folder: PurePath, *, failures: list[Failure]) -> Iterator[PurePath]:
        """Every file below a folder, in an order that does not depend on the machine.

        Parameters
        ----------
        folder : path
            The root, or a folder below it.
        failures : list
            Gets a row for each folder that cannot be listed.

        Raises
        ------
        CorpusError
            Where the folder is missing or cannot be listed.
        """

    def children(self, folder: PurePath) -> list[PurePath]:
        """Files and folders in a folder, in that order.

        Raises
        ------
        CorpusError
            As `walk` does.
        """

    def is_folder(self, path: PurePath) -> bool:
        """Whether a path is a folder."""


def open_tree(root: PurePath) -> Tree:
    """What lies below a root, wherever that is.

    Parameters
    ----------
    root : path
        A folder, or a `UrlPath`, which is listed once, here.

    Raises
    ------
    CorpusError
        Where nothing lies behind a URL.
    RemoteError
        Where it cannot be listed.
    """
    return _Remote(root) if isinstance(root, UrlPath) else _Local(Path(root))


class _Local:
    def __init__(self, root: Path) -> None:
        self.root: PurePath = root

    def walk(self, folder: PurePath, *, failures: list[Failure]) -> Iterator[PurePath]:
        for path in walk_files(folder, failures=failures):
            try:
                str(path).encode()
            except UnicodeEncodeError:  # no table could name it
                failures.append(failure(path, "its name is not UTF-8; rename it", "unreadable"))
            else:
                yield path

    def children(self, folder: PurePath) -> list[PurePath]:
        return list(list_folder(Path(folder)))

    def is_folder(self, path: PurePath) -> bool:
        return Path(path).is_dir()


class _Remote:
    """Folders are what the names of files say: object stores have no others."""

    def __init__(self, root: UrlPath) -> None:
        self.root: PurePath = root
        names = find_files(root)
        self._odd = [name for name in names if not set(name.split("/")).isdisjoint({"", ".", ".."})]
        listed = [tuple(name.split("/")) for name in names if name not in set(self._odd)]
        if not names:
            reason = "is not a folder" if exists(root) else "does not exist"
            raise CorpusError(reason, path=root)
        shown = [parts for parts in listed if not any(map(_hidden, parts))]
        shown.sort(key=lambda parts: [composed_first(part) for part in parts])
        self._below: dict[tuple[str, ...], dict[str, bool]] = {}
        for parts in shown:
            for depth, name in enumerate(parts):
                folder = self._below.setdefault(parts[:depth], {})
                folder[name] = folder.get(name, False) or depth < len(parts) - 1
        self._files = shown

    def _parts(self, path: PurePath) -> tuple[str, ...]:
        return path.relative_to(self.root).parts

    def walk(self, folder: PurePath, *, failures: list[Failure]) -> Iterator[PurePath]:
        above = self._parts(folder)
        if not above:
            reason = "its name has an empty part, '.' or '..', so no path leads to it"
            failures += [failure(f"{self.root}/{name}", reason, "unreadable") for name in self._odd]
        for parts in self._files:
            if parts[: len(above)] == above:
                yield self.root.joinpath(*parts)

    def children(self, folder: PurePath) -> list[PurePath]:
        return [folder / name for name in self._below.get(self._parts(folder), {})]

    def is_folder(self, path: PurePath) -> bool:
        return self._parts(path) in self._below


def _hidden(name: str) -> bool:
    return name.startswith(".") or unicodedata.normalize("NFC", name) in LEFTOVERS
