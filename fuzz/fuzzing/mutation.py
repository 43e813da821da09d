"""Changes to bytes, JSON values and tables, drawn from a seeded generator."""

import csv
import io
import json
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

NUMBERS = (
    0, 1, 2, 3, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1,
    2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
LETTERS = (
    "",
    "\0",
    "\n",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    "\udcff",
    "한",
    "é",
    "\U0001f3b5",
    "١",
    "²",
)
ODD_TEXT = (
    *LETTERS, "..", "../../x", "/", "~nobody/x", "$UNSET", "a" * 300, "%s%n", "NaN", "inf", "-0",
    "1e999", "9" * 400, "9" * 5000, "0x10", "1_000", "2001-99-99", "None", "true", "*", "[",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"),
    float("-inf"), 2**31, 2**63, 2**64, 10**400, -(10**30), [], {}, [[]], [None], {"a": {}}, [0] * 40,
    {"": ""}, *ODD_TEXT,
)  # fmt: skip
CELLS = (
    "",
    " ",
    '"',
    '""',
    "nan",
    "inf",
    "-inf",
    "1e999",
    "1,5",
    "\0",
    "a\nb",
    "9" * 400,
    *ODD_TEXT,
)


def edit(content: bytes, rng: Random, *, tokens: Sequence[bytes] = ()) -> bytes:
    """Change some bytes: bits, numbers in both orders, stretches removed, repeated or moved."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        at = rng.randrange(len(made) + 1)
        end = min(len(made), at + rng.choice((1, 2, 4, 16, 64, 1024)))
        what = rng.randrange(8)
        if what == 0 and made:
            made[rng.randrange(len(made))] ^= 1 << rng.randrange(8)
        elif what == 1:
            number = rng.choice(NUMBERS)
            width = rng.choice(("B", "H", "I", "Q"))
            order = rng.choice("<>")
            limit = 256 ** struct.calcsize(width)
            packed = struct.pack(order + width, number % limit)
            made[at : at + len(packed)] = packed
        elif what == 2:
            del made[at:end]
        elif what == 3:
            made[at:at] = made[at:end]
        elif what == 4:
            made[at:end] = rng.randbytes(end - at)
        elif what == 5:
            del made[at:]
        elif what == 6:
            made[at:at] = rng.choice(tokens) if tokens else rng.randbytes(rng.randrange(1, 9))
        else:
            other = rng.randrange(len(made) + 1)
            made[at:end] = made[other : other + end - at]
    return bytes(made)


def change_value(value: Any, rng: Random, odd: Sequence[Any] = ODD_VALUES) -> Any:
    """Change one place of a JSON value: another value, one more, one less, one moved."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        changed = dict(value)
        what = rng.randrange(12)
        if what == 0:
            del changed[key]
        elif what == 1:
            changed[str(rng.choice(ODD_TEXT))] = changed[key]
        elif what == 2:
            changed[key] = changed[rng.choice(list(value))]
        else:
            changed[key] = change_value(value[key], rng, odd)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        what = rng.randrange(12)
        if what == 0:
            return value[:at] + value[at + 1 :]
        if what == 1:
            return [*value, value[at]]
        if what == 2:
            return value * rng.choice((2, 50))
        return [*value[:at], change_value(value[at], rng, odd), *value[at + 1 :]]
    what = rng.randrange(8)
    if what == 0:
        return [value]
    if what == 1:
        return {str(rng.choice(ODD_TEXT)): value}
    if what == 2 and isinstance(value, str):
        at = rng.randrange(len(value) + 1)
        return value[:at] + rng.choice(LETTERS) + value[at:]
    if what == 3 and isinstance(value, int | float):
        return rng.choice((-value, value + 1, value * 10**9, str(value), float(value % 2**63)))
    return rng.choice(odd)


def change_json(content: bytes, rng: Random) -> bytes:
    """Change a JSON document in one or a few places; one in ten as bytes."""
    if rng.random() < 0.1:
        return edit(content, rng, tokens=JSON_TOKENS)
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return edit(content, rng, tokens=JSON_TOKENS)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        value = change_value(value, rng)
    return _json(value)


def _json(value: Any) -> bytes:
    # Only bytes can hold what is longer than Python's limit on digits.
    try:
        return json.dumps(value).encode()
    except ValueError:
        return b'{"a": ' + b"9" * 5000 + b"}"


JSON_TOKENS = (
    b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u0000", b"\\ud800", b"[" * 2000, b'{"a":' * 2000,
    b"NaN", b"1e999", b"9" * 5000, b"-", b"null", b"\xff\xfe", b"\xef\xbb\xbf",
)  # fmt: skip


def change_lines(content: bytes, rng: Random, change: Mutation) -> bytes:
    """Change one line of several."""
    lines = content.split(b"\n")
    at = rng.randrange(len(lines))
    what = rng.randrange(6)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines.insert(at, lines[at])
    else:
        lines[at] = change(lines[at], rng)
    return b"\n".join(lines)


def change_csv(content: bytes, rng: Random) -> bytes:
    """Change a CSV table: a cell, a row, a column, its header; one in five as bytes."""
    if rng.random() < 0.2:
        return edit(content, rng, tokens=(b",", b'"', b"\n", b"\r", b"\0", b"\xff", b"'", b";"))
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"))))
    except csv.Error:
        return edit(content, rng)
    if not rows or not any(rows):
        return b"a,b\n1,2\n"
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.choice((0, rng.randrange(len(rows))))  # the header as often as the rest
        row = rows[at]
        column = rng.randrange(max(map(len, rows)))
        what = rng.randrange(8)
        if what == 0:
            del rows[at]
        elif what == 1:
            rows.insert(at, list(row))
        elif what == 2:
            for one in rows:
                del one[column : column + 1]
        elif what == 3:
            for one in rows:
                one[column:column] = one[column : column + 1]
        elif what == 4 and row:
            row.pop()
        elif what == 5:
            for one in rows[1:]:
                one[column : column + 1] = [rng.choice(CELLS)]
        elif column < len(row):
            header = rows[0]
            row[column] = rng.choice((*CELLS, f" {row[column]}", rng.choice(header or [""])))
        if not rows:
            break
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass" if rng.random() < 0.5 else "replace")
