"""Reading Parquet tables that anyone may have written: flat, of single values, within bounds."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

LEAST = 2**28  # bytes that the content of any table may take
RATIO = 100  # bytes for each of the file, beyond that


def read_parquet(
    source: str | os.PathLike[str] | bytes, *, columns: Sequence[str] | None = None
) -> "pa.Table":
    """Read a table, or columns of it.

    Parameters
    ----------
    source : path-like or bytes
        A file of this machine, or the content of one.
    columns : sequence of str, optional
        Those to read, where they are there; all where not given.

    Returns
    -------
    pyarrow.Table
        Columns of single values, every name once; with the metadata of its schema.

    Raises
    ------
    ValueError
        Where it is not Parquet, damaged, nested, or would take more than 256 MiB and a hundred
        times the file.
    OSError
        Where the file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = isinstance(source, bytes)
    size = len(source) if isinstance(source, bytes) else Path(source).stat().st_size
    limit = LEAST + RATIO * size
    try:
        with pq.ParquetFile(pa.BufferReader(source) if held else source) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
            if any(pa.types.is_nested(kind) for kind in schema.types):
                raise ValueError("its columns hold more than single values")
            if len(set(schema.names)) != len(schema.names):
                raise ValueError("a column is there twice")
            if max(rows, 0) * len(schema.names) * 8 > limit:
                raise ValueError(f"{rows:,} rows are more than so small a file can hold")
        words = [
            field.name
            for field in schema
            if pa.types.is_string(field.type)
            or pa.types.is_large_string(field.type)
            or pa.types.is_binary(field.type)
            or pa.types.is_large_binary(field.type)
        ]
        # Words that repeat are kept once, so that what they would take is known before it is.
        again = pa.BufferReader(source) if held else source
        with pq.ParquetFile(again, read_dictionary=words) as file:
            table = file.read(columns=None if columns is None else list(columns))
        if table.nbytes + _spelled_out(table) > limit:
            raise ValueError("it unpacks to far more than so small a file can hold")
        plain = pa.schema([schema.field(name) for name in table.column_names], schema.metadata)
        table = table.cast(plain)
        table.validate(full=True)  # words are letters, not any bytes
        return table
    except (OSError, ValueError) as error:
        if type(error) is ValueError or (isinstance(error, OSError) and error.errno):
            raise
        raise ValueError(f"it is not Parquet that can be read ({error})") from error
    except (pa.ArrowException, LookupError, MemoryError, TypeError) as error:
        raise ValueError(f"it is not Parquet that can be read ({error})") from error


def read_frame(source: str | os.PathLike[str] | bytes) -> "pd.DataFrame":
    """`read_parquet` as a data frame, by its columns alone, whatever pandas noted beside them.

    Raises
    ------
    ValueError, OSError
        As `read_parquet` does.
    """
    frame: pd.DataFrame = read_parquet(source).replace_schema_metadata(None).to_pandas()
    return frame


def _spelled_out(table: "pa.Table") -> int:
    """Bytes that words kept once take where they are written out for each row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    total = 0
    for column in table.columns:
        if not pa.types.is_dictionary(column.type):
            continue
        for chunk in column.chunks:
            lengths = pc.cast(pc.binary_length(chunk.dictionary), pa.int64())
            total += pc.sum(pc.take(lengths, chunk.indices)).as_py() or 0
    return total
