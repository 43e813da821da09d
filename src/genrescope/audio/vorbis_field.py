"""Genres in Vorbis comments: FLAC, OGG Vorbis and Opus files."""

import functools
from pathlib import Path
from typing import Any

import mutagen
from mutagen.flac import FLAC, Padding
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis

from genrescope.audio.genre_field import KEPT, GenreField, Values, keep_padding

UNDECODED = "\ufffd"
OPENERS: dict[str, Any] = {
    "FLAC": FLAC,
    "OGG": functools.partial(mutagen.File, options=(OggVorbis, OggOpus)),
}


class VorbisField(GenreField):
    """Vorbis comments: `GENRE`, of FLAC, OGG Vorbis and Opus files."""

    def __init__(self, path: Path, container: str) -> None:
        self._file = OPENERS[container](path)
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

    def agrees_with(self, after: GenreField) -> bool:
        """Whether all other comments of a changed copy are the same; of FLAC, also other blocks."""
        return isinstance(after, VorbisField) and self._others() == after._others()

    def _others(self) -> Any:
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
        self._file.save(padding=keep_padding)


def _set_comment(tags: Any, key: str, values: Values | None) -> None:
    """Exchange the values of a key where they stand; new ones go to the end."""
    pairs = list(tags)
    mine = [place for place, (name, _) in enumerate(pairs) if name.lower() == key.lower()]
    name, start = (pairs[mine[0]][0], mine[0]) if mine else (key, len(pairs))
    rest = [pair for place, pair in enumerate(pairs) if place not in mine]
    tags[:] = [*rest[:start], *((name, value) for value in values or ()), *rest[start:]]
