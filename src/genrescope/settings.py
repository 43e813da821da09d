"""Groups of settings, and what they have in common: unknown keys are refused, with a hint."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from genrescope.errors import ConfigError
from genrescope.remote import place_of

NAME = r"^[a-z0-9]+([-_][a-z0-9]+)*$"  # of corpora and models


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint naming the known word nearest to an unknown one, or all of them.

    Examples
    --------
    >>> nearest("forrest", ["forest", "boosting"])
    'did you mean forest?'
    >>> nearest("svm", ["forest", "boosting"])
    'known are boosting, forest'
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"


class Settings(BaseModel):
    """A frozen group of settings that refuses keys it does not know, naming the nearest one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, content: Any) -> Any:
        if isinstance(content, Mapping):
            for key in content:
                if key not in cls.model_fields:
                    raise PydanticCustomError(
                        "unknown_key",
                        "unknown key {key}: {hint}",
                        {"key": repr(key), "hint": nearest(str(key), cls.model_fields)},
                    )
        return content

    @classmethod
    def parse(
        cls, content: Mapping[str, Any], *, path: str | Path | None = None, where: str = ""
    ) -> Self:
        """Check a mapping and build the settings from it.

        Parameters
        ----------
        content : mapping
            Keys and values as read from YAML.
        path : path-like, optional
            The file they come from, for the error.
        where : str
            The dotted place inside that file, for the error.

        Raises
        ------
        ConfigError
            With the place and the reason of the first thing wrong.

        Examples
        --------
        >>> AudioSettings.parse({"clip_seconds": 3.0}).clip_samples
        66150
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join([*filter(None, [where]), *map(str, first["loc"])])
            message = first["msg"]
            reason = f"{place}: {message}" if place else message
            raise ConfigError(reason, path=path) from error


class AudioSettings(Settings):
    """The technical profile every clip is brought to."""

    sample_rate: int = Field(22050, ge=8000, le=192000)  # hertz
    clip_seconds: float = Field(5.0, ge=1.0, le=60.0)
    fit: Literal["loop", "pad"] = "loop"

    @property
    def clip_samples(self) -> int:
        """Samples in a clip."""
        return round(self.clip_seconds * self.sample_rate)


class FeatureSettings(Settings):
    """Which features there are, and how they and the log-mel spectrogram are computed."""

    set: Literal["paper", "extended"] = "paper"
    n_fft: int = Field(2048, ge=256, le=65536)  # samples
    hop_length: int = Field(512, ge=32, le=65536)  # samples
    n_mfcc: int = Field(20, ge=2, le=128)
    n_mels: int = Field(128, ge=16, le=1024)
    frames: int = Field(128, ge=16, le=4096)
    frame_fit: Literal["resize", "crop"] = "resize"
    mel_reference: Literal["max", "one"] = "max"


class SplitSettings(Settings):
    """How the clips of a corpus are divided into training, validation and test."""

    train: float = Field(0.70, gt=0, lt=1)
    validation: float = Field(0.15, ge=0, lt=1)
    test: float = Field(0.15, gt=0, lt=1)
    group: Literal["artist", "track", "none"] = "artist"
    protocol: Literal["random", "fault-filtered"] = "random"
    seeds: tuple[int, ...] = Field((0,), min_length=1)

    @model_validator(mode="after")
    def _shares_sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise PydanticCustomError(
                "shares", "train, validation and test sum to {total}, not 1", {"total": total}
            )
        if len(set(self.seeds)) != len(self.seeds):
            raise PydanticCustomError("seeds", "seeds repeat", {})
        return self


class EvaluationSettings(Settings):
    """How scores get their intervals."""

    n_resamples: int = Field(1000, ge=100)


class ExplanationSettings(Settings):
    """How much is explained."""

    shap_clips: int = Field(200, ge=1)  # test clips explained per model and source, at most
    examples: int = Field(1, ge=0)  # explained clips per model, source, genre and outcome
    quality_clips: int = Field(40, ge=0)  # test clips whose maps are measured per source, at most
    stability_seeds: int = Field(20, ge=0)  # splits, each with a tree model of its own
    stability_clips: int = Field(40, ge=1)  # test clips explained in each of them, at most


class ShiftSettings(Settings):
    """How closely a drop is taken apart, and what is tried against it."""

    in_study: bool = True  # whether a study's report has ladders, of one deal of the folds
    folds: int = Field(5, ge=2)  # of the source, artists apart
    repeats: int = Field(5, ge=1)  # deals of the folds, for models that learn from vectors
    network_repeats: int = Field(1, ge=1)
    seeds: int = Field(20, ge=1)  # of the models of every adaptation
    draws: int = Field(20, ge=0)  # of labelled target clips; 0 leaves them out
    shots: tuple[int, ...] = Field((0, 5, 10, 20, 50, 100), min_length=1)  # clips per genre
    stems: Path | None = None  # real stems of the source: STEMS/<instrument>/<path in the corpus>


def _place(value: Any) -> Any:
    return place_of(value) if isinstance(value, str | Path) else value


Root = Annotated[PurePath, BeforeValidator(_place), PlainSerializer(str)]


class CorpusSettings(Settings):
    """One corpus of a study: its format, its place, its culture, and options of the format."""

    format: str
    root: Root | None = None  # a folder or a URL
    culture: str = "unknown"
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, content: Any) -> Any:
        # Options are checked by the format itself: the room of corpora knows them, not this one.
        if not isinstance(content, Mapping) or "options" in content:
            return content
        own = {key: content[key] for key in content if key in cls.model_fields}
        options = {key: value for key, value in content.items() if key not in own}
        for key in options:
            if difflib.get_close_matches(str(key), cls.model_fields, n=1, cutoff=0.75):
                raise PydanticCustomError(
                    "unknown_key",
                    "unknown key {key}: {hint}",
                    {"key": repr(key), "hint": nearest(str(key), cls.model_fields)},
                )
        return own | {"options": options}


class ModelSettings(Settings):
    """One model of a study: its kind, the parameters of the estimator, and how many seeds."""

    kind: str
    seeds: int | None = Field(None, ge=1)  # the first so many of the split's; all if None
    params: dict[str, Any] = {}
