"""The built-in corpora: music rendered by code, written as files and indexed like any other.

"western" is half-minute mixes in the layout of GTZAN, "korean" about 3 s loops of single
instruments with MIDI and JSON in the layout of the Korean loops. They show what the program
does with nothing downloaded; no score on them says anything about real music.
"""

import csv
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

from pydantic import Field

from genrescope.corpora.corpus import Corpus
from genrescope.corpora.synthesis.files import CorpusFile, TrackFile, Writer, corpus_files
from genrescope.corpora.table import AUDIO_SUFFIXES, SYNTHETIC_MARKER
from genrescope.errors import ConfigError, CorpusError
from genrescope.files import output_errors, read_json, write_json, write_text
from genrescope.parallel import Workers, map_processes
from genrescope.progress import progress
from genrescope.settings import AudioSettings, Settings
from genrescope.taxonomy import Taxonomy

VERSION = 1  # raised whenever the same seed would sound different
SIZES = {"western": 144, "korean": 320}  # tracks; loops of core instruments
ARTISTS = "artists.csv"
NOTE = "synthetic: rendered by code, no score on it says anything about real music"
_CORPUS_SUFFIXES = AUDIO_SUFFIXES | {".mid", ".json"}

StyleName = Literal["western", "korean"]


class SyntheticOptions(Settings):
    """Which built-in corpus.

    Attributes
    ----------
    style : {"western", "korean"}, optional
        Needed unless the folder already holds one of them.
    size : int, optional
        Tracks of 30 s, or loops of the five core instruments; what the folder holds, or else
        144 and 320, where not given.
    seed : int, optional
        Same seed, same music; what the folder holds, or else 0, where not given.
    """

    style: StyleName | None = None
    size: Annotated[int, Field(ge=1, le=100_000)] | None = None
    seed: Annotated[int, Field(ge=0)] | None = None


def write_synthetic(
    folder: str | os.PathLike[str],
    *,
    style: StyleName = "western",
    size: int | None = None,
    seed: int | None = None,
    workers: Workers = None,
) -> Path:
    """Write a built-in corpus as files, or what is missing of it.

    The marker `SYNTHETIC.json` is written first, so that even an unfinished corpus is known to
    be synthetic. Every file appears whole or not at all and is not written again; a larger
    `size` adds to what is there.

    Parameters
    ----------
    folder : path-like
        An empty or new folder, or one that this function has written.
    style : {"western", "korean"}
        Half-minute mixes in GTZAN's layout, or loops with MIDI and JSON.
    size : int, optional
        Tracks in all, or loops of core instruments in all (those of other instruments, which
        the study filters out, come on top); 144 and 320 for a new folder.
    seed : int, optional
        0 or more; 0 for a new folder.
    workers : Workers
        Processes; the usable cores where None.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    CorpusError
        Where the folder holds something else, or another synthetic corpus.
    ConfigError
        For an unknown style or a size or seed out of range.
    OutputError
        Where it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> folder = write_synthetic(tempfile.mkdtemp(), style="korean", size=2, workers=1)
    >>> len(list(folder.rglob("*.wav"))) >= 2
    True
    """
    folder = Path(folder)
    options = SyntheticOptions.parse({"style": style, "size": size, "seed": seed})
    marker = _agreed_marker(folder, options)
    files = list(corpus_files(marker["style"], marker["size"], seed=marker["seed"]))
    _refuse_foreign(folder, files)
    write_json(folder / SYNTHETIC_MARKER, marker)
    if marker["style"] == "western":
        write_text(folder / ARTISTS, _artist_table(files))
    missing = [file for file in files if not all(_is_there(folder, name) for name in file.names)]
    if missing:
        title = f"rendering the {marker['style']} corpus (synthetic)"
        unit = "tracks" if marker["style"] == "western" else "loops"
        writer = Writer(folder, marker["seed"])
        with progress(len(missing), title, unit=unit) as bar:
            for _ in map_processes(writer, missing, workers=workers):
                bar.advance()
    return folder


def index_synthetic(
    root: PurePath | None,
    *,
    name: str,
    culture: str,
    taxonomy: Taxonomy,
    audio: AudioSettings,
    options: SyntheticOptions,
) -> Corpus:
    """List the clips of a built-in corpus, after writing what is missing of it.

    Parameters
    ----------
    root : pathlib.Path
        Where its files are or shall be.
    name, culture : str
        As in `index_corpus`.
    taxonomy : Taxonomy
        Maps its labels, which are GTZAN's and the Korean loops'.
    audio : AudioSettings
        The length of a clip.
    options : SyntheticOptions
        Which corpus, how large, which seed.

    Returns
    -------
    Corpus
        Grouped by (synthetic) artist or song; `synthetic` is true.

    Raises
    ------
    ConfigError
        Where neither the options nor the folder say which style, or there is no folder.
    CorpusError
        Where the folder holds something else.
    """
    if root is None:
        raise ConfigError(f"the synthetic corpus {name} needs a root: the folder to write it to")
    if not isinstance(root, Path):
        raise ConfigError(
            "a synthetic corpus is rendered into a folder of this machine; leave the root out, or "
            "index what is there already as gtzan or korean-loops",
            path=root,
        )
    style = options.style or (_read_marker(root) or {}).get("style")
    if style is None:
        raise ConfigError("a synthetic corpus needs the option style: western or korean", path=root)
    write_synthetic(root, style=style, size=options.size, seed=options.seed)
    about: dict[str, Any] = {
        "name": name, "culture": culture, "taxonomy": taxonomy, "audio": audio
    }  # fmt: skip
    if style == "western":
        from genrescope.corpora.gtzan import GtzanOptions, index_gtzan

        corpus = _with_artists(index_gtzan(root, options=GtzanOptions(), **about), root)
    else:
        from genrescope.corpora.korean_loops import KoreanLoopsOptions, index_korean_loops

        corpus = index_korean_loops(root, options=KoreanLoopsOptions(), **about)
    return replace(corpus, format="synthetic", synthetic=True, notes=(NOTE, *corpus.notes))


def _with_artists(corpus: Corpus, root: Path) -> Corpus:
    """The corpus grouped by the artists that its own table names."""
    with (root / ARTISTS).open(encoding="utf-8", newline="") as file:
        artists = {row["stem"]: row["artist"] for row in csv.DictReader(file)}
    clips = corpus.clips.copy()
    clips["artist"] = clips["track"].map(artists).astype(clips["artist"].dtype)
    clips["group"] = clips["artist"].fillna(clips["group"])
    clips["group_kind"] = clips["group_kind"].mask(clips["artist"].notna(), "artist")
    return replace(corpus, clips=clips)


def _artist_table(files: list[CorpusFile]) -> str:
    rows = [f"{file.stem},{file.artist}" for file in files if isinstance(file, TrackFile)]
    return "\n".join(["stem,artist", *rows]) + "\n"


def _read_marker(folder: Path) -> dict[str, Any] | None:
    """The marker of a folder; nothing where there is none.

    Raises
    ------
    CorpusError
        Where it cannot be read or is of another kind.
    """
    path = folder / SYNTHETIC_MARKER
    if not path.is_file():
        return None
    try:
        marker = read_json(path)
    except (OSError, ValueError) as error:
        reason = f"cannot be read ({error}); delete the folder and write it again"
        raise CorpusError(reason, path=path) from error
    known = {"style": str, "seed": int, "size": int, "version": int}
    if not isinstance(marker, dict) or any(
        not isinstance(marker.get(key), kind) for key, kind in known.items()
    ):
        raise CorpusError("is no marker of a built-in corpus; choose another folder", path=path)
    return marker


def _agreed_marker(folder: Path, options: SyntheticOptions) -> dict[str, Any]:
    """The marker the folder shall have, after checking the one it has."""
    style = options.style or "western"
    found = _read_marker(folder)
    if found is None:
        with output_errors(folder):
            entries = [path.name for path in folder.iterdir()] if folder.exists() else []
        seen = sorted(name for name in entries if not name.startswith("."))
        if seen:
            reason = (
                f"is not empty (it holds {seen[0]}) and was not written as a synthetic corpus; "
                "choose a new or empty folder"
            )
            raise CorpusError(reason, path=folder)
        found = {"style": style, "seed": options.seed or 0, "version": VERSION, "size": 0}
    wanted = {
        "synthetic": True,
        "style": style,
        "seed": found["seed"] if options.seed is None else options.seed,
        "size": options.size or found["size"] or SIZES[style],
        "version": VERSION,
    }
    differing = [key for key in ("version", "style", "seed") if found[key] != wanted[key]]
    if wanted["size"] < found["size"]:
        differing.append("size")
    if differing:
        terms = " and ".join(f"{key} {found[key]} (not {wanted[key]})" for key in differing)
        reason = f"holds another synthetic corpus, of {terms}; choose a new folder or delete it"
        raise CorpusError(reason, path=folder)
    return wanted


def _refuse_foreign(folder: Path, files: list[CorpusFile]) -> None:
    """Make sure that indexing the folder would find the corpus's own files and no others."""
    own = {name for file in files for name in file.names} | {SYNTHETIC_MARKER}
    for found in _files_below(folder):
        if unicodedata.normalize("NFC", found) not in own:
            reason = (
                f"is not part of the synthetic corpus in {folder.name}; move it elsewhere, its "
                "clips would be taken for synthetic ones"
            )
            raise CorpusError(reason, path=folder / found)


def _is_there(folder: Path, name: str) -> bool:
    return os.path.isfile(f"{folder}/{name}")  # noqa: PTH113 (of 100,000 files)


def _files_below(folder: Path) -> Iterator[str]:
    """Files a corpus is made of, relative; hidden ones, unfinished writes among them, left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = Path(place).relative_to(folder).as_posix()
        for name in sorted(names):
            suffix = os.path.splitext(name)[1]  # noqa: PTH122 (of 100,000 files)
            if not name.startswith(".") and suffix.lower() in _CORPUS_SUFFIXES:
                yield name if below == "." else f"{below}/{name}"
