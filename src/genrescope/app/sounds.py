"""Sound that came from a client: where worker processes find it, and what it may be called."""

import asyncio
import contextlib
import os
import tempfile
import unicodedata
from collections.abc import AsyncIterator
from typing import BinaryIO

Sound = str | os.PathLike[str] | bytes | BinaryIO
LONGEST_NAME = 200  # characters


@contextlib.asynccontextmanager
async def openable(sound: Sound) -> AsyncIterator[str]:
    """Give a path by which other processes can open a sound.

    Content that has no file is written to a temporary one without a name (`O_TMPFILE`), opened by
    others through `/proc`: it is gone once this process is, however that ends.

    Parameters
    ----------
    sound : path-like, bytes or binary file
        A file object needs a descriptor.

    Yields
    ------
    str
        The path; good until the block ends.
    """
    if isinstance(sound, str | os.PathLike):
        yield os.fspath(sound)
        return
    if not isinstance(sound, bytes):
        descriptor = await asyncio.to_thread(_flushed, sound)
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
        return
    with tempfile.TemporaryFile(buffering=0) as file:
        await asyncio.to_thread(file.write, sound)
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"


def _flushed(file: BinaryIO) -> int:
    """The descriptor of a file, everything written to it."""
    descriptor = file.fileno()  # a spooled file goes to disk at this moment
    file.flush()
    return descriptor


def printable(text: str, longest: int) -> str:
    r"""A text without control and invisible characters, cut where it is too long.

    Examples
    --------
    >>> printable("a\nb\u202ec", 2)
    'ab'
    """
    kept = (c for c in text if not unicodedata.category(c).startswith("C"))
    return "".join(kept).strip()[:longest]


def clean_name(name: str | None) -> str:
    r"""A client's name for a file, fit to be shown: no folders, no control characters, not long.

    Examples
    --------
    >>> clean_name("../../etc/pass\0wd"), clean_name("a\u202eb.wav"), clean_name(None)
    ('passwd', 'ab.wav', 'sound')
    >>> len(clean_name("x" * 10_000))
    200
    """
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return printable(last, LONGEST_NAME) or "sound"
