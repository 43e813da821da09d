"""From sound to explanations: the same ladder as `genrescope.models.predictor.Predictor`."""

import os
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.audio.at_hand import sound_at_hand
from genrescope.audio.fit import load_clip
from genrescope.errors import ConfigError
from genrescope.explanations import shapley
from genrescope.explanations.explanation import ExplainedClip, Explanation
from genrescope.features.vector import extract, feature_names
from genrescope.models.bundle import Bundle
from genrescope.models.predictor import FilePrediction, Predictor
from genrescope.remote import AtHand
from genrescope.settings import nearest

MOMENTS = 3


@dataclass(frozen=True)
class FileExplanation:
    """Why a model heard a genre in a recording.

    Attributes
    ----------
    prediction : FilePrediction
        Of the whole recording.
    target : str
        The genre asked about.
    against : str or None
        The genre it was held against.
    moments : tuple of Explanation
        Of the windows in which the model is surest of the target, the surest first.
    """

    prediction: FilePrediction
    target: str
    against: str | None
    moments: tuple[Explanation, ...]


class Explainer:
    """A trained model that says why.

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
    >>> from genrescope.settings import AudioSettings, FeatureSettings
    >>> from genrescope.models import create_model
    >>> from genrescope.models.bundle import load_bundle, save_bundle
    >>> import tempfile
    >>> time_s = np.arange(110250) / 22050
    >>> clips = np.stack([np.sin(2 * np.pi * hertz * time_s) for hertz in (110, 120, 3000, 3300)])
    >>> model = create_model("forest", n_estimators=10)
    >>> model = model.fit(extract(clips, log_mels=False).vectors, ["low", "low", "high", "high"])
    >>> folder = save_bundle(
    ...     f"{tempfile.mkdtemp()}/pitch", model, genres=["low", "high"], taxonomy={},
    ...     audio=AudioSettings(), features=FeatureSettings(),
    ... )
    >>> why = Explainer(load_bundle(folder)).from_clip(np.sin(2 * np.pi * 115 * time_s))
    >>> why.target, len(why.frame()), why.quality["residual"] < 1e-6
    ('low', 75, True)
    """

    def __init__(self, bundle: Bundle) -> None:
        self.predictor = Predictor(bundle)
        self.bundle = bundle

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Load a bundle to explain with.

        Raises
        ------
        BundleError
            As `Predictor.load`.
        """
        return cls(Predictor.load(folder).bundle)

    def check_question(
        self, *, target: str | None, against: str | None, method: str | None
    ) -> None:
        """Refuse a question that this model cannot be asked.

        Raises
        ------
        ConfigError
            Where a genre is none of the model's, the target is held against itself or left out
            beside `against`, or the method is for another kind of model.
        """
        classes = [str(name) for name in self.bundle.model.classes_]
        for genre in (target, against):
            if genre is not None and genre not in classes:
                raise ConfigError(f"the model knows no genre {genre!r}: {nearest(genre, classes)}")
        if against is not None and against == target:
            raise ConfigError(f"{target} cannot be held against itself")
        known = self.methods
        if method is not None and method not in known:
            raise ConfigError(
                f"{method!r} does not explain a {self.bundle.info.kind} model: "
                f"{nearest(method, known)}"
            )

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that explain this kind of model, the recommended one first."""
        if self.bundle.model.input == "vectors":
            return (shapley.METHODS[self.bundle.info.kind],)
        from genrescope.explanations.maps import METHODS

        return tuple(METHODS)

    def from_clip(
        self,
        waveform: npt.ArrayLike,
        *,
        target: str | None = None,
        against: str | None = None,
        method: str | None = None,
        beside: tuple[str, ...] = (),
        path: str | None = None,
        start_s: float = 0.0,
        sound_s: float | None = None,
    ) -> Explanation:
        """Explain the answer to one clip.

        Parameters
        ----------
        waveform : array-like [shape=(clip_samples,)]
            Mono, at the sample rate and of the length of the bundle's audio settings.
        target : str, optional
            The genre to ask about; the most probable one where not given.
        against : str, optional
            Ask why the target rather than this genre.
        method : str, optional
            One of `methods`; the first where not given.
        beside : tuple of str
            Further methods whose maps are shown next to it.
        path, start_s, sound_s
            Where the clip comes from, and how much sound it holds if it was looped or padded.

        Returns
        -------
        FeatureExplanation or MapExplanation

        Raises
        ------
        ConfigError
            As `check_question`.
        ValueError
            Where the waveform has another shape.
        AudioError
            `non-finite` where a sample is NaN or infinite.
        """
        self.check_question(target=target, against=against, method=method)
        info, model = self.bundle.info, self.bundle.model
        assert info.audio is not None  # the predictor has seen to both
        assert info.features is not None
        sound = np.asarray(waveform, dtype=np.float32)
        found = extract(sound[np.newaxis], audio=info.audio, features=info.features)
        clip = ExplainedClip(
            waveform=sound,
            vector=pd.Series(found.vectors[0], index=list(feature_names(info.features))),
            log_mel=found.log_mels[0],
            audio=info.audio,
            features=info.features,
            path=path,
            start_s=start_s,
            sound_s=sound_s,
        )
        pictures = model.input == "log_mels"
        X: Any = found.log_mels if pictures else clip.vector.to_frame().T
        if not pictures and not hasattr(model, "feature_names_in_"):
            X = X.to_numpy()
        answers = dict(zip(map(str, model.classes_), model.predict_proba(X)[0], strict=True))
        probabilities = pd.Series({g: float(answers.get(g, 0.0)) for g in info.genres})
        target = target or str(probabilities.drop([against] if against else []).idxmax())
        question: dict[str, Any] = {"clip": clip, "target": target, "against": against}
        facts: dict[str, Any] = {
            "probabilities": probabilities,
            "statistics": self.bundle.statistics,
        }
        if pictures:
            from genrescope.explanations.map_explanation import MapExplanation

            method = method or self.methods[0]
            return MapExplanation.of_network(
                model, **question, method=method, beside=beside, **facts
            )
        from genrescope.explanations.feature_explanation import FeatureExplanation

        return FeatureExplanation.of_features(model, **question, **facts)

    def from_file(
        self,
        path: str | os.PathLike[str],
        *,
        target: str | None = None,
        against: str | None = None,
        method: str | None = None,
        beside: tuple[str, ...] = (),
        moments: int = MOMENTS,
    ) -> FileExplanation:
        """Explain the answer to a recording by its most telling moments.

        Parameters
        ----------
        path : path-like
            Any file libsndfile reads, of any length.
        target : str, optional
            The genre to ask about; that of the whole recording where not given.
        against, method, beside
            As in `from_clip`.
        moments : int
            Windows explained at most.

        Returns
        -------
        FileExplanation

        Raises
        ------
        ConfigError
            As `check_question`.
        AudioError
            As `Predictor.from_file`.
        """
        self.check_question(target=target, against=against, method=method)
        with sound_at_hand(path) as sound:
            return self._of_sound(
                sound,
                target=target,
                against=against,
                method=method,
                beside=beside,
                moments=moments,
            )

    def _of_sound(
        self,
        sound: AtHand,
        *,
        target: str | None,
        against: str | None,
        method: str | None,
        beside: tuple[str, ...],
        moments: int,
    ) -> FileExplanation:
        prediction = self.predictor.from_file(sound)
        overall = prediction.probabilities
        target = target or str(overall.drop([against] if against else []).idxmax())
        lead = prediction.windows[target]
        if against is not None:
            lead = lead - prediction.windows[against]
        surest = lead.sort_values(ascending=False, kind="stable").index[:moments]
        explained = [
            self.from_clip(
                load_clip(sound, start_s=start_s, audio=self.bundle.info.audio),
                target=target,
                against=against,
                method=method,
                beside=beside,
                path=sound.name,
                start_s=start_s,
                sound_s=prediction.duration_s - start_s,
            )
            for start_s in prediction.windows.loc[surest, "start_s"].astype(float)
        ]
        return FileExplanation(prediction, target, against, tuple(explained))
