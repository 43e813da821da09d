"""From sound files of any length to genres with probabilities, by windows of five seconds."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.audio.decode import MP3_SLACK_SHARE, decode
from genrescope.audio.fit import SHORTEST_S, SILENT_PEAK, fit
from genrescope.audio.probe import AudioInfo, probe
from genrescope.errors import AudioError, BundleError, GenrescopeError
from genrescope.features.vector import extract, feature_names
from genrescope.models.bundle import Bundle, load_bundle
from genrescope.models.voting import vote
from genrescope.settings import AudioSettings, FeatureSettings

WINDOWS_PER_BATCH = 32  # 160 s of sound, 14 MB: memory does not grow with the file
Waveform = npt.NDArray[np.float32]


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
    """

    path: str | None
    duration_s: float
    windows: pd.DataFrame
    probabilities: pd.Series
    genre: str
    silent_windows: int = 0

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

    Raises
    ------
    BundleError
        Where the model was trained on a table of other features, which cannot be computed here.

    Examples
    --------
    >>> from genrescope.models import create_model
    >>> from genrescope.models.bundle import save_bundle
    >>> import tempfile
    >>> time_s = np.arange(110250) / 22050
    >>> clips = np.stack([np.sin(2 * np.pi * hertz * time_s) for hertz in (110, 120, 3000, 3300)])
    >>> model = create_model("forest", n_estimators=10)
    >>> model = model.fit(extract(clips, log_mels=False).vectors, ["low", "low", "high", "high"])
    >>> folder = save_bundle(
    ...     Path(tempfile.mkdtemp()) / "pitch", model, genres=["low", "high"], taxonomy={},
    ...     audio=AudioSettings(), features=FeatureSettings(),
    ... )
    >>> Predictor.load(folder).from_clip(np.sin(2 * np.pi * 115 * time_s)).genre
    'low'
    """

    def __init__(self, bundle: Bundle) -> None:
        info = bundle.info
        if info.audio is None or info.features is None:
            few = ", ".join((info.feature_names or ())[:3])
            raise BundleError(
                "the model was trained on a table of other features"
                + (f" ({few}, ...)" if few else "")
                + ", which genrescope cannot compute from sound"
            )
        self.bundle = bundle
        self._audio: AudioSettings = info.audio
        self._features: FeatureSettings = info.features

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Load a bundle to predict with.

        Raises
        ------
        BundleError
            As `load_bundle` does, and where the model takes other features.
        """
        try:
            return cls(load_bundle(folder))
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
        sound = np.asarray(waveform, dtype=np.float32)
        if sound.ndim != 1:
            raise AudioError(f"a waveform has one dimension, this one has {sound.ndim}")
        if not np.isfinite(sound).all():
            raise AudioError("the waveform holds NaN or infinity", kind="non-finite")
        length = WINDOWS_PER_BATCH * self._audio.clip_samples
        parts = (sound[start : start + length] for start in range(0, len(sound), length))
        return self._predict(parts, len(sound) / self._audio.sample_rate, path=None)

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
        info = probe(path)
        return self._predict(self._parts(info), info.duration_s, path=info.path)

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

    def _parts(self, info: AudioInfo) -> Iterator[Waveform]:
        """Sound of a file, a batch of windows at a time."""
        audio = self._audio
        window_s = audio.clip_samples / audio.sample_rate
        start_s = 0.0
        while start_s == 0 or info.duration_s - start_s >= window_s / 2:
            part_s = WINDOWS_PER_BATCH * window_s
            try:
                part = decode(
                    info.path, start_s=start_s, duration_s=part_s, sample_rate=audio.sample_rate
                )
            except AudioError as error:
                # The length of an MP3 file is an estimate: one that ends early is whole.
                near_end = start_s > (1 - MP3_SLACK_SHARE) * info.duration_s
                if info.format == "MP3" and error.kind == "truncated" and near_end:
                    return
                raise
            yield part
            start_s += part_s

    def _predict(
        self, parts: Iterable[Waveform], duration_s: float, *, path: str | None
    ) -> FilePrediction:
        audio = self._audio
        if duration_s < SHORTEST_S:
            raise AudioError(
                f"{duration_s:.2f} s of sound are too short to say anything: it takes "
                f"{SHORTEST_S:g} s",
                path=path,
                kind="too-short",
            )
        starts: list[float] = []
        tables: list[npt.NDArray[np.float64]] = []
        silent = done = 0
        for part in parts:
            windows, offsets = self._cut(part, first=done == 0)
            sounding = [
                k for k, window in enumerate(windows) if np.abs(window).max() >= SILENT_PEAK
            ]
            silent += len(windows) - len(sounding)
            if sounding:
                starts += [(done + offsets[k]) / audio.sample_rate for k in sounding]
                tables.append(self._probabilities(np.stack([windows[k] for k in sounding])))
            done += len(part)
        if not tables:
            raise AudioError("the sound is silent throughout", path=path, kind="silent")
        return self._summary(starts, np.concatenate(tables), duration_s, silent, path)

    def _cut(self, part: Waveform, *, first: bool) -> tuple[list[Waveform], list[int]]:
        """Windows of a stretch of sound, and the sample each begins at."""
        length = self._audio.clip_samples
        windows, offsets = [], []
        for offset in range(0, len(part), length):
            window = part[offset : offset + length]
            only = first and offset == 0
            if len(window) < length / 2 and not only:
                continue
            windows.append(fit(window, samples=length, how=self._audio.fit))
            offsets.append(offset)
        return windows, offsets

    def _probabilities(self, windows: Waveform) -> npt.NDArray[np.float64]:
        """Probabilities of windows, columns in display order [shape=(n, n_genres)]."""
        model = self.bundle.model
        pictures = model.input == "log_mels"
        found = extract(
            windows,
            audio=self._audio,
            features=self._features,
            vectors=not pictures,
            log_mels=pictures,
        )
        X: Any = found.log_mels if pictures else found.vectors
        if hasattr(model, "feature_names_in_"):
            X = pd.DataFrame(X, columns=list(feature_names(self._features)))
        known = model.predict_proba(X)
        table = np.zeros((len(windows), len(self.genres)))
        table[:, [self.genres.index(name) for name in model.classes_]] = known
        return table

    def _summary(
        self,
        starts: list[float],
        table: npt.NDArray[np.float64],
        duration_s: float,
        silent: int,
        path: str | None,
    ) -> FilePrediction:
        names = np.array(self.genres)
        windows = pd.DataFrame(table, columns=list(self.genres))
        mean = vote(windows, np.zeros(len(windows))).iloc[0].rename("probability")
        mean.index.name = "genre"
        windows.insert(0, "genre", names[table.argmax(axis=1)])
        windows.insert(0, "start_s", starts)
        return FilePrediction(
            path=path,
            duration_s=duration_s,
            windows=windows,
            probabilities=mean,
            genre=str(names[int(np.argmax(mean.to_numpy()))]),
            silent_windows=silent,
        )
