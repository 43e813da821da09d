"""A file behind a URL of which only parts are fetched."""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any

from genrescope.errors import RemoteError
from genrescope.remote.asking import asking
from genrescope.remote.details import file_detail
from genrescope.remote.paths import Address

BLOCK = 2**16  # bytes of a ranged read
MOST_BLOCKS = 16  # held of one file


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
                with asking(self.url) as (filesystem, name):
                    found = filesystem.cat_file(
                        name, start=start, end=min(start + BLOCK, self.size)
                    )
            except RemoteError as error:
                self.error = error
                return b""
            self._blocks[number] = bytes(found)
        return self._blocks[number]
