"""Features of whole corpora: what the store has is taken from it, the rest is extracted into it."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from genrescope.audio.alteration import Alteration
from genrescope.audio.fit import load_clip
from genrescope.corpora.corpus import Corpus
from genrescope.errors import AudioError, CorpusError
from genrescope.features.log_mels import LogMels
from genrescope.features.shards import Shard, ShardClip, make_shard
from genrescope.features.store import FeatureStore, Kind
from genrescope.features.vector import check_settings, feature_names
from genrescope.files import UNREADABLE, atomic_path, content_digest, sweep_beside, write_csv
from genrescope.parallel import Workers, at_most, cpu_count, map_processes
from genrescope.progress import progress
from genrescope.remote import look_up
from genrescope.settings import AudioSettings, FeatureSettings

CLIPS_PER_SHARD = 128
FILES_AT_A_TIME = 256  # of a thread that digests them
CLIPS_AT_A_TIME = 256  # spectrograms held while they are exported


@dataclass(frozen=True)
class CorpusFeatures:
    """Features of a corpus.

    Attributes
    ----------
    clip_ids : list of str
        The clips that could be used, in the corpus's order.
    vectors : pandas.DataFrame
        A row per clip with index `clip_id`, a column per feature.
    log_mels : LogMels or None
        Log-mel spectrograms [shape=(n_clips, n_mels, frames), dtype=float32] in the order of
        `clip_ids`, left on disk; None where they were not asked for.
    failures : pandas.DataFrame
        The clips that could not be used: `path`, `reason`, `kind`.
    extracted : int
        Clips that were extracted now, not found in the store.
    """

    clip_ids: list[str]
    vectors: pd.DataFrame
    log_mels: LogMels | None
    failures: pd.DataFrame
    extracted: int = 0


def extract_corpus(
    corpus: Corpus,
    store: str | os.PathLike[str],
    *,
    audio: AudioSettings | None = None,
    features: FeatureSettings | None = None,
    workers: Workers = None,
    log_mels: bool = True,
    alterations: Sequence[Alteration] | None = None,
) -> CorpusFeatures:
    """Extract the features of every clip of a corpus that the store does not have yet.

    Parameters
    ----------
    corpus : Corpus
        Its `clips` are extracted, with a genre or not. A corpus of ready features passes through.
    store : path-like
        Folder or URL of the feature store; made where it is missing. Clips are found in it by the
        bytes of their sound file, their bounds and the settings, whatever corpus they came with,
        so that an interrupted call goes on where it stopped.
    audio, features : AudioSettings, FeatureSettings, optional
        What to extract.
    workers : Workers
        Processes; the usable cores where None.
    log_mels : bool
        Whether the spectrograms are wanted.
    alterations : sequence of Alteration, optional
        What is done to each clip first, in the corpus's order; altered clips are kept in the store
        beside the others.

    Returns
    -------
    CorpusFeatures
        Clips that could not be used are rows of its `failures`.

    Raises
    ------
    OutputError
        Where the store cannot be written or the disk is full; finished shards stay.
    ConfigError
        Where the settings contradict each other, or the store's URL cannot be used.
    CorpusError
        Where clips of ready features are to be altered.

    Examples
    --------
    >>> from genrescope.corpora.table import clips_frame, failures_frame
    >>> missing = {"clip_id": "toy/a.wav@0", "path": "/nowhere/a.wav", "start_s": 0.0}
    >>> corpus = Corpus("toy", "Western", "folder", clips_frame([missing]), failures_frame([]))
    >>> extract_corpus(corpus, "memory://none", workers=1).failures.iloc[0].to_dict()
    {'path': '/nowhere/a.wav', 'reason': 'there is no such file', 'kind': 'unreadable'}
    """
    if corpus.features is not None:
        if alterations is not None:
            raise CorpusError(f"{corpus.name} is a table of features: there is no sound to alter")
        return _ready_features(corpus)
    audio, features = audio or AudioSettings(), features or FeatureSettings()
    check_settings(audio, features)
    clips = _keyed(corpus, alterations or [Alteration()] * len(corpus.clips))
    found = FeatureStore(store, audio=audio, features=features)
    with found.place.in_use():
        shards = _plan(found, clips, log_mels=log_mels)
        extracted = sum(len(shard.clips) for shard in shards)
        if shards:
            found.describe(["vectors", "log_mels"] if log_mels else ["vectors"])
            with progress(extracted, f"features of {corpus.name}") as bar:
                for count in map_processes(
                    make_shard, shards, workers=at_most(workers, len(shards))
                ):
                    bar.advance(count)
        return _assemble(found, corpus, clips, log_mels=log_mels, extracted=extracted)


def export(
    features: CorpusFeatures,
    corpus: Corpus,
    csv_path: str | os.PathLike[str],
    npy_path: str | os.PathLike[str] | None = None,
) -> None:
    """Write the features as the paper has them: a CSV, and a `.npy` with the same rows.

    Parameters
    ----------
    features : CorpusFeatures
        From `extract_corpus`.
    corpus : Corpus
        The corpus they were extracted from.
    csv_path : path-like
        Gets `clip_id`, the features, `label`, `genre` and `group`, a row per clip.
    npy_path : path-like, optional
        Gets the log-mel spectrograms [shape=(n_clips, n_mels, frames), dtype=float32], decibels;
        a few are held in memory at a time.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    about = corpus.clips.set_index("clip_id").loc[features.clip_ids, ["label", "genre", "group"]]
    table = pd.concat([features.vectors, about], axis=1).rename_axis(index="clip_id").reset_index()
    sweep_beside(csv_path)
    write_csv(csv_path, table)
    if npy_path is None or features.log_mels is None:
        return
    header: dict[str, Any] = {
        "descr": "<f4",
        "fortran_order": False,
        "shape": features.log_mels.shape,
    }
    sweep_beside(npy_path)
    # Not through a writable memory map: a full disk would end the process instead of an error.
    with atomic_path(npy_path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for first in range(0, len(features.log_mels), CLIPS_AT_A_TIME):
            file.write(features.log_mels[first : first + CLIPS_AT_A_TIME].astype("<f4").data)


def _ready_features(corpus: Corpus) -> CorpusFeatures:
    assert corpus.features is not None
    clip_ids = [str(clip_id) for clip_id in corpus.clips["clip_id"]]
    return CorpusFeatures(clip_ids, corpus.features.loc[clip_ids], None, _failure_table([]))


def _keyed(corpus: Corpus, alterations: Sequence[Alteration]) -> list[ShardClip]:
    """The corpus's clips under keys that say what they contain."""
    table = corpus.clips[["path", "start_s", "duration_s"]].fillna({"path": ""})
    paths = sorted(set(table["path"]))
    parts = [
        paths[first : first + FILES_AT_A_TIME] for first in range(0, len(paths), FILES_AT_A_TIME)
    ]
    digests: dict[str, str] = {}
    look_up(paths)
    with ThreadPoolExecutor(cpu_count()) as pool:
        for part, found in zip(parts, pool.map(_digests, parts), strict=True):
            digests.update(zip(part, found, strict=True))
    clips = []
    bounds = table.itertuples(index=False)
    for (path, start, duration), alteration in zip(bounds, alterations, strict=True):
        start_s = 0.0 if math.isnan(start) else float(start)
        duration_s = None if math.isnan(duration) else float(duration)
        content = f"{digests[path]}:{start_s!r}:{duration_s!r}"
        if made := alteration.facts():
            content += f":{json.dumps(made)}"
        key = hashlib.sha256(content.encode()).hexdigest()
        clips.append(ShardClip(key, digests[path], path, start_s, duration_s, alteration))
    return clips


def _digests(paths: Sequence[str]) -> list[str]:
    return [content_digest(path) for path in paths]


def _plan(found: FeatureStore, clips: Sequence[ShardClip], *, log_mels: bool) -> list[Shard]:
    """Shards of what the store lacks, in the order of the clips.

    A shard is full unless it is the last. So the shards that an interrupted call would still have
    made are those that the next one plans.
    """
    wanted: list[Kind] = ["vectors", "log_mels"] if log_mels else ["vectors"]
    known = {"vectors": set(found.vectors().index)}
    if log_mels:
        known["log_mels"] = set(found.log_mels()[0].index)
    missing: dict[tuple[Kind, ...], dict[str, ShardClip]] = {}
    for clip in clips:
        lacking = tuple(kind for kind in wanted if clip.key not in known[kind])
        # A file that cannot be opened has no content to be known by.
        if lacking and clip.audio_sha256 != UNREADABLE:
            missing.setdefault(lacking, {}).setdefault(clip.key, clip)
    return [
        Shard(
            found.place,
            part,
            found.audio,
            found.features,
            **{kind: found.folders[kind] if kind in lacking else None for kind in found.folders},
        )
        for lacking, of_kind in missing.items()
        for part in _cut(list(of_kind.values()))
    ]


def _cut(clips: Sequence[ShardClip]) -> Iterator[tuple[ShardClip, ...]]:
    for first in range(0, len(clips), CLIPS_PER_SHARD):
        yield tuple(clips[first : first + CLIPS_PER_SHARD])


def _assemble(
    found: FeatureStore,
    corpus: Corpus,
    clips: Sequence[ShardClip],
    *,
    log_mels: bool,
    extracted: int,
) -> CorpusFeatures:
    stored = found.vectors()
    rows = stored.reindex([clip.key for clip in clips])
    failed = rows["failure_kind"].notna().to_numpy()
    # Nothing is stored of a file that cannot be opened, or not be had from its server.
    unread = ~pd.Index([clip.key for clip in clips]).isin(stored.index)
    failures = []
    for n, clip in enumerate(clips):
        if not (failed[n] or unread[n]):
            continue
        if unread[n]:
            error = _why_unreadable(clip, found.audio)
            failures.append((clip.path, error.reason, error.kind))
        else:
            row = rows.iloc[n]
            failures.append((clip.path, str(row["failure_reason"]), str(row["failure_kind"])))
    used = ~(failed | unread)
    clip_ids = [str(clip_id) for clip_id in corpus.clips["clip_id"].to_numpy()[used]]
    names = list(feature_names(found.features))
    vectors = pd.DataFrame(
        rows.loc[used, names].to_numpy(np.float32),
        index=pd.Index(clip_ids, dtype="str", name="clip_id"),
        columns=names,
    )
    maps = None
    if log_mels:
        table, arrays = found.log_mels()
        keys = [clip.key for clip, one in zip(clips, used, strict=True) if one]
        maps = found.mapped(table.loc[keys], arrays)
    return CorpusFeatures(clip_ids, vectors, maps, _failure_table(failures), extracted)


def _why_unreadable(clip: ShardClip, audio: AudioSettings) -> AudioError:
    try:
        load_clip(clip.path, start_s=clip.start_s, duration_s=clip.duration_s, audio=audio)
    except AudioError as error:
        return error
    return AudioError("the file could not be read at first; run again", path=clip.path)


def _failure_table(rows: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["path", "reason", "kind"], dtype="str")
