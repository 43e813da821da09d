"""Where each kind of sound file keeps its genre, and the value that stood there before.

mutagen is imported here and nowhere else.
"""

import contextlib
import functools
import os
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from genrescope.audio.payload import ID3V1_BYTES
from genrescope.errors import ConfigError, GenrescopeError, TagError

try:
    import mutagen
    from mutagen.aiff import AIFF
    from mutagen.flac import FLAC, Padding
    from mutagen.id3 import ID3, TCON, TXXX, Encoding, ID3NoHeaderError
    from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm
    from mutagen.oggopus import OggOpus
    from mutagen.oggvorbis import OggVorbis
    from mutagen.wave import WAVE
except ImportError as missing:
    raise ConfigError("tags need the extra: pip install 'genrescope[tags]'") from missing

KEPT = "GENRESCOPE_OLD_GENRE"
ID3_KEPT = f"TXXX:{KEPT}"
MP4_GENRE, MP4_KEPT = "\xa9gen", "----:org.genrescope:OLD_GENRE"
NO_V1_GENRE = 255
UNDECODED = "\ufffd"

# What mutagen lets through from its parsers when bytes are not what they claim to be.
PARSING = (
    mutagen.MutagenError, struct.error, EOFError, ValueError, LookupError, TypeError,
    AttributeError, ArithmeticError, AssertionError, MemoryError, RecursionError,
)  # fmt: skip

Values = tuple[str, ...]
Opener = Any  # mutagen's own types are incomplete
OPENERS: dict[str, Opener] = {
    "MP3": ID3, "WAV": WAVE, "AIFF": AIFF, "FLAC": FLAC, "MP4": MP4,
    "OGG": functools.partial(mutagen.File, options=(OggVorbis, OggOpus)),
}  # fmt: skip


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
    def others(self) -> Any:
        """All other tags, as something that can be compared."""

    @abstractmethod
    def change(self, written: Values | None, kept: Values | None) -> None:
        """Write another genre, and what is kept, into the file; None removes the tag."""

    @property
    def loss(self) -> str | None:
        """What writing would lose, in words."""
        return None


def _keep_padding(info: Any) -> int:
    """Leave the sound where it is if the tags fit, so that the way back is the way there."""
    return int(info.padding if info.padding >= 0 else info.get_default_padding())


class Id3Field(GenreField):
    """ID3: frame TCON, of MP3, WAV and AIFF files.

    Only the two frames concerned are parsed where it can be helped; mutagen hands the bytes of all
    others through.
    """

    def __init__(self, path: Path, container: str) -> None:
        self._path, self._container = path, container
        self._tags = self._load(translate=False)
        tags = self._tags
        self.is_tagged = tags is not None
        if tags is None:
            return
        if "TCON" in tags:
            self.written = tuple(map(str, tags["TCON"].text))
        if ID3_KEPT in tags:
            self.kept = tuple(map(str, tags[ID3_KEPT].text))
        if "TPE1" in tags and tags["TPE1"].text:
            self.artist = str(tags["TPE1"].text[0])

    def _load(self, **options: Any) -> Any:
        try:
            opened = OPENERS[self._container](self._path, **options)
        except ID3NoHeaderError:
            return None
        return opened if self._container == "MP3" else opened.tags

    @property
    def genres(self) -> Values:
        """The genres in words, numbers of ID3's list spelled out."""
        return () if self.written is None else tuple(_text(TCON, self.written).genres)

    @property
    def loss(self) -> str | None:
        """What writing would lose."""
        if self._tags is not None and self._tags.version == (2, 2, 0) and self._tags.unknown_frames:
            return "frames of ID3v2.2 that later versions do not have"
        return None

    def others(self) -> Any:
        """All other frames, in the names of ID3v2.4."""
        tags = self._load()
        if tags is None:
            return {}
        frames = {key: repr(frame) for key, frame in tags.items()}
        return {key: text for key, text in frames.items() if key not in ("TCON", ID3_KEPT)}

    def change(self, written: Values | None, kept: Values | None) -> None:
        """Write both frames."""
        version = 3 if self._tags is None else self._tags.version[1]
        own = {"known_frames": {"TCON": TCON, "TXXX": TXXX}, "translate": False, "load_v1": False}
        if self._tags is None:
            tags = self._new()
        elif version in (3, 4) and not self._tags.f_unsynch:
            tags = self._load(**own)
        else:  # of ID3v1, of ID3v2.2, or all bytes rearranged: every frame is written anew
            version = 4 if version == 4 else 3
            tags = self._load(v2_version=version)
        _set_frame(tags, "TCON", written and _text(TCON, written))
        _set_frame(tags, ID3_KEPT, kept and _text(TXXX, kept, desc=KEPT))
        old_v1 = self._v1()
        nothing_left = not tags and not tags.unknown_frames
        if nothing_left and self._container == "MP3":
            tags.delete(self._path, delete_v1=False)
        elif nothing_left:
            tags.delete(self._path)
        else:
            tags.save(self._path, v2_version=version, v23_sep=None, padding=_keep_padding)
        if old_v1 is not None:
            self._write_v1(old_v1, self.__class__(self._path, self._container).genres)

    def _new(self) -> Any:
        if self._container == "MP3":
            return OPENERS[self._container]()
        opened = OPENERS[self._container](self._path)
        opened.add_tags()
        return opened.tags

    def _v1(self) -> bytes | None:
        """The ID3v1 tag at the end, which mutagen would fill from ID3v2."""
        with self._path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - ID3V1_BYTES))
            tail = file.read()
        return tail if self._container == "MP3" and tail[:3] == b"TAG" else None

    def _write_v1(self, old: bytes, genres: Sequence[str]) -> None:
        number = (
            TCON.GENRES.index(genres[0]) if genres and genres[0] in TCON.GENRES else NO_V1_GENRE
        )
        with self._path.open("r+b") as file:
            file.seek(-len(old), os.SEEK_END)
            file.write(old[:-1] + bytes([number]))


def _set_frame(tags: Any, key: str, frame: Any) -> None:
    tags.delall(key)
    if frame:
        tags.add(frame)


def _text(kind: Opener, values: Values, **more: str) -> Any:
    """A frame in the encoding every player reads, where it has the letters."""
    plain = all(ord(letter) < 256 for value in values for letter in value)
    encoding = Encoding.LATIN1 if plain else Encoding.UTF16
    return kind(encoding=encoding, text=list(values), **more)


class VorbisField(GenreField):
    """Vorbis comments: `GENRE`, of FLAC, OGG Vorbis and Opus files."""

    def __init__(self, path: Path, container: str) -> None:
        self._file: Any = OPENERS[container](path)
        tags = self._file.tags
        self.is_tagged = tags is not None and len(tags) > 0
        if tags is not None:
            self.written = tuple(tags["GENRE"]) if "GENRE" in tags else None
            self.kept = tuple(tags[KEPT]) if KEPT in tags else None
            self.artist = tags["ARTIST"][0] if "ARTIST" in tags else None

    @property
    def loss(self) -> str | None:
        """What writing would lose."""
        pairs = self._file.tags or []
        broken = [key for key, value in pairs if UNDECODED in value or UNDECODED in key]
        return f"letters of the tag {broken[0]}, which are not UTF-8" if broken else None

    def others(self) -> Any:
        """All other comments in their order; of FLAC, the other blocks as well."""
        own = {"genre", KEPT.lower()}
        pairs = [(key, value) for key, value in self._file.tags or [] if key.lower() not in own]
        blocks = [
            (block.code, block.write())
            for block in getattr(self._file, "metadata_blocks", ())
            if block is not self._file.tags and not isinstance(block, Padding)
        ]
        return pairs, blocks

    def change(self, written: Values | None, kept: Values | None) -> None:
        """Write both comments where they stand, or at the end."""
        if self._file.tags is None:
            self._file.add_tags()
        for key, values in (("GENRE", written), (KEPT, kept)):
            _set_comment(self._file.tags, key, values)
        self._file.save(padding=_keep_padding)


def _set_comment(tags: Any, key: str, values: Values | None) -> None:
    """Exchange the values of a key where they stand; new ones go to the end."""
    pairs = list(tags)
    mine = [place for place, (name, _) in enumerate(pairs) if name.lower() == key.lower()]
    name, start = (pairs[mine[0]][0], mine[0]) if mine else (key, len(pairs))
    rest = [pair for place, pair in enumerate(pairs) if place not in mine]
    tags[:] = [*rest[:start], *((name, value) for value in values or ()), *rest[start:]]


class Mp4Field(GenreField):
    """MP4: the box `©gen`, or the number in `gnre`, which mutagen spells out."""

    def __init__(self, path: Path, container: str) -> None:
        self._file: Any = OPENERS[container](path)
        tags = self._file.tags
        self.is_tagged = tags is not None and len(tags) > 0
        if tags is not None:
            self.written = tuple(tags[MP4_GENRE]) if MP4_GENRE in tags else None
            if MP4_KEPT in tags:
                self.kept = tuple(bytes(value).decode() for value in tags[MP4_KEPT])
            self.artist = next(iter(tags.get("\xa9ART", ())), None)

    def others(self) -> Any:
        """All other boxes of the list."""
        own = (MP4_GENRE, MP4_KEPT)
        return {
            key: repr(value) for key, value in (self._file.tags or {}).items() if key not in own
        }

    def change(self, written: Values | None, kept: Values | None) -> None:
        """Write both boxes."""
        if self._file.tags is None:
            self._file.add_tags()
        free_form: Opener = MP4FreeForm
        coded = kept and [free_form(value.encode(), AtomDataType.UTF8) for value in kept]
        for key, values in ((MP4_GENRE, written), (MP4_KEPT, coded)):
            self._file.tags.pop(key, None)
            if values:
                self._file.tags[key] = list(values)
        self._file.save(padding=_keep_padding)


FIELDS: dict[str, Callable[[Path, str], GenreField]] = {
    "MP3": Id3Field, "WAV": Id3Field, "AIFF": Id3Field,
    "FLAC": VorbisField, "OGG": VorbisField, "MP4": Mp4Field,
}  # fmt: skip


def open_field(path: Path, container: str) -> GenreField:
    """Open the genre of a sound file.

    Parameters
    ----------
    path : pathlib.Path
    container : str
        From `container_of`.
    """
    return FIELDS[container](path, container)
