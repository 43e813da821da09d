"""The compiled loops of feature extraction, where the installation found a compiler.

Each function here has a twin in numpy, in the module of its musical quantity, with the same
numbers to rounding: some 1e-7 of a frame's strongest bin.
"""

import ctypes
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]

FRAMES = 16  # in the widest vector of single precision
DOUBLE_FRAMES = 8
ALIGNMENT = 64  # bytes of the widest vector
SHORTEST = 64  # samples of a transform


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """The compiled library, or None where the installation found no compiler."""
    found = importlib.util.find_spec("genrescope.features._kernels")
    return None if found is None or found.origin is None else ctypes.CDLL(found.origin)


@lru_cache(maxsize=1)
def width() -> int:
    """Bytes of the vectors that the loops compute with: the widest of this processor."""
    loaded = library()
    return 0 if loaded is None else int(loaded.widest())


def fits(n_fft: int) -> bool:
    """Whether there are compiled loops, and they take frames of this many samples."""
    return library() is not None and n_fft >= SHORTEST and n_fft & (n_fft - 1) == 0


def power_spectrum(y: Floats, window: Floats, hop_length: int) -> Floats:
    """Squared magnitude of windowed frames, centred on every `hop_length`-th sample.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,), dtype=float32]
    window : numpy.ndarray [shape=(n_fft,), dtype=float32]
    hop_length : int

    Returns
    -------
    numpy.ndarray [shape=(1 + n_fft // 2, 1 + n // hop_length), dtype=float32]
        A view of an array whose rows are filled up to whole vectors.
    """
    n_fft, n_frames = len(window), 1 + len(y) // hop_length
    stride = -(-n_frames // FRAMES) * FRAMES
    tables = _tables(n_fft, "c8")
    power = _aligned((n_fft // 2 + 1) * stride, np.float32)
    rows = np.empty(hop_length * (FRAMES + n_fft // hop_length + 4), np.float32)
    room = _aligned(n_fft * FRAMES, np.float32)
    _function("power_spectrum", "aiiiiaaaaaaa")(
        y, len(y), n_fft, hop_length, stride, window,
        tables.roots, tables.splits, tables.places, rows, room, power,
    )  # fmt: skip
    return power.reshape(-1, stride)[:, :n_frames]


def filter_bank(power: Floats, filters: csr_array) -> Floats:
    """Weighted sums of neighbouring bins.

    Parameters
    ----------
    power : numpy.ndarray [shape=(bins, frames), dtype=float32]
        From `power_spectrum`.
    filters : scipy.sparse.csr_array [shape=(bands, bins), dtype=float32]
        Each row's weights stand beside each other.

    Returns
    -------
    numpy.ndarray [shape=(bands, frames), dtype=float32]
    """
    stride, n_bands = _stride(power), filters.shape[0]
    starts = filters.indptr.astype(np.int32)
    firsts = filters.indices[np.minimum(starts[:-1], filters.nnz - 1)].astype(np.int32)
    bands = _aligned(n_bands * stride, np.float32)
    _function("filter_bank", "aiiaaaa")(power, stride, n_bands, starts, firsts, filters.data, bands)
    return bands.reshape(n_bands, stride)[:, : power.shape[1]]


def spectral_shape(power: Floats, frequencies: Doubles, share: float) -> tuple[Doubles, Integers]:
    """Moments of the magnitude over frequency, and the bin of the roll-off.

    Parameters
    ----------
    power : numpy.ndarray [shape=(bins, frames), dtype=float32]
        From `power_spectrum`.
    frequencies : numpy.ndarray [shape=(bins,), dtype=float64]
    share : float
        Of the magnitude, up to the roll-off.

    Returns
    -------
    moments : numpy.ndarray [shape=(3, frames), dtype=float64]
        Of order 0, 1 and 2.
    bins : numpy.ndarray [shape=(frames,), dtype=int32]
    """
    n_bins, n_frames = power.shape
    stride = _stride(power)
    moments, bins = np.empty((3, stride)), np.empty(stride, np.int32)
    room = _aligned(n_bins * DOUBLE_FRAMES, np.float32)
    _function("spectral_shape", "aiiafaaa")(
        power, n_bins, stride, frequencies, share, room, moments, bins
    )
    return moments[:, :n_frames], bins[:n_frames]


def spectral_peaks(
    power: Floats, bins: tuple[int, int], share: float, *, sample_rate: int, n_fft: int
) -> tuple[Floats, Floats]:
    """Local maxima of a range of bins, placed between bins by a parabola.

    Parameters
    ----------
    power : numpy.ndarray [shape=(bins, frames), dtype=float32]
        From `power_spectrum`.
    bins : (int, int)
        The first bin and the one after the last; each has two neighbours.
    share : float
        Of a frame's strongest bin: what lies below is no peak.
    sample_rate, n_fft : int

    Returns
    -------
    pitches, heights : numpy.ndarray [shape=(peaks,), dtype=float32]
        Hertz and interpolated power.
    """
    n_bins, n_frames = power.shape
    stride, (low, high) = _stride(power), bins
    size = max(0, high - low) * n_frames + 1  # one more is written, and not counted, at the end
    pitches, heights = np.empty(size, np.float32), np.empty(size, np.float32)
    strongest, is_peak = np.empty(stride, np.float32), np.empty(stride, np.uint8)
    found = np.empty(size, np.int32)
    count = _function("spectral_peaks", "aiiiiifddaaaaa", ctypes.c_int64)(
        power, n_bins, stride, n_frames, low, high, share, sample_rate, n_fft,
        strongest, is_peak, found, pitches, heights,
    )  # fmt: skip
    return pitches[:count], heights[:count]


def mean_frame_power(values: Doubles, window: Doubles, n_fft: int) -> Doubles:
    """Mean power spectrum of windowed frames one sample apart, each of energy 1.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n,), dtype=float64]
    window : numpy.ndarray [shape=(size,), dtype=float64]
    n_fft : int
        A power of two, from `size` up.

    Returns
    -------
    numpy.ndarray [shape=(1 + n_fft // 2,), dtype=float64]
        Over `n - size + 1` frames; silent ones count as zero.
    """
    n_frames = len(values) - len(window) + 1
    tables = _tables(n_fft, "c16")
    power = np.empty(n_fft // 2 + 1)
    room = _aligned(n_fft * DOUBLE_FRAMES, np.float64)
    _function("mean_frame_power", "aiaiiaaaaa")(
        np.pad(values, (0, DOUBLE_FRAMES)), n_frames, window, len(window), n_fft,
        tables.roots, tables.splits, tables.places, room, power,
    )  # fmt: skip
    return power / n_frames


def _stride(power: Floats) -> int:
    """Distance of rows, in values, of an array from `power_spectrum`."""
    stride, odd = divmod(power.strides[0], power.itemsize)
    if (
        odd
        or stride % FRAMES
        or power.strides[1] != power.itemsize
        or power.ctypes.data % ALIGNMENT
    ):
        raise ValueError("the power spectrum does not lie in memory as the compiled loops need it")
    return stride


def _function(name: str, parameters: str, result: Any = None) -> Callable[..., Any]:
    """A function of the library; arrays, integers and numbers by letter."""
    return _bound(f"{name}_{width()}", parameters, result)


@lru_cache(maxsize=64)
def _bound(name: str, parameters: str, result: Any) -> Callable[..., Any]:
    loaded = library()
    if loaded is None:
        raise RuntimeError("the compiled loops of feature extraction are not there")
    function = getattr(loaded, name)
    kinds = {"i": ctypes.c_int64, "f": ctypes.c_float, "d": ctypes.c_double, "a": ctypes.c_void_p}
    function.argtypes = [kinds[letter] for letter in parameters]
    function.restype = result

    def call(*arguments: Any) -> Any:
        # The arrays are held by `arguments` for as long as the library works on them.
        return function(
            *(
                a.ctypes.data if kind == "a" else a
                for a, kind in zip(arguments, parameters, strict=True)
            )
        )

    return call


def _aligned(size: int, dtype: Any) -> npt.NDArray[Any]:
    """Uninitialised values on a border of the processor's widest vectors."""
    width = np.dtype(dtype).itemsize
    room = np.empty(size * width + ALIGNMENT, np.uint8)
    return room[-room.ctypes.data % ALIGNMENT :][: size * width].view(dtype)


@dataclass(frozen=True)
class _Tables:
    roots: npt.NDArray[Any]
    splits: npt.NDArray[Any]
    places: Integers


@lru_cache(maxsize=16)
def _tables(n_fft: int, dtype: str) -> _Tables:
    """What a transform looks up, in the precision of `dtype`."""
    half = n_fft // 2
    roots = np.exp(-2j * np.pi * np.arange(half) / half)
    splits = np.exp(-2j * np.pi * np.arange(half // 2 + 1) / n_fft)
    places = np.empty(half, np.int32)
    places[_order(half)] = np.arange(half)
    return _Tables(roots.astype(dtype), splits.astype(dtype), places)


def _order(length: int) -> npt.NDArray[np.int64]:
    """Bins in the order in which decimation in frequency leaves them."""
    if length <= 2:
        return np.arange(length)
    quarter = _order(length // 4)
    return np.concatenate([4 * quarter + remainder for remainder in range(4)])
