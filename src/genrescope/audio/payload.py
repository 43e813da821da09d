"""What of a sound file is sound: its bytes without the tags, and their digest."""

import hashlib
import itertools
import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from genrescope.audio.chunks import chunks
from genrescope.audio.probe import COPY_AGAIN, checked_head, is_mp4
from genrescope.errors import AudioError, TagError

BLOCK_BYTES = 2**20
ID3V1_BYTES = 128
OGG_HEADERS = {b"\x01vorbis": 3, b"OpusHead": 2}  # packets before the sound
COMMENT_PACKET = 1  # the second of them
MP4_BRANCHES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf")

Spans = Iterator[bytes]


def container_of(path: str | os.PathLike[str]) -> str:
    """How a sound file keeps sound and tags, by its first bytes, whatever its name.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        `MP3`, `FLAC`, `OGG` (Vorbis or Opus), `MP4`, `WAV` or `AIFF`.

    Raises
    ------
    AudioError
        Where the file is missing, empty, forbidden, no file, or cut short.
    TagError
        `no-tag-format` for all other formats.
    """
    head = checked_head(path)
    with Path(path).open("rb") as file:
        file.seek(_after_id3(file, 0))
        behind = file.read(4)
    if behind == b"fLaC":
        return "FLAC"
    if head[:4] == b"OggS" and any(mark in head[:64] for mark in OGG_HEADERS):
        return "OGG"
    if is_mp4(head):
        return "MP4"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "WAV"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "AIFF"
    if head[:3] == b"ID3" or (head[0] == 0xFF and head[1:2] >= b"\xe0"):
        return "MP3"
    raise TagError(
        "genre tags are known of MP3, FLAC, OGG, Opus, M4A, WAV and AIFF files; this is none",
        path=path,
        kind="no-tag-format",
    )


def payload_digest(path: str | os.PathLike[str]) -> str:
    """Digest of what sounds in a file, which no edit of its tags may change.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    str
        Hexadecimal SHA-256. MP3: all bytes but ID3v2 at the front, ID3v1 and APEv2 at the end.
        FLAC: STREAMINFO and everything behind the metadata blocks. OGG: every packet and time stamp
        but the comment's; page numbers and checksums, which follow from it, do not count. MP4: the
        `mdat` boxes, and where in them each chunk of sound begins. WAV and AIFF: the format and the
        samples.

    Raises
    ------
    AudioError, TagError
        As `container_of` does, and `truncated` where the file breaks off or contradicts itself.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.mp3"
    >>> soundfile.write(path, [0.0] * 22050, 22050)
    >>> before = payload_digest(path)
    >>> with path.open("ab") as file:
    ...     _ = file.write(b"TAG" + bytes(125))  # an ID3v1 tag
    >>> payload_digest(path) == before
    True
    """
    spans = SPANS[container_of(path)]
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            for span in spans(file):
                digest.update(span)
    except (struct.error, EOFError) as error:
        raise AudioError(
            f"the file breaks off or contradicts itself; {COPY_AGAIN}", path=path, kind="truncated"
        ) from error
    return digest.hexdigest()


def _span(file: BinaryIO, start: int, end: int) -> Spans:
    """Bytes of a stretch, a block at a time."""
    file.seek(start)
    while start < end:
        block = file.read(min(BLOCK_BYTES, end - start))
        if not block:
            raise EOFError
        start += len(block)
        yield block


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)


def _at(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _after_id3(file: BinaryIO, start: int) -> int:
    """Where the ID3v2 tags that begin here end (ID3v2.4, structure, section 3.1)."""
    header = _at(file, start, 10)
    while len(header) == 10 and header[:3] == b"ID3":
        size = sum(
            (byte & 0x7F) << shift for byte, shift in zip(header[6:], (21, 14, 7, 0), strict=True)
        )
        footer = 10 if header[3] >= 4 and header[5] & 0x10 else 0
        start += 10 + size + footer
        header = _at(file, start, 10)
    return start


def _before_trailers(file: BinaryIO, start: int) -> int:
    """Where the tags at the end begin: ID3v1, and APEv2 before it (APE tag 2.000, footer)."""
    end = _size(file)
    if end - start >= ID3V1_BYTES and _at(file, end - ID3V1_BYTES, 3) == b"TAG":
        end -= ID3V1_BYTES
    footer = _at(file, max(end - 32, 0), 32)
    if end - start >= 32 and footer[:8] == b"APETAGEX":
        size, _, flags = struct.unpack("<III", footer[12:24])
        end -= size + (32 if flags & 1 << 31 else 0)
    if end < start:
        raise EOFError
    return end


def _mp3(file: BinaryIO) -> Spans:
    start = _after_id3(file, 0)
    yield from _span(file, start, _before_trailers(file, start))


def _flac(file: BinaryIO) -> Spans:
    position = _after_id3(file, 0) + len(b"fLaC")
    last = False
    while not last:
        header = _at(file, position, 4)
        kind, size = header[0] & 0x7F if header else 0, int.from_bytes(header[1:])
        if len(header) < 4:
            raise EOFError
        last = bool(header[0] & 0x80)
        position += 4
        if kind == 0:  # STREAMINFO: the rate, the length, the digest of the samples
            yield from _span(file, position, position + size)
        position += size
    yield from _span(file, position, _before_trailers(file, position))


def _ogg(file: BinaryIO) -> Spans:
    """Pages of RFC 3533, section 6, taken apart where they belong to the headers."""
    position, end = 0, _size(file)
    tagged: bytes | None = None  # serial number of the stream whose headers are being read
    packets: list[bytearray] = [bytearray()]
    expected = 0
    while position < end:
        header = _at(file, position, 27)
        if len(header) < 27 or header[:4] != b"OggS":
            raise EOFError
        lacing = file.read(header[26])
        body = file.read(sum(lacing))
        if len(lacing) < header[26] or len(body) < sum(lacing):
            raise EOFError
        position += 27 + len(lacing) + len(body)
        mark = next((known for known in OGG_HEADERS if body.startswith(known)), None)
        if mark is not None and tagged is None:
            tagged, expected = header[14:18], OGG_HEADERS[mark]
        if header[14:18] != tagged or len(packets) > expected:
            yield header[4:18] + lacing + body  # without page number and checksum
            continue
        offset = 0
        for size in lacing:
            packets[-1] += body[offset : offset + size]
            offset += size
            if size < 255:
                packets.append(bytearray())
        if len(packets) > expected:
            for number, packet in enumerate(packets):
                if number != COMMENT_PACKET:
                    yield bytes(packet)
    if tagged is None or len(packets) <= expected:
        raise EOFError


def _boxes(
    file: BinaryIO, start: int, end: int, depth: int = 0
) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the content of boxes (ISO/IEC 14496-12, 4.2), branches opened."""
    while start < end:
        header = _at(file, start, 16)
        size, name = struct.unpack(">I4s", header[:8])
        content = start + 8
        if size == 1:
            size, content = struct.unpack(">Q", header[8:16])[0], start + 16
        after = end if size == 0 else start + size
        if not content <= after <= end:
            raise EOFError
        yield name, content, after
        if name in MP4_BRANCHES and depth < len(MP4_BRANCHES):
            yield from _boxes(file, content, after, depth + 1)
        start = after


def _mp4(file: BinaryIO) -> Spans:
    boxes = list(_boxes(file, 0, _size(file)))
    sound = [(start, end) for name, start, end in boxes if name == b"mdat"]
    if not sound:
        raise EOFError
    for start, end in sound:
        yield from _span(file, start, end)
    starts = [start for start, _ in sound]  # rising, and the boxes apart from each other
    for name, start, end in boxes:
        for offset in _chunk_offsets(file, name, start, end):
            # An offset is to point to the same sound, wherever the box that holds it has moved.
            place = bisect_right(starts, offset) - 1
            inside = place >= 0 and offset < sound[place][1]
            yield struct.pack(">q", offset - starts[place] if inside else -1)


def _chunk_offsets(file: BinaryIO, name: bytes, start: int, end: int) -> Iterator[int]:
    if name in (b"stco", b"co64"):
        width = ">I" if name == b"stco" else ">Q"
        count = struct.unpack(">I", _at(file, start + 4, 4))[0]
        table = _at(file, start + 8, end - start - 8)[: count * struct.calcsize(width)]
        yield from itertools.chain.from_iterable(struct.iter_unpack(width, table))
    elif name == b"tfhd":
        content = _at(file, start, 16)
        if len(content) > 3 and content[3] & 1:
            yield struct.unpack(">Q", content[8:16])[0]


def _chunked(wanted: tuple[bytes, bytes], size_format: str) -> Callable[[BinaryIO], Spans]:
    def spans(file: BinaryIO) -> Spans:
        for name, start, size in chunks(file, size_format):
            if name in wanted:
                yield from _span(file, start, start + size)

    return spans


SPANS: dict[str, Callable[[BinaryIO], Spans]] = {
    "MP3": _mp3,
    "FLAC": _flac,
    "OGG": _ogg,
    "MP4": _mp4,
    "WAV": _chunked((b"fmt ", b"data"), "<I"),
    "AIFF": _chunked((b"COMM", b"SSND"), ">I"),
}
