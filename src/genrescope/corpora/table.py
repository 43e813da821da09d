"""The columns of the corpus table, and helpers the formats share to fill it."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath
from typing import Any, Literal

import pandas as pd

from genrescope.audio.probe import AudioInfo, probe
from genrescope.errors import AudioError, CorpusError
from genrescope.progress import progress
from genrescope.remote import UrlPath, exists, look_up, place_of

CLIP_DTYPES: dict[str, str] = {
    "clip_id": "str",
    "corpus": "str",
    "culture": "str",
    "path": "str",
    "start_s": "float64",
    "duration_s": "float64",
    "label": "str",
    "genre": "str",
    "group": "str",
    "instrument": "str",
    "midi_path": "str",
    "track": "str",
    "artist": "str",
    "group_kind": "str",
}
COLUMNS: tuple[str, ...] = tuple(CLIP_DTYPES)
LEFTOVERS = ("__MACOSX",)  # folders of archives made by macOS
REQUESTS = 32  # at a time: of headers behind URLs, where waiting takes the time
SYNTHETIC_MARKER = "SYNTHETIC.json"
PARENTS_WITH_MARKER = 2
LONGEST_S = 1e9  # thirty years of sound
FAILURE_COLUMNS = ("path", "reason", "kind")
AUDIO_SUFFIXES = frozenset(
    {
        ".aif", ".aifc", ".aiff", ".au", ".avr", ".caf", ".flac", ".htk", ".ircam", ".mp3",
        ".nist", ".oga", ".ogg", ".opus", ".paf", ".pvf", ".rf64", ".sd2", ".sds", ".sf", ".snd",
        ".svx", ".voc", ".w64", ".wav", ".wave", ".wavex", ".xi",
        # Sound that libsndfile does not read: such a file is a failure, not a stranger.
        ".aac", ".ac3", ".alac", ".amr", ".ape", ".m4a", ".mpc", ".wma", ".wv",
    }
)  # fmt: skip

Failure = dict[str, str]
Segments = Literal["start", "middle", "all"]


def clips_frame(rows: Sequence[Mapping[str, Any]] | pd.DataFrame) -> pd.DataFrame:
    """Make a clip table with every column and its type; what a row leaves out is null.

    Examples
    --------
    >>> clips_frame([{"clip_id": "toy/a.wav@0"}])["genre"].isna().item()
    True
    """
    frame = pd.DataFrame(rows) if not isinstance(rows, pd.DataFrame) else rows
    frame = frame.reindex(columns=list(COLUMNS)).reset_index(drop=True)
    return pd.DataFrame(
        {column: frame[column].astype(CLIP_DTYPES[column]) for column in COLUMNS}  # type: ignore[call-overload]
    )


def checked_clips(frame: pd.DataFrame) -> pd.DataFrame:
    """The clip table of a frame that anyone may have made.

    Parameters
    ----------
    frame : DataFrame
        With all columns of `COLUMNS`, and perhaps others.

    Raises
    ------
    ValueError
        Where a column is missing or of another type, an identifier is missing or there twice, or
        a bound makes no sense.

    Examples
    --------
    >>> row = {"clip_id": "a", "corpus": "c", "label": "x", "start_s": -1.0}
    >>> checked_clips(clips_frame([row]))
    Traceback (most recent call last):
    ValueError: start_s of 'a' is -1.0
    """
    missing = [column for column in COLUMNS if column not in frame]
    if missing:
        raise ValueError(f"it has no column {missing[0]}")
    clips = clips_frame(frame)
    for column in ("clip_id", "corpus", "label"):
        if clips[column].isna().any():
            raise ValueError(f"a clip has no {column}")
    if clips["clip_id"].duplicated().any():
        raise ValueError("a clip_id is there twice")
    for column, low in (("start_s", 0.0), ("duration_s", 1e-9)):
        wrong = ~clips[column].between(low, LONGEST_S) & clips[column].notna()
        if wrong.any():
            first = clips[wrong].iloc[0]
            raise ValueError(f"{column} of {first['clip_id']!r} is {first[column]}")
    return clips


def failures_frame(rows: Sequence[Mapping[str, str]] | pd.DataFrame) -> pd.DataFrame:
    """Make a failure table: `path`, `reason`, `kind`."""
    frame = pd.DataFrame(rows) if not isinstance(rows, pd.DataFrame) else rows
    return frame.reindex(columns=list(FAILURE_COLUMNS)).astype("str").reset_index(drop=True)


def failure(path: str | os.PathLike[str], reason: str, kind: str) -> Failure:
    """One row of the failure table."""
    # Bytes of a file name that are no text would fit into no table.
    name, said = (
        text.encode(errors="backslashreplace").decode() for text in (os.fspath(path), reason)
    )
    return {"path": name, "reason": said, "kind": kind}


def portable(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """Path relative to a root with POSIX separators and composed characters (NFC).

    macOS hands out decomposed Korean names and Linux composed ones: identifiers must not differ.

    Examples
    --------
    >>> portable("/data/gtzan/blues/a.wav", "/data/gtzan")
    'blues/a.wav'
    """
    return unicodedata.normalize("NFC", place_of(path).relative_to(place_of(root)).as_posix())


def walk_files(root: str | os.PathLike[str], *, failures: list[Failure]) -> Iterator[Path]:
    """Every file below a folder, in an order that does not depend on the machine.

    Links to folders are followed, each folder once, so that loops end. Hidden files and folders
    and macOS archive leftovers are passed over.

    Parameters
    ----------
    root : path-like
        The folder.
    failures : list
        Gets a row for each folder below it that cannot be listed.

    Raises
    ------
    CorpusError
        Where the root is missing or cannot be listed.
    """
    root = Path(root)
    seen: set[str] = set()
    stack = list(reversed(_step(root, seen)))
    while stack:
        path = stack.pop()
        if not path.is_dir():
            yield path
            continue
        try:
            stack += reversed(_step(path, seen))
        except CorpusError as error:
            failures.append(failure(path, error.reason, "unreadable"))


def _step(folder: Path, seen: set[str]) -> list[Path]:
    real = os.path.realpath(folder)
    if real in seen:
        return []
    seen.add(real)
    return list_folder(folder)


def list_folder(folder: Path) -> list[Path]:
    """Entries of a folder that are not hidden, in an order that does not depend on the machine.

    Raises
    ------
    CorpusError
        Where the folder is missing or cannot be listed.
    """
    try:
        names = [path.name for path in folder.iterdir()]
    except NotADirectoryError as error:
        raise CorpusError("is not a folder", path=folder) from error
    except FileNotFoundError as error:
        raise CorpusError("does not exist", path=folder) from error
    except OSError as error:
        reason = f"cannot be listed ({(error.strerror or str(error)).lower()})"
        raise CorpusError(reason, path=folder) from error
    shown = [name for name in names if not name.startswith(".") and name not in LEFTOVERS]
    return [folder / name for name in sorted(shown, key=composed_first)]


def composed_first(name: str) -> tuple[str, str]:
    """Sorts names by their composed characters (NFC), on every machine alike."""
    return unicodedata.normalize("NFC", name), name


def probe_all(
    paths: Sequence[PurePath], *, description: str = "reading headers"
) -> list[AudioInfo | AudioError]:
    """Read the headers of many files; a file that cannot be used gives its error instead."""
    results: list[AudioInfo | AudioError] = []
    remote = any(isinstance(path, UrlPath) for path in paths)
    if remote:
        look_up([str(path) for path in paths])
    # Headers cost seeks, not computation, so threads are enough.
    threads = REQUESTS if remote else None
    with (
        ThreadPoolExecutor(threads) as pool,
        progress(len(paths), description, unit="files") as bar,
    ):
        for result in pool.map(_probe_or_error, paths):
            results.append(result)
            bar.advance()
    return results


def _probe_or_error(path: PurePath) -> AudioInfo | AudioError:
    try:
        return probe(path)
    except AudioError as error:
        return error


def segments(
    length_s: float, *, clip_s: float, take: Segments = "start", offset_s: float = 0.0
) -> list[tuple[float, float]]:
    """Where the clips of a recording begin and how long they are.

    Parameters
    ----------
    length_s : float
        Length of the recording, in seconds.
    clip_s : float
        Length of a clip, in seconds.
    take : {"start", "middle", "all"}
        One clip from the start, one from the middle, or clips in a row without overlap; a rest
        shorter than half a clip is left out unless it is all there is.
    offset_s : float
        What lies before it is not used.

    Returns
    -------
    list of (start_s, duration_s)
        Empty where the recording ends before the offset.

    Examples
    --------
    >>> segments(12.0, clip_s=5.0, take="all")
    [(0.0, 5.0), (5.0, 5.0)]
    >>> segments(3.0, clip_s=5.0), segments(30.0, clip_s=5.0, take="middle")
    ([(0.0, 3.0)], [(12.5, 5.0)])
    """
    left_s = length_s - offset_s
    if left_s <= 0:
        return []
    if take == "middle":
        # Milliseconds: the start is part of the clip's name.
        start_s = offset_s + round(max(0.0, left_s - clip_s) / 2, 3)
        return [(start_s, min(clip_s, length_s - start_s))]
    if take == "start" or left_s <= clip_s:
        return [(offset_s, min(clip_s, left_s))]
    whole = int(left_s // clip_s)
    bounds = [(offset_s + index * clip_s, clip_s) for index in range(whole)]
    rest_s = left_s - whole * clip_s
    if rest_s >= clip_s / 2:
        bounds.append((offset_s + whole * clip_s, rest_s))
    return bounds


def clip_id(corpus: str, relative: str, start_s: float) -> str:
    """Name of a clip, the same on every machine.

    Examples
    --------
    >>> clip_id("gtzan", "blues/blues.00000.wav", 5.0)
    'gtzan/blues/blues.00000.wav@5'
    """
    return f"{corpus}/{relative}@{start_s:g}"


def one_per_id(rows: Iterable[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Keep the first row of each `clip_id`; the others become failures.

    Two files get one name where a file system holds a Korean name in both Unicode forms.
    """
    kept: dict[str, dict[str, Any]] = {}
    failures = []
    for row in rows:
        first = kept.setdefault(row["clip_id"], row)
        if first is not row:
            reason = f"has the same name as {first['path']} once Unicode forms are brought together"
            failures.append(failure(row["path"], reason, "duplicate"))
    return list(kept.values()), failures


def require_usable(
    rows: Sequence[Mapping[str, Any]],
    failures: Sequence[Failure],
    *,
    root: str | os.PathLike[str],
    wanted: str,
) -> None:
    """Refuse a corpus without a single clip that has a genre.

    Raises
    ------
    CorpusError
        Saying what was looked for and, where there were clips or failures, what became of them.
    """
    if any(row["genre"] is not None for row in rows):
        return
    if rows:
        labels = sorted({str(row["label"]) for row in rows})
        shown = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
        reason = f"none of its {len(rows)} clips has a label the taxonomy knows; it has {shown}"
    elif failures:
        first = failures[0]
        reason = (
            f"holds no usable clip: all {len(failures)} candidates failed, the first "
            f"({Path(first['path']).name}) because {first['reason']}"
        )
    else:
        reason = f"holds no usable clip; looked for {wanted}"
    raise CorpusError(reason, path=root)


def is_synthetic(root: str | os.PathLike[str]) -> bool:
    """Whether the marker of rendered corpora lies in a folder or up to two folders above it."""
    place = place_of(root)
    folders = [place, *place.parents[:PARENTS_WITH_MARKER]]
    return any(
        exists(marker) if isinstance(marker, UrlPath) else Path(marker).is_file()
        for marker in (folder / SYNTHETIC_MARKER for folder in folders)
    )
