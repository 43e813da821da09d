"""The chunks of RIFF and AIFF files, one after another."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

FIRST_CHUNK = 12  # bytes: what the file is, its size, what form it has


def chunks(file: BinaryIO, size_format: str) -> Iterator[tuple[bytes, int, int]]:
    """Walk the chunks of a file by their headers, without reading what they hold.

    Layouts: RIFF and RF64 (EBU Tech 3306), AIFF (Apple, 1989). Odd sizes are padded by a byte.

    Parameters
    ----------
    file : binary file
        May be read and moved between the steps.
    size_format : {"<I", ">I"}
        Byte order of the sizes, as `struct` names it: RIFF's or AIFF's.

    Yields
    ------
    name : bytes
        Four of them.
    start : int
        Where the content begins.
    size : int
        Bytes of content the header promises; the file may end before.

    Examples
    --------
    >>> import io
    >>> riff = b"RIFF....WAVE" + b"note" + bytes([3, 0, 0, 0]) + b"abc." + b"data" + bytes(4)
    >>> list(chunks(io.BytesIO(riff), "<I"))
    [(b'note', 20, 3), (b'data', 32, 0)]
    """
    position = FIRST_CHUNK
    while True:
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return
        size = int(struct.unpack(size_format, header[4:])[0])
        yield header[:4], position + 8, size
        position += 8 + size + size % 2
