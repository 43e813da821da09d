"""What a model said of one file, in plain numbers that are written down as they are.

And how far such answers can be trusted, in a line.
"""

import functools
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import TypeAdapter

from genrescope.figures.style import number
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
    def from_dict(cls, content: Any) -> Self:
        """Read what `to_dict` gave.

        Parameters
        ----------
        content : JSON value
            From anywhere: nothing of it is taken on trust.

        Raises
        ------
        ValueError
            Where it is something else.
        """
        found: Self = _reader().validate_python(content)
        return found

    def stretches(self) -> list[Stretch]:
        """Which genre when; nothing where the answers to the windows were not asked for."""
        if self.timeline is None:
            return []
        return self.timeline.stretches(list(self.probabilities), duration_s=self.duration_s)


@functools.cache
def _reader() -> TypeAdapter[Any]:
    return TypeAdapter(Answer)


def coverage_line(coverage: Mapping[str, Any]) -> str:
    """How prediction sets did on held-out recordings, in one line.

    Parameters
    ----------
    coverage : mapping
        As `genrescope.study.kept_aside.measured_coverage` gives it.

    Examples
    --------
    >>> coverage_line({"asked": 0.9, "recordings": 28, "covered": 26, "low": 0.774, "high": 0.98,
    ...     "mean_size": 1.25})
    '90% sets: the true genre in 26 of 28 held-out recordings (.93 [.77, .98]), of 1.2 genres'
    """
    share = number(coverage["covered"] / coverage["recordings"])
    return (
        f"{percent(coverage['asked'])} sets: the true genre in {coverage['covered']} of "
        f"{coverage['recordings']} held-out recordings ({share} [{number(coverage['low'])}, "
        f"{number(coverage['high'])}]), of {coverage['mean_size']:.1f} genres"
    )


def percent(share: float) -> str:
    """A share as a percentage with no more digits than it has.

    Examples
    --------
    >>> percent(0.9), percent(0.975)
    ('90%', '97.5%')
    """
    return f"{100 * share:.4g}%"
