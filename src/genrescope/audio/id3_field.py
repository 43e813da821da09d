"""Genres in ID3: MP3, WAV and AIFF files."""

import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mutagen.aiff import AIFF
from mutagen.id3 import (
    ID3,
    TCO,
    TCON,
    TP1,
    TPE1,
    TXX,
    TXXX,
    Encoding,
    Frame,
    Frames,
    Frames_2_2,
    ID3NoHeaderError,
)
from mutagen.wave import WAVE

from genrescope.audio.genre_field import KEPT, GenreField, Values, keep_padding
from genrescope.audio.payload import ID3V1_BYTES

ID3_KEPT = f"TXXX:{KEPT}"
NO_V1_GENRE = 255
OPENERS: dict[str, Any] = {"MP3": ID3, "WAV": WAVE, "AIFF": AIFF}
LARGEST_FRAME = 2**24  # bytes that a packed frame may unpack to
PACKED = {3: 0x0080, 4: 0x0008}  # the flag of a frame that says so, by the version of ID3v2


def _bounded(frames: Mapping[str, Any]) -> dict[str, Any]:
    """Kinds of frames that refuse to be unpacked where little unpacks to much."""
    return {name: type(name, (_Bounded, kind), {}) for name, kind in frames.items()}


class _Bounded(Frame):
    @classmethod
    def _fromData(cls, header: Any, tflags: int, data: bytes) -> Any:  # noqa: N802 (mutagen's)
        if tflags & PACKED.get(header.version[1], 0):
            # With or without the four bytes of a length, which not every writer gives.
            for packed in (data, data[4:]):
                for content in (packed, packed.replace(b"\xff\0", b"\xff")):
                    unpacker = zlib.decompressobj()
                    try:
                        unpacker.decompress(content, LARGEST_FRAME)
                    except zlib.error:
                        continue
                    if unpacker.unconsumed_tail:
                        raise ValueError(f"a frame unpacks to more than {LARGEST_FRAME:,} bytes")
        return super()._fromData(header, tflags, data)  # type: ignore[no-untyped-call]


class Id3Field(GenreField):
    """ID3: frame TCON, of MP3, WAV and AIFF files.

    Only the frames concerned are parsed where it can be helped: mutagen hands the bytes of all
    others through, and none of them can be so damaged that the genre is lost.
    """

    OLD: ClassVar = {"TCO": TCO, "TXX": TXX, "TP1": TP1}  # ID3v2.2 knows no packed frames
    READ: ClassVar = _bounded({"TCON": TCON, "TXXX": TXXX, "TPE1": TPE1}) | OLD
    WRITTEN: ClassVar = _bounded({"TCON": TCON, "TXXX": TXXX})
    EVERY: ClassVar = _bounded(Frames) | Frames_2_2

    def __init__(self, path: Path, container: str) -> None:
        self._path, self._container = path, container
        self._tags = self._load(known_frames=self.READ, translate=False)
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
        options.setdefault("known_frames", self.EVERY)
        try:
            opened = OPENERS[self._container](self._path, **options)
        except ID3NoHeaderError:
            return None
        return opened if self._container == "MP3" else opened.tags

    def _load_few(self) -> Any:
        return self._load(known_frames=self.WRITTEN, translate=False, load_v1=False)

    @property
    def _version(self) -> int:
        """The minor version to write, as in ID3v2.3."""
        return 4 if self._tags is not None and self._tags.version[1] == 4 else 3

    @property
    def _anew(self) -> bool:
        """Whether every frame is parsed and written anew.

        Tags of ID3v1 and ID3v2.2 become ID3v2.3; where all bytes are rearranged
        (unsynchronisation), frames do not stand for themselves.
        """
        tags = self._tags
        return tags is not None and (tags.version[1] not in (3, 4) or tags.f_unsynch)

    @property
    def genres(self) -> Values:
        """The genres in words, numbers of ID3's list spelled out."""
        return () if self.written is None else tuple(_text(TCON, self.written).genres)

    @property
    def loss(self) -> str | None:
        """What writing would lose, in words."""
        if self._tags is not None and self._tags.version == (2, 2, 0):
            unknown = self._load(translate=False).unknown_frames
            return "frames of ID3v2.2 that later versions do not have" if unknown else None
        return None

    def agrees_with(self, after: GenreField) -> bool:
        """Whether all other frames of a changed copy are the same."""
        if not isinstance(after, Id3Field):
            return False
        return self._others(anew=self._anew) == after._others(anew=self._anew)

    def _others(self, *, anew: bool) -> list[str]:
        tags = self._load() if anew else self._load_few()
        if tags is None:
            return []
        frames = [repr(frame) for key, frame in tags.items() if key not in ("TCON", ID3_KEPT)]
        return sorted(frames + list(map(repr, tags.unknown_frames)))

    def change(self, written: Values | None, kept: Values | None) -> None:
        """Write both frames."""
        if self._tags is None:
            tags = self._new()
        else:
            tags = self._load(v2_version=self._version) if self._anew else self._load_few()
        _set_frame(tags, "TCON", written and _text(TCON, written))
        _set_frame(tags, ID3_KEPT, kept and _text(TXXX, kept, desc=KEPT))
        old_v1 = self._v1()
        nothing_left = not tags and not tags.unknown_frames
        if nothing_left and self._container == "MP3":
            tags.delete(self._path, delete_v1=False)
        elif nothing_left:
            tags.delete(self._path)
        else:
            tags.save(self._path, v2_version=self._version, v23_sep=None, padding=keep_padding)
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


def _text(kind: Any, values: Values, **more: str) -> Any:
    """A frame in the encoding every player reads, where it has the letters."""
    plain = all(ord(letter) < 256 for value in values for letter in value)
    encoding = Encoding.LATIN1 if plain else Encoding.UTF16
    return kind(encoding=encoding, text=list(values), **more)
