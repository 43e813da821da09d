"""One answer explained: what all explanations have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.explanations.words import Region, load_language
from genrescope.features.beats import beat_times
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import AudioSettings, FeatureSettings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float32]
Scale = Literal["log-odds", "probability", "logit"]


@dataclass(frozen=True, kw_only=True)
class ExplainedClip:
    """The clip that was explained, and what the models see of it.

    Attributes
    ----------
    waveform : numpy.ndarray [shape=(clip_samples,)]
        Mono, full scale at -1 and 1.
    vector : Series [shape=(n_features,)]
        By feature.
    log_mel : numpy.ndarray [shape=(n_mels, frames)]
        Decibels.
    audio, features : AudioSettings, FeatureSettings
        How the latter two were made.
    path : str or None
        The file it comes from.
    start_s : float
        Where in the file it begins, in seconds.
    sound_s : float or None
        How much of the file it holds, where the sound was too short and had to be looped or padded.
    """

    waveform: Floats
    vector: "pd.Series[float]"
    log_mel: Floats
    audio: AudioSettings
    features: FeatureSettings
    path: str | None = None
    start_s: float = 0.0
    sound_s: float | None = None

    @property
    def end_s(self) -> float:
        """Where in the file it ends, in seconds."""
        seconds = self.audio.clip_seconds
        return self.start_s + (seconds if self.sound_s is None else min(self.sound_s, seconds))

    @property
    def is_short(self) -> bool:
        """Whether the sound was shorter than a clip."""
        return self.end_s < self.start_s + self.audio.clip_seconds

    def beats(self) -> npt.NDArray[np.float64]:
        """Times of the beats in seconds from the clip's start; none where there is no pulse."""
        found = beat_times(self.waveform, audio=self.audio, features=self.features)
        return found if len(found) > 1 else found[:0]


@dataclass(frozen=True, kw_only=True)
class Explanation(ABC):
    """Why a model gave a clip the probability of a genre that it gave.

    Attributes
    ----------
    clip : ExplainedClip
    method : str
        `tree_shap`, `linear_shap`, `permutation_shap`, `occlusion` or `grad_cam`.
    target : str
        The genre asked about.
    against : str or None
        The genre it was held against, where the question was why the one rather than the other.
    values : Series or numpy.ndarray
        What each feature, or each place of the spectrogram, contributed.
    scale : str
        What the values are measured in: `log-odds`, `probability` or `logit`.
    baseline : float
        The model's answer before it knows the clip, on that scale: its mean answer for trees, its
        answer to the mean level of the training clips for the network.
    answer : float
        The model's answer to the clip, on that scale.
    probabilities : Series
        Of each genre, in display order.
    statistics : FeatureStatistics or None
        Of the clips the model learned from.
    quality : dict of str to float
        Figures that say how far the explanation can be trusted.
    """

    clip: ExplainedClip
    method: str
    target: str
    against: str | None
    values: Any
    scale: Scale
    baseline: float
    answer: float
    probabilities: "pd.Series[float]"
    statistics: FeatureStatistics | None = None
    quality: Mapping[str, float] = field(default_factory=dict)

    @property
    def predicted(self) -> str:
        """The most probable genre."""
        return str(self.probabilities.idxmax())

    @property
    def reference(self) -> str:
        """The genre whose training clips this one is compared with: the closest rival."""
        return self.against or str(self.probabilities.drop(self.target).idxmax())

    @property
    def title(self) -> str:
        """The file and the seconds of it that were explained."""
        clip = self.clip
        seconds = f"{clip.start_s:g} to {round(clip.end_s, 1):g} s"
        if clip.is_short:
            seconds += ", looped" if clip.audio.fit == "loop" else ", silence after it"
        return f"{Path(self.clip.path).name}, {seconds}" if self.clip.path else seconds

    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """Every value in a row of its own."""

    @abstractmethod
    def reasons(self, language: str = "en", *, most: int = 3) -> list[str]:
        """Sentences that say what decided."""

    @abstractmethod
    def bars(self, language: str = "en") -> "pd.Series[float]":
        """What decided, summed into a few named parts; `name` says what the bars measure."""

    @abstractmethod
    def maps(self) -> dict[str, Floats]:
        """Maps over the spectrogram, by method; none where features were explained."""

    def regions(self, *, most: int = 3) -> list[Region]:  # noqa: ARG002 (a map has them)
        """The strongest regions of a map; none where features were explained."""
        return []

    def sentences(self, language: str = "en", *, most: int = 3) -> list[str]:
        """What the model heard and why, in words.

        Parameters
        ----------
        language : str
            One of `genrescope.explanations.words.languages`.
        most : int
            Reasons at most.

        Returns
        -------
        list of str
            The outcome first.

        Raises
        ------
        ConfigError
            Where there are no words in the language.
        """
        outcome = load_language(language).outcome(self.target, self.probabilities)
        return [outcome, *self.reasons(language, most=most)]

    def to_audio(self) -> dict[str, Floats]:
        """Sounds at the clip's sample rate: the `clip`, and with a map the parts it makes of it.

        Returns
        -------
        dict of str to numpy.ndarray [shape=(clip_samples,)]
        """
        return {"clip": self.clip.waveform}

    def plot(
        self, language: str = "en", *, title: str | None = None, sentences: bool = True
    ) -> "Figure":
        """Draw the picture of the explanation.

        Parameters
        ----------
        language : str
            Of the sentences.
        title : str, optional
            Printed above; the file and the seconds where not given.
        sentences : bool
            Whether the sentences are printed too.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from genrescope.figures.explained import explained_figure

        return explained_figure(
            self.clip.log_mel,
            self.maps(),
            waveform=self.clip.waveform,
            beats_s=self.clip.beats(),
            bars=self.bars(language),
            probabilities=self.probabilities,
            target=self.target,
            sentences=self.sentences(language) if sentences else (),
            title=self.title if title is None else title,
            audio=self.clip.audio,
            features=self.clip.features,
        )

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """The explanation as JSON can hold it; a map's values are left to `frame`."""
        return {
            "start_s": self.clip.start_s,
            "end_s": self.clip.end_s,
            "method": self.method,
            "target": self.target,
            "against": self.against,
            "scale": self.scale,
            "baseline": self.baseline,
            "answer": self.answer,
            "probabilities": {str(k): float(v) for k, v in self.probabilities.items()},
            "sentences": self.sentences(language),
            "quality": {
                name: float(value) if np.isfinite(value) else None
                for name, value in self.quality.items()
            },
        }
