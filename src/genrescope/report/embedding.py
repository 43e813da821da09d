"""Pictures and sounds as data URIs, so that the report is one file; a budget keeps it mailable."""

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from genrescope.audio.encode import mp3_bytes
from genrescope.errors import AudioError
from genrescope.figures.style import png_bytes

BUDGET = 24_000_000  # characters of embedded data
PALETTE_OVER = 40_000  # bytes from which a picture is worth a smaller coding
PHOTO_OVER = 160_000
PHOTO_QUALITY = 88


@dataclass
class Embedder:
    """Turns files and figures into data URIs while the budget lasts.

    Attributes
    ----------
    budget : int
        Characters left.
    left_out : list of str
        What did not fit, as paths inside the run directory.
    """

    folder: Path
    budget: int = BUDGET
    left_out: list[str] = field(default_factory=list)

    def figure(self, figure: Figure, *, dpi: int = 150) -> str | None:
        """A figure drawn for the report."""
        return self._add(*shrink(png_bytes(figure, dpi=dpi)), name="a figure")

    def picture(self, path: Path) -> str | None:
        """A PNG of the run; None where it is not there or does not fit."""
        if not path.is_file():
            return None
        return self._add(*shrink(path.read_bytes()), name=self._name(path))

    def sound(self, path: Path) -> str | None:
        """A WAV of the run, as MP3 if its rate allows; None if it is not there or too large."""
        if not path.is_file():
            return None
        try:
            mime, content = "audio/mpeg", mp3_bytes(path)
        except AudioError:
            mime, content = "audio/wav", path.read_bytes()
        return self._add(mime, content, name=self._name(path))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()

    def _add(self, mime: str, content: bytes, *, name: str) -> str | None:
        uri = data_uri(mime, content)
        if len(uri) > self.budget:
            self.left_out.append(name)
            return None
        self.budget -= len(uri)
        return uri


def data_uri(mime: str, content: bytes) -> str:
    """Bytes as a data URI.

    Examples
    --------
    >>> data_uri("text/plain", b"abc")
    'data:text/plain;base64,YWJj'
    """
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"


def shrink(png: bytes) -> tuple[str, bytes]:
    """A smaller coding of a PNG: 256 colours for drawings, JPEG for spectrograms.

    Returns
    -------
    tuple of str and bytes
        MIME type and content; the PNG itself where nothing is smaller.
    """
    if len(png) < PALETTE_OVER:
        return "image/png", png
    with Image.open(io.BytesIO(png)) as opened:
        image = opened.convert("RGB")
    buffer = io.BytesIO()
    image.quantize(256).save(buffer, format="PNG", optimize=True)
    found = [("image/png", png), ("image/png", buffer.getvalue())]
    if len(buffer.getvalue()) > PHOTO_OVER:
        buffer = io.BytesIO()
        image.save(buffer, format="JPEG", quality=PHOTO_QUALITY, subsampling=0, optimize=True)
        found.append(("image/jpeg", buffer.getvalue()))
    return min(found, key=lambda coded: len(coded[1]))
