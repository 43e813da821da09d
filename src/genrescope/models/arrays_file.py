"""Named arrays as `.npz` files: the same arrays give the same bytes, and reading trusts nothing."""

import io
import math
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genrescope.errors import BundleError

Floats = npt.NDArray[np.float64]
Shape = tuple[int | str, ...]

LARGEST = 1e30  # beyond it, and its inverse, sums and products would overflow


def write_arrays(path: Path, **arrays: npt.ArrayLike) -> None:
    """Write arrays in double precision.

    Parameters
    ----------
    path : pathlib.Path
        The `.npz` file; `numpy.load` reads it too.
    **arrays
        By name.
    """
    doubles = {name: np.asarray(values, dtype="<f8", order="C") for name, values in arrays.items()}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **doubles)


def read_arrays(
    path: Path, shapes: Mapping[str, Shape], *, positive: Collection[str] = ()
) -> dict[str, Floats]:
    """Read arrays, having checked that they are those expected.

    Parameters
    ----------
    path : pathlib.Path
        The `.npz` file.
    shapes : mapping of str to tuple
        Of each array that the file must hold. A word in a shape stands for any length from 1 up,
        the same wherever the word is.
    positive : collection of str
        Arrays that are divided by, whose values are above 0.

    Returns
    -------
    dict of str to numpy.ndarray

    Raises
    ------
    BundleError
        Where names, types or shapes are others, or a value is not finite, out of all range, or
        not positive where it must be.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "line.npz"
    >>> write_arrays(path, slope=[[1.0, 2.0]], offset=[0.5])
    >>> read_arrays(path, {"slope": ("lines", 2), "offset": ("lines",)})["slope"]
    array([[1., 2.]])
    """
    arrays: dict[str, Floats] = {}
    lengths: dict[str, int] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if odd := sorted({f"{name}.npy" for name in shapes} ^ set(entries)):
                name = odd[0].removesuffix(".npy")
                raise BundleError(f"holds another model: {name} is extra or missing", path=path)
            for name, wanted in shapes.items():
                entry = entries[f"{name}.npy"]
                # Stored as it is, no array can be larger than the file.
                if entry.compress_type != zipfile.ZIP_STORED:
                    raise BundleError(f"unsafe: {name} is compressed", path=path)
                arrays[name] = _array(archive.read(entry))
                if not _fits(arrays[name].shape, wanted, lengths):
                    raise BundleError(f"holds another model: {name} has another shape", path=path)
                if not np.isfinite(arrays[name]).all():
                    raise BundleError(f"unsafe: {name} is not finite", path=path)
                if (np.abs(arrays[name]) > LARGEST).any():
                    raise BundleError(f"unsafe: {name} has values out of all range", path=path)
                if name in positive and (arrays[name] < 1 / LARGEST).any():
                    raise BundleError(f"unsafe: {name} is not positive", path=path)
    except BundleError:
        raise
    except Exception as error:
        # A doctored file can make these readers fail in any way; none of it is ours to tell apart.
        raise BundleError(
            f"is no file of arrays that this version can read ({type(error).__name__}: {error})",
            path=path,
        ) from error
    return arrays


def _array(content: bytes) -> Floats:
    """One `.npy` file, whose header is believed only where it fits the bytes that follow."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is of another version")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    if fortran_order or dtype != np.dtype("<f8"):
        raise ValueError("an array is not of rows of double precision")
    values = np.frombuffer(content, dtype, offset=stream.tell())
    if len(values) != math.prod(shape):
        raise ValueError("an array has another size than it claims")
    return values.reshape(shape).astype(np.float64)


def _fits(shape: tuple[int, ...], wanted: Shape, lengths: dict[str, int]) -> bool:
    if len(shape) != len(wanted) or 0 in shape:
        return False
    return all(
        length == (lengths.setdefault(side, length) if isinstance(side, str) else side)
        for length, side in zip(shape, wanted, strict=True)
    )
