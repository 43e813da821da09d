"""The answers of the API, as its OpenAPI document describes them."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from genrescope.app.service import ExplainedSound
from genrescope.models.bundle import Bundle
from genrescope.models.doubt import Doubt
from genrescope.models.predictor import FilePrediction
from genrescope.report.embedding import data_uri

Probabilities = dict[str, float]
Json = dict[str, Any]
MEDIA_TYPES = {".png": "image/png", ".wav": "audio/wav", ".npy": "application/octet-stream"}
EXAMPLE_GENRES: Json = {
    "Blues-like": 0.12,
    "HipHop/Rap": 0.03,
    "Pop/Dance/RnB": 0.14,
    "Rock/Metal": 0.71,
}
EXAMPLE_DOUBT: Json = {
    "genres": ["Pop/Dance/RnB", "Rock/Metal"],
    "coverage": 0.9,
    "unusual": 0.34,
    "unlike": False,
    "enough": True,
    "features": ["rms_mean", "tempo", "spec_roll_std"],
}
EXAMPLE_ANSWER: Json = {
    "model": "forest/western+korean",
    "genre": "Rock/Metal",
    "probabilities": EXAMPLE_GENRES,
    "windows": 44,
    "silent_windows": 0,
    "doubt": EXAMPLE_DOUBT,
    "timeline": None,
}


class Model(BaseModel):
    """A trained model that can be asked."""

    name: str = Field(description="What to call it in a request.")
    kind: str = Field(description="linear, svm, forest, boosting, ensemble or cnn.")
    genres: list[str] = Field(description="What it can answer, in display order.")
    trained_on: list[str] = Field(description="Names of corpora.")

    @classmethod
    def of(cls, name: str, bundle: Bundle) -> Self:
        """Describe a bundle."""
        info = bundle.info
        return cls(
            name=name,
            kind=info.kind,
            genres=list(info.genres),
            trained_on=[str(corpus["name"]) for corpus in info.corpora],
        )


class Models(BaseModel):
    """The models of this server."""

    models: list[Model]

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "models": [
                    {
                        "name": "forest/western+korean",
                        "kind": "forest",
                        "genres": list(EXAMPLE_GENRES),
                        "trained_on": ["western", "korean"],
                    }
                ]
            }
        }
    )


class Window(BaseModel):
    """The answer to one stretch of a sound, five seconds long unless the model says otherwise."""

    start_s: float = Field(ge=0)
    genre: str
    probabilities: Probabilities


class Answer(BaseModel):
    """What one model says of a sound."""

    model: str
    genre: str = Field(description="The most probable one.")
    probabilities: Probabilities = Field(description="Mean over the windows, in display order.")
    windows: int = Field(ge=1, description="Stretches that sound.")
    silent_windows: int = Field(ge=0, description="Stretches left out because they are silent.")
    doubt: Doubt | None = Field(
        description="The genres it may be with the stated coverage, and whether the sound is "
        "unlike the training clips; null where the model was not calibrated."
    )
    timeline: list[Window] | None = Field(description="Each window's answer, where asked for.")

    @classmethod
    def of(cls, model: str, found: FilePrediction, *, timeline: bool) -> Self:
        """Put a prediction into words that JSON has."""
        genres = [str(genre) for genre in found.probabilities.index]
        windows = [
            Window(
                start_s=float(row["start_s"]),
                genre=str(row["genre"]),
                probabilities={genre: float(row[genre]) for genre in genres},
            )
            for row in (found.windows.to_dict("records") if timeline else ())
        ]
        return cls(
            model=model,
            genre=found.genre,
            probabilities={genre: float(found.probabilities[genre]) for genre in genres},
            windows=len(found.windows),
            silent_windows=found.silent_windows,
            doubt=found.doubt,
            timeline=windows if timeline else None,
        )


class Prediction(BaseModel):
    """What the models say of a sound."""

    name: str = Field(description="The file's name, as far as it can be shown.")
    duration_s: float = Field(gt=0)
    answers: list[Answer] = Field(min_length=1, description="In the order asked.")

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"name": "song.mp3", "duration_s": 221.4, "answers": [EXAMPLE_ANSWER]}
        }
    )


class Explanation(BaseModel):
    """Why a model answered what it answered."""

    name: str = Field(description="The file's name, as far as it can be shown.")
    model: str
    duration_s: float = Field(gt=0)
    genre: str = Field(description="What the whole sound is heard as.")
    probabilities: Probabilities
    target: str = Field(description="The genre asked about.")
    against: str | None
    sentences: list[str] = Field(description="The outcome, and the most telling moments.")
    moments: list[dict[str, Any]] = Field(
        description="The most telling windows, the surest first: `start_s`, `end_s`, `method`, "
        "`scale`, `baseline`, `answer`, `sentences`, `quality`, the values by feature and family "
        "where features were explained, and the names of its `files`."
    )
    files: dict[str, str] = Field(
        description="Pictures, sounds and maps as data URIs, by the names in `moments`; empty "
        "where not asked for."
    )

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "song.mp3",
                "model": "forest/western+korean",
                "duration_s": 221.4,
                "genre": "Rock/Metal",
                "probabilities": EXAMPLE_GENRES,
                "target": "Rock/Metal",
                "against": None,
                "sentences": ["Heard as Rock/Metal (probability .71)."],
                "moments": [{"start_s": 35.0, "end_s": 40.0, "files": {"picture": "1.png"}}],
                "files": {"1.png": "data:image/png;base64,iVBORw0KGgo="},
            }
        }
    )

    @classmethod
    def of(cls, model: str, found: ExplainedSound) -> Self:
        """Put an explanation into words that JSON has."""
        content = found.content
        shared = ("duration_s", "genre", "probabilities", "target", "against", "sentences")
        files = {
            name: data_uri(MEDIA_TYPES[name[name.rindex(".") :]], data)
            for name, data in found.files.items()
        }
        return cls(
            name=content["path"],
            model=model,
            moments=content["moments"],
            files=files,
            **{key: content[key] for key in shared},
        )


class Health(BaseModel):
    """Whether the server is up, and whether it can answer."""

    live: bool = True
    ready: bool
    models: int = Field(ge=0)

    model_config = ConfigDict(
        json_schema_extra={"example": {"live": True, "ready": True, "models": 2}}
    )
