"""A shard: the features of some clips, computed by one process and stored under their digest."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from platform import node
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from genrescope.audio.alteration import Alteration
from genrescope.audio.at_hand import LastSound
from genrescope.audio.fit import load_clip
from genrescope.errors import AudioError
from genrescope.features.kernels import Floats
from genrescope.features.place import Place
from genrescope.features.shard_files import ARRAY, write_array, write_table
from genrescope.features.vector import Features, extract, feature_names
from genrescope.files import UNREADABLE, content_digest
from genrescope.settings import AudioSettings, FeatureSettings

CLIPS_AT_A_TIME = 16  # waveforms a worker holds


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
        files.append(write_table(shard.place, shard.vectors, rows, {}))
    if shard.log_mels is not None and had:
        array = write_array(shard.place, shard.log_mels, found.log_mels)
        row = np.full(len(table), -1, np.int32)
        row[done] = np.arange(len(done))
        rows = table.assign(row=row).iloc[had]
        files += [array, write_table(shard.place, shard.log_mels, rows, {ARRAY: array})]
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
