"""A shard: the features of some clips in one file, there whole or not at all."""

import json
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from genrescope.audio.fit import load_clip
from genrescope.config import AudioSettings, FeatureSettings
from genrescope.errors import AudioError
from genrescope.features.kernels import Floats
from genrescope.features.vector import Features, extract
from genrescope.files import atomic_path

CLIPS_AT_A_TIME = 16  # waveforms a worker holds
PARTS = ("rows", "vectors", "log_mels", "failures")
DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class ShardClip:
    """What of a corpus's row extraction needs."""

    clip_id: str
    path: str
    start_s: float
    duration_s: float | None


@dataclass(frozen=True)
class Shard:
    """Clips that are extracted by one process and stored in one file."""

    file: Path
    clips: tuple[ShardClip, ...]
    audio: AudioSettings
    features: FeatureSettings
    log_mels: bool


def make_shard(shard: Shard) -> int:
    """Extract a shard's clips and store them; how many clips that were, failed ones included."""
    done: list[int] = []
    failures: list[tuple[int, str, str]] = []
    found: list[Features] = []
    buffer = np.empty((CLIPS_AT_A_TIME, shard.audio.clip_samples), np.float32)
    for first in range(0, len(shard.clips), CLIPS_AT_A_TIME):
        filled = 0
        for row, clip in enumerate(shard.clips[first : first + CLIPS_AT_A_TIME], start=first):
            try:
                buffer[filled] = load_clip(
                    clip.path, start_s=clip.start_s, duration_s=clip.duration_s, audio=shard.audio
                )
            except AudioError as error:
                failures.append((row, error.reason, error.kind))
            else:
                done.append(row)
                filled += 1
        # One thread, in this process or another: rounding may depend on how many there are.
        with threadpool_limits(1):
            found.append(
                extract(
                    buffer[:filled],
                    audio=shard.audio,
                    features=shard.features,
                    log_mels=shard.log_mels,
                )
            )
    with atomic_path(shard.file) as temporary:
        np.savez(
            temporary,
            rows=np.array(done, np.int64),
            vectors=np.concatenate([part.vectors for part in found]),
            log_mels=np.concatenate([part.log_mels for part in found]),
            failures=np.frombuffer(json.dumps(failures).encode(), np.uint8),
        )
    return len(shard.clips)


def is_whole(file: Path) -> bool:
    """Whether a shard is there and every byte of it is as it was written, by its checksums."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            return names == {f"{part}.npy" for part in PARTS} and archive.testzip() is None
    except DAMAGED:
        return False


class ShardContent(NamedTuple):
    """What a shard's file holds besides the pictures."""

    clip_ids: list[str]
    vectors: Floats
    failures: list[tuple[str, str, str]]  # path, reason, kind


def read_shard(shard: Shard) -> ShardContent:
    """Read all but the pictures of a shard's file."""
    with np.load(shard.file) as stored:
        failures = json.loads(stored["failures"].tobytes())
        return ShardContent(
            [shard.clips[row].clip_id for row in stored["rows"]],
            stored["vectors"],
            [(shard.clips[row].path, reason, kind) for row, reason, kind in failures],
        )


def read_log_mels(shard: Shard) -> Floats:
    """Read the pictures of a shard's file [shape=(clips, n_mels, frames), dtype=float32]."""
    with np.load(shard.file) as stored:
        pictures: Floats = stored["log_mels"]
        return pictures
