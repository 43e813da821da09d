"""Features of whole corpora, kept on disk in shards so that finished work is never done again."""

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.config import AudioSettings, FeatureSettings
from genrescope.corpora.corpus import Corpus
from genrescope.features.shards import (
    Shard,
    ShardClip,
    is_whole,
    make_shard,
    read_log_mels,
    read_shard,
)
from genrescope.features.vector import check_settings, feature_names
from genrescope.files import atomic_path, content_digest, sha256_json, write_csv
from genrescope.parallel import cpu_count, map_processes
from genrescope.progress import progress

STEP_VERSION = 1  # raise it whenever the numbers of a clip change
CLIPS_PER_SHARD = 128


@dataclass(frozen=True)
class CorpusFeatures:
    """Features of a corpus.

    Attributes
    ----------
    clip_ids : list of str
        The clips that could be used, in the corpus's order.
    vectors : pandas.DataFrame
        A row per clip with index `clip_id`, a column per feature.
    log_mels : numpy.ndarray or None
        Log-mel pictures [shape=(n_clips, n_mels, frames), dtype=float32] in the order of
        `clip_ids`, mapped from disk; None where there are none.
    failures : pandas.DataFrame
        The clips that could not be used: `path`, `reason`, `kind`.
    """

    clip_ids: list[str]
    vectors: pd.DataFrame
    log_mels: npt.NDArray[np.float32] | None
    failures: pd.DataFrame


def extract_corpus(
    corpus: Corpus,
    folder: str | os.PathLike[str],
    *,
    audio: AudioSettings | None = None,
    features: FeatureSettings | None = None,
    workers: int | None = None,
    log_mels: bool = True,
) -> CorpusFeatures:
    """Extract the features of every clip of a corpus.

    Work is stored in `folder/shards`, each file under a name made from all it depends on: the
    bytes of the sound files, the clips' bounds, the settings, the version of this step. What is
    there and whole is not computed again, so that an interrupted call goes on where it stopped.

    Parameters
    ----------
    corpus : Corpus
        Its `clips` are extracted, with a genre or not. A corpus of ready features passes through.
    folder : path-like
        Gets the log-mels as `<corpus>.logmel.npy` and the shards; made where it is missing.
    audio, features : AudioSettings, FeatureSettings, optional
        What to extract.
    workers : int, optional
        Processes; the usable cores where not given.
    log_mels : bool
        Whether the pictures are wanted.

    Returns
    -------
    CorpusFeatures
        Clips that could not be used are rows of its `failures`.

    Raises
    ------
    OutputError
        Where the folder cannot be written or the disk is full; finished shards stay.
    ConfigError
        Where the settings contradict each other.

    Examples
    --------
    >>> from genrescope.corpora.table import clips_frame, failures_frame
    >>> missing = {"clip_id": "toy/a.wav@0", "path": "/nowhere/a.wav", "start_s": 0.0}
    >>> corpus = Corpus("toy", "Western", "folder", clips_frame([missing]), failures_frame([]))
    >>> import tempfile
    >>> extract_corpus(corpus, tempfile.mkdtemp(), workers=1).failures.iloc[0].to_dict()
    {'path': '/nowhere/a.wav', 'reason': 'there is no such file', 'kind': 'unreadable'}
    """
    if corpus.features is not None:
        return _ready_features(corpus)
    audio, features = audio or AudioSettings(), features or FeatureSettings()
    check_settings(audio, features)
    folder = Path(folder)
    shards = _plan(corpus, folder / "shards", audio, features, log_mels=log_mels)
    with progress(len(corpus.clips), f"features of {corpus.name}") as bar:
        missing = []
        for shard in shards:
            if is_whole(shard.file):
                bar.advance(len(shard.clips))
            else:
                missing.append(shard)
        # Starting processes takes longer than a shard or two of work is worth saving.
        workers = min(cpu_count() if workers is None else workers, len(missing))
        for count in map_processes(make_shard, missing, workers=workers):
            bar.advance(count)
    pictures = folder / f"{corpus.name}.logmel.npy" if log_mels else None
    return _assemble(shards, pictures, features)


def export(
    features: CorpusFeatures,
    corpus: Corpus,
    csv_path: str | os.PathLike[str],
) -> None:
    """Write the features as the paper has them: a CSV whose rows are those of the `.npy`.

    Parameters
    ----------
    features : CorpusFeatures
        From `extract_corpus`.
    corpus : Corpus
        The corpus they were extracted from.
    csv_path : path-like
        Gets `clip_id`, the features, `label`, `genre` and `group`, a row per clip.

    Raises
    ------
    OutputError
        Where a file cannot be written.
    """
    about = corpus.clips.set_index("clip_id").loc[features.clip_ids, ["label", "genre", "group"]]
    table = pd.concat([features.vectors, about], axis=1).rename_axis(index="clip_id").reset_index()
    write_csv(csv_path, table)


def _ready_features(corpus: Corpus) -> CorpusFeatures:
    assert corpus.features is not None
    clip_ids = [str(clip_id) for clip_id in corpus.clips["clip_id"]]
    return CorpusFeatures(clip_ids, corpus.features.loc[clip_ids], None, _failure_table([]))


def _plan(
    corpus: Corpus,
    folder: Path,
    audio: AudioSettings,
    features: FeatureSettings,
    *,
    log_mels: bool,
) -> list[Shard]:
    """Divide the clips among shards, whose names say all that their content depends on."""
    columns = corpus.clips[["clip_id", "path", "start_s", "duration_s"]]
    clips = [
        ShardClip(str(clip_id), str(path), _seconds(start_s) or 0.0, _seconds(duration_s))
        for clip_id, path, start_s, duration_s in columns.itertuples(index=False)
    ]
    digests = _digests({clip.path for clip in clips})
    settings = {
        "version": STEP_VERSION,
        "audio": audio.model_dump(),
        "features": features.model_dump(),
        "log_mels": log_mels,
    }
    shards = []
    for first in range(0, len(clips), CLIPS_PER_SHARD):
        part = tuple(clips[first : first + CLIPS_PER_SHARD])
        # Paths are left out: a corpus that moved is still the same corpus.
        content = [[c.clip_id, digests[c.path], c.start_s, c.duration_s] for c in part]
        key = sha256_json({**settings, "clips": content})
        shards.append(Shard(folder / f"{key}.npz", part, audio, features, log_mels))
    return shards


def _seconds(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _digests(paths: set[str]) -> dict[str, str]:
    ordered = sorted(paths)
    with ThreadPoolExecutor(cpu_count()) as pool:
        return dict(zip(ordered, pool.map(content_digest, ordered), strict=True))


def _assemble(
    shards: Sequence[Shard], log_mel_file: Path | None, features: FeatureSettings
) -> CorpusFeatures:
    clip_ids: list[str] = []
    failures: list[tuple[str, str, str]] = []
    vectors = [np.empty((0, len(feature_names(features))), np.float32)]
    for shard in shards:
        content = read_shard(shard)
        clip_ids += content.clip_ids
        vectors.append(content.vectors)
        failures += content.failures
    table = pd.DataFrame(
        np.concatenate(vectors),
        index=pd.Index(clip_ids, dtype="str", name="clip_id"),
        columns=list(feature_names(features)),
    )
    pictures = None
    if log_mel_file is not None:
        shape = (len(clip_ids), features.n_mels, features.frames)
        pictures = _join_log_mels(shards, log_mel_file, shape)
    return CorpusFeatures(clip_ids, table, pictures, _failure_table(failures))


def _join_log_mels(
    shards: Sequence[Shard], path: Path, shape: tuple[int, int, int]
) -> npt.NDArray[np.float32]:
    """Write the shards' pictures into one file, a shard at a time, and map it into memory."""
    header: dict[str, Any] = {"descr": "<f4", "fortran_order": False, "shape": shape}
    # Not through a writable memory map: a full disk would end the process instead of an error.
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for shard in shards:
            file.write(np.ascontiguousarray(read_log_mels(shard), "<f4").data)
    # An empty file cannot be mapped.
    return np.load(path, mmap_mode="r" if shape[0] else None)  # type: ignore[no-any-return]


def _failure_table(rows: Sequence[tuple[str, str, str]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["path", "reason", "kind"], dtype="str")
