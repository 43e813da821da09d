"""Log-mel spectrograms of many clips, left on disk until they are looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genrescope.features.kernels import Floats


@dataclass(frozen=True, eq=False)
class LogMels:
    """An array of log-mel spectrograms, spread over several memory-mapped ones.

    Indexing by whole numbers, slices or arrays reads what it names into memory, as with a
    memory-mapped array; `rows` picks without reading. `numpy.asarray` reads everything.

    Parameters
    ----------
    parts : sequence of numpy.ndarray [shape=(n_part, n_mels, frames), dtype=float32]
        Mapped from disk.
    part, row : numpy.ndarray [shape=(n,)]
        Where each clip's spectrogram is: which part, and which row of it.
    picture : tuple of int
        (n_mels, frames), known also where there are no clips.

    Examples
    --------
    >>> parts = [np.zeros((2, 8, 8), np.float32), np.ones((1, 8, 8), np.float32)]
    >>> maps = LogMels(parts, np.array([1, 0]), np.array([0, 1]), (8, 8))
    >>> maps.shape, maps[0].max(), maps.rows([1])[:].max()
    ((2, 8, 8), np.float32(1.0), np.float32(0.0))
    """

    parts: Sequence[Floats]
    part: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]
    picture: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(n, n_mels, frames)."""
        return (len(self.part), *self.picture)

    @property
    def ndim(self) -> int:
        """Always 3."""
        return 3

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Always float32."""
        return np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: Any) -> Floats:
        part, row = self.part[index], self.row[index]
        if np.ndim(part) == 0:
            return np.array(self.parts[part][row])
        found = np.empty((len(part), *self.picture), np.float32)
        for number in np.unique(part):
            chosen = part == number
            found[chosen] = self.parts[number][row[chosen]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return self[:].astype(dtype or np.float32, copy=False)

    def rows(self, index: npt.ArrayLike) -> Self:
        """Some of the clips, in the order of the index, still on disk."""
        chosen = np.asarray(index)
        return type(self)(self.parts, self.part[chosen], self.row[chosen], self.picture)

    @classmethod
    def joined(cls, several: Sequence["LogMels"]) -> "LogMels":
        """One array of several, one after the other.

        Raises
        ------
        ValueError
            Where their spectrograms differ in size, or there are none.
        """
        sizes = {maps.picture for maps in several}
        if len(sizes) != 1:
            raise ValueError(f"log-mel spectrograms of {len(sizes)} sizes cannot be joined")
        offsets = np.cumsum([0, *(len(maps.parts) for maps in several)])
        return cls(
            [part for maps in several for part in maps.parts],
            np.concatenate([maps.part + at for maps, at in zip(several, offsets, strict=False)]),
            np.concatenate([maps.row for maps in several]),
            sizes.pop(),
        )
