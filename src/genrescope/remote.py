"""What lies behind URLs: the one place where fsspec is asked, and its errors in one sentence."""

import contextlib
import io
import json
import os
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from genrescope.errors import ConfigError, RemoteError

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Stores that show an object when it is whole, and have no folders. Elsewhere a file grows under
# the eyes of its readers, so it is written under another name first.
OBJECT_STORES = frozenset(
    {"abfs", "abfss", "adl", "az", "gcs", "gs", "hf", "memory", "oci", "oss", "r2", "s3", "s3a"}
)
# What a server says of a file's content, the surest first; and of when it was written.
CONTENT_FIELDS = ("ETag", "etag", "md5Hash", "content_md5", "sha256", "crc32c", "generation")
TIME_FIELDS = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")
KNOWN_FOR_S = 60.0  # seconds for which a listing is believed
MOST_KNOWN = 1_000_000  # files
FEW = 3  # files of one folder are asked about one by one, more by a listing of it
BLOCK = 2**16  # bytes of a ranged read
MOST_BLOCKS = 16  # held of one file

Address = str | os.PathLike[str]


class UrlPath(PurePosixPath):
    """The path of a file behind a URL: its parts like those of any path, nothing read or written.

    Examples
    --------
    >>> path = UrlPath("s3://bucket/music") / "blues" / "a.wav"
    >>> str(path), path.suffix, str(path.relative_to("s3://bucket/music"))
    ('s3://bucket/music/blues/a.wav', '.wav', 'blues/a.wav')
    """

    __slots__ = ()

    def __str__(self) -> str:
        protocol, colon, rest = super().__str__().partition(":/")
        return (
            f"{protocol}://{rest}" if colon and "/" not in protocol else f"{protocol}{colon}{rest}"
        )

    def __fspath__(self) -> str:
        return str(self)


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


@dataclass(frozen=True)
class AtHand(os.PathLike[str]):
    """A file that can be opened on this machine.

    Attributes
    ----------
    name : str
        What its user calls it: a path or a URL.
    file : str
        What to open.
    """

    name: str
    file: str

    def __fspath__(self) -> str:
        return self.file


def is_url(path: Address) -> bool:
    """Whether this is an address; `file://` is a path of this machine.

    Examples
    --------
    >>> is_url("s3://bucket/a.wav"), is_url("/music/a.wav"), is_url("file:///music/a.wav")
    (True, False, False)
    """
    text = os.fspath(path)
    return URL.match(text) is not None and not text.startswith("file://")


def place_of(path: Address) -> Path | UrlPath:
    """A path of this machine or behind a URL, whichever it is.

    Examples
    --------
    >>> place_of("s3://bucket/runs/"), place_of("file:///runs")
    (UrlPath('s3://bucket/runs'), PosixPath('/runs'))
    """
    text = os.fspath(path)
    return UrlPath(text) if is_url(text) else Path(text.removeprefix("file://"))


def name_of(path: Address) -> str:
    """What an error shall call a file."""
    return path.name if isinstance(path, AtHand) else os.fspath(path)


# One connection for all threads of a process, and none that was made before a fork.
_filesystems: dict[tuple[int, str], Any] = {}
_known: dict[str, tuple[float, Detail]] = {}
_lock = threading.Lock()


def _connected(url: str) -> tuple[Any, str]:
    """The filesystem of a URL, and what the URL is called there."""
    protocol, _, rest = url.partition("://")
    # Stores are known by the protocol alone, servers by their host.
    key = (os.getpid(), protocol if protocol in OBJECT_STORES else f"{protocol}://{_host(rest)}")
    with _lock:
        if key not in _filesystems:
            _filesystems[key] = _connect(url, protocol)
        filesystem = _filesystems[key]
    return filesystem, str(filesystem._strip_protocol(url))


def _host(rest: str) -> str:
    return rest.partition("/")[0]


def _connect(url: str, protocol: str) -> Any:
    import fsspec

    try:
        filesystem, _ = fsspec.core.url_to_fs(url)
    except ImportError as error:
        about = fsspec.registry.known_implementations.get(protocol, {})
        package = str(about.get("class", "")).partition(".")[0]
        hint = f"({about.get('err') or error})"
        if package and package != "fsspec":
            hint = f": pip install {package}"
        reason = f"{protocol}:// needs a package that is not installed{hint}"
        raise ConfigError(reason, path=url) from error
    except ValueError as error:
        known = "s3://, gs://, abfs://, https:// and sftp:// are among those that are known"
        raise ConfigError(
            f"no kind of address begins with {protocol}://; {known}", path=url
        ) from error
    return filesystem


@contextlib.contextmanager
def _asking(url: Address) -> Iterator[tuple[Any, str]]:
    """Ask the filesystem of a URL; whatever it raises becomes a `RemoteError` naming the URL."""
    text = os.fspath(url)
    try:
        yield _connected(text)
    except (ConfigError, RemoteError):
        raise
    except FileNotFoundError as error:
        bucket = "bucket" in str(error).lower() and "not exist" in str(error).lower()
        reason = "there is no such bucket" if bucket else "there is no such file"
        raise RemoteError(reason, path=text, kind="missing") from error
    except PermissionError as error:
        said = f" ({error})" if str(error) else ""
        reason = f"access is denied{said}; check the credentials and their rights"
        raise RemoteError(reason, path=text, kind="forbidden") from error
    except Exception as error:
        # Each protocol brings errors of its own: those of botocore are no OSError.
        if "credentials" in type(error).__name__.lower():
            reason = f"there are no credentials to ask with ({error})"
            raise RemoteError(reason, path=text, kind="forbidden") from error
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise RemoteError(f"cannot be reached ({said})", path=text) from error


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


def _forget(url: str) -> None:
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
    >>> write_file("memory://found/a/b.txt", b"whole")
    >>> {name: detail.size for name, detail in find_files("memory://found").items()}
    {'a/b.txt': 5}
    """
    text = os.fspath(url).rstrip("/")
    with _asking(text) as (filesystem, root):
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
    with _asking(url) as (filesystem, path):
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
    with _asking(text) as (filesystem, path):
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
        return sha256(read_file(url)).hexdigest()
    return sha256(json.dumps([detail.size, detail.identity]).encode()).hexdigest()


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
    with _asking(path) as (filesystem, name):
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
    _forget(text)
    taken = False
    with _writing(text) as (filesystem, name):
        try:
            filesystem.pipe_file(name, content, **({"mode": "create"} if new else {}))
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
    _forget(os.fspath(url))
    with _writing(os.fspath(url)) as (filesystem, name):
        filesystem.put_file(str(path), name)


@contextlib.contextmanager
def _writing(url: str) -> Iterator[tuple[Any, str]]:
    with _asking(url) as (filesystem, name):
        if url.partition("://")[0] in OBJECT_STORES:
            # Nor is a folder made: on S3 that would make a bucket of a misspelt name.
            yield filesystem, name
            return
        filesystem.makedirs(str(PurePosixPath(name).parent), exist_ok=True)
        yield filesystem, f"{name}.partial"
        filesystem.mv(f"{name}.partial", name)


def download_file(url: Address, path: Address) -> None:
    """Write the content of a file behind a URL into one of this machine.

    Raises
    ------
    RemoteError
    """
    with _asking(url) as (filesystem, name):
        filesystem.get_file(name, os.fspath(path))


def remove_file(url: Address) -> None:
    """Remove a file behind a URL, if it is there.

    Raises
    ------
    RemoteError
    """
    _forget(os.fspath(url))
    with _asking(url) as (filesystem, name), contextlib.suppress(FileNotFoundError):
        filesystem.rm_file(name)


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


@contextlib.contextmanager
def open_ranges(url: Address) -> Iterator["Ranges"]:
    """A file behind a URL of which only the parts that are asked for are fetched.

    Yields
    ------
    binary file

    Raises
    ------
    RemoteError
        When the block ends, if a part could not be had: libraries that read in other languages
        swallow what their callbacks raise.
    """
    ranges = Ranges(os.fspath(url), file_detail(url).size)
    try:
        yield ranges
    finally:
        if ranges.error is not None:
            raise ranges.error


class Ranges(io.RawIOBase):
    """A read-only file behind a URL, fetched in blocks of 64 KiB, of which a few are kept."""

    def __init__(self, url: str, size: int) -> None:
        self.url, self.size = url, size
        self.error: RemoteError | None = None
        self._at = 0
        self._blocks: dict[int, bytes] = {}

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere, without reading."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what is there of as many bytes as the buffer has."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._at < self.size and self.error is None:
            number, start = divmod(self._at, BLOCK)
            part = self._block(number)[start : start + len(view) - done]
            if not part:
                break
            view[done : done + len(part)] = part
            done += len(part)
            self._at += len(part)
        return done

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            if len(self._blocks) >= MOST_BLOCKS:
                del self._blocks[next(iter(self._blocks))]
            start = number * BLOCK
            try:
                with _asking(self.url) as (filesystem, name):
                    found = filesystem.cat_file(
                        name, start=start, end=min(start + BLOCK, self.size)
                    )
            except RemoteError as error:
                self.error = error
                return b""
            self._blocks[number] = bytes(found)
        return self._blocks[number]
