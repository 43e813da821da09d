"""Every sound file of some corpora, decoded once: its fingerprint, and measures of its clips."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from genrescope.audio.at_hand import sound_at_hand
from genrescope.audio.decode import decode
from genrescope.audio.fingerprint import Fingerprint, fingerprint
from genrescope.audio.measures import measure
from genrescope.audio.probe import probe
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.table import Failure, failure, failures_frame
from genrescope.errors import AudioError
from genrescope.files import content_digest
from genrescope.parallel import Workers, at_most, map_processes
from genrescope.progress import progress

MEASURES = (
    "peak", "clipped_share", "silent_share", "level_dbfs", "bandwidth_hz", "high_share", "has_high"
)  # fmt: skip
ABOUT = ("clip_id", "corpus", "label", "genre", "group", "track", "artist", "path")


@dataclass(frozen=True)
class Heard:
    """What listening to corpora gave.

    Attributes
    ----------
    paths : list of str
        The files that could be decoded, each once whatever number of clips it has.
    digests : list of str
        SHA-256 of each file.
    fingerprints : list of Fingerprint
        Of each file as a whole.
    clips : pandas.DataFrame
        A row per clip that could be measured: `clip_id`, `corpus`, `label`, `genre`, `group`,
        `track`, `artist`, `path`, and the measures of `genrescope.audio.measures`.
    failures : pandas.DataFrame
        What could not: `path`, `reason`, `kind`.
    """

    paths: list[str]
    digests: list[str]
    fingerprints: list[Fingerprint]
    clips: pd.DataFrame
    failures: pd.DataFrame


@dataclass(frozen=True)
class _File:
    path: str
    clips: tuple[tuple[int, float, float], ...]  # row, start_s, duration_s


@dataclass(frozen=True)
class _HeardFile:
    path: str
    digest: str
    fingerprint: Fingerprint | None
    measures: dict[int, dict[str, Any]]
    failures: list[Failure]


def hear(corpora: Sequence[Corpus], *, workers: Workers = None) -> Heard:
    """Decode every file of some corpora once.

    A file is fingerprinted whole, also where a corpus takes a few seconds of it only: two copies of
    a recording stay a leak when their clips begin at different seconds. Clips are measured by
    themselves.

    Parameters
    ----------
    corpora : sequence of Corpus
        Those of ready features have no sound and are passed over.
    workers : Workers
        Processes; the usable cores where None.

    Returns
    -------
    Heard
        Files and clips that cannot be used are rows of its `failures`.
    """
    tables = [corpus.clips for corpus in corpora if corpus.features is None]
    clips = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(ABOUT))
    files = _files(clips)
    heard = []
    with progress(len(files), "listening", unit="files") as bar:
        for one in map_processes(_hear, files, workers=at_most(workers, len(files))):
            heard.append(one)
            bar.advance()
    measures = {row: found for one in heard for row, found in one.measures.items()}
    rows = sorted(measures)
    table = pd.DataFrame([measures[row] for row in rows], columns=list(MEASURES))
    about = clips.loc[rows, list(ABOUT)].reset_index(drop=True)
    decoded = [one for one in heard if one.fingerprint is not None]
    return Heard(
        paths=[one.path for one in decoded],
        digests=[one.digest for one in decoded],
        fingerprints=[one.fingerprint for one in decoded if one.fingerprint is not None],
        clips=pd.concat([about, table], axis=1),
        failures=failures_frame([row for one in heard for row in one.failures]),
    )


def _files(clips: pd.DataFrame) -> list[_File]:
    if clips.empty:
        return []
    bounds = zip(clips.index, clips["start_s"].fillna(0.0), clips["duration_s"], strict=True)
    by_path: dict[str, list[tuple[int, float, float]]] = {}
    for path, (row, start_s, duration_s) in zip(clips["path"], bounds, strict=True):
        by_path.setdefault(str(path), []).append((int(row), float(start_s), float(duration_s)))
    return [_File(path, tuple(of_file)) for path, of_file in by_path.items()]


def _hear(file: _File) -> _HeardFile:
    try:
        with sound_at_hand(file.path) as sound:
            sample_rate = probe(sound).sample_rate
            # At its own rate: resampling would round off the flat tops of clipping.
            y = decode(sound, sample_rate=sample_rate)
    except AudioError as error:
        return _HeardFile(file.path, "", None, {}, [failure(file.path, error.reason, error.kind)])
    measures, failures = {}, []
    for row, start_s, duration_s in file.clips:
        start = round(start_s * sample_rate)
        end = len(y) if np.isnan(duration_s) else start + round(duration_s * sample_rate)
        part = y[start:end]
        if not len(part):
            reason = (
                f"there is nothing at {start_s:g} s: the sound ends at {len(y) / sample_rate:.2f} s"
            )
            failures.append(failure(file.path, reason, "too-short"))
            continue
        found = measure(part, sample_rate=sample_rate)
        measures[row] = {**asdict(found), "has_high": found.has_high}
    heard = fingerprint(y, sample_rate=sample_rate)
    return _HeardFile(file.path, content_digest(file.path), heard, measures, failures)
