"""Which genre when: the windows of a long sound, and the stretches of one genre they form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

GAP_S = 1e-3  # windows closer than this follow each other


class Stretch(NamedTuple):
    """Windows in a row that were heard as one genre.

    Attributes
    ----------
    start_s, end_s : float
    genre : str
    probability : float
        Of that genre, mean over the windows.
    """

    start_s: float
    end_s: float
    genre: str
    probability: float


@dataclass(frozen=True)
class Timeline:
    """Answers for the windows of one sound, in plain numbers.

    Attributes
    ----------
    window_s : float
        Length of a window.
    starts_s : list of float
        Where each window that sounds begins.
    probabilities : list of list of float [shape=(n_windows, n_genres)]
    """

    window_s: float
    starts_s: list[float]
    probabilities: list[list[float]]

    def windows(self, genres: Sequence[str]) -> list[dict[str, Any]]:
        """A row per window: `start_s`, `genre`, the probability of each genre."""
        return [
            {"start_s": start_s, "genre": genres[int(np.argmax(row))]}
            | dict(zip(genres, row, strict=True))
            for start_s, row in zip(self.starts_s, self.probabilities, strict=True)
        ]

    def stretches(self, genres: Sequence[str], *, duration_s: float) -> list[Stretch]:
        """Bring windows in a row together where one genre is most probable in all of them.

        Silent windows, which have no answer, end a stretch.

        Parameters
        ----------
        genres : sequence of str
            Columns of the probabilities.
        duration_s : float
            Length of the whole sound, where the last window may end early.

        Examples
        --------
        >>> found = Timeline(5.0, [0.0, 5.0, 10.0], [[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]])
        >>> for stretch in found.stretches(["Blues", "Rock"], duration_s=13.0):
        ...     print(*stretch)
        0.0 10.0 Blues 0.8
        10.0 13.0 Rock 0.8
        """
        runs: list[list[int]] = []
        rows = np.asarray(self.probabilities)
        best = rows.argmax(axis=1)
        for k, start_s in enumerate(self.starts_s):
            follows = runs and start_s - self.starts_s[k - 1] < self.window_s + GAP_S
            if follows and best[k] == best[k - 1]:
                runs[-1].append(k)
            else:
                runs.append([k])
        return [
            Stretch(
                self.starts_s[run[0]],
                min(self.starts_s[run[-1]] + self.window_s, duration_s),
                genres[best[run[0]]],
                round(float(rows[run, best[run[0]]].mean()), 6),
            )
            for run in runs
        ]
