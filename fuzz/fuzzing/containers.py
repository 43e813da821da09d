"""Changes to files of several parts, whose lengths and checksums are right again afterwards."""

import io
import struct
import warnings
import zipfile
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fuzzing.mutation import ODD_VALUES, change_json, edit

FLOATS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e300, 1e-300, 1e31)
SIDES = (0, 1, 2, 3, 7, 2**16, 2**31, 2**40, 2**62)
TYPES = ("<f8", ">f8", "<f4", "<i8", "|b1", "<c16", "<M8[s]", "|S8", "<U4", "|O", "<f2", "|V4")


def change_zip(content: bytes, rng: Random) -> bytes:
    """Change one entry of an archive, or its name, or how it is packed."""
    if rng.random() < 0.1:
        return edit(content, rng)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # noqa: BLE001 (what an archive broken before raises is no matter here)
        return edit(content, rng)
    if not entries:
        return content
    name = rng.choice(list(entries))
    what = rng.randrange(12)
    if what == 0:
        del entries[name]
    elif what == 1:
        entries[rng.choice(("x.npy", "../x", "schema.json", name + "\0"))] = entries.pop(name)
    elif what == 2:
        entries[name] = entries[rng.choice(list(entries))]
    elif name.endswith(".json"):
        entries[name] = change_json(entries[name], rng)
    else:
        entries[name] = change_array(entries[name], rng)
    buffer = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED,) * 4 + (zipfile.ZIP_DEFLATED,) * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names given twice
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for entry, packed in entries.items():
                archive.writestr(entry, packed)
    return buffer.getvalue()


def change_array(content: bytes, rng: Random) -> bytes:
    """Change a `.npy` file: a few values, its shape, its type, or its bytes."""
    try:
        array = np.load(io.BytesIO(content), allow_pickle=False)
    except Exception:  # noqa: BLE001 (an array broken before)
        return edit(content, rng)
    what = rng.randrange(8)
    if what == 0:
        return edit(content, rng)
    if what == 1:
        shape = [rng.choice(SIDES) for _ in range(rng.randrange(4))]
        return _header(str(array.dtype.str), shape, rng) + array.tobytes()
    if what == 2:
        return _header(rng.choice(TYPES), list(array.shape), rng) + array.tobytes()
    made = array.copy()
    if what == 3 and made.ndim:
        made = made[: rng.randrange(len(made) + 1)]
    elif what == 4 and made.ndim:
        made = np.repeat(made, 2, axis=rng.randrange(made.ndim))
    elif what == 5 and made.ndim > 1:
        made = np.asfortranarray(made)
    elif made.size and made.dtype.names:
        field = rng.choice(made.dtype.names)
        odd = rng.choice((0, 1, -1, -2, 3, 74, 75, 10**6, 2**31 - 1))
        made[field].flat[rng.randrange(made.size)] = odd if made.dtype[field].kind != "u" else 1
    elif made.size and made.dtype.kind == "f":
        flat = made.reshape(-1)
        with np.errstate(over="ignore"):
            flat[rng.randrange(made.size)] = rng.choice(FLOATS)
    elif made.size and made.dtype.kind in "iu":
        flat = made.reshape(-1)
        flat[rng.randrange(made.size)] = rng.choice((0, 1, 2, 100))
    buffer = io.BytesIO()
    np.save(buffer, made, allow_pickle=False)
    return buffer.getvalue()


def _header(dtype: str, shape: list[int], rng: Random) -> bytes:
    sides = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    order = rng.choice(("False", "True"))
    text = f"{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({sides}), }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def change_weights(content: bytes, rng: Random) -> bytes:
    """Change a `.safetensors` file: its header as JSON, or its bytes."""
    if len(content) < 8 or rng.random() < 0.2:
        return edit(content, rng)
    length = int.from_bytes(content[:8], "little")
    text = change_json(content[8 : 8 + length], rng)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def change_parquet(content: bytes, rng: Random) -> bytes:
    """Change a Parquet table: a column's values or type, its name, what the schema says."""
    if rng.random() < 0.25:
        return edit(content, rng)
    try:
        table = pq.read_table(io.BytesIO(content))
    except Exception:  # noqa: BLE001 (a table broken before)
        return edit(content, rng)
    if not table.num_columns:
        return edit(content, rng)
    at = rng.randrange(table.num_columns)
    name = table.column_names[at]
    what = rng.randrange(8)
    if what == 0:
        table = table.remove_column(at)
    elif what == 1:
        table = table.append_column(name, table.column(at))
    elif what == 2:
        names = list(table.column_names)
        names[at] = rng.choice(("", "x", "clip_id", "feature:", "row", "\u202e"))
        table = table.rename_columns(names)
    elif what == 3:
        table = table.slice(0, rng.randrange(table.num_rows + 1))
    elif what == 4:
        table = pa.concat_tables([table, table])
    elif what == 5:
        table = table.replace_schema_metadata(_metadata(table.schema.metadata or {}, rng))
    else:
        table = _change_column(table, at, rng)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=rng.choice(("snappy", "none", "zstd")))
    return buffer.getvalue()


def _metadata(found: dict[bytes, bytes], rng: Random) -> dict[bytes, bytes]:
    made = dict(found)
    if not made:
        return {b"genrescope": b"{}", b"pandas": b"{}"}
    key = rng.choice(list(made))
    if rng.random() < 0.1:
        del made[key]
    else:
        made[key] = change_json(made[key], rng)
    return made


def _change_column(table: pa.Table, at: int, rng: Random) -> pa.Table:
    values = table.column(at).to_pylist()
    if values:
        values[rng.randrange(len(values))] = rng.choice(ODD_VALUES)
        if rng.random() < 0.3:
            values = [rng.choice(ODD_VALUES)] * len(values)
    try:
        column = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError):
        column = pa.array([rng.choice((0, 1, -1, None)) for _ in values])
    name = table.column_names[at]
    return table.remove_column(at).add_column(at, name, column)


def change_sound(content: bytes, rng: Random) -> bytes:
    """Change a sound file by its container, or its bytes; its head more often than its sound."""
    what = rng.random()
    if what < 0.25:
        return edit(content, rng)
    if what < 0.45:
        return edit(content[:512], rng) + content[512:]
    if content[:4] in (b"RIFF", b"FORM"):
        return _change_chunks(content, rng)
    if content[:4] == b"OggS":
        return _change_pages(content, rng)
    if content[:4] == b"fLaC":
        return _change_blocks(content, rng)
    if content[4:8] == b"ftyp":
        return _change_boxes(content, rng)
    return edit(content[:256], rng) + content[256:]


def _change_chunks(content: bytes, rng: Random) -> bytes:
    order = "<" if content[:4] == b"RIFF" else ">"
    parts, at = [], 12
    while at + 8 <= len(content):
        size = struct.unpack(order + "I", content[at + 4 : at + 8])[0]
        parts.append([content[at : at + 4], content[at + 8 : at + 8 + size]])
        at += 8 + size + size % 2
    if not parts:
        return edit(content, rng)
    place = rng.randrange(len(parts))
    what = rng.randrange(6)
    if what == 0:
        del parts[place]
    elif what == 1:
        parts.insert(rng.randrange(len(parts) + 1), list(parts[place]))
    elif what == 2:
        parts[place][0] = rng.choice(
            (b"fact", b"ds64", b"LIST", b"id3 ", b"ID3 ", b"data", b"COMM")
        )
    else:
        parts[place][1] = edit(parts[place][1][:128], rng) + parts[place][1][128:]
    made = b"".join(
        name + struct.pack(order + "I", len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in parts
    )
    return content[:4] + struct.pack(order + "I", 4 + len(made)) + content[8:12] + made


def _change_pages(content: bytes, rng: Random) -> bytes:
    pages, at = [], 0
    while content[at : at + 4] == b"OggS" and at + 27 <= len(content):
        lacing = content[at + 27 : at + 27 + content[at + 26]]
        end = at + 27 + len(lacing) + sum(lacing)
        pages.append(bytearray(content[at:end]))
        at = end
    if not pages:
        return edit(content, rng)
    place = rng.randrange(min(len(pages), rng.choice((1, 2, 4, len(pages)))))
    what = rng.randrange(4)
    if what == 0:
        pages.insert(place, bytearray(pages[rng.randrange(len(pages))]))
    elif what == 1 and len(pages) > 1:
        del pages[place]
    elif what == 2:
        pages[place][6:14] = struct.pack("<Q", rng.choice(SIDES) % 2**64)
    else:
        head = 27 + pages[place][26]
        pages[place][head:] = edit(bytes(pages[place][head:]), rng)[: len(pages[place]) - head]
    for page in pages:
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", _page_crc(page))
    return b"".join(pages)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x104C11DB7 if crc & 0x80000000 else 0)
        table.append(crc)
    return table


CRC = _crc_table()


def _page_crc(page: bytearray) -> int:
    crc = 0
    for byte in page:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ CRC[(crc >> 24) ^ byte]
    return crc


def _change_blocks(content: bytes, rng: Random) -> bytes:
    """FLAC: a metadata block is changed, moved or doubled; lengths fit again."""
    blocks, at, last = [], 4, False
    while not last and at + 4 <= len(content):
        last = bool(content[at] & 0x80)
        size = int.from_bytes(content[at + 1 : at + 4])
        blocks.append([content[at] & 0x7F, content[at + 4 : at + 4 + size]])
        at += 4 + size
    if not blocks:
        return edit(content, rng)
    place = rng.randrange(len(blocks))
    what = rng.randrange(5)
    if what == 0:
        blocks.insert(place, list(blocks[place]))
    elif what == 1 and len(blocks) > 1:
        del blocks[place]
    elif what == 2:
        blocks[place][0] = rng.randrange(8)
    else:
        blocks[place][1] = edit(blocks[place][1], rng)
    made = b"fLaC"
    for number, (kind, data) in enumerate(blocks):
        end = 0x80 if number == len(blocks) - 1 else 0
        made += bytes([kind | end]) + (len(data) % 2**24).to_bytes(3) + data
    return made + content[at:]


def _change_boxes(content: bytes, rng: Random) -> bytes:
    boxes, at = [], 0
    while at + 8 <= len(content):
        size = struct.unpack(">I", content[at : at + 4])[0]
        boxes.append([content[at + 4 : at + 8], content[at + 8 : at + size]])
        at += max(size, 8)
    place = rng.randrange(len(boxes))
    what = rng.randrange(4)
    if what == 0:
        boxes.insert(place, list(boxes[place]))
    elif what == 1 and len(boxes) > 1:
        del boxes[place]
    else:
        boxes[place][1] = edit(boxes[place][1], rng)
    return b"".join(struct.pack(">I", 8 + len(data)) + name + data for name, data in boxes)
