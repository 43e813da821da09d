"""Which sounds are meant: files, folders, patterns, playlists and lists, each sound once."""

import codecs
import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from genrescope.collection.bundles import is_bundle
from genrescope.corpora.table import AUDIO_SUFFIXES, Failure
from genrescope.corpora.tree import open_tree
from genrescope.errors import AudioError, CorpusError, RemoteError
from genrescope.remote import UrlPath, exists, is_url, read_file

STANDARD_INPUT = "-"
PLAYLISTS = (".m3u", ".m3u8")
WEB = ("http://", "https://")
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

Listed = str | AudioError


def list_sounds(
    named: Iterable[str | os.PathLike[str]],
    *,
    stdin: BinaryIO | None = None,
    addresses: bool = True,
) -> list[Listed]:
    """List the sound files that are named, one way or another.

    Parameters
    ----------
    named : iterable of path-like
        - a file, whatever its name;
        - a folder: all files below it that are sound by their suffix, sorted, hidden ones left
          out; links to folders are followed, each folder once;
        - a pattern with `*`, `?` or `[...]`, `**` for folders at any depth: what it matches, files
          by their suffix and folders as above. A file of that very name comes first;
        - a playlist (`.m3u`, `.m3u8`): its entries, relative to the playlist;
        - `-`: a list on standard input of any of these, one a line or ended by NUL each;
        - the URL of a file, a folder, a pattern or a playlist, as above. Behind `http://` and
          `https://` there are files only. What a playlist names must lie where the playlist does:
          addresses in it are failures.
    stdin : binary file, optional
        In place of the standard input.
    addresses : bool
        Whether URLs are meant; else each is a failure.

    Returns
    -------
    list of str or AudioError
        Paths and URLs in the order in which they are named first; where something gives no sound,
        why. Whether a file exists and can be read shows when it is read. A sound reached by several
        names or links is listed once.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.mp3", "a.flac", "cover.jpg"):
    ...     (folder / name).touch()
    >>> [Path(path).name for path in list_sounds([folder / "b.mp3", folder])]
    ['b.mp3', 'a.flac']
    >>> list_sounds(["s3://bucket/a.mp3"])
    ['s3://bucket/a.mp3']

    Raises
    ------
    RemoteError
        Where a server cannot be reached.
    """
    found: dict[str, Listed] = {}
    for one in named:
        text = os.fspath(one)
        listed = _standard_input(stdin) if text == STANDARD_INPUT else _expand(text)
        if not addresses:
            listed = (_local_only(sound) for sound in listed)
        for sound in listed:
            found.setdefault(_identity(sound), sound)
    return list(found.values())


def _identity(sound: Listed) -> str:
    if isinstance(sound, AudioError):
        return f"\0{sound}"  # NUL is in no path: an error stands beside the path it is about
    if is_url(sound):
        return sound
    try:
        return os.path.realpath(sound, strict=True)
    except OSError:  # two links that lead to nothing are two failures
        return os.path.abspath(sound)  # noqa: PTH100 (as named)


def _expand(named: str) -> Iterator[Listed]:
    if "\0" in named:
        yield AudioError("this is no name of a file: it holds a NUL", path=repr(named))
        return
    if is_url(named):
        yield from _behind(UrlPath(named), named)
        return
    named = named.removeprefix("file://")
    path = named if os.path.lexists(named) else os.path.expanduser(named)  # noqa: PTH111 (as named)
    if os.path.isdir(path):  # noqa: PTH112 (a name may be too long for a file)
        yield from _folder(path)
    elif glob.has_magic(path) and not os.path.lexists(path):
        yield from _pattern(path)
    elif path.lower().endswith(PLAYLISTS):
        yield from _playlist(Path(path))
    else:
        yield path


def _address(named: str) -> AudioError:
    reason = "a playlist leads here; it may only name what lies where it lies itself"
    return AudioError(reason, path=named, kind="url")


def _local_only(sound: Listed) -> Listed:
    if isinstance(sound, AudioError) or not is_url(sound):
        return sound
    reason = (
        "this is an address, and only files of this machine can be used here: download it first"
    )
    return AudioError(reason, path=sound, kind="url")


def _behind(url: UrlPath, named: str) -> Iterator[Listed]:
    """Sounds behind a URL: a file, all below a folder, what matches a pattern, a playlist's."""
    if named.startswith(WEB):
        yield named  # a query looks like a pattern, and there are no folders
    elif glob.has_magic(named):
        fixed = list(takewhile(lambda part: not glob.has_magic(part), url.parts))
        below = _sounds_below(UrlPath(*fixed), url.parts[len(fixed) :])
        yield from _or_nothing(below, named, "no sound file matches this pattern")
    elif url.suffix.lower() in AUDIO_SUFFIXES:
        yield str(url)  # nothing is asked: whether it exists shows when it is read
    elif url.suffix.lower() in PLAYLISTS:
        yield from _playlist(url)
    elif exists(url):
        yield str(url)
    else:
        yield from _or_nothing(_sounds_below(url), url, "the folder holds no sound file")


def _folder(path: str) -> Iterator[Listed]:
    if is_bundle(path):
        reason = "this is a trained model; models are named before the first sound"
        yield AudioError(reason, path=path, kind="no-sound")
        return
    yield from _or_nothing(_sounds_below(Path(path)), path, "the folder holds no sound file")


def _sounds_below(root: Path | UrlPath, pattern: Sequence[str] = ("**",)) -> Iterator[Listed]:
    """Sound files below a folder that match a pattern, or lie in a folder that does."""
    failures: list[Failure] = []
    try:
        for path in open_tree(root).walk(root, failures=failures):
            if path.suffix.lower() not in AUDIO_SUFFIXES:
                continue
            parts = path.relative_to(root).parts
            if any(_matches(parts[:depth], pattern) for depth in range(1, len(parts) + 1)):
                yield str(path)
    except CorpusError as error:
        yield AudioError(error.reason, path=root)
    for row in failures:
        yield AudioError(row["reason"], path=row["path"], kind=row["kind"])


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**" and _matches(parts, pattern[1:]):
        return True
    if not parts:
        return False
    rest = pattern if pattern[0] == "**" else pattern[1:]
    return (rest is pattern or fnmatchcase(parts[0], pattern[0])) and _matches(parts[1:], rest)


def _pattern(pattern: str) -> Iterator[Listed]:
    yield from _or_nothing(_matching(pattern), pattern, "no sound file matches this pattern")


def _matching(pattern: str) -> Iterator[Listed]:
    parts = Path(pattern).parts
    if "**" in parts:
        # Not glob's own `**`: where links to folders form loops, it goes round them.
        fixed = list(takewhile(lambda part: not glob.has_magic(part), parts))
        yield from _sounds_below(Path(*fixed), parts[len(fixed) :])
        return
    for found in sorted(glob.glob(pattern)):  # noqa: PTH207 (keeps the pattern's own spelling)
        path = Path(found)
        if path.is_dir():
            yield from _sounds_below(path)
        elif path.suffix.lower() in AUDIO_SUFFIXES:
            yield found


def _playlist(playlist: Path | UrlPath) -> Iterator[Listed]:
    try:
        content = read_file(playlist).removeprefix(codecs.BOM_UTF8)
    except RemoteError as error:
        if error.kind == "unreachable":
            raise
        yield AudioError(f"the playlist cannot be read ({error.reason})", path=playlist)
        return
    except OSError as error:
        reason = f"the playlist cannot be read ({(error.strerror or str(error)).lower()})"
        yield AudioError(reason, path=playlist)
        return
    entries = _entries(content, playlist)
    yield from _or_nothing(entries, playlist, "the playlist names no sound file")


def _entries(content: bytes, playlist: Path | UrlPath) -> Iterator[Listed]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # An .m3u8 is UTF-8 by definition: where it is not, its names are bytes of the file system.
        old = playlist.suffix.lower() == ".m3u"
        text = content.decode("latin-1") if old else os.fsdecode(content)
    for line in text.replace("\r", "\n").split("\n"):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if "\0" in entry:
            yield AudioError("this is no playlist: it holds NUL bytes", path=playlist)
            return
        if URL.match(entry):
            yield _address(entry)
            continue
        path = playlist.parent / entry
        if "\\" in entry and (is_url(path) or not os.path.lexists(path)):
            path = playlist.parent / entry.replace("\\", "/")  # written on Windows
        if is_url(playlist) and not is_url(path):
            yield _address(entry)  # of whoever reads the playlist, not of who wrote it
            continue
        yield str(path)


def _standard_input(stdin: BinaryIO | None) -> Iterator[Listed]:
    content = (stdin or sys.stdin.buffer).read()
    lines = content.split(b"\0") if b"\0" in content else content.split(b"\n")
    names = [os.fsdecode(line.removesuffix(b"\r")) for line in lines]
    sounds = (sound for name in names if name for sound in _expand(name))
    yield from _or_nothing(sounds, STANDARD_INPUT, "the list on standard input names no sound file")


def _or_nothing(
    sounds: Iterable[Listed], path: str | os.PathLike[str], reason: str
) -> Iterator[Listed]:
    """What there is, or the reason why there is nothing."""
    empty = True
    for sound in sounds:
        empty = False
        yield sound
    if empty:
        yield AudioError(reason, path=path, kind="no-sound")
