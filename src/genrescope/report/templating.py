"""What the pages have in common: templates, filters and the style sheet."""

from collections.abc import Sequence
from importlib import resources

import jinja2
from markupsafe import Markup

from genrescope.evaluation.cells import JOIN
from genrescope.figures.style import genre_colours, number
from genrescope.report.conclusions import p_words

PARTS = {"test": "held-out clips", "all": "all clips"}


def environment(genres: Sequence[str], *, package: str = "genrescope.report") -> jinja2.Environment:
    """Templates for pages about some genres, each of which keeps its colour.

    Parameters
    ----------
    genres : sequence of str
        In display order.
    package : str
        The package whose templates they are.
    """
    # Names of corpora, clips and labels come from other people's files: all are escaped.
    made = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "num": _num,
        "p": p_words,
        "count": _count,
        "part": _part,
        "breakable": _breakable,
        "clock": clock,
    }
    made.globals["colours"] = genre_colours(genres)
    return made


def css() -> str:
    """The style sheet of every page."""
    return palette() + _template("report.css")


def palette() -> str:
    """The colours of paper and ink as CSS variables, by light and by dark."""
    return _template("palette.css")


def _template(name: str) -> str:
    place = resources.files("genrescope.report").joinpath("templates", name)
    return place.read_text(encoding="utf-8")


def clock(seconds: float) -> str:
    """Minutes and seconds.

    Examples
    --------
    >>> clock(95.4)
    '1:35'
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _num(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else number(float(value), digits)


def _count(value: float) -> str:
    return f"{int(value):,}"


def _breakable(name: str) -> Markup:
    """A joined name that may wrap after its plus signs."""
    return Markup("+<wbr>").join(name.split(JOIN))


def _part(part: str) -> str:
    return PARTS.get(part, part)
