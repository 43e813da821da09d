"""Genres in MP4: M4A files."""

from pathlib import Path
from typing import Any

from mutagen.mp4 import MP4, AtomDataType, MP4FreeForm

from genrescope.audio.genre_field import GenreField, Values, keep_padding

MP4_GENRE, MP4_KEPT = "\xa9gen", "----:org.genrescope:OLD_GENRE"


class Mp4Field(GenreField):
    """MP4: the box `©gen`, or the number in `gnre`, which mutagen spells out."""

    def __init__(self, path: Path, container: str) -> None:  # noqa: ARG002
        opener: Any = MP4  # its types are incomplete
        self._file = opener(path)
        tags = self._file.tags
        self.is_tagged = tags is not None and len(tags) > 0
        if tags is not None:
            self.written = tuple(tags[MP4_GENRE]) if MP4_GENRE in tags else None
            if MP4_KEPT in tags:
                self.kept = tuple(bytes(value).decode() for value in tags[MP4_KEPT])
            self.artist = next(iter(tags.get("\xa9ART", ())), None)

    def agrees_with(self, after: GenreField) -> bool:
        """Whether all other boxes of a changed copy are the same."""
        return isinstance(after, Mp4Field) and self._others() == after._others()

    def _others(self) -> Any:
        own = (MP4_GENRE, MP4_KEPT)
        return {
            key: repr(value) for key, value in (self._file.tags or {}).items() if key not in own
        }

    def change(self, written: Values | None, kept: Values | None) -> None:
        """Write both boxes."""
        if self._file.tags is None:
            self._file.add_tags()
        free_form: Any = MP4FreeForm
        coded = kept and [free_form(value.encode(), AtomDataType.UTF8) for value in kept]
        for key, values in ((MP4_GENRE, written), (MP4_KEPT, coded)):
            self._file.tags.pop(key, None)
            if values:
                self._file.tags[key] = list(values)
        self._file.save(padding=keep_padding)
