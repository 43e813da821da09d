"""Feature vectors of many clips in Parquet files, read some rows at a time."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from genrescope.errors import CorpusError

ROWS_AT_A_TIME = 65_536  # 20 MB of 75 features
Vectors = npt.NDArray[np.float32]


class VectorFiles:
    """A table of feature vectors that is never held whole.

    Parameters
    ----------
    paths : sequence of path-like
        Parquet files with the same columns, one after the other.
    columns : sequence of str, optional
        The features, in this order; every column of floating-point numbers of the first file where
        not given.

    Attributes
    ----------
    columns : list of str
    shape : tuple of int
        (n, n_features).
    nbytes : int
        Size of the table in memory, as 32-bit floats.

    Raises
    ------
    CorpusError
        Where there is no file, one cannot be read, or one lacks a column.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> path = Path(tempfile.mkdtemp()) / "clips.parquet"
    >>> pd.DataFrame({"tempo": [90.0, 120.0], "label": ["a", "b"]}).to_parquet(path)
    >>> table = VectorFiles([path])
    >>> table.shape, table.columns, next(table.batches()).tolist()
    ((2, 1), ['tempo'], [[90.0], [120.0]])
    """

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]], columns: Sequence[str] | None = None
    ) -> None:
        if not paths:
            raise CorpusError("a table of feature vectors needs one file or more")
        import pyarrow.types

        self.paths = [Path(path) for path in paths]
        self._rows = []
        for path in self.paths:
            with _opened(path) as file:
                schema = file.schema_arrow
                if columns is None:
                    columns = [f.name for f in schema if pyarrow.types.is_floating(f.type)]
                missing = [name for name in columns if name not in schema.names]
                if missing:
                    raise CorpusError(f"lacks the column {missing[0]}", path=path)
                self._rows.append(file.metadata.num_rows)
        assert columns is not None
        self.columns = list(columns)
        self.shape = (sum(self._rows), len(self.columns))
        self.nbytes = 4 * self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return int(self.shape[0])

    def batches(self) -> Iterator[Vectors]:
        """All rows in order, some at a time.

        Yields
        ------
        numpy.ndarray [shape=(m, n_features), dtype=float32]
            m at most 65,536, and the same in every call.

        Raises
        ------
        CorpusError
            Where a file cannot be read, or holds a value that is missing or not finite.
        """
        for path in self.paths:
            with _opened(path) as file:
                for batch in file.iter_batches(ROWS_AT_A_TIME, columns=self.columns):
                    vectors = np.empty((batch.num_rows, len(self.columns)), np.float32)
                    for place, name in enumerate(self.columns):
                        vectors[:, place] = batch.column(name).to_numpy(zero_copy_only=False)
                    if not np.isfinite(vectors).all():
                        raise CorpusError("holds a value that is missing or not finite", path=path)
                    yield vectors

    def read(self) -> Vectors:
        """The whole table in memory [shape=(n, n_features), dtype=float32]."""
        whole = np.empty(self.shape, np.float32)
        first = 0
        for batch in self.batches():
            whole[first : first + len(batch)] = batch
            first += len(batch)
        return whole


def _opened(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except FileNotFoundError as error:
        raise CorpusError("does not exist", path=path) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise CorpusError("is not a Parquet file that can be read", path=path) from error
