"""Bundles behind URLs: brought into a temporary folder, where they are checked like any other."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from genrescope.errors import BundleError, RemoteError
from genrescope.files import sha256_file
from genrescope.models.bundle_info import (
    DESCRIPTION,
    LARGEST_DESCRIPTION,
    LARGEST_FILE,
    BundleInfo,
    read_info,
)
from genrescope.remote import UrlPath, download_file, file_detail, place_of
from genrescope.scratch import scratch_folder


class Described(NamedTuple):
    """What a bundle says of itself.

    Attributes
    ----------
    info : BundleInfo
    digest : str
        SHA-256 of the description, which holds those of the other files.
    """

    info: BundleInfo
    digest: str


def read_description(folder: str | os.PathLike[str]) -> Described:
    """Read and check what a bundle says of itself, without its weights.

    Parameters
    ----------
    folder : path-like
        A bundle, or its URL.

    Raises
    ------
    BundleError
        As `read_info` does.
    RemoteError
        Where a URL cannot be reached.
    """
    with _at_hand(folder, weights=False) as here:
        return Described(read_info(here), sha256_file(here / DESCRIPTION))


@contextlib.contextmanager
def bundle_at_hand(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """A bundle as a folder of this machine, for the time of the block.

    Parameters
    ----------
    folder : path-like
        A bundle, or its URL: what it lists is fetched, and gone when the block ends.

    Yields
    ------
    pathlib.Path

    Raises
    ------
    BundleError
        Naming the URL, for what is wrong with the bundle, inside the block as well.
    RemoteError
        Where a URL cannot be reached.
    """
    with _at_hand(folder, weights=True) as here:
        yield here


@contextlib.contextmanager
def _at_hand(folder: str | os.PathLike[str], *, weights: bool) -> Iterator[Path]:
    place = place_of(folder)
    if not isinstance(place, UrlPath):
        yield Path(place)
        return
    with scratch_folder() as copy:
        try:
            _fetch(place, DESCRIPTION, copy, largest=LARGEST_DESCRIPTION)
            for name in sorted(read_info(copy).files) if weights else ():
                _fetch(place, name, copy, largest=LARGEST_FILE)
            yield copy
        except BundleError as error:
            named = None if error.path is None else error.path.replace(str(copy), str(place))
            raise BundleError(error.reason, path=named or place) from error


def _fetch(url: UrlPath, name: str, folder: Path, *, largest: int) -> None:
    path = folder / name
    try:
        if file_detail(url / name).size > largest:
            raise BundleError("is too large to be part of a bundle", path=path)
        download_file(url / name, path)
    except RemoteError as error:
        if error.kind != "missing":
            raise
        raise BundleError("is missing from the bundle", path=path) from error
