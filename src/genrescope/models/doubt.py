"""How far an answer can be trusted: the genres it may be, and whether it is like anything known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.errors import BundleError
from genrescope.models.arrays_file import Shape, read_arrays, write_arrays
from genrescope.models.prediction_sets import prediction_sets, threshold
from genrescope.models.strangeness import indecision
from genrescope.models.voting import vote

Floats = npt.NDArray[np.float64]

COVERAGE = 0.9
FALSE_ALARMS = 0.05  # share of recordings like the training's that may be called unlike it
FEWEST = 2  # recordings: of a single one nothing has a spread
FEATURES_NAMED = 3


@dataclass(frozen=True)
class Doubt:
    """What a bundle's calibration says beside an answer.

    Attributes
    ----------
    genres : tuple of str
        The prediction set: with the stated coverage the true genre is among them. In display
        order, never empty.
    coverage : float
        Share of recordings, in (0, 1), whose genre such sets hold, as long as they come from
        where the training recordings came from.
    unusual : float
        Share, in [0, 1], of the recordings kept aside at training that lie nearer to the training
        clips than this one.
    unlike : bool
        Whether it lies so far from the training clips that it is unlike anything among them: at
        most one in twenty recordings from where those came from is called so.
    enough : bool
        Whether recordings enough were kept aside to state the coverage; where not, the set holds
        every genre.
    features : tuple of str
        The features in which it lies farthest from the nearest genre, the farthest first.
    """

    genres: tuple[str, ...]
    coverage: float
    unusual: float
    unlike: bool
    enough: bool = True
    features: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a model did on recordings kept aside, by which the doubt of new answers is measured.

    The strangeness of a recording is a sum of two parts, each divided by its standard deviation
    over those recordings: how far its windows lie from the training clips (the length of their
    `genrescope.models.strangeness.deviations`) and how undecided the model is about them (their
    entropy), both averaged over the windows.

    Parameters
    ----------
    scores : numpy.ndarray [shape=(n,)]
        One minus the probability of the true genre of each recording, rising.
    strangeness : numpy.ndarray [shape=(n,)]
        Of each recording, rising.
    units : numpy.ndarray [shape=(2,)]
        The two standard deviations.

    Raises
    ------
    ValueError
        Where shapes, order or range of the numbers are not as above.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [0.9, 0.8, 0.3], "b": [0.1, 0.2, 0.7]})
    >>> kept = Calibration.from_clips(
    ...     answers, np.eye(3), genres=["a", "a", "b"], recordings=["1", "1", "2"]
    ... )
    >>> kept.scores.round(2).tolist()
    [0.15, 0.3]
    >>> kept.set_of([0.8, 0.2], coverage=0.6).tolist(), kept.enough(0.9)
    ([True, False], False)
    """

    scores: Floats
    strangeness: Floats
    units: Floats

    def __post_init__(self) -> None:
        n = len(self.scores)
        if n < FEWEST or self.scores.shape != (n,) or self.strangeness.shape != (n,):
            raise ValueError(f"scores and strangeness are not of the same {FEWEST} recordings")
        if self.units.shape != (2,) or not (self.units > 0).all():
            raise ValueError("units are not two positive numbers")
        for name in ("scores", "strangeness"):
            values = getattr(self, name)
            if not np.isfinite(values).all() or (np.diff(values) < 0).any() or values[0] < 0:
                raise ValueError(f"{name} are negative, not finite or not rising")
        if self.scores[-1] > 1:
            raise ValueError("scores are above 1")

    @classmethod
    def from_clips(
        cls,
        probabilities: pd.DataFrame,
        deviations: Floats,
        *,
        genres: npt.ArrayLike,
        recordings: npt.ArrayLike,
    ) -> Self:
        """Calibrate on clips that the model did not learn from.

        Parameters
        ----------
        probabilities : DataFrame [shape=(n, n_genres)]
            The model's answers, a column per genre.
        deviations : numpy.ndarray [shape=(n, n_features)]
            As `genrescope.models.strangeness.deviations` gives them.
        genres, recordings : array [shape=(n,)]
            Of each clip; the clips of a recording, all of one genre, have one answer together.

        Raises
        ------
        ValueError
            Where there are fewer than two recordings, or one has several genres.
        """
        names = pd.Series(np.asarray(recordings), index=probabilities.index)
        true = pd.Series(np.asarray(genres), index=probabilities.index)
        of_recording = true.groupby(names, sort=False).first()
        strays = names[true != names.map(of_recording)]
        if len(strays):
            raise ValueError(f"the clips of {strays.iloc[0]} are of more than one genre")
        voted = vote(probabilities, names)
        column = probabilities.columns.get_indexer(pd.Index(of_recording))
        if len(voted) < FEWEST:
            raise ValueError(f"{len(voted)} recordings are too few to calibrate on")
        parts = vote(
            pd.DataFrame(_parts(probabilities.to_numpy(np.float64), deviations), names.index), names
        ).to_numpy()
        units = parts.std(axis=0)
        units[units == 0] = 1.0
        scores = 1 - voted.to_numpy(np.float64)[np.arange(len(voted)), column]
        # A sum of probabilities may exceed 1 by a rounding.
        return cls(np.sort(scores.clip(0, 1)), np.sort((parts / units).sum(axis=1)), units)

    @property
    def n(self) -> int:
        """Recordings kept aside."""
        return len(self.scores)

    def enough(self, coverage: float) -> bool:
        """Whether they are enough to vouch for a coverage."""
        return bool(np.isfinite(threshold(self.scores, coverage)))

    def set_of(self, probabilities: npt.ArrayLike, *, coverage: float) -> npt.NDArray[np.bool_]:
        """Which genres the prediction set of a recording holds [shape=(n_genres,)]."""
        row = np.asarray(probabilities, dtype=np.float64)[np.newaxis]
        held: npt.NDArray[np.bool_] = prediction_sets(row, threshold(self.scores, coverage))[0]
        return held

    def strangeness_of(self, probabilities: Floats, deviations: Floats) -> float:
        """Strangeness of a recording.

        Parameters
        ----------
        probabilities : numpy.ndarray [shape=(n_windows, n_genres)]
        deviations : numpy.ndarray [shape=(n_windows, n_features)]
        """
        return float((_parts(probabilities, deviations).mean(axis=0) / self.units).sum())

    def unusual(self, strangeness: float) -> float:
        """Share of the recordings kept aside that are less strange."""
        return float(np.searchsorted(self.strangeness, strangeness, side="left") / self.n)

    def unlike(self, strangeness: float) -> bool:
        """Whether a recording is stranger than the training clips can account for.

        That is, whether its conformal p-value, `(1 + those kept aside that are as strange) /
        (n + 1)`, is at most 0.05: Bates et al. 2023, "Testing for outliers with conformal
        p-values". With fewer than 19 recordings kept aside none is called so.
        """
        stranger = self.n - np.searchsorted(self.strangeness, strangeness, side="left")
        return bool(1 + stranger <= FALSE_ALARMS * (self.n + 1))

    def doubt(
        self,
        probabilities: pd.DataFrame,
        deviations: pd.DataFrame,
        *,
        coverage: float = COVERAGE,
    ) -> Doubt:
        """What is to be said beside the answer to a recording.

        Parameters
        ----------
        probabilities : DataFrame [shape=(n_windows, n_genres)]
            Columns in display order.
        deviations : DataFrame [shape=(n_windows, n_features)]
            As `genrescope.models.strangeness.deviations` gives them.
        coverage : float
            Of the prediction set, in (0, 1).
        """
        table, apart = probabilities.to_numpy(np.float64), deviations.to_numpy(np.float64)
        strangeness = self.strangeness_of(table, apart)
        held = self.set_of(table.mean(axis=0), coverage=coverage)
        farthest = np.argsort(-(apart**2).mean(axis=0), kind="stable")[:FEATURES_NAMED]
        return Doubt(
            genres=tuple(map(str, probabilities.columns[held])),
            coverage=coverage,
            unusual=self.unusual(strangeness),
            unlike=self.unlike(strangeness),
            enough=self.enough(coverage),
            features=tuple(map(str, deviations.columns[farthest])),
        )

    def save(self, path: Path) -> None:
        """Write it as a file of arrays."""
        write_arrays(path, scores=self.scores, strangeness=self.strangeness, units=self.units)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; nothing in it is taken on trust.

        Raises
        ------
        BundleError
            Saying what is wrong with it.
        """
        shapes: dict[str, Shape] = {
            "scores": ("recordings",),
            "strangeness": ("recordings",),
            "units": (2,),
        }
        arrays = read_arrays(path, shapes, positive=("units",))
        try:
            return cls(**arrays)
        except ValueError as error:
            raise BundleError(f"is damaged: {error}", path=path) from error


def _parts(probabilities: Floats, deviations: Floats) -> Floats:
    """Distance and indecision of clips [shape=(n, 2)]."""
    distances = np.sqrt((deviations**2).sum(axis=1))
    return np.column_stack([distances, indecision(probabilities)])
