"""Feature stores: shards and their arrays, each under the digest of its content."""

import functools
import hashlib
import json
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from fuzzing.folder import change_files, pack, unpack, write
from fuzzing.target import Target, scratch, typed_errors
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.table import clips_frame, failures_frame
from genrescope.features.extraction import extract_corpus
from genrescope.settings import AudioSettings, FeatureSettings

AUDIO = AudioSettings(clip_seconds=1.0)
FEATURES = FeatureSettings(n_mels=16, n_mfcc=2, frames=16)
OUTSIDE = "precious.npy"


def _corpus(folder: object) -> Corpus:
    rows = [
        {
            "clip_id": f"c/{n}@0", "corpus": "c", "culture": "x", "path": f"{folder}/{n}.wav",
            "start_s": 0.0, "duration_s": 1.0, "label": "rock", "genre": "Rock/Metal",
        }
        for n in range(3)
    ]  # fmt: skip
    for n in range(2):  # the third is not there
        sound = 0.5 * np.sin(np.arange(16000) / (5 + n))
        soundfile.write(f"{folder}/{n}.wav", sound, 16000)
    return Corpus("c", "x", "folder", clips_frame(rows), failures_frame([]))


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """A store of two clips and a failure."""
    with scratch() as folder:
        extract_corpus(_corpus(folder), folder / "store", audio=AUDIO, features=FEATURES, workers=1)
        store = folder / "store"
        files = {
            path.relative_to(store).as_posix(): path.read_bytes()
            for path in sorted(store.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }
    return (pack(files),)


def _with_digests(files: dict[str, bytes]) -> dict[str, bytes]:
    """Files under the digests of their content, and tables that name their arrays so."""
    arrays: dict[str, str] = {}
    made: dict[str, bytes] = {}
    for name, content in files.items():
        if name.endswith(".npy"):
            arrays[name] = _named(name, content)
            made[arrays[name]] = content
    for name, content in files.items():
        if name.endswith(".parquet"):
            renamed = _renamed(content, arrays)
            made[_named(name, renamed)] = renamed
        elif not name.endswith(".npy"):
            made[name] = content
    return made


def _named(name: str, content: bytes) -> str:
    path = PurePosixPath(name)
    return str(path.with_name(hashlib.sha256(content).hexdigest() + path.suffix))


def _renamed(content: bytes, arrays: dict[str, str]) -> bytes:
    try:
        table = pq.read_table(pa.BufferReader(content))
        about = json.loads(table.schema.metadata[b"genrescope"])
        about["array"] = arrays.get(about["array"], about["array"])
    except Exception:  # noqa: BLE001 (what no reader can read stays as it is)
        return content
    buffer = pa.BufferOutputStream()
    metadata = {**table.schema.metadata, b"genrescope": json.dumps(about).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), buffer)
    return buffer.getvalue().to_pybytes()


def check(data: bytes) -> None:
    """Extract a corpus with a store that anyone may have written: features, however it looks."""
    with scratch() as folder:
        corpus = _corpus(folder)
        precious = folder / OUTSIDE
        precious.write_bytes(b"not of the store")
        write(_with_digests(unpack(data)), folder / "store")
        with typed_errors():
            found = extract_corpus(
                corpus, folder / "store", audio=AUDIO, features=FEATURES, workers=1
            )
            assert len(found.clip_ids) + len(found.failures) == 3
            assert found.vectors.shape[0] == len(found.clip_ids)
            assert found.log_mels is not None
            assert found.log_mels[:].shape == (len(found.clip_ids), 16, 16)
        assert precious.exists(), "a file outside the store was removed"


TARGET = Target(check, seeds, change_files, longest=2**17, examples=30)
