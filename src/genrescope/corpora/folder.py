"""Any collection with a folder per genre."""

from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field

from genrescope.corpora.corpus import Corpus
from genrescope.corpora.table import (
    AUDIO_SUFFIXES,
    Failure,
    Segments,
    clip_id,
    clips_frame,
    failure,
    failures_frame,
    one_per_id,
    portable,
    probe_all,
    require_usable,
    segments,
)
from genrescope.corpora.tree import open_tree
from genrescope.errors import AudioError
from genrescope.settings import AudioSettings, Settings
from genrescope.taxonomy import Taxonomy

WANTED = "audio files in a folder per genre, such as rock/song.mp3"


class FolderOptions(Settings):
    """What to take from a collection.

    Attributes
    ----------
    segments : {"start", "middle", "all"}
        Which part of each file is used: one clip, or every clip in a row.
    offset_s : float
        Seconds passed over at the beginning.
    artist_from : {"none", "parent"}
        ``parent`` reads ``genre/artist/.../file``: the folder below the genre is the artist.
    """

    segments: Segments = "start"
    offset_s: Annotated[float, Field(ge=0)] = 0.0
    artist_from: Literal["none", "parent"] = "none"


def index_folder(
    root: PurePath,
    *,
    name: str,
    culture: str,
    taxonomy: Taxonomy,
    audio: AudioSettings,
    options: FolderOptions,
) -> Corpus:
    """List the clips of a collection whose top folders are its labels.

    Parameters
    ----------
    root : path
        A folder or a `UrlPath`. Holds a folder per label; files lie at any depth below. Files
        that are not audio by their suffix are passed over.
    name, culture : str
        As in `index_corpus`.
    taxonomy : Taxonomy
        Maps folder names to genres.
    audio : AudioSettings
        The length of a clip.
    options : FolderOptions
        Which segments, and whether folders name artists.

    Returns
    -------
    Corpus
        One track per file; grouped by artist where `artist_from` gives one.

    Raises
    ------
    CorpusError
        Where no usable clip is found.
    """
    failures: list[Failure] = []
    paths = []
    for path in open_tree(root).walk(root, failures=failures):
        if path.suffix.lower() not in AUDIO_SUFFIXES:
            continue
        if path.parent == root:
            reason = "lies beside the genre folders instead of in one, so it has no label"
            failures.append(failure(path, reason, "label-missing"))
        else:
            paths.append(path)
    rows: list[dict[str, Any]] = []
    for path, info in zip(paths, probe_all(paths), strict=True):
        if isinstance(info, AudioError):
            failures.append(failure(path, info.reason, info.kind))
            continue
        bounds = segments(
            info.duration_s,
            clip_s=audio.clip_seconds,
            take=options.segments,
            offset_s=options.offset_s,
        )
        if not bounds:
            reason = (
                f"holds {info.duration_s:.1f} s, less than the offset of {options.offset_s:g} s"
            )
            failures.append(failure(path, reason, "too-short"))
        relative = portable(path, root)
        label, *between, _ = relative.split("/")
        artist = between[0] if options.artist_from == "parent" and between else None
        track = relative.removesuffix(path.suffix)
        rows += [
            {
                "clip_id": clip_id(name, relative, start_s),
                "corpus": name,
                "culture": culture,
                "path": str(path),
                "start_s": start_s,
                "duration_s": duration_s,
                "label": label,
                "genre": taxonomy.genre_of(label),
                "group": artist or track,
                "track": track,
                "artist": artist,
                "group_kind": "artist" if artist else "track",
            }
            for start_s, duration_s in bounds
        ]
    rows, repeated = one_per_id(rows)
    failures += repeated
    require_usable(rows, failures, root=root, wanted=WANTED)
    return Corpus(
        name=name,
        culture=culture,
        format="folder",
        clips=clips_frame(rows),
        failures=failures_frame(failures),
    )
