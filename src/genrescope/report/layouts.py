"""Answers as people and programs read them, one after another: a table, CSV, JSON, JSON lines."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from rich.cells import cell_len

from genrescope.errors import ConfigError
from genrescope.report.answers import Answer, percent

CLOSE = 0.5  # a genre at least half as likely as the first "could also be" it
ANSWER_COLUMNS = ("path", "model", "duration_s", "windows", "genre")
DOUBT_COLUMNS = ("prediction_set", "coverage", "unusual", "unlike")
STRETCH_COLUMNS = ("path", "model", "start_s", "end_s", "genre", "probability")


class Layout(Protocol):
    """How answers become text: what comes first, what each answer is, what comes last."""

    extends: ClassVar[bool]  # whether answers can be added behind a finished text

    def start(self) -> str:
        """What stands before the first answer."""

    def text(self, answer: Answer) -> str:
        """One answer, with a line end."""

    def end(self) -> str:
        """What stands behind the last answer."""


class TableLayout:
    """A line per file for people; with timelines, another that says which genre when.

    Parameters
    ----------
    paths : sequence of str
        All that may be answered for: they decide the width.
    models : sequence of str
        They are named in each line where there are several.
    """

    extends: ClassVar[bool] = False

    def __init__(self, paths: Sequence[str], models: Sequence[str]) -> None:
        self._path_width = max((cell_len(printable(path)) for path in paths), default=0)
        names = [_name(model) for model in models]
        self._model_width = max(map(cell_len, names)) if len(names) > 1 else None

    def start(self) -> str:
        """Nothing."""
        return ""

    def text(self, answer: Answer) -> str:
        """`song.mp3  Rock/Metal 0.71  (could also be Blues-like)  3:41, 44 windows`."""
        columns = [_padded(printable(answer.path), self._path_width)]
        if self._model_width is not None:
            columns.append(_padded(_name(answer.model), self._model_width))
        columns.append(f"{answer.genre} {answer.probabilities[answer.genre]:.2f}")
        if doubts := _doubts(answer):
            columns.append(f"({doubts})")
        windows = "1 window" if answer.windows == 1 else f"{answer.windows} windows"
        columns.append(f"{clock(answer.duration_s)}, {windows}")
        line = "  ".join(columns) + "\n"
        when = [
            f"{clock(one.start_s)}–{clock(one.end_s)} {one.genre} {one.probability:.2f}"
            for one in answer.stretches()
        ]
        return line + (f"    {'  '.join(when)}\n" if when else "")

    def end(self) -> str:
        """Nothing."""
        return ""


class CsvLayout:
    """A row per file and model, a column per genre; with timelines, a row per stretch.

    Behind the genres stand `prediction_set`, its genres joined by `|`, `coverage`, `unusual` and
    `unlike`; they are empty where a model was not calibrated.

    Parameters
    ----------
    genres : sequence of str
        Of all models, in display order; what a model does not know is empty.
    timeline : bool
    """

    extends: ClassVar[bool] = True

    def __init__(self, genres: Sequence[str], *, timeline: bool) -> None:
        self._timeline, self._genres = timeline, genres

    def start(self) -> str:
        """The names of the columns."""
        columns = (*ANSWER_COLUMNS, *self._genres, *DOUBT_COLUMNS)
        return _csv([STRETCH_COLUMNS if self._timeline else columns])

    def text(self, answer: Answer) -> str:
        """One row, or one for each stretch."""
        who = (answer.path, answer.model)
        if self._timeline:
            return _csv([(*who, *stretch) for stretch in answer.stretches()])
        doubt = answer.doubt
        doubts: tuple[Any, ...] = ("", "", "", "")
        if doubt is not None:
            doubts = ("|".join(doubt.genres), doubt.coverage, round(doubt.unusual, 6), doubt.unlike)
        shares = (answer.probabilities.get(genre, "") for genre in self._genres)
        return _csv([(*who, answer.duration_s, answer.windows, answer.genre, *shares, *doubts)])

    def end(self) -> str:
        """Nothing."""
        return ""


class JsonLinesLayout:
    """An object per line; with timelines, its windows are in it."""

    extends: ClassVar[bool] = True

    def start(self) -> str:
        """Nothing."""
        return ""

    def text(self, answer: Answer) -> str:
        """One line."""
        return _json(answer) + "\n"

    def end(self) -> str:
        """Nothing."""
        return ""


class JsonLayout:
    """One list of the objects of JSON lines, each on a line of its own."""

    extends: ClassVar[bool] = False

    def __init__(self) -> None:
        self._first = True

    def start(self) -> str:
        """The bracket."""
        return "["

    def text(self, answer: Answer) -> str:
        """One object, without its line end: a comma may have to follow."""
        comma, self._first = "" if self._first else ",", False
        return f"{comma}\n{_json(answer)}"

    def end(self) -> str:
        """The other bracket."""
        return "\n]\n"


FORMATS = ("table", "csv", "json", "jsonl")


def create_layout(
    format: str,  # noqa: A002 (the option's word)
    *,
    paths: Sequence[str],
    models: Sequence[str],
    genres: Sequence[str],
    timeline: bool,
) -> Layout:
    """Make one of the layouts.

    Parameters
    ----------
    format : str
        One of `FORMATS`.
    paths : sequence of str
        All that may be answered for.
    models : sequence of str
        That answer.
    genres : sequence of str
        Of all models.
    timeline : bool
        Whether the answers come with their timelines.

    Raises
    ------
    ConfigError
        For an unknown format.

    Examples
    --------
    >>> answer = Answer("a.mp3", "mine@1a2b3c4d", 221.0, 44, 0, "Rock", {"Blues": 0.4, "Rock": 0.6})
    >>> layout = create_layout(
    ...     "csv", paths=["a.mp3"], models=["mine"], genres=["Blues", "Rock"], timeline=False
    ... )
    >>> print(layout.start() + layout.text(answer), end="")
    path,model,duration_s,windows,genre,Blues,Rock,prediction_set,coverage,unusual,unlike
    a.mp3,mine@1a2b3c4d,221.0,44,Rock,0.4,0.6,,,,
    """
    if format == "table":
        return TableLayout(paths, models)
    if format == "csv":
        return CsvLayout(genres, timeline=timeline)
    if format not in FORMATS:
        raise ConfigError(f"format is {format!r}, it should be one of {', '.join(FORMATS)}")
    return JsonLayout() if format == "json" else JsonLinesLayout()


def clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    Examples
    --------
    >>> clock(221.4), clock(3600)
    ('3:41', '1:00:00')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def printable(text: str) -> str:
    r"""Text on one line that cannot steer a terminal; odd characters as escapes.

    Examples
    --------
    >>> print(printable("노래\n.mp3"))
    노래\n.mp3
    """
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _padded(text: str, width: int) -> str:
    # Korean letters take two cells of a terminal.
    return text + " " * (width - cell_len(text))


def _doubts(answer: Answer) -> str:
    """What else it may be: by the prediction set where there is one, else by the probabilities."""
    doubt = answer.doubt
    if doubt is None:
        least = CLOSE * answer.probabilities[answer.genre]
        ranked = sorted(answer.probabilities.items(), key=lambda item: -item[1])
        close = [genre for genre, p in ranked if genre != answer.genre and p >= least]
        return f"could also be {' or '.join(close)}" if close else ""
    sure = percent(doubt.coverage)
    if doubt.enough:
        others = [genre for genre in doubt.genres if genre != answer.genre]
        said = f"{sure} sure: {' or '.join([answer.genre, *others])}"
    else:
        said = f"calibrated on too few recordings to be {sure} sure of anything"
    return f"{said}; unlike anything it was trained on" if doubt.unlike else said


def _name(model: str) -> str:
    return model.rpartition("@")[0]


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return encodable(text.getvalue())


def _json(answer: Answer) -> str:
    content = answer.to_dict()
    del content["timeline"]
    if answer.timeline is not None:
        content["timeline"] = answer.timeline.windows(list(answer.probabilities))
    return encodable(json.dumps(content, ensure_ascii=False))


def encodable(text: str) -> str:
    """Text in which bytes of a file name that are not UTF-8 are escapes, which JSON reads back."""
    return text.encode(errors="backslashreplace").decode()
