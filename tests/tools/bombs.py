"""Sound files that are not what they say."""

import io
import struct

import numpy as np
import soundfile
from served import RATE


def tiny_flac(seconds: int, *, rate: int = RATE) -> bytes:
    """A long sound in a small file: one value, held, which a lossless coder shrinks to nothing."""
    buffer, second = io.BytesIO(), np.full(rate, 8000, np.int16)
    with soundfile.SoundFile(buffer, "w", rate, 1, format="FLAC") as file:
        for _ in range(seconds):
            file.write(second)
    return buffer.getvalue()


def flac_claiming(content: bytes, samples: int) -> bytes:
    """A FLAC file with another number of samples in its STREAMINFO block (RFC 9639, 8.2)."""
    assert content[:4] == b"fLaC" and content[4] & 0x7F == 0
    found = int.from_bytes(content[18:26])
    # 20 bits of sample rate, 3 of channels, 5 of depth, 36 of samples.
    return content[:18] + ((found >> 36 << 36) | samples).to_bytes(8) + content[26:]


def ogg_claiming(content: bytes, samples: int) -> bytes:
    """An Ogg file whose last page claims another position (RFC 3533, section 6)."""
    start = content.rindex(b"OggS")
    page = bytearray(content[start:])
    page[6:14] = struct.pack("<q", samples)
    page[22:26] = bytes(4)
    page[22:26] = struct.pack("<I", _ogg_crc(bytes(page)))
    return content[:start] + bytes(page)


def _ogg_crc(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x104C11DB7 if crc & 0x80000000 else 0)
    return crc
