"""Corpus tables: the Parquet file with its metadata, and the failures beside it."""

import functools

import numpy as np
import pandas as pd

from fuzzing.folder import change_files, pack, unpack, write
from fuzzing.target import Target, scratch, typed_errors
from genrescope.corpora.corpus import Corpus, regroup
from genrescope.corpora.split import split_clips
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.features.extraction import extract_corpus
from genrescope.settings import SplitSettings


def corpora() -> list[Corpus]:
    """One of sounds that are not there, and one of ready features."""
    rows = [
        {
            "clip_id": f"c/{n}.wav@0", "corpus": "c", "culture": "Korean", "path": f"/nowhere/{n}.wav",
            "start_s": 0.0, "duration_s": 5.0, "label": "rock", "genre": "Rock/Metal",
            "group": f"g{n}", "track": f"g{n}", "group_kind": "track",
        }
        for n in range(6)
    ]  # fmt: skip
    failed = failures_frame([{"path": "x.wav", "reason": "there is no such file", "kind": "gone"}])
    clips = clips_frame(rows)
    ready = pd.DataFrame(
        np.arange(12.0).reshape(6, 2), columns=["tempo", "rms"],
        index=pd.Index(clips["clip_id"], name="clip_id"),
    )  # fmt: skip
    return [
        Corpus("c", "Korean", "folder", clips, failed, notes=("a note",)),
        Corpus("c", "Korean", "feature-table", clips.assign(path=None), failed, features=ready),
    ]


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Both tables with their failures."""
    made = []
    for corpus in corpora():
        with scratch() as folder:
            corpus.to_parquet(folder / "t.parquet")
            names = ("t.parquet", "t.failures.csv")
            made.append(pack({name: (folder / name).read_bytes() for name in names}))
    return tuple(made)


def check(data: bytes) -> None:
    """Read a table and use it: summary, fingerprint, split, extraction of its clips."""
    with scratch() as folder:
        write(unpack(data), folder)
        with typed_errors():
            corpus = Corpus.from_parquet(folder / "t.parquet")
            corpus.summary()
            corpus.fingerprint()
            regroup(corpus)
            with typed_errors():
                split_clips(corpus.usable, SplitSettings(), seed=0)
            found = extract_corpus(corpus, folder / "store", workers=1)
            assert len(found.clip_ids) + len(found.failures) == len(corpus.clips)


TARGET = Target(check, seeds, change_files, longest=2**16, examples=120)
