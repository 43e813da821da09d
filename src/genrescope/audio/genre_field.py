"""The genre of one sound file, and the value that stood there before, whatever the format."""

import contextlib
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mutagen

from genrescope.errors import GenrescopeError, TagError

KEPT = "GENRESCOPE_OLD_GENRE"  # the tag the old values are kept in

# What mutagen lets through from its parsers when bytes are not what they claim to be.
PARSING = (
    mutagen.MutagenError, struct.error, EOFError, ValueError, LookupError, TypeError,
    AttributeError, ArithmeticError, AssertionError, MemoryError, RecursionError,
)  # fmt: skip

Values = tuple[str, ...]


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Turn what mutagen raises over damaged tags into a `TagError` that names the file."""
    try:
        yield
    except (GenrescopeError, OSError):
        raise
    except PARSING as error:
        told = (str(error) or type(error).__name__)[:200]
        raise TagError(f"the tags are damaged ({told})", path=path) from error


class GenreField(ABC):
    """The genre of one open file.

    Attributes
    ----------
    written : tuple of str or None
        Values as they stand in the file; None where there is no genre.
    kept : tuple of str or None
        The values before the first change; None where nothing was changed.
    artist : str or None
    is_tagged : bool
        Whether the file has tags of any kind.
    """

    written: Values | None = None
    kept: Values | None = None
    artist: str | None = None
    is_tagged: bool = True

    @property
    def genres(self) -> Values:
        """The genres in words, numbers of ID3's list spelled out."""
        return tuple(value for value in self.written or () if value.strip())

    @abstractmethod
    def agrees_with(self, after: "GenreField") -> bool:
        """Whether all other tags of a changed copy are the same."""

    @abstractmethod
    def change(self, written: Values | None, kept: Values | None) -> None:
        """Write another genre, and what is kept, into the file; None removes the tag."""

    @property
    def loss(self) -> str | None:
        """What writing would lose, in words."""
        return None


def keep_padding(info: Any) -> int:
    """Leave the sound where it is if the tags fit, so that the way back is the way there."""
    return int(info.padding if info.padding >= 0 else info.get_default_padding())
