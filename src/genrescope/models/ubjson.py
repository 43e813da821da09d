"""Reading Universal Binary JSON, the format of xgboost's `.ubj` files, without native code.

xgboost's own reader trusts lengths and crashes on damaged files, so a file is read here and its
content checked before xgboost sees it. Only what xgboost writes is understood
(https://ubjson.org/type-reference; xgboost writes integers big-endian).
"""

import struct
from typing import Any, NamedTuple

import numpy as np

INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
NUMBERS = INTEGERS | {b"d": ">f", b"D": ">d"}
CONSTANTS = {b"T": True, b"F": False, b"Z": None}
DEEPEST = 16  # levels; a model of xgboost has eight


class _Part(NamedTuple):
    value: Any
    end: int  # offset of the byte after the value


def read_ubjson(content: bytes) -> Any:
    r"""Decode one value that fills the whole content.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    object
        Dictionaries, lists, strings, numbers; arrays of one type as numpy arrays.

    Raises
    ------
    ValueError
        Where the content is cut short, nested too deep, has bytes left over, repeats a key, or
        holds a type xgboost does not write.

    Examples
    --------
    >>> read_ubjson(b"{L" + bytes(7) + b"\x01a[$d#L" + bytes(7) + b"\x01?\x80\0\0}")
    {'a': array([1.], dtype=float32)}
    """
    value, end = _value(content, 0, depth=0)
    if end != len(content):
        raise ValueError(f"{len(content) - end} bytes follow the model")
    return value


def _take(content: bytes, start: int, count: int) -> bytes:
    if count < 0 or start + count > len(content):
        raise ValueError(f"it breaks off at byte {len(content)}")
    return content[start : start + count]


def _value(content: bytes, start: int, *, depth: int) -> _Part:
    if depth > DEEPEST:
        raise ValueError("it is nested too deep")
    marker = _take(content, start, 1)
    start += 1
    if marker == b"{":
        return _object(content, start, depth=depth)
    if marker == b"[":
        return _array(content, start, depth=depth)
    if marker == b"S":
        return _string(content, start)
    if marker in NUMBERS:
        layout = struct.Struct(NUMBERS[marker])
        return _Part(
            layout.unpack(_take(content, start, layout.size))[0],
            start + layout.size,
        )
    if marker in CONSTANTS:
        return _Part(CONSTANTS[marker], start)
    raise ValueError(f"byte {start - 1} marks no known type")


def _length(content: bytes, start: int) -> _Part:
    if _take(content, start, 1) not in INTEGERS:
        raise ValueError(f"a length is missing at byte {start}")
    length, end = _value(content, start, depth=0)
    if not 0 <= length <= len(content):
        raise ValueError(f"the length {length} at byte {start} is beyond the file")
    return _Part(length, end)


def _string(content: bytes, start: int) -> _Part:
    length, start = _length(content, start)
    return _Part(_take(content, start, length).decode("utf-8"), start + length)


def _object(content: bytes, start: int, *, depth: int) -> _Part:
    found: dict[str, Any] = {}
    while _take(content, start, 1) != b"}":
        key, start = _string(content, start)
        if key in found:
            raise ValueError(f"the key {key!r} is there twice")
        found[key], start = _value(content, start, depth=depth + 1)
    return _Part(found, start + 1)


def _array(content: bytes, start: int, *, depth: int) -> _Part:
    if _take(content, start, 1) == b"$":
        return _typed_array(content, start + 1)
    items: list[Any] = []
    if _take(content, start, 1) == b"#":
        count, start = _length(content, start + 1)
        for _ in range(count):
            item, start = _value(content, start, depth=depth + 1)
            items.append(item)
        return _Part(items, start)
    while _take(content, start, 1) != b"]":
        item, start = _value(content, start, depth=depth + 1)
        items.append(item)
    return _Part(items, start + 1)


def _typed_array(content: bytes, start: int) -> _Part:
    marker, hash_sign = _take(content, start, 1), _take(content, start + 1, 1)
    if marker not in NUMBERS or hash_sign != b"#":
        raise ValueError(f"byte {start} begins no array of numbers")
    count, start = _length(content, start + 2)
    layout = np.dtype(NUMBERS[marker])
    data = _take(content, start, count * layout.itemsize)
    values = np.frombuffer(data, layout).astype(layout.newbyteorder("="))
    return _Part(values, start + len(data))
