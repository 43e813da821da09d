"""The genre tag of a sound file: read, written and put back, with the sound left as it is."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from genrescope.audio.payload import container_of, payload_digest
from genrescope.errors import AudioError, ConfigError, OutputError, TagError
from genrescope.files import atomic_path, output_errors, sweep_beside

try:
    from genrescope.audio.genre_field import GenreField, Values, damage_named
    from genrescope.audio.id3_field import Id3Field
    from genrescope.audio.mp4_field import Mp4Field
    from genrescope.audio.vorbis_field import VorbisField
except ImportError as missing:
    if (missing.name or "").split(".")[0] != "mutagen":
        raise
    raise ConfigError("tags need the extra: pip install 'genrescope[tags]'") from missing

FIELDS: dict[str, Callable[[Path, str], GenreField]] = {
    "MP3": Id3Field, "WAV": Id3Field, "AIFF": Id3Field,
    "FLAC": VorbisField, "OGG": VorbisField, "MP4": Mp4Field,
}  # fmt: skip
NO_GENRE = ("(no genre)",)  # kept of a file that had none; ID3 readers drop empty values


@dataclass(frozen=True)
class Tags:
    """What a sound file says of its genre.

    Attributes
    ----------
    genres : tuple of str
        In words: numbers of ID3's list are spelled out, empty values left out. Empty where the file
        has other tags only.
    written : tuple of str
        The values as they stand in the file, such as `"(17)"`.
    kept : tuple of str or None
        The values `write_genres` found when it first changed the file, as they stood there; empty
        where there were none; None where it changed nothing.
    artist : str or None
        The first one named.
    """

    genres: Values
    written: Values
    kept: Values | None
    artist: str | None


def read_tags(path: str | os.PathLike[str]) -> Tags | None:
    """Read the genre tag of a sound file.

    Parameters
    ----------
    path : path-like
        MP3 (ID3v2, else ID3v1), FLAC, OGG Vorbis or Opus, M4A or MP4, WAV or AIFF with ID3; known
        by its content, whatever its name.

    Returns
    -------
    Tags or None
        None where the file has no tags at all.

    Raises
    ------
    AudioError
        Where the file is missing, empty, forbidden, no file, or cut short.
    TagError
        `no-tag-format` for another kind of file, `broken-tags` for tags that cannot be parsed.
    ConfigError
        Where mutagen is not installed.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.flac"
    >>> soundfile.write(path, [0.0] * 22050, 22050)
    >>> write_genres(path, ["Blues"])
    True
    >>> read_tags(path).genres, read_tags(path).kept
    (('Blues',), ())
    >>> restore_genres(path)
    True
    >>> read_tags(path) is None
    True
    """
    field = _open(Path(path))
    if not field.is_tagged:
        return None
    kept = () if field.kept == NO_GENRE else field.kept
    with damage_named(Path(path)):
        return Tags(field.genres, field.written or (), kept, field.artist)


def write_genres(
    path: str | os.PathLike[str], genres: Sequence[str], *, dry_run: bool = False
) -> bool:
    """Write a genre, and keep the old one in a tag of its own.

    A copy in the same folder is changed, compared with the file, and takes its place: whoever reads
    finds the old file or the new one. What is kept is what stood there before the first change;
    later ones leave it alone. Mode and owner stay, the time of change does not.

    Parameters
    ----------
    path : path-like
        A link is followed.
    genres : sequence of str
        One or more, none of them empty.
    dry_run : bool
        Only find out: nothing is written, not even a copy.

    Returns
    -------
    bool
        Whether the file changes; False where it says so already, and is left alone.

    Raises
    ------
    AudioError, TagError
        As `read_tags` does; `would-lose` where sound or other tags would not stay as they are,
        `changed-meanwhile` where another program wrote the file. The file is then as it was.
    OutputError
        Where the file or its folder cannot be written.
    """
    new = tuple(genres)
    if not new or not all(value.strip() for value in new):
        raise ValueError(f"genres are one or more texts that are not empty, not {new!r}")
    path = Path(os.path.realpath(path))
    field = _open(path)
    if new == field.written:
        return False
    kept = field.kept or field.written or NO_GENRE
    _replace(path, field, new, kept, dry_run=dry_run)
    return True


def restore_genres(path: str | os.PathLike[str], *, dry_run: bool = False) -> bool:
    """Put back the genre that `write_genres` found, and remove the tag it was kept in.

    Parameters
    ----------
    path, dry_run
        As of `write_genres`.

    Returns
    -------
    bool
        Whether the file changes; False where nothing is kept, and it is left alone.

    Raises
    ------
    AudioError, TagError, OutputError
        As `write_genres` does.
    """
    path = Path(os.path.realpath(path))
    field = _open(path)
    if field.kept is None:
        return False
    written = None if field.kept == NO_GENRE else field.kept
    _replace(path, field, written, None, dry_run=dry_run)
    return True


def _open(path: Path) -> GenreField:
    container = container_of(path)
    with damage_named(path):
        return FIELDS[container](path, container)


def _replace(
    path: Path, field: GenreField, written: Values | None, kept: Values | None, *, dry_run: bool
) -> None:
    _check_writable(path)
    with damage_named(path):
        loss = field.loss
    if loss is not None:
        raise TagError(
            f"writing would lose {loss}; nothing was written", path=path, kind="would-lose"
        )
    if dry_run:
        return
    sweep_beside(path)
    before = path.stat()
    sound = payload_digest(path)
    with atomic_path(path, keep_mode=True) as temporary, output_errors(path):
        shutil.copy2(path, temporary)
        if not (_changed(temporary, field, written, kept) and _digest(temporary) == sound):
            raise TagError(
                "sound or other tags would not stay as they are; nothing was written",
                path=path,
                kind="would-lose",
            )
        _to_disk(temporary)
        now = path.stat()
        if (now.st_mtime_ns, now.st_size, now.st_ino) != (
            before.st_mtime_ns, before.st_size, before.st_ino,
        ):  # fmt: skip
            raise TagError(
                "another program changed the file meanwhile; try again",
                path=path,
                kind="changed-meanwhile",
            )


def _changed(copy: Path, original: GenreField, written: Values | None, kept: Values | None) -> bool:
    """Change a copy; whether it then says what it should, and all else as before."""
    try:
        with damage_named(copy):
            _open(copy).change(written, kept)
            after = _open(copy)
            return (after.written, after.kept) == (written, kept) and original.agrees_with(after)
    except (AudioError, TagError):  # where it became unreadable
        return False


def _digest(copy: Path) -> str | None:
    try:
        return payload_digest(copy)
    except (AudioError, TagError):
        return None


def _check_writable(path: Path) -> None:
    """Refuse a file that says it is read-only, though a rename in its folder could replace it."""
    if not path.stat().st_mode & 0o222:
        raise OutputError("is read-only; nothing was written", path=path)
    with output_errors(path), path.open("r+b"):
        pass
    if not os.access(path.parent, os.W_OK):
        raise OutputError("its folder is read-only; nothing was written", path=path)


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
