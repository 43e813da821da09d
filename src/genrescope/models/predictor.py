"""From sound files of any length to genres with probabilities, by windows of five seconds."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.errors import BundleError, ConfigError, GenrescopeError
from genrescope.features.vector import feature_names
from genrescope.models.bundle import Bundle, load_bundle
from genrescope.models.doubt import COVERAGE, Doubt
from genrescope.models.inputs import (
    Need,
    SoundInputs,
    inputs_from_clip,
    inputs_from_file,
    silent_throughout,
)
from genrescope.models.strangeness import deviations


@dataclass(frozen=True)
class FilePrediction:
    """What a model says of one sound.

    Attributes
    ----------
    path : str or None
        The file; None for a waveform.
    duration_s : float
        Length of the whole sound.
    windows : DataFrame [shape=(n_windows, 2 + n_genres)]
        `start_s`, `genre`, and the probability of each genre, for each window that sounds.
    probabilities : Series [shape=(n_genres,)]
        Mean over those windows (`genrescope.models.voting.vote`), in display order.
    genre : str
        The most probable one.
    silent_windows : int
        Windows left out because they are silent.
    doubt : Doubt or None
        The genres it may be and how unusual it is; None where the bundle was not calibrated.
    """

    path: str | None
    duration_s: float
    windows: pd.DataFrame
    probabilities: pd.Series
    genre: str
    silent_windows: int = 0
    doubt: Doubt | None = None

    def frame(self) -> pd.DataFrame:
        """One row: `path`, `duration_s`, `windows`, `genre`, a probability per genre."""
        facts = {
            "path": self.path,
            "duration_s": self.duration_s,
            "windows": len(self.windows),
            "genre": self.genre,
        }
        return pd.DataFrame([facts | {str(k): v for k, v in self.probabilities.items()}])


class Predictor:
    """A trained model that answers for sound.

    Parameters
    ----------
    bundle : Bundle
        Of a model trained on this program's features or log-mel spectrograms.
    coverage : float
        Of the prediction sets, in (0, 1).

    Raises
    ------
    BundleError
        Where the model was trained on a table of other features, which cannot be computed here.
    ConfigError
        Where the coverage is out of range.

    Attributes
    ----------
    bundle : Bundle
    coverage : float
    need : Need
        What the model takes of a sound.
    needs : tuple of Need
        The same, and what else it takes to measure the doubt.

    Examples
    --------
    >>> from genrescope.features.vector import extract
    >>> from genrescope.models import create_model
    >>> from genrescope.models.bundle import save_bundle
    >>> from genrescope.settings import AudioSettings, FeatureSettings
    >>> import tempfile
    >>> time_s = np.arange(110250) / 22050
    >>> clips = np.stack([np.sin(2 * np.pi * hertz * time_s) for hertz in (110, 120, 3000, 3300)])
    >>> model = create_model("forest", n_estimators=10)
    >>> model = model.fit(extract(clips, log_mels=False).vectors, ["low", "low", "high", "high"])
    >>> folder = save_bundle(
    ...     f"{tempfile.mkdtemp()}/pitch", model, genres=["low", "high"], taxonomy={},
    ...     audio=AudioSettings(), features=FeatureSettings(),
    ... )
    >>> Predictor.load(folder).from_clip(np.sin(2 * np.pi * 115 * time_s)).genre
    'low'
    """

    def __init__(self, bundle: Bundle, *, coverage: float = COVERAGE) -> None:
        if not 0 < coverage < 1:
            raise ConfigError(f"a coverage lies between 0 and 1, and {coverage:g} does not")
        info = bundle.info
        if info.audio is None or info.features is None:
            few = ", ".join((info.feature_names or ())[:3])
            raise BundleError(
                "the model was trained on a table of other features"
                + (f" ({few}, ...)" if few else "")
                + ", which genrescope cannot compute from sound"
            )
        self.bundle = bundle
        self.coverage = coverage
        self.need = Need(info.audio, info.features, bundle.model.input)
        self._vectors = Need(info.audio, info.features, "vectors")
        doubted = () if bundle.calibration is None else (self._vectors,)
        self.needs = tuple(dict.fromkeys((self.need, *doubted)))

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, coverage: float = COVERAGE) -> Self:
        """Load a bundle to predict with.

        Raises
        ------
        BundleError
            As `load_bundle` does, and where the model takes other features.
        ConfigError
            Where the coverage is out of range.
        """
        try:
            return cls(load_bundle(folder), coverage=coverage)
        except BundleError as error:
            if error.path is not None:
                raise
            raise BundleError(error.reason, path=folder) from error

    @property
    def genres(self) -> tuple[str, ...]:
        """The genres it can answer, in display order."""
        return self.bundle.info.genres

    def from_clip(self, waveform: npt.ArrayLike) -> FilePrediction:
        """Predict a waveform.

        Parameters
        ----------
        waveform : array-like [shape=(n,)]
            Mono, at the sample rate of the bundle's audio settings (22,050 Hz by default), full
            scale at -1 and 1, of any length from half a second up.

        Returns
        -------
        FilePrediction

        Raises
        ------
        AudioError
            `too-short`, `silent` or `non-finite`.
        """
        return self._predict(inputs_from_clip(waveform, self.needs))

    def from_file(self, path: str | os.PathLike[str]) -> FilePrediction:
        """Predict a sound file of any length, by consecutive windows.

        A last window that is not half full is left out, unless it is the only one.

        Parameters
        ----------
        path : path-like
            Any file libsndfile reads; it is read in parts, so that memory stays the same
            whatever its length.

        Returns
        -------
        FilePrediction

        Raises
        ------
        AudioError
            Where the file cannot be read, is shorter than half a second, or is silent throughout.
        """
        return self._predict(inputs_from_file(path, self.needs))

    def from_files(
        self, paths: Iterable[str | os.PathLike[str]]
    ) -> Iterator[FilePrediction | GenrescopeError]:
        """Predict files one after another; one that cannot be used does not stop the rest.

        Parameters
        ----------
        paths : iterable of path-like

        Yields
        ------
        FilePrediction or GenrescopeError
            In the order of the paths: the answer, or why there is none.
        """
        for path in paths:
            try:
                yield self.from_file(path)
            except GenrescopeError as error:
                yield error

    def tables(self, sounds: Sequence[SoundInputs]) -> list[npt.NDArray[np.float64]]:
        """Ask the model once for the windows of several sounds.

        Parameters
        ----------
        sounds : sequence of SoundInputs
            Each holding an array for every one of `needs`.

        Returns
        -------
        list of numpy.ndarray [shape=(n_windows, n_genres) or (n_windows, n_genres + n_features)]
            Of the windows of each sound: probabilities, columns in display order; behind them,
            where the bundle is calibrated, each feature's deviation from the nearest genre.
        """
        counts = [len(sound.starts_s) for sound in sounds]
        table = np.zeros((sum(counts), len(self.genres)))
        if len(table):
            X: Any = np.concatenate([sound.arrays[self.need] for sound in sounds])
            model = self.bundle.model
            if hasattr(model, "feature_names_in_"):
                X = pd.DataFrame(X, columns=list(feature_names(self.need.features)))
            columns = [self.genres.index(name) for name in model.classes_]
            with np.errstate(over="ignore", invalid="ignore"):
                table[:, columns] = model.predict_proba(X)
            if not np.isfinite(table).all():
                raise BundleError("the model's weights are unsound: its answer is no number")
        if self.bundle.calibration is not None:
            assert self.bundle.statistics is not None  # the bundle has seen to it
            vectors = [sound.arrays[self._vectors] for sound in sounds]
            apart = deviations(self.bundle.statistics, np.concatenate(vectors))
            table = np.concatenate([table, apart], axis=1)
        return np.split(table, np.cumsum(counts)[:-1])

    def answer(self, sound: SoundInputs, table: npt.NDArray[np.float64]) -> FilePrediction:
        """Bring the answers to the windows of a whole sound together.

        Parameters
        ----------
        sound : SoundInputs
            Its arrays are not looked at.
        table : numpy.ndarray [shape=(n_windows, ...)]
            From `tables`.

        Raises
        ------
        AudioError
            `silent` where there is no window.
        """
        if not len(table):
            raise silent_throughout(sound.path)
        names, n_genres = np.array(self.genres), len(self.genres)
        windows = pd.DataFrame(table[:, :n_genres], columns=list(self.genres))
        # The vote of one track: grouping would take longer than all else that is done here.
        mean = windows.mean().rename("probability")
        mean.index.name = "genre"
        doubt = self._doubt(windows, table[:, n_genres:])
        windows.insert(0, "genre", names[table[:, :n_genres].argmax(axis=1)])
        windows.insert(0, "start_s", sound.starts_s)
        return FilePrediction(
            path=sound.path,
            duration_s=sound.duration_s,
            windows=windows,
            probabilities=mean,
            genre=str(names[int(np.argmax(mean.to_numpy()))]),
            silent_windows=sound.silent_windows,
            doubt=doubt,
        )

    def _doubt(self, probabilities: pd.DataFrame, apart: npt.NDArray[np.float64]) -> Doubt | None:
        calibration, statistics = self.bundle.calibration, self.bundle.statistics
        if calibration is None or statistics is None:
            return None
        features = pd.DataFrame(apart, columns=list(statistics.features))
        return calibration.doubt(probabilities, features, coverage=self.coverage)

    def _predict(self, parts: Iterable[SoundInputs]) -> FilePrediction:
        # Only the answers of a long sound are kept, not what they were given for.
        tables, passed = [], []
        for part in parts:
            tables += self.tables([part])
            passed.append(replace(part, arrays={}))
        return self.answer(SoundInputs.joined(passed), np.concatenate(tables))
