"""The kinds of claims that can be checked, and what each of them has to state."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from genrescope.settings import Settings

Score = Literal[
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "weighted_f1",
    "kappa",
    "macro_precision",
    "macro_recall",
]
GenreScore = Literal["precision", "recall", "f1"]
Part = Literal["test", "all"]


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_several)]
Scores = Annotated[tuple[Score | GenreScore, ...], BeforeValidator(_several), Field(min_length=1)]
GenreScores = Annotated[tuple[GenreScore, ...], BeforeValidator(_several), Field(min_length=1)]


class Place(Settings):
    """Where a score is taken: trained on a source, tested on a target."""

    source: str
    target: str
    part: Part | None = None  # all clips where none was trained on, else the held-out ones


class Claim(Settings):
    """What every claim states: its words, and what is to be said of it beside the numbers."""

    kind: str
    claim: str = Field(min_length=1)
    note: str = ""


class CellClaim(Claim):
    """A claim about cells: some models (all of the run where none is named) at some places."""

    models: Names = ()
    source: str
    target: Names = Field(min_length=1)
    part: Part | None = None

    @property
    def places(self) -> list[Place]:
        """The places it speaks of."""
        return [Place(source=self.source, target=one, part=self.part) for one in self.target]


class ScoreClaim(CellClaim):
    """A claim about scores; with genres, about precision, recall or F1 of each of them.

    Without genres `precision`, `recall` and `f1` are the macro-averages.
    """

    scores: Scores = ("macro_f1",)
    genres: Names = ()

    @model_validator(mode="after")
    def _scores_of_genres(self) -> Self:
        if self.genres:
            for name in self.scores:
                _has_genres(name)
        return self


def _has_genres(name: str) -> None:
    if name not in GenreScore.__args__:  # type: ignore[attr-defined]
        raise PydanticCustomError(
            "genre_score",
            "{name} is no score of a genre: precision, recall or f1",
            {"name": name},
        )


class Order(ScoreClaim):
    """The models score in this order, best first."""

    kind: Literal["order"]
    models: Names = Field(min_length=2)


class Drop(ScoreClaim):
    """Scores fall from one cell (`home`: the source's own held-out clips) to another."""

    kind: Literal["drop"]
    home: Place | None = None
    at_least: float = 0.0
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounds_leave_room(self) -> Self:
        if self.at_most is not None and self.at_most <= self.at_least:
            raise PydanticCustomError("bounds", "at_most is not above at_least", {})
        return self


class Higher(CellClaim):
    """One score of a cell is above another of the same cell: recall above precision."""

    kind: Literal["higher"]
    score: Score | GenreScore
    than: Score | GenreScore
    genres: Names = ()

    @model_validator(mode="after")
    def _scores_of_genres(self) -> Self:
        if self.genres:
            _has_genres(self.score)
            _has_genres(self.than)
        return self


class ExtremeGenre(CellClaim):
    """A genre scores above, or below, every other one; with `home`, it keeps or loses most."""

    kind: Literal["best_genre", "worst_genre"]
    genre: str
    scores: GenreScores = ("f1",)
    home: Place | None = None


class AboveGuess(CellClaim):
    """Scores are above what guessing reaches on the same clips."""

    kind: Literal["above_guess"]
    scores: Annotated[tuple[Score, ...], BeforeValidator(_several), Field(min_length=1)] = (
        "macro_f1",
    )
    guess: Literal["majority", "prior", "uniform", "best"] = "best"


class Value(ScoreClaim):
    """A score is a number, give or take `within`."""

    kind: Literal["value"]
    value: float
    within: float = Field(gt=0)


class Equal(ScoreClaim):
    """Scores differ by less than `margin`: between models or, with `home`, between cells."""

    kind: Literal["equal"]
    margin: float = Field(gt=0)
    home: Place | None = None

    @model_validator(mode="after")
    def _two_to_compare(self) -> Self:
        if self.home is None and len(self.models) < 2:
            raise PydanticCustomError("equal", "names neither two models nor a home", {})
        return self


class Feature(Claim):
    """A feature is among the `top` strongest by SHAP, over splits of the source."""

    kind: Literal["feature"]
    feature: str
    model: str
    source: str
    top: int = Field(1, ge=1)


class SteadiestMap(Claim):
    """A genre's maps move less under a little noise than those of every other genre."""

    kind: Literal["steadiest_map"]
    genre: str
    source: str
    method: Literal["grad_cam", "occlusion"] = "grad_cam"


KINDS: dict[str, type[Claim]] = {
    "order": Order,
    "drop": Drop,
    "higher": Higher,
    "best_genre": ExtremeGenre,
    "worst_genre": ExtremeGenre,
    "above_guess": AboveGuess,
    "value": Value,
    "equal": Equal,
    "feature": Feature,
    "steadiest_map": SteadiestMap,
}
