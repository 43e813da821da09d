"""What servers say of the files behind URLs: which there are, how large, of what content."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from genrescope.errors import RemoteError
from genrescope.remote.asking import asking
from genrescope.remote.paths import Address, is_url

# What a server says of a file's content, the surest first; and of when it was written.
CONTENT_FIELDS = ("ETag", "etag", "md5Hash", "content_md5", "sha256", "crc32c", "generation")
TIME_FIELDS = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
KNOWN_FOR_S = 60.0  # seconds for which a listing is believed
MOST_KNOWN = 1_000_000  # files
FEW = 3  # files of one folder are asked about one by one, more by a listing of it


class Detail(NamedTuple):
    """What a server says of a file.

    Attributes
    ----------
    size : int
        Bytes.
    identity : str
        Changes when the content does; empty where the server says nothing of it.
    """

    size: int
    identity: str


_known: dict[str, tuple[float, Detail]] = {}
_lock = threading.Lock()


def _detail(info: dict[str, Any]) -> Detail:
    for fields in (CONTENT_FIELDS, TIME_FIELDS):
        for field in fields:
            if info.get(field):
                return Detail(int(info.get("size") or 0), f"{field} {info[field]}".replace('"', ""))
    return Detail(int(info.get("size") or 0), "")


def _remember(url: str, detail: Detail) -> Detail:
    with _lock:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[url] = (time.monotonic(), detail)
    return detail


def _remembered(url: str) -> Detail | None:
    with _lock:
        at, detail = _known.get(url, (-KNOWN_FOR_S, None))
    return detail if time.monotonic() - at < KNOWN_FOR_S else None


def forget(url: str) -> None:
    """Believe nothing that was said of a file: it is about to change."""
    with _lock:
        _known.pop(url, None)


def find_files(url: Address, *, below: bool = True) -> dict[str, Detail]:
    """Every file behind a URL, by one listing.

    Parameters
    ----------
    url : path-like
        A folder.
    below : bool
        Whether at any depth; else the folder's own files only.

    Returns
    -------
    dict of str to Detail
        By path relative to `url`, with `/`; empty where there is no such folder.

    Raises
    ------
    RemoteError
        Where there is no such bucket, or it cannot be listed.

    Examples
    --------
    >>> from genrescope.remote import write_file
    >>> write_file("memory://found/a/b.txt", b"whole")
    >>> {name: detail.size for name, detail in find_files("memory://found").items()}
    {'a/b.txt': 5}
    """
    text = os.fspath(url).rstrip("/")
    with asking(text) as (filesystem, root):
        filesystem.invalidate_cache()  # another process may have written meanwhile
        try:
            found = filesystem.find(root, detail=True, maxdepth=None if below else 1)
        except FileNotFoundError as error:
            if "bucket" in str(error).lower() and "not exist" in str(error).lower():
                raise
            return {}
        found = {str(name): info for name, info in found.items() if info.get("type") != "directory"}
    start = root.rstrip("/") + "/"
    names = {
        name.removeprefix(start): info for name, info in found.items() if name.startswith(start)
    }
    return {
        name: _remember(f"{text}/{name}", _detail(info))
        for name, info in names.items()
        if name and not name.endswith("/")
    }


def is_folder(url: Address) -> bool:
    """Whether anything lies below a URL.

    Raises
    ------
    RemoteError
        Where that cannot be found out.
    """
    with asking(url) as (filesystem, path):
        filesystem.invalidate_cache()
        return bool(filesystem.isdir(path))


def exists(url: Address) -> bool:
    """Whether there is such a file.

    Raises
    ------
    RemoteError
        Where that cannot be found out.
    """
    try:
        file_detail(url)
    except RemoteError as error:
        if error.kind != "missing":
            raise
        return False
    return True


def file_detail(url: Address) -> Detail:
    """What the server says of one file, by a listing less than a minute old or by asking.

    Raises
    ------
    RemoteError
        `missing` where there is no such file.
    """
    text = os.fspath(url)
    known = _remembered(text)
    if known is not None:
        return known
    with asking(text) as (filesystem, path):
        filesystem.invalidate_cache()
        info = filesystem.info(path)
        if info.get("type") == "directory":
            raise FileNotFoundError(text)
    return _remember(text, _detail(info))


def look_up(urls: Sequence[str]) -> None:
    """Have the details of many files ready, by a listing of each folder that holds several.

    Raises
    ------
    RemoteError
        Where a folder cannot be listed.
    """
    unknown = [url for url in urls if is_url(url) and _remembered(url) is None]
    for folder, count in Counter(url.rpartition("/")[0] for url in unknown).items():
        if count > FEW:
            find_files(folder, below=False)


def content_identity(url: Address) -> str:
    """Digest of what is known of a file's content without fetching it.

    That is its size with the checksum or ETag that its server states, or else the time of its
    last change. Where a server says none of them, the content is read.

    Returns
    -------
    str
        64 hexadecimal digits.

    Raises
    ------
    RemoteError
    """
    detail = file_detail(url)
    if not detail.identity:
        with asking(url) as (filesystem, path):
            return sha256(filesystem.cat_file(path)).hexdigest()
    return sha256(json.dumps([detail.size, detail.identity]).encode()).hexdigest()
