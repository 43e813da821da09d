"""The files of a shard: tables and arrays under the digest of their content, checked when read."""

import hashlib
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from genrescope.features.kernels import Floats
from genrescope.features.place import Place
from genrescope.files import read_again, sha256_file
from genrescope.parquet_file import read_parquet

METADATA = b"genrescope"
KEY, FAILURE = "clip", ("failure_kind", "failure_reason")
CLIP_COLUMNS = (KEY, "audio_sha256", "start_s", "duration_s", *FAILURE)
ROW, ARRAY = "row", "array"
# No other error says that a file is not what it was: a disk or a server may have failed.
ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class DamagedShardError(Exception):
    """A file whose content is not what its name says."""


def write_table(place: Place, folder: str, table: pd.DataFrame, about: Mapping[str, str]) -> str:
    """Write a shard's table into a folder of the store; its name.

    Parameters
    ----------
    place : Place
    folder : str
    table : DataFrame
        `CLIP_COLUMNS`, then features, or `row`.
    about : mapping of str to str
        `array`: the name of the array that its rows are in, if they are.
    """
    content = pa.BufferOutputStream()
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(arrow.replace_schema_metadata({METADATA: json.dumps(about).encode()}), content)
    return _write(place, folder, content.getvalue().to_pybytes(), ".parquet")


def write_array(place: Place, folder: str, log_mels: Floats) -> str:
    """Write log-mel spectrograms [shape=(n, n_mels, frames)] into the store; their name."""
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(log_mels, "<f4"), allow_pickle=False)
    return _write(place, folder, content.getvalue(), ".npy")


def _write(place: Place, folder: str, content: bytes, suffix: str) -> str:
    name = f"{folder}/{hashlib.sha256(content).hexdigest()}{suffix}"
    place.write(name, content)
    return name


def read_table(
    place: Place, name: str, columns: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read columns of a shard's table, having checked its digest and what it holds.

    Parameters
    ----------
    place : Place
    name : str
        Of a `.parquet` file in the store.
    columns : sequence of str
        What is wanted of it: `clip`, which is always read; others of `CLIP_COLUMNS`; features, or
        `row`, which are numbers, and finite where there is no `failure_kind`.

    Returns
    -------
    table : DataFrame
        Those columns.
    about : dict
        `array`: the name of the array of log-mels in the same folder, where there are rows of it.

    Raises
    ------
    DamagedShardError
        Where the file is not what was written, or nothing that this program writes.
    """
    try:
        content = read_again(lambda: place.path(name).read_bytes())
    except ABSENT as error:
        raise DamagedShardError(name) from error
    if hashlib.sha256(content).hexdigest() != PurePosixPath(name).stem:
        raise DamagedShardError(name)
    try:
        wanted = list(dict.fromkeys([KEY, *columns]))
        found = read_parquet(content, columns=wanted)
        about = json.loads((found.schema.metadata or {}).get(METADATA, b""))
        table = found.replace_schema_metadata(None).to_pandas()
        array = about.get(ARRAY) if isinstance(about, dict) else None
        if array is None and ROW in columns:
            raise ValueError("its array is missing")
        if array is not None and not _is_beside(str(array), name):
            raise ValueError("its array is not beside it")
        return _checked_content(table[wanted]), about
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        raise DamagedShardError(name) from error


def _is_beside(array: str, name: str) -> bool:
    """Whether this names an array in a shard's own folder: nothing else is read or removed."""
    folder = re.escape(str(PurePosixPath(name).parent))
    return re.fullmatch(rf"{folder}/[0-9a-f]{{64}}\.npy", array) is not None


def _checked_content(table: pd.DataFrame) -> pd.DataFrame:
    words = table[[name for name in (KEY, *FAILURE) if name in table]].astype("str")
    if words[KEY].isna().any():
        raise ValueError("a clip is without a key")
    numbers = table[[name for name in table if name not in CLIP_COLUMNS]]
    numbers = numbers.astype("int64" if ROW in numbers else "float32")
    if len(numbers.columns):
        values = numbers[words[FAILURE[0]].isna()].to_numpy()
        if not np.isfinite(values).all() or (ROW in numbers and (values < 0).any()):
            raise ValueError("a number is none, or a row is below 0")
    return table.assign(**words, **numbers)


def checked(place: Place, name: str) -> bool:
    """Whether a file of the store is there, having checked its digest.

    Raises
    ------
    DamagedShardError
        Where it has another content than its name says.
    """
    try:
        if sha256_file(place.path(name)) != PurePosixPath(name).stem:
            raise DamagedShardError(name)
    except FileNotFoundError:
        return False
    except ABSENT as error:
        raise DamagedShardError(name) from error
    return True


def checked_array(place: Place, name: str, table: pd.DataFrame, picture: tuple[int, int]) -> bool:
    """Whether an array is there, having checked that it has what a table's rows name.

    Raises
    ------
    DamagedShardError
        Naming the array, where it is damaged or of spectrograms of another size.
    """
    if not checked(place, name):
        return False
    most = int(table[ROW].max()) if len(table) else -1
    try:
        array = read_log_mels(place, name)
    except (OSError, ValueError) as error:
        raise DamagedShardError(name) from error
    if array.ndim != 3 or array.shape[1:] != picture or len(array) <= most:
        raise DamagedShardError(name)
    return True


def read_log_mels(place: Place, name: str) -> Floats:
    """Map a shard's array of log-mel spectrograms into memory.

    Raises
    ------
    ValueError
        Where it is no array of 32-bit floats, or of another size than it says.
    """
    path = place.path(name)
    with Path(path).open("rb") as file:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("another version")
            shape, columns_first, dtype = np.lib.format.read_array_header_1_0(file)
        except Exception as error:
            # The header is a piece of Python, read by its parser, which can fail in any way.
            raise ValueError(f"its header cannot be read ({error})") from error
        start = file.tell()
        held = file.seek(0, os.SEEK_END) - start
    if columns_first or dtype != np.dtype("<f4") or math.prod(shape) * 4 != held:
        raise ValueError("its header does not fit its content")
    if not held:
        return np.zeros(shape, np.float32)  # there is nothing to map
    mapped: Floats = np.memmap(path, dtype, "r", start, shape)
    return mapped
