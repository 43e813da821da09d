"""A model's answers to clips it did not learn from, and the doubt they teach it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from genrescope.evaluation.cells import predict_cell
from genrescope.models.doubt import COVERAGE, FEWEST, Calibration
from genrescope.models.statistics import FeatureStatistics
from genrescope.models.strangeness import deviations


def recordings_of(clips: pd.DataFrame) -> "pd.Series[Any]":
    """Name of the recording each clip was cut from, by `clip_id`.

    Parameters
    ----------
    clips : DataFrame [shape=(n, ...)]
        Columns `corpus`, `track`, `genre`; index `clip_id`.

    Returns
    -------
    Series [shape=(n,)]
        Corpus, track and genre; where no track is known, the clip stands for itself.
    """
    tracks = clips["track"].fillna(clips.index.to_series())
    return clips["corpus"] + "/" + tracks + "/" + clips["genre"]


@dataclass(frozen=True)
class KeptAside:
    """Answers to clips that the answering model did not learn from.

    Attributes
    ----------
    predictions : DataFrame [shape=(n, 6 + n_genres)]
        As `predict_cell` gives it.
    deviations : numpy.ndarray [shape=(n, n_features)]
        Of the clips' features, from the training clips of that model.
    recordings : numpy.ndarray of str [shape=(n,)]
        As `recordings_of` gives them.
    known : numpy.ndarray of bool [shape=(n,)]
        Whether the model learned the clip's genre at all.
    genres : tuple of str
        In display order.
    """

    predictions: pd.DataFrame
    deviations: npt.NDArray[np.float64]
    recordings: npt.NDArray[Any]
    known: npt.NDArray[np.bool_]
    genres: tuple[str, ...]

    @classmethod
    def of(
        cls,
        model: Any,
        X: Any,
        vectors: pd.DataFrame,
        clips: pd.DataFrame,
        *,
        statistics: FeatureStatistics,
        genres: Sequence[str],
        seed: int,
    ) -> Self:
        """Ask a model.

        Parameters
        ----------
        model : GenreClassifier
        X : DataFrame or LogMels [shape=(n, ...)]
            What it takes.
        vectors : DataFrame [shape=(n, n_features)]
            The clips' features, whatever it takes.
        clips : DataFrame [shape=(n, ...)]
        statistics : FeatureStatistics
            Of the model's training clips.
        genres : sequence of str
        seed : int
            Of the split.
        """
        predictions = predict_cell(model, X, clips, genres, seed=seed)
        return cls(
            predictions,
            deviations(statistics, vectors),
            recordings_of(clips).to_numpy(dtype=object),
            np.isin(clips["genre"].to_numpy(dtype=object), model.classes_.astype(object)),
            tuple(genres),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Bring the answers of several models together."""
        return cls(
            pd.concat([part.predictions for part in parts], ignore_index=True),
            np.concatenate([part.deviations for part in parts]),
            np.concatenate([part.recordings for part in parts]),
            np.concatenate([part.known for part in parts]),
            parts[0].genres,
        )

    def calibration(self) -> Calibration | None:
        """What they teach of doubt; None where there are fewer than two recordings.

        Clips of a genre that the model never learned say nothing of how well it tells those that
        it did.
        """
        if len(set(self.recordings[self.known])) < FEWEST:
            return None
        predictions = self.predictions[self.known]
        return Calibration.from_clips(
            predictions[list(self.genres)],
            self.deviations[self.known],
            genres=predictions["genre"],
            recordings=self.recordings[self.known],
        )

    def under(self, calibration: Calibration, *, coverage: float = COVERAGE) -> pd.DataFrame:
        """What a calibration made on other recordings says of these.

        Parameters
        ----------
        calibration : Calibration
        coverage : float
            Asked of the prediction sets, in (0, 1).

        Returns
        -------
        DataFrame [shape=(n_recordings, 6)]
            Index the recording; `group`, `genre`, `covered` (whether the set holds the genre),
            `size` (genres in the set), `right` (whether the most probable genre is the true one),
            `unlike`.
        """
        table = self.predictions[list(self.genres)]
        names = pd.Series(self.recordings, table.index)
        facts = self.predictions.groupby(names, sort=False)[["group", "genre"]].first()
        windows = table.groupby(names, sort=False).indices
        answers = table.to_numpy(np.float64)
        rows = []
        for name, genre in facts["genre"].items():
            of = windows[name]
            mean = answers[of].mean(axis=0)
            held = calibration.set_of(mean, coverage=coverage)
            true = self.genres.index(str(genre))
            strangeness = calibration.strangeness_of(answers[of], self.deviations[of])
            rows.append(
                {
                    "covered": bool(held[true]),
                    "size": int(held.sum()),
                    "right": int(mean.argmax()) == true,
                    "unlike": calibration.unlike(strangeness),
                }
            )
        return facts.join(pd.DataFrame(rows, facts.index))


def measured_coverage(
    kept: KeptAside, calibration: Calibration, *, coverage: float = COVERAGE
) -> dict[str, Any]:
    """How prediction sets do on recordings that took no part in training or calibration.

    Returns
    -------
    dict
        `asked` (the coverage), `calibrated_on` and `recordings` (counts), `covered` (recordings
        whose set holds the true genre) with the ends `low` and `high` of its share's 95% interval
        (Wilson 1927, "Probable inference"), `mean_size` (genres in a set), `unlike` (recordings
        called so).
    """
    found = kept.under(calibration, coverage=coverage)
    covered, n = int(found["covered"].sum()), len(found)
    interval = binomtest(covered, n).proportion_ci(method="wilson")
    return {
        "asked": coverage,
        "calibrated_on": calibration.n,
        "recordings": n,
        "covered": covered,
        "low": float(interval.low),
        "high": float(interval.high),
        "mean_size": float(found["size"].mean()),
        "unlike": int(found["unlike"].sum()),
    }
