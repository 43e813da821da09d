"""A shard: the features of some clips, computed by one process and stored under their digest."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath
from platform import node
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from genrescope.audio.alteration import Alteration
from genrescope.audio.at_hand import LastSound
from genrescope.audio.fit import load_clip
from genrescope.errors import AudioError
from genrescope.features.kernels import Floats
from genrescope.features.place import Place
from genrescope.features.vector import Features, extract, feature_names
from genrescope.files import UNREADABLE, content_digest, read_again, sha256_file
from genrescope.settings import AudioSettings, FeatureSettings

CLIPS_AT_A_TIME = 16  # waveforms a worker holds
METADATA = b"genrescope"
CLIP_COLUMNS = ("clip", "audio_sha256", "start_s", "duration_s", "failure_kind", "failure_reason")
ROW, ARRAY = "row", "array"
# No other error says that a file is not what it was: a disk or a server may have failed.
ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class DamagedShardError(Exception):
    """A file whose content is not what its name says."""


@dataclass(frozen=True, slots=True)
class ShardClip:
    """What of a clip extraction needs.

    Attributes
    ----------
    key : str
        Digest of the audio file's bytes, the clip's bounds and the alteration.
    audio_sha256, path : str
        The file's digest and its place.
    start_s, duration_s : float
        Seconds; without a duration up to the clip's length.
    alteration : Alteration
        What is done to the sound before its features are taken.
    """

    key: str
    audio_sha256: str
    path: str
    start_s: float
    duration_s: float | None
    alteration: Alteration


@dataclass(frozen=True)
class Shard:
    """Clips to extract, what of them, and where to.

    Attributes
    ----------
    place : Place
    clips : tuple of ShardClip
    audio, features : settings
    vectors, log_mels : str or None
        Folders of the store; None where that is not wanted.
    """

    place: Place
    clips: tuple[ShardClip, ...]
    audio: AudioSettings
    features: FeatureSettings
    vectors: str | None
    log_mels: str | None


class Made(NamedTuple):
    """What became of a shard.

    Attributes
    ----------
    clips : int
    files : tuple of str
        What was written into the store.
    gone : tuple of str
        Sound files that could not be had, so that nothing is stored of them.
    where : str
        The machine that says so.
    """

    clips: int
    files: tuple[str, ...]
    gone: tuple[str, ...]
    where: str


def make_shard(shard: Shard) -> Made:
    """Extract a shard's clips and store them.

    Clips that cannot be used become rows that say so. Of files that could not be had nothing is
    stored, because that says nothing of their content.

    Raises
    ------
    RemoteError
        Where a server cannot be reached.
    """
    return _store(shard, *_extract(shard))


def give_up(shard: Shard) -> Made:
    """Store of each clip of a shard that it cannot be used, since it ends the process."""
    reason = "the process that read it was killed, or ran out of memory"
    failures = {n: AudioError(reason, kind="died") for n in range(len(shard.clips))}
    return _store(
        shard,
        _features(shard, np.empty((0, shard.audio.clip_samples), np.float32)),
        failures,
        set(),
    )


def _store(
    shard: Shard, found: Features, failures: Mapping[int, AudioError], gone: Set[int]
) -> Made:
    table = pd.DataFrame(
        {
            "clip": [clip.key for clip in shard.clips],
            "audio_sha256": [clip.audio_sha256 for clip in shard.clips],
            "start_s": [clip.start_s for clip in shard.clips],
            "duration_s": pd.Series([clip.duration_s for clip in shard.clips], dtype="float64"),
        }
    )
    for column in ("kind", "reason"):
        said = [getattr(failures.get(n), column, None) for n in range(len(table))]
        table[f"failure_{column}"] = pd.Series(said, dtype="str")
    had = [n for n in range(len(table)) if n not in gone]
    done = [n for n in had if n not in failures]
    files = []
    if shard.vectors is not None and had:
        values = np.full((len(table), found.vectors.shape[1]), np.nan, np.float32)
        values[done] = found.vectors
        columns = pd.DataFrame(values, columns=list(feature_names(shard.features)))
        rows = pd.concat([table, columns], axis=1).iloc[had]
        files.append(_write_table(shard, shard.vectors, rows, {}))
    if shard.log_mels is not None and had:
        array = _write_array(shard, shard.log_mels, found.log_mels)
        row = np.full(len(table), -1, np.int32)
        row[done] = np.arange(len(done))
        rows = table.assign(row=row).iloc[had]
        files += [array, _write_table(shard, shard.log_mels, rows, {ARRAY: array})]
    lacking = dict.fromkeys(shard.clips[n].path for n in sorted(gone))
    return Made(len(shard.clips), tuple(files), tuple(lacking), node())


def _extract(shard: Shard) -> tuple[Features, dict[int, AudioError], set[int]]:
    """Features of the clips that can be used, why others cannot, and which could not be had."""
    failures: dict[int, AudioError] = {}
    gone: set[int] = set()
    parts: list[Features] = []
    buffer = np.empty((CLIPS_AT_A_TIME, shard.audio.clip_samples), np.float32)
    with LastSound() as last:
        for first in range(0, len(shard.clips), CLIPS_AT_A_TIME):
            filled = 0
            for n, clip in enumerate(shard.clips[first : first + CLIPS_AT_A_TIME], start=first):
                try:
                    sound = last.sound(clip.path)
                except AudioError:
                    gone.add(n)
                    continue
                try:
                    y = load_clip(
                        sound, start_s=clip.start_s, duration_s=clip.duration_s, audio=shard.audio
                    )
                except AudioError as error:
                    if error.kind == "unreadable" and content_digest(clip.path) == UNREADABLE:
                        gone.add(n)
                    else:
                        failures[n] = error
                else:
                    buffer[filled] = clip.alteration.apply(y, sample_rate=shard.audio.sample_rate)
                    filled += 1
            parts.append(_features(shard, buffer[:filled]))
    joined = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Features(*joined), failures, gone


def _features(shard: Shard, sounds: Floats) -> Features:
    # One thread, in this process or another: rounding may depend on how many there are.
    with threadpool_limits(1):
        return extract(
            sounds,
            audio=shard.audio,
            features=shard.features,
            vectors=shard.vectors is not None,
            log_mels=shard.log_mels is not None,
        )


def _write_table(shard: Shard, folder: str, table: pd.DataFrame, about: Mapping[str, str]) -> str:
    content = pa.BufferOutputStream()
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(arrow.replace_schema_metadata({METADATA: json.dumps(about).encode()}), content)
    return _write(shard, folder, content.getvalue().to_pybytes(), ".parquet")


def _write_array(shard: Shard, folder: str, log_mels: Floats) -> str:
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(log_mels, "<f4"), allow_pickle=False)
    return _write(shard, folder, content.getvalue(), ".npy")


def _write(shard: Shard, folder: str, content: bytes, suffix: str) -> str:
    name = f"{folder}/{hashlib.sha256(content).hexdigest()}{suffix}"
    shard.place.write(name, content)
    return name


def read_table(
    place: Place, name: str, columns: Sequence[str] | None = None
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read a shard's table, having checked its digest.

    Parameters
    ----------
    place : Place
    name : str
        Of a `.parquet` file in the store.
    columns : sequence of str, optional
        What of it to read; everything where not given.

    Returns
    -------
    table : DataFrame
        `CLIP_COLUMNS`, then the features, or the row in the array of log-mels.
    about : dict
        `array`: the name of that array.

    Raises
    ------
    DamagedShardError
        Where the file is not what was written.
    """
    try:
        content = read_again(lambda: place.path(name).read_bytes())
    except ABSENT as error:
        raise DamagedShardError(name) from error
    if hashlib.sha256(content).hexdigest() != PurePosixPath(name).stem:
        raise DamagedShardError(name)
    table = pq.read_table(
        pa.BufferReader(content), columns=None if columns is None else list(columns)
    )
    about: dict[str, Any] = json.loads(table.schema.metadata[METADATA])
    return table.to_pandas(), about


def checked(place: Place, name: str) -> bool:
    """Whether a file of the store is there, having checked its digest.

    Raises
    ------
    DamagedShardError
        Where it has another content than its name says.
    """
    try:
        if sha256_file(place.path(name)) != PurePosixPath(name).stem:
            raise DamagedShardError(name)
    except FileNotFoundError:
        return False
    except ABSENT as error:
        raise DamagedShardError(name) from error
    return True


def read_log_mels(place: Place, name: str) -> Floats:
    """Map a shard's array of log-mel spectrograms into memory."""
    path = place.path(name)
    try:
        mapped: Floats = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        mapped = np.load(path, allow_pickle=False)  # without clips there is nothing to map
    return mapped
