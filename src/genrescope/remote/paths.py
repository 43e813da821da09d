"""Paths of this machine and behind URLs, told apart."""

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

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
