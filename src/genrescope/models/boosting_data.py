"""Tables for boosting that are larger than memory: on disk, or over the workers of a cluster."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import xgboost as xgb

from genrescope.errors import OutputError
from genrescope.features.vector_files import ROWS_AT_A_TIME, VectorFiles, Vectors
from genrescope.models.estimator import Codes

Table: TypeAlias = Vectors | VectorFiles


def batches(X: Table) -> Iterator[Vectors]:
    """Rows of a table in order, at most 65,536 at a time."""
    if isinstance(X, VectorFiles):
        yield from X.batches()
        return
    for first in range(0, len(X), ROWS_AT_A_TIME):
        yield np.ascontiguousarray(X[first : first + ROWS_AT_A_TIME])


@contextlib.contextmanager
def on_disk() -> Iterator[Callable[..., xgb.DMatrix]]:
    """Make matrices whose bins lie in temporary files, which go when the block ends.

    The files lie where Python's `tempfile` puts them (`TMPDIR`), one to two bytes a value.

    Raises
    ------
    OutputError
        Where they cannot be written, a full disk included.

    Yields
    ------
    callable
        Of a table and its codes; `nthread` and `ref` as `xgboost.QuantileDMatrix` takes them.
    """
    numbers = itertools.count()
    with tempfile.TemporaryDirectory(prefix="genrescope-boosting-") as folder:

        def make(X: Table, codes: Codes, **options: Any) -> xgb.DMatrix:
            rows = _Batches(X, codes, str(Path(folder) / f"matrix-{next(numbers)}"))
            return xgb.ExtMemQuantileDMatrix(rows, **options)

        try:
            yield make
        except (xgb.core.XGBoostError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise OutputError(f"cannot take the bins of a table ({reason})", path=folder) from error


class _Batches(xgb.DataIter):  # type: ignore[misc]
    def __init__(self, X: Table, codes: Codes, prefix: str) -> None:
        self._table, self._codes = X, codes
        self.reset()
        super().__init__(cache_prefix=prefix, on_host=False)

    def reset(self) -> None:
        self._left, self._first = batches(self._table), 0

    def next(self, input_data: Callable[..., Any]) -> bool:
        vectors = next(self._left, None)
        if vectors is None:
            return False
        last = self._first + len(vectors)
        input_data(data=vectors, label=self._codes[self._first : last])
        self._first = last
        return True


def on_workers(client: Any) -> Callable[..., Any]:
    """Make matrices whose rows are spread over the workers of a cluster.

    Each worker gets as many rows as the others, in the order of their addresses. Files are read by
    the workers, which must reach them under the same path.

    Parameters
    ----------
    client : distributed.Client

    Returns
    -------
    callable
        Of a table and its codes; `ref` as `xgboost.dask.DaskQuantileDMatrix` takes it.
    """
    import dask
    import dask.array
    from xgboost import dask as of_cluster

    addresses = sorted(client.scheduler_info(n_workers=-1)["workers"])

    def array(futures: list[Any], shapes: list[tuple[int, ...]], dtype: Any) -> Any:
        parts = [
            dask.array.from_delayed(dask.delayed(future), shape, dtype)
            for future, shape in zip(futures, shapes, strict=True)
        ]
        return dask.array.concatenate(parts)

    def make(X: Table, codes: Codes, *, ref: Any = None) -> Any:
        bounds = np.linspace(0, len(codes), len(addresses) + 1).astype(int)
        vectors, labels, sizes = [], [], []
        for address, first, last in zip(addresses, bounds[:-1], bounds[1:], strict=True):
            if first == last:
                continue
            if isinstance(X, VectorFiles):
                rows = client.submit(_rows, X, first, last, workers=[address], pure=False)
            else:
                rows = client.scatter(X[first:last], workers=[address], hash=False)
            vectors.append(rows)
            labels.append(client.scatter(codes[first:last], workers=[address], hash=False))
            sizes.append(int(last - first))
        return of_cluster.DaskQuantileDMatrix(
            client,
            array(vectors, [(size, X.shape[1]) for size in sizes], np.float32),
            array(labels, [(size,) for size in sizes], np.int64),
            ref=ref,
        )

    return make


def _rows(table: VectorFiles, first: int, last: int) -> Vectors:
    found = np.empty((last - first, table.shape[1]), np.float32)
    start = 0
    for part in table.batches():
        rows = part[max(first - start, 0) : max(last - start, 0)]
        place = max(start - first, 0)
        found[place : place + len(rows)] = rows
        start += len(part)
    return found
