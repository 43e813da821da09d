"""Changes to xgboost's models: any value, encoded anew with lengths that fit."""

import struct
from random import Random
from typing import Any

import numpy as np

from fuzzing.mutation import change_value, edit
from genrescope.models.ubjson import read_ubjson

MARKERS = {"int8": b"i", "uint8": b"U", "int16": b"I", "int32": b"l", "int64": b"L",
           "float32": b"d", "float64": b"D"}  # fmt: skip
NUMBERS = (0, 1, -1, 2, 3, 74, 75, 76, 10**6, 2**31 - 1, -(2**31))


def change_ubjson(content: bytes, rng: Random) -> bytes:
    """Change a value of a model, or an element or the type of an array; sometimes bytes."""
    if rng.random() < 0.2:
        return edit(content, rng)
    try:
        value = read_ubjson(content)
    except ValueError:
        return edit(content, rng)
    for _ in range(rng.choice((1, 1, 2, 3))):
        value = _change(value, rng)
    try:
        return encode(value)
    except (OverflowError, struct.error, UnicodeEncodeError):
        return edit(content, rng)


def _change(value: Any, rng: Random) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        return value | {key: _change(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.95:
        at = rng.randrange(len(value))
        return [*value[:at], _change(value[at], rng), *value[at + 1 :]]
    if isinstance(value, np.ndarray):
        made = value.copy()
        what = rng.randrange(4)
        if what == 0:
            with np.errstate(all="ignore"):
                return made.astype(rng.choice(list(MARKERS)))
        if what == 1:
            return made[: rng.randrange(len(made) + 1)]
        if len(made) and made.dtype.kind in "iu":
            limits = np.iinfo(made.dtype)
            number = rng.choice(NUMBERS)
            made[rng.randrange(len(made))] = min(max(number, limits.min), limits.max)
        elif len(made):
            made[rng.randrange(len(made))] = rng.choice((np.nan, np.inf, 3e38, -1.0, 0.0))
        return made
    if isinstance(value, int) and rng.random() < 0.7:
        return rng.choice(NUMBERS)
    if isinstance(value, str) and rng.random() < 0.7:
        return rng.choice((*map(str, NUMBERS), "", "nan", "[5E-1,nan]", "multi:softmax", "dart"))
    return change_value(value if isinstance(value, str | float) else 0, rng)


def encode(value: Any) -> bytes:
    """UBJSON as xgboost writes it."""
    if isinstance(value, dict):
        pairs = (_text(str(key)) + encode(item) for key, item in value.items())
        return b"{" + b"".join(pairs) + b"}"
    if isinstance(value, np.ndarray):
        marker = MARKERS[value.dtype.name]
        data = value.astype(value.dtype.newbyteorder(">")).tobytes()
        return b"[$" + marker + b"#L" + struct.pack(">q", len(value)) + data
    if isinstance(value, list):
        return b"[#L" + struct.pack(">q", len(value)) + b"".join(map(encode, value))
    if isinstance(value, bool) or value is None:
        return {True: b"T", False: b"F", None: b"Z"}[value]
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"D" + struct.pack(">d", value)
    return b"S" + _text(str(value))


def _text(text: str) -> bytes:
    coded = text.encode()
    return b"L" + struct.pack(">q", len(coded)) + coded
