"""The house style: colours, type and paper of every figure, and how figures become files."""

import contextlib
import functools
import io
import os
import unicodedata
from collections.abc import Iterator, Sequence

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from genrescope.files import write_bytes

# Okabe and Ito 2008, "Color universal design": told apart with any kind of colour vision.
OKABE_ITO = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
META_GENRES = {
    "Blues-like": OKABE_ITO["blue"],
    "HipHop/Rap": OKABE_ITO["orange"],
    "Pop/Dance/RnB": OKABE_ITO["green"],
    "Rock/Metal": OKABE_ITO["vermillion"],
}
INK, MUTED, RULE, PAPER = "#1a1d21", "#5b636d", "#d5dae0", "#ffffff"
SCORES = LinearSegmentedColormap.from_list("scores", [PAPER, "#8fbcd6", "#00588c"])
DARK_FROM = 0.62  # share of the score scale from which white text reads better than ink
PNG_DPI = 200
HANGUL_FONTS = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "NanumGothic",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Source Han Sans KR",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "UnDotum",
)


def genre_colours(genres: Sequence[str]) -> dict[str, str]:
    """Colour of each genre, the same in every figure of a study.

    The four meta-genres keep their colours in every study; other genres take what is left of the
    palette in their order, and share colours from the ninth on, so a label always stands beside.

    Parameters
    ----------
    genres : sequence of str
        In display order.

    Returns
    -------
    dict of str to str
        Hexadecimal colours.

    Examples
    --------
    >>> genre_colours(["Jazz", "Blues-like"])
    {'Jazz': '#E69F00', 'Blues-like': '#0072B2'}
    """
    known = {genre: META_GENRES[genre] for genre in genres if genre in META_GENRES}
    palette = list(OKABE_ITO.values())
    free = [colour for colour in palette if colour not in known.values()] or palette
    others = [genre for genre in genres if genre not in known]
    given = {genre: free[place % len(free)] for place, genre in enumerate(others)}
    return {genre: known.get(genre) or given[genre] for genre in genres}


@functools.cache
def fonts() -> tuple[str, ...]:
    """Families used, in order of preference; one with Hangul follows where one is installed."""
    installed = {entry.name for entry in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *[name for name in HANGUL_FONTS if name in installed][:1])


@functools.cache
def _has_glyph(character: str) -> bool:
    for family in fonts():
        path = font_manager.findfont(font_manager.FontProperties(family=[family]))
        if font_manager.get_font(path).get_char_index(ord(character)):
            return True
    return False


def readable(text: str) -> str:
    """Text that the installed fonts can draw, and that is drawn as it stands.

    Without a Hangul font syllables are romanised letter by letter; any other character that no
    font has becomes a question mark. Dollar signs start no formula.

    Examples
    --------
    >>> readable("Rock/Metal")
    'Rock/Metal'
    """
    drawn = []
    for character in text:
        if character in "\n " or _has_glyph(character):
            drawn.append(character)
            continue
        name = unicodedata.name(character, "")
        syllable = name.removeprefix("HANGUL SYLLABLE ")
        drawn.append(syllable.lower() if syllable != name else "?")
    return "".join(drawn).replace("$", r"\$")


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib settings of the house for the length of the block."""
    settings = {
        "font.family": list(fonts()),
        "font.size": 9.5,
        "text.color": INK,
        "text.usetex": False,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": INK,
        "axes.labelsize": 9.5,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": PAPER,
        "figure.facecolor": PAPER,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "grid.color": RULE,
        "grid.linewidth": 0.7,
        "legend.frameon": False,
        "hatch.linewidth": 0.6,
        "axes.unicode_minus": True,
    }
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        yield


def new_figure(width_in: float, height_in: float, *, title: str = "", subtitle: str = "") -> Figure:
    """An empty figure with its title above, left-aligned; axes are laid out below it.

    Parameters
    ----------
    width_in, height_in : float
        Size in inches, the title's band added to the height.
    title, subtitle : str
        What the figure shows, and of how much or measured how.
    """
    lines_in = 0.22 + 0.155 * subtitle.count("\n")
    band_in = 0.33 * bool(title) + lines_in * bool(subtitle) + 0.07
    height_in += band_in
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(rect=(0, 0, 1, 1 - band_in / height_in))  # type: ignore[call-arg]
    left = 0.08 / width_in
    if title:
        figure.text(
            left, 1 - 0.08 / height_in, readable(title), fontsize=12, fontweight="bold", va="top"
        )
    if subtitle:
        top = 1 - (0.08 + 0.27 * bool(title)) / height_in
        figure.text(left, top, readable(subtitle), fontsize=9, color=MUTED, va="top")
    return figure


def bare(axes: Axes) -> None:
    """Leave out the frame and the tick marks of axes whose labels say enough."""
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def ink_on(share: float) -> str:
    """Text colour that reads on a share of the score scale."""
    return PAPER if share >= DARK_FROM else INK


def number(value: float, digits: int = 2) -> str:
    """A score without the leading zero, as the report writes it.

    Examples
    --------
    >>> number(0.8149), number(-0.02), number(1.0), number(float("nan"))
    ('.81', '−.02', '1.00', '–')
    """
    if value != value:
        return "–"
    text = f"{abs(value):.{digits}f}"
    sign = "−" if value < 0 and float(text) else ""
    return sign + (text[1:] if text.startswith("0.") else text)


def png_bytes(figure: Figure, *, dpi: int = PNG_DPI) -> bytes:
    r"""The figure as PNG; the same figure gives the same bytes.

    Examples
    --------
    >>> png_bytes(new_figure(1, 1))[:4]
    b'\x89PNG'
    """
    buffer = io.BytesIO()
    before = figure.dpi
    figure.set_dpi(dpi)
    with house_style():
        # Not by savefig, which draws all of it once more for the layout. Matplotlib's version is
        # the only thing in the metadata that could differ.
        FigureCanvasAgg(figure).print_png(  # type: ignore[no-untyped-call]
            buffer, metadata={"Software": None}
        )
    figure.set_dpi(before)
    return buffer.getvalue()


def save_figure(figure: Figure, path: str | os.PathLike[str], *, dpi: int = PNG_DPI) -> None:
    """Write the figure as PNG, whole or not at all.

    Raises
    ------
    OutputError
        Where the file cannot be written.
    """
    write_bytes(path, png_bytes(figure, dpi=dpi))
