"""Korean popular music loops: WAV phrases with MIDI and JSON metadata beside them."""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from genrescope.audio.probe import AudioInfo
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.korean_facts import Facts, Reader, disagreement
from genrescope.corpora.korean_files import Loop, find_loops, stem_of
from genrescope.corpora.korean_groups import group_loops
from genrescope.corpora.korean_metadata import (
    default_keys,
    instruments,
    melon_codes,
    plain,
    read_codes,
    read_metadata,
)
from genrescope.corpora.table import (
    Failure,
    clip_id,
    clips_frame,
    failure,
    failures_frame,
    one_per_id,
    portable,
    probe_all,
    require_usable,
)
from genrescope.errors import AudioError, ConfigError, CorpusError
from genrescope.progress import progress
from genrescope.settings import AudioSettings, Settings, nearest
from genrescope.taxonomy import Taxonomy
from genrescope.yaml_file import expand_path

WANTED = "WAV and JSON files that share a stem, in one folder or in parallel trees"
PAPER_INSTRUMENTS = ("drums", "bass", "electric guitar", "synth/keys", "strings")
MOST_SHOWN = 6

MetadataField = Literal["genre", "instrument", "song", "phrase", "duration", "sample_rate"]
CodedField = Literal["genre", "instrument"]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _per_field(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"genre": value, "instrument": value}


Words = Annotated[tuple[str, ...], BeforeValidator(_as_list)]


class KoreanLoopsOptions(Settings):
    """How the metadata of a loop collection are read.

    Attributes
    ----------
    keys : dict
        For ``genre``, ``instrument``, ``song``, ``phrase``, ``duration`` or ``sample_rate``, the
        dotted JSON path or several to try in turn; a path may be the end of a longer one. What is
        not given comes from `korean_keys.yaml`.
    codes : str, list of str or dict
        Tables of coded values as JSON, YAML or CSV; one path or several for all fields, or for
        ``genre`` and ``instrument`` apart. Relative paths begin at the corpus's root.
    instruments : tuple of str or "all"
        Instruments to keep, in English or Korean; the paper's five where not given.
    """

    keys: Mapping[MetadataField, Words] = Field(default={})
    codes: Annotated[Mapping[CodedField, Words], BeforeValidator(_per_field)] = Field(default={})
    instruments: Literal["all"] | Words = Field(PAPER_INSTRUMENTS, union_mode="left_to_right")


def index_korean_loops(
    root: PurePath,
    *,
    name: str,
    culture: str,
    taxonomy: Taxonomy,
    audio: AudioSettings,
    options: KoreanLoopsOptions,
) -> Corpus:
    """List the loops of a collection of WAV, MIDI and JSON files.

    Parameters
    ----------
    root : path
        A folder or a `UrlPath`; files at any depth, in one folder or in parallel trees, Korean
        names included.
    name, culture : str
        As in `index_corpus`.
    taxonomy : Taxonomy
        Maps genres as the metadata give them, as code tables decode them, or as GN codes.
    audio : AudioSettings
        The length of a clip; of a longer loop the beginning is used.
    options : KoreanLoopsOptions
        Keys, code tables, instruments.

    Returns
    -------
    Corpus
        One clip per loop, grouped by song or phrase where the metadata tell and by the beginning
        of the stem elsewhere. Failures have the kinds ``audio-missing``, ``metadata-missing``,
        ``metadata-unreadable``, ``metadata-key`` (the reason lists the keys there are),
        ``metadata-ambiguous``, ``metadata-mismatch``, ``ambiguous``, and those of the audio.

    Raises
    ------
    CorpusError
        Where no loop is usable.
    ConfigError
        For an unknown instrument or a bad code table.
    """
    failures: list[Failure] = []
    reader, code_files = _reader(root, options, taxonomy)
    loops, notes = find_loops(root, leave_out=code_files, failures=failures)
    read, left_out = _read_all(loops, reader, failures)
    checked = _check_all(read, failures)
    groups, group_notes = group_loops(
        [stem_of(loop.audio) for loop, _, _ in checked],
        [facts.song for _, facts, _ in checked],
        [facts.phrase for _, facts, _ in checked],
    )
    rows, repeated = one_per_id(
        {
            "clip_id": clip_id(name, portable(loop.audio, root), 0.0),
            "corpus": name,
            "culture": culture,
            "path": str(loop.audio),
            "start_s": 0.0,
            "duration_s": min(audio.clip_seconds, info.duration_s),
            "label": facts.label,
            "genre": facts.genre,
            "group": group,
            "instrument": facts.instrument,
            "midi_path": str(loop.midi) if loop.midi else None,
            "track": group,
            "group_kind": kind,
        }
        for (loop, facts, info), (group, kind) in zip(checked, groups, strict=True)
    )
    failures += repeated
    notes = [*notes, *_left_out_notes(left_out), *group_notes]
    if not rows and not failures and notes:
        raise CorpusError(f"holds no usable clip: {'; '.join(notes)}", path=root)
    require_usable(rows, failures, root=root, wanted=WANTED)
    return Corpus(
        name=name,
        culture=culture,
        format="korean-loops",
        clips=clips_frame(rows),
        failures=failures_frame(failures),
        notes=tuple(notes),
    )


def _reader(
    root: PurePath, options: KoreanLoopsOptions, taxonomy: Taxonomy
) -> tuple[Reader, list[PurePath]]:
    """How facts are read under these options, and the code tables used for it."""
    tables = {
        str(field): [expand_path(path, base=root) for path in paths]
        for field, paths in options.codes.items()
    }
    keys = {str(field): paths for field, paths in options.keys.items()}
    reader = Reader(
        keys=default_keys() | keys,
        genre_codes=melon_codes() | read_codes(tables.get("genre", [])),
        instrument_codes=read_codes(tables.get("instrument", [])),
        taxonomy=taxonomy,
        instruments=_wanted_instruments(options),
    )
    return reader, [path for paths in tables.values() for path in paths]


def _check_all(
    read: list[tuple[Loop, Facts]], failures: list[Failure]
) -> list[tuple[Loop, Facts, AudioInfo]]:
    """Loops whose sound opens and is what the metadata say."""
    checked = []
    infos = probe_all([loop.audio for loop, _ in read])
    for (loop, facts), info in zip(read, infos, strict=True):
        if isinstance(info, AudioError):
            failures.append(failure(loop.audio, info.reason, info.kind))
        elif reason := disagreement(facts, info):
            failures.append(failure(loop.audio, reason, "metadata-mismatch"))
        else:
            checked.append((loop, facts, info))
    return checked


def _wanted_instruments(options: KoreanLoopsOptions) -> frozenset[str] | None:
    if options.instruments == "all":
        return None
    known = instruments()
    for word in options.instruments:
        if plain(word) not in known:
            hint = nearest(word, set(known.values()))
            raise ConfigError(f"instruments: unknown instrument {word!r}: {hint}")
    return frozenset(known[plain(word)] for word in options.instruments)


def _read_all(
    loops: list[Loop], reader: Reader, failures: list[Failure]
) -> tuple[list[tuple[Loop, Facts]], Counter[str]]:
    """Facts of the loops to keep, and how many loops of other instruments there are."""
    read = []
    left_out: Counter[str] = Counter()
    with progress(len(loops), "reading metadata", unit="files") as bar:
        for loop in loops:
            bar.advance()
            try:
                facts = reader.facts(read_metadata(loop.metadata))
            except CorpusError as error:
                failures.append(failure(loop.metadata, error.reason, error.kind))
                continue
            if facts.kept:
                read.append((loop, facts))
            else:
                left_out[str(facts.instrument)] += 1
    return read, left_out


def _left_out_notes(left_out: Counter[str]) -> list[str]:
    if not left_out:
        return []
    shown = ", ".join(f"{name} {count}" for name, count in left_out.most_common(MOST_SHOWN))
    more = f", and {len(left_out) - MOST_SHOWN} others" if len(left_out) > MOST_SHOWN else ""
    return [f"{left_out.total()} loops of other instruments are left out: {shown}{more}"]
