"""How the features of the clips a model learned from are distributed, genre by genre.

An explanation can then say how a clip compares with them: louder than 90% of the Pop clips.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from genrescope.settings import nearest

if TYPE_CHECKING:
    import pandas as pd

LEVELS = tuple(k / 20 for k in range(21))
KEYS = ("levels", "features", "genres", "counts", "quantiles")


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Quantiles of each feature over the clips of each genre.

    Parameters
    ----------
    features : tuple of str
        Names of the features, in the order of the vector.
    genres : tuple of str
        Sorted.
    counts : tuple of int
        Clips of each genre.
    quantiles : numpy.ndarray [shape=(n_genres, n_features, 21), dtype=float32]
        At `LEVELS`, in the unit of the feature.

    Raises
    ------
    ValueError
        Where names repeat, lengths disagree, or quantiles are not finite or decrease.

    Examples
    --------
    >>> import pandas as pd
    >>> clips = pd.DataFrame({"tempo": [100.0, 110.0, 120.0, 80.0]})
    >>> statistics = FeatureStatistics.from_clips(clips, ["Pop", "Pop", "Pop", "Blues"])
    >>> statistics.genres, statistics.counts
    (('Blues', 'Pop'), (1, 3))
    >>> statistics.share_below("tempo", 115, "Pop")
    0.75
    >>> statistics.median("tempo", "Pop")
    110.0
    """

    features: tuple[str, ...]
    genres: tuple[str, ...]
    counts: tuple[int, ...]
    quantiles: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if not self.features or len(set(self.features)) != len(self.features):
            raise ValueError("features repeat, or there are none")
        if not self.genres or list(self.genres) != sorted(set(self.genres)):
            raise ValueError("genres repeat or are not sorted, or there are none")
        if len(self.counts) != len(self.genres) or min(self.counts) < 1:
            raise ValueError(f"counts {self.counts} do not fit {len(self.genres)} genres")
        quantiles = _float32(self.quantiles)
        shape = (len(self.genres), len(self.features), len(LEVELS))
        if quantiles.shape != shape:
            raise ValueError(f"quantiles have shape {quantiles.shape}, it should be {shape}")
        if not np.isfinite(quantiles).all():
            raise ValueError("quantiles are not all finite")
        if (quantiles[..., 1:] < quantiles[..., :-1]).any():
            raise ValueError("quantiles decrease")
        quantiles.setflags(write=False)
        object.__setattr__(self, "quantiles", quantiles)

    @classmethod
    def from_clips(cls, X: "pd.DataFrame", genres: Sequence[str]) -> Self:
        """Measure clips.

        Parameters
        ----------
        X : DataFrame [shape=(n, n_features)]
            Features of the clips, a column each.
        genres : sequence of str [shape=(n,)]
            Of the clips.

        Returns
        -------
        FeatureStatistics
            Between neighbouring clips the quantiles are linear.

        Raises
        ------
        ValueError
            Where there are no clips, their genres are not as many or not text, or a feature is
            not finite in float32.
        """
        labels = list(genres)
        if len(labels) != len(X):
            raise ValueError(f"{len(labels)} genres do not fit {len(X)} clips")
        if not all(isinstance(label, str) for label in labels):
            raise ValueError("a genre is not text")
        values = _float32(X)
        names = tuple(map(str, X.columns))
        finite = np.isfinite(values).all(axis=0)
        if not finite.all():
            raise ValueError(f"the feature {names[int(np.argmin(finite))]!r} is not finite")
        present, codes, counts = np.unique(
            np.array(labels, dtype=np.str_), return_inverse=True, return_counts=True
        )
        quantiles = np.empty((len(present), len(names), len(LEVELS)))
        for code in range(len(present)):
            of_genre = values[codes == code].astype(np.float64)
            quantiles[code] = np.quantile(of_genre, LEVELS, axis=0).T
        return cls(names, tuple(present.tolist()), tuple(counts.tolist()), _float32(quantiles))

    def share_below(self, feature: str, value: float, genre: str) -> float:
        """Share of a genre's clips that have less of a feature.

        Parameters
        ----------
        feature, genre : str
        value : float
            In the unit of the feature.

        Returns
        -------
        float
            From 0 to 1, linear between the quantiles; 0 below the lowest clip and 1 above the
            highest, and within half a clip of either between them. Where clips tie at the value,
            the middle of their stretch: of clips that are all alike, half count as below.

        Raises
        ------
        ValueError
            Where the feature or the genre is not known, or the value is NaN.
        """
        quantiles = self._of(feature, genre)
        if np.isnan(value):
            raise ValueError(f"the value of {feature} is NaN")
        value = float(_float32(value))
        below, not_above = bisect_left(quantiles, value), bisect_right(quantiles, value)
        if not_above == 0:
            return 0.0
        if below == len(quantiles):
            return 1.0
        if below < not_above:
            share = (LEVELS[below] + LEVELS[not_above - 1]) / 2
        else:
            low, high = quantiles[below - 1], quantiles[below]
            step = LEVELS[below] - LEVELS[below - 1]
            share = min(LEVELS[below - 1] + step * (value - low) / (high - low), LEVELS[below])
        # The highest clip is not above itself: half of it counts as below.
        half_a_clip = 0.5 / self.counts[self.genres.index(genre)]
        return min(max(share, half_a_clip), 1 - half_a_clip)

    def median(self, feature: str, genre: str) -> float:
        """Median of a feature over a genre's clips, in the unit of the feature.

        Raises
        ------
        ValueError
            Where the feature or the genre is not known.
        """
        return self._of(feature, genre)[LEVELS.index(0.5)]

    def _of(self, feature: str, genre: str) -> list[float]:
        for name, known, what in (
            (feature, self.features, "feature"),
            (genre, self.genres, "genre"),
        ):
            if name not in known:
                raise ValueError(f"there is no {what} {name!r}: {nearest(name, known)}")
        row = self.quantiles[self.genres.index(genre), self.features.index(feature)]
        found: list[float] = row.tolist()
        return found

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold; `from_dict` gives the very same statistics back."""
        return {
            "levels": list(LEVELS),
            "features": list(self.features),
            "genres": list(self.genres),
            "counts": list(self.counts),
            # Nine digits tell any two float32 apart, and take half the space of a float64.
            "quantiles": [
                [[float(f"{value:.9g}") for value in row] for row in of_genre]
                for of_genre in self.quantiles.tolist()
            ],
        }

    @classmethod
    def from_dict(cls, content: Any) -> Self:
        """Read what `to_dict` gave.

        Parameters
        ----------
        content : JSON value
            From anywhere: nothing of it is taken on trust.

        Raises
        ------
        ValueError
            Saying what is wrong with it.

        Examples
        --------
        >>> import pandas as pd
        >>> statistics = FeatureStatistics.from_clips(pd.DataFrame({"rms": [0.1]}), ["Pop"])
        >>> FeatureStatistics.from_dict(statistics.to_dict()).share_below("rms", 0.2, "Pop")
        1.0
        """
        if not isinstance(content, dict):
            raise ValueError("these are no feature statistics: they are no JSON object")
        odd = sorted(set(content) ^ set(KEYS))
        if odd:
            raise ValueError(f"these are no feature statistics: {odd[0]} is extra or missing")
        levels = _list_of(content["levels"], (int, float), "levels", "numbers")
        if levels != list(LEVELS):
            raise ValueError("levels are not 0, 0.05 and so on up to 1")
        features = _list_of(content["features"], (str,), "features", "text")
        genres = _list_of(content["genres"], (str,), "genres", "text")
        counts = _list_of(content["counts"], (int,), "counts", "whole numbers")
        quantiles = _list_of(content["quantiles"], (list,), "quantiles", "lists of lists")
        for of_genre in quantiles:
            for row in _list_of(of_genre, (list,), "quantiles", "lists of lists"):
                _list_of(row, (int, float), "quantiles", "numbers")
        try:
            table = np.array(quantiles, dtype=np.float64)
        except OverflowError as error:
            raise ValueError("quantiles are not all finite") from error
        except ValueError as error:
            raise ValueError("quantiles are not equally many for each feature") from error
        return cls(tuple(features), tuple(genres), tuple(counts), _float32(table))


def _float32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """A copy as models take it, so that a value which ties with a clip for them ties here too."""
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32)


def _list_of(value: Any, types: tuple[type, ...], name: str, what: str) -> list[Any]:
    # By exact type: True is an int for isinstance.
    if not isinstance(value, list) or any(type(item) not in types for item in value):
        raise ValueError(f"{name} are no list of {what}")
    return value
