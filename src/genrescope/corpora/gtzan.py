"""GTZAN: a thousand 30 s excerpts in ten folders, with the facts published about them since."""

import re
from collections import Counter
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import Field

from genrescope.audio.probe import AudioInfo
from genrescope.corpora import gtzan_facts
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.table import (
    AUDIO_SUFFIXES,
    Failure,
    Segments,
    clip_id,
    clips_frame,
    failure,
    failures_frame,
    is_synthetic,
    one_per_id,
    portable,
    probe_all,
    require_usable,
    segments,
)
from genrescope.corpora.tree import Tree, open_tree
from genrescope.errors import AudioError, ConfigError, CorpusError
from genrescope.settings import AudioSettings, Settings, nearest
from genrescope.taxonomy import Taxonomy

DEEPEST_BASE = 3  # folders between the root and the genre folders
WANTED = (
    "genre folders such as genres_original/blues/*.wav (Kaggle) or genres/blues/*.au (original "
    "archive)"
)


class GtzanOptions(Settings):
    """What to take from GTZAN.

    Attributes
    ----------
    segments : {"start", "middle", "all"}
        Which part of the 30 s is used: one clip, or every clip in a row.
    offset_s : float
        Seconds passed over at the beginning.
    genres : tuple of str, optional
        Genre folders to use; all where not given.
    facts : {"auto", "none"}
        Whether artists, repetitions and faults come from the published tables. They are never
        used for rendered music, whatever its file names.
    """

    segments: Segments = "start"
    offset_s: Annotated[float, Field(ge=0)] = 0.0
    genres: tuple[str, ...] | None = None
    facts: Literal["auto", "none"] = "auto"


def index_gtzan(
    root: PurePath,
    *,
    name: str,
    culture: str,
    taxonomy: Taxonomy,
    audio: AudioSettings,
    options: GtzanOptions,
) -> Corpus:
    """List the clips of a copy of GTZAN.

    Parameters
    ----------
    root : path
        A folder or a `UrlPath`: the folder of genre folders, a folder above it, or one genre
        folder; files in any format the decoder reads.
    name, culture : str
        As in `index_corpus`.
    taxonomy : Taxonomy
        Maps GTZAN's ten labels.
    audio : AudioSettings
        The length of a clip.
    options : GtzanOptions
        Which segments and genres.

    Returns
    -------
    Corpus
        Grouped by artist where Sturm's index knows one, else by track; exact repetitions share
        a track. Names of clips begin at the genre folder, wherever `root` points.

    Raises
    ------
    CorpusError
        Where there is no genre folder or no usable clip.
    ConfigError
        Where `genres` names a folder GTZAN does not have.
    """
    tree = open_tree(root)
    bases = _bases(tree)
    if not bases:
        raise CorpusError(f"holds no GTZAN; looked for {WANTED}", path=root)
    base, folders = bases[0]
    wanted = {_genre_name(genre, strict=True) for genre in options.genres or folders}
    notes = [
        f"{len(bases) - 1} more folders with GTZAN's genres are left out: only {base.name} is used"
        for _ in bases[1:2]
    ]
    with_facts = options.facts == "auto" and not is_synthetic(root)
    paths, labels, failures = [], [], []
    for genre, folder in folders.items():
        if genre in wanted:
            files, repeated = _audio_files(tree, folder)
            paths += files
            labels += [genre] * len(files)
            failures += repeated
    rows: list[dict[str, Any]] = []
    for path, label, info in zip(paths, labels, probe_all(paths), strict=True):
        taken, failed = _clips(path, info, audio=audio, options=options, with_facts=with_facts)
        failures += failed
        rows += [
            {
                "clip_id": clip_id(name, portable(path, base), clip["start_s"]),
                "corpus": name,
                "culture": culture,
                "path": str(path),
                "label": label,
                "genre": taxonomy.genre_of(label),
                **clip,
            }
            for clip in taken
        ]
    rows, repeated = one_per_id(rows)
    failures += repeated
    require_usable(rows, failures, root=root, wanted=WANTED)
    if with_facts:
        notes += _artist_notes(rows)
    return Corpus(
        name=name,
        culture=culture,
        format="gtzan",
        clips=clips_frame(rows),
        failures=failures_frame(failures),
        notes=tuple(notes),
    )


def _genre_name(text: str, *, strict: bool = False) -> str | None:
    """GTZAN's own spelling of a genre folder: `Hip-Hop` is `hiphop`."""
    plain = re.sub(r"[\W_]+", "", text.casefold())
    if plain in gtzan_facts.GENRES:
        return plain
    if strict:
        raise ConfigError(f"GTZAN has no genre {text!r}: {nearest(text, gtzan_facts.GENRES)}")
    return None


def _bases(tree: Tree) -> list[tuple[PurePath, dict[str, PurePath]]]:
    """Folders that hold genre folders with audio, nearest to the root first."""
    root = tree.root
    if (genre := _genre_name(root.name)) and tree.is_folder(root) and _has_audio(tree, root):
        return [(root.parent, {genre: root})]
    found = []
    level = [root]
    for _ in range(DEEPEST_BASE):
        below: list[PurePath] = []
        for folder in level:
            children = [path for path in tree.children(folder) if tree.is_folder(path)]
            genres = {
                genre: path
                for path in children
                if (genre := _genre_name(path.name)) and _has_audio(tree, path)
            }
            if genres:
                found.append((folder, genres))
            below += [path for path in children if path not in genres.values()]
        level = below
    return found


def _has_audio(tree: Tree, folder: PurePath) -> bool:
    return any(path.suffix.lower() in AUDIO_SUFFIXES for path in tree.children(folder))


def _audio_files(tree: Tree, folder: PurePath) -> tuple[list[PurePath], list[Failure]]:
    """Audio files below a genre folder, one per stem; further copies are failures."""
    first: dict[PurePath, PurePath] = {}
    repeated: list[Failure] = []
    for path in tree.walk(folder, failures=repeated):
        if path.suffix.lower() not in AUDIO_SUFFIXES:
            continue
        kept = first.setdefault(path.with_suffix(""), path)
        if kept is not path:
            reason = f"is the same excerpt as {kept.name} in another format"
            repeated.append(failure(path, reason, "duplicate"))
    return list(first.values()), repeated


def _clips(
    path: PurePath,
    info: AudioInfo | AudioError,
    *,
    audio: AudioSettings,
    options: GtzanOptions,
    with_facts: bool,
) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Clips of one file as partial rows, and what of it cannot be used."""
    excerpt = gtzan_facts.excerpt_of(path.name) if with_facts else None
    fault = gtzan_facts.fault_of(excerpt) if excerpt else None
    if isinstance(info, AudioError):
        known = f" (known: {excerpt} {fault[1]})" if fault else ""
        return [], [failure(path, info.reason + known, info.kind)]
    bounds = segments(
        info.duration_s,
        clip_s=audio.clip_seconds,
        take=options.segments,
        offset_s=options.offset_s,
    )
    if not bounds:
        reason = f"holds {info.duration_s:.1f} s, less than the offset of {options.offset_s:g} s"
        return [], [failure(path, reason, "too-short")]
    usable_s = fault[0] if fault and fault[0] is not None else float("inf")
    artist = gtzan_facts.artist_of(excerpt) if excerpt else None
    track = gtzan_facts.track_of(excerpt) if excerpt else path.stem
    clips, failures = [], []
    for start_s, duration_s in bounds:
        if fault and start_s + duration_s > usable_s:
            reason = f"{excerpt} {fault[1]}: the clip at {start_s:g} s is left out"
            failures.append(failure(path, reason, "known-fault"))
            continue
        clips.append(
            {
                "start_s": start_s,
                "duration_s": duration_s,
                "group": artist or track,
                "track": track,
                "artist": artist,
                "group_kind": "artist" if artist else "track",
            }
        )
    return clips, failures


def _artist_notes(rows: list[dict[str, Any]]) -> list[str]:
    """Genres that are mostly one artist: what their scores measure is as much that artist."""
    artists: dict[str, Counter[str | None]] = {}
    for row in rows:
        if row["genre"] is not None:
            artists.setdefault(row["label"], Counter())[row["artist"]] += 1
    notes = []
    for label, counts in artists.items():
        artist, most = counts.most_common(1)[0]
        total = counts.total()
        if artist and most > total / 2:
            notes.append(f"{most} of {total} clips of {label} are by one artist, {artist}")
    return notes
