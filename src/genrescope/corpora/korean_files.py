"""Finding which sound, which metadata and which MIDI file of a loop collection belong together."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from genrescope.corpora.korean_metadata import plain
from genrescope.corpora.table import (
    AUDIO_SUFFIXES,
    SYNTHETIC_MARKER,
    Failure,
    failure,
)
from genrescope.corpora.tree import open_tree

METADATA_SUFFIX = ".json"
MIDI_SUFFIXES = frozenset({".mid", ".midi"})
# Folders that part the kinds of files and say nothing about the loop: 02.라벨링데이터 (labels),
# 01.원천데이터 (sources), and their like in English.
TREES = frozenset(
    {
        "라벨링데이터", "라벨데이터", "라벨링", "라벨", "원천데이터", "원천", "메타데이터", "음원",
        "오디오",
        "label", "labels", "labeled", "labeling", "labelled", "labelling", "labelingdata",
        "labellingdata", "labeldata", "source", "sources", "sourcedata", "raw", "rawdata", "meta",
        "metadata", "annotation", "annotations", "json", "jsons", "wav", "wavs", "audio", "midi",
        "midis", "mid",
    }
)  # fmt: skip
# [라벨]드럼 and [원천]드럼, TL_드럼 and TS_드럼 (training labels, training sources), VL1 and VS1.
TREE_PREFIX = re.compile(
    r"^\[(?:라벨링데이터|라벨링|라벨|원천데이터|원천)\]|^([TV])[LS](?=[\W_\d]|$)"
)


@dataclass(frozen=True)
class Loop:
    """The files of one loop."""

    audio: PurePath
    metadata: PurePath
    midi: PurePath | None


@dataclass(frozen=True)
class _File:
    path: PurePath
    folders: tuple[str, ...]  # below the root, without those that part kinds of files


def find_loops(
    root: PurePath, *, leave_out: Iterable[PurePath] = (), failures: list[Failure]
) -> tuple[list[Loop], list[str]]:
    """Bring together the files that share a stem, in one folder or in parallel trees.

    Where a stem occurs more than once, files go together whose folders are the same apart from
    those that part kinds of files (such as 라벨링데이터), else those whose folders agree from the
    end for longest.

    Parameters
    ----------
    root : path
        The top folder, or its `UrlPath`.
    leave_out : iterable of path
        JSON files that are no metadata, such as code tables.
    failures : list
        Gets a row for each sound without metadata (``metadata-missing``), metadata without sound
        (``audio-missing``), and file with several possible partners (``ambiguous``).

    Returns
    -------
    loops : list of Loop
        In the order of their sounds.
    notes : list of str
        Sentences on files left over.
    """
    sounds, texts, midis = _by_stem(root, {_one_name(path) for path in leave_out}, failures)
    # Numbering that starts again in each folder: a stem alone then says nothing.
    restarts = any(len(files) > 1 for kind in (sounds, texts) for files in kind.values())
    loops: list[Loop] = []
    used: set[PurePath] = set()
    for stem in sorted({*sounds, *texts}):
        pairs, left_sounds, left_texts = _pair(sounds[stem], texts[stem], restarts=restarts)
        failures += _left(left_sounds, left_texts)
        with_midi, *_ = _pair([sound for sound, _ in pairs], midis[stem], restarts=restarts)
        midi_of = {sound.path: midi.path for sound, midi in with_midi}
        used.update(midi_of.values())
        loops += [Loop(sound.path, text.path, midi_of.get(sound.path)) for sound, text in pairs]
    unused = sum(len(files) for files in midis.values()) - len(used)
    notes = [f"{unused} MIDI files belong to no loop that has sound and metadata"] if unused else []
    return sorted(loops, key=lambda loop: loop.audio.as_posix()), notes


def _by_stem(
    root: PurePath, leave_out: set[PurePath], failures: list[Failure]
) -> tuple[
    defaultdict[str, list[_File]], defaultdict[str, list[_File]], defaultdict[str, list[_File]]
]:
    sounds: defaultdict[str, list[_File]] = defaultdict(list)
    texts: defaultdict[str, list[_File]] = defaultdict(list)
    midis: defaultdict[str, list[_File]] = defaultdict(list)
    folders: dict[PurePath, tuple[str, ...]] = {}  # a folder has many files
    for path in open_tree(root).walk(root, failures=failures):
        suffix = path.suffix.lower()
        if path.name == SYNTHETIC_MARKER or (leave_out and _one_name(path) in leave_out):
            continue
        for suffixes, kind in (
            (AUDIO_SUFFIXES, sounds),
            ({METADATA_SUFFIX}, texts),
            (MIDI_SUFFIXES, midis),
        ):
            if suffix in suffixes:
                parent = path.parent
                if parent not in folders:
                    folders[parent] = _folders(parent.relative_to(root).parts)
                kind[stem_of(path)].append(_File(path, folders[parent]))
    return sounds, texts, midis


def _one_name(path: PurePath) -> PurePath:
    """The same for all names of a file of this machine."""
    return path.resolve() if isinstance(path, Path) else path


def stem_of(path: PurePath) -> str:
    """The stem files share, in composed characters: a.wav.json belongs to a.wav.

    Examples
    --------
    >>> stem_of(Path("x/a.WAV.json"))
    'a'
    """
    stem = unicodedata.normalize("NFC", path.stem)
    inner = Path(stem)
    return inner.stem if inner.suffix.lower() in AUDIO_SUFFIXES | MIDI_SUFFIXES else stem


def _folders(parts: tuple[str, ...]) -> tuple[str, ...]:
    kept = []
    for part in parts:
        name = unicodedata.normalize("NFC", part)
        name = TREE_PREFIX.sub(lambda match: match[1] or "", name)
        word = plain(name)
        if word and re.sub(r"^\d+", "", word) not in TREES:
            kept.append(word)
    return tuple(kept)


def _pair(
    sounds: list[_File], texts: list[_File], *, restarts: bool
) -> tuple[list[tuple[_File, _File]], list[_File], list[_File]]:
    """Pairs among the files of one stem, and what is left of each kind."""
    pairs, sounds, texts = _pair_same(sounds, texts)
    # The partner each file would choose; a pair is a choice both make.
    of_sounds = [_best(sound, texts) for sound in sounds]
    of_texts = [_best(text, sounds) for text in texts]
    chosen = {i: j for i, j in enumerate(of_sounds) if j is not None and of_texts[j] == i}
    pairs += [(sounds[i], texts[j]) for i, j in chosen.items()]
    sounds = [sound for i, sound in enumerate(sounds) if i not in chosen]
    texts = [text for j, text in enumerate(texts) if j not in chosen.values()]
    if len(sounds) == 1 and len(texts) == 1 and (not restarts or _nested(sounds[0], texts[0])):
        return [*pairs, (sounds[0], texts[0])], [], []
    return pairs, sounds, texts


def _pair_same(
    sounds: list[_File], texts: list[_File]
) -> tuple[list[tuple[_File, _File]], list[_File], list[_File]]:
    """Pairs whose folders are the same, where there is one of each; and what is left."""
    counts = Counter(file.folders for file in sounds), Counter(file.folders for file in texts)
    by_folders = {file.folders: file for file in texts}
    pairs = [
        (sound, by_folders[sound.folders])
        for sound in sounds
        if all(count[sound.folders] == 1 for count in counts)
    ]
    paired = {sound.folders for sound, _ in pairs}
    return (
        pairs,
        [sound for sound in sounds if sound.folders not in paired],
        [text for text in texts if text.folders not in paired],
    )


def _best(file: _File, others: list[_File]) -> int | None:
    """Position of the one partner whose folders agree best; None on a tie or without any."""
    agreements = [_agreement(file, other) for other in others]
    most = max(agreements, default=0)
    return agreements.index(most) if most and agreements.count(most) == 1 else None


def _agreement(a: _File, b: _File) -> int:
    """Folders that agree, counted from the file upwards; none where one contradicts the other."""
    if not _nested(a, b):
        return 0
    count = 0
    for one, other in zip(reversed(a.folders), reversed(b.folders), strict=False):
        if one != other:
            break
        count += 1
    return count


def _nested(a: _File, b: _File) -> bool:
    return set(a.folders) <= set(b.folders) or set(b.folders) <= set(a.folders)


def _left(sounds: list[_File], texts: list[_File]) -> list[Failure]:
    if sounds and texts and any(_nested(sound, text) for sound in sounds for text in texts):
        reason = (
            f"{len(sounds)} sound and {len(texts)} metadata files share this stem, and their "
            "folders do not say which belong together"
        )
        return [failure(file.path, reason, "ambiguous") for file in (*sounds, *texts)]
    return [
        *(
            failure(
                file.path, "the sound has no metadata file of the same stem", "metadata-missing"
            )
            for file in sounds
        ),
        *(
            failure(file.path, "the metadata have no sound file of the same stem", "audio-missing")
            for file in texts
        ),
    ]
