"""What a model said of one file, in plain numbers that are written down as they are."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from genrescope.models.doubt import Doubt
from genrescope.models.predictor import FilePrediction
from genrescope.report.timeline import Stretch, Timeline

DIGITS = 6  # after the point of a probability: more say nothing, and differ between machines
TIME_DIGITS = 3


@dataclass(frozen=True)
class Answer:
    """What a model said of one file.

    Attributes
    ----------
    path : str
    model : str
        The model's name and the first eight digits of its digest, `name@1a2b3c4d`.
    duration_s : float
        Length of the whole sound.
    windows, silent_windows : int
        That were asked about, and that were left out.
    genre : str
        The most probable one.
    probabilities : dict of str to float
        Of each genre, in display order, to six digits.
    doubt : Doubt or None
        The genres it may be and how unusual it is, where the model was calibrated.
    timeline : Timeline or None
        The answers to the windows, where they were asked for.
    """

    path: str
    model: str
    duration_s: float
    windows: int
    silent_windows: int
    genre: str
    probabilities: dict[str, float]
    doubt: Doubt | None = None
    timeline: Timeline | None = None

    @classmethod
    def of(
        cls, prediction: FilePrediction, *, model: str, window_s: float, timeline: bool = False
    ) -> Self:
        """Write a prediction down.

        Parameters
        ----------
        prediction : FilePrediction
            Of a file.
        model : str
            Which model it is of.
        window_s : float
            Length of its windows.
        timeline : bool
            Whether the answers to the windows are wanted.
        """
        genres = [str(genre) for genre in prediction.probabilities.index]
        windows = prediction.windows
        return cls(
            path=str(prediction.path),
            model=model,
            duration_s=round(prediction.duration_s, TIME_DIGITS),
            windows=len(windows),
            silent_windows=prediction.silent_windows,
            genre=prediction.genre,
            probabilities=dict(
                zip(genres, prediction.probabilities.round(DIGITS).tolist(), strict=True)
            ),
            doubt=prediction.doubt,
            timeline=Timeline(
                window_s,
                windows["start_s"].round(TIME_DIGITS).tolist(),
                windows[genres].to_numpy().round(DIGITS).tolist(),
            )
            if timeline
            else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """The same as a JSON value."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        doubt, timeline = content["doubt"], content["timeline"]
        return cls(
            **content
            | {
                "doubt": doubt and Doubt(**doubt | {"genres": tuple(doubt["genres"])}),
                "timeline": timeline and Timeline(**timeline),
            }
        )

    def stretches(self) -> list[Stretch]:
        """Which genre when; nothing where the answers to the windows were not asked for."""
        if self.timeline is None:
            return []
        return self.timeline.stretches(list(self.probabilities), duration_s=self.duration_s)
