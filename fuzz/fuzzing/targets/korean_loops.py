"""Folders of Korean loops: sounds, metadata whose schema nobody knows, code tables, names."""

import functools
import io
import json

import numpy as np
import soundfile

from fuzzing.folder import change_files, pack, unpack, write
from fuzzing.target import Target, scratch, typed_errors
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.taxonomy import load_taxonomy

GENRES = load_taxonomy("meta-genre")
META = {
    "dataset": {"name": "loops", "created": "2023-01-01"},
    "music_type_info": {"music_genre_cd": "GN0600", "main_instrmt_class_cd": "베이스", "tempo": 120},
    "music_source_info": {"song_id": "S0001", "phrase": "A", "play_time": "00:00.60"},
    "annotation_data_info": {"sample_rate": 8000, "notes": [{"pitch": 40, "duration": 0.25}] * 2},
    "genre": "록/메탈", "instrument": ["bass"], "duration": 0.6,
}  # fmt: skip


def _wav(seconds: float) -> bytes:
    buffer = io.BytesIO()
    sound = 0.5 * np.sin(np.arange(round(seconds * 8000)) / 5)
    soundfile.write(buffer, sound, 8000, "PCM_U8", format="WAV")
    return buffer.getvalue()


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Loops side by side, in parallel trees, with other encodings, and code tables."""
    plain = json.dumps(META, ensure_ascii=False)
    other = plain.replace("GN0600", "GN0100").replace("록/메탈", "발라드")
    wav = _wav(0.6)
    side = {
        "a1.wav": wav,
        "a1.json": plain.encode(),
        "a2.wav": wav,
        "a2.json": other.encode("cp949"),
    }
    trees = {
        "01.원천데이터/드럼/가_1.wav": wav, "02.라벨링데이터/드럼/가_1.json": plain.encode("utf-8-sig"),
        "01.원천데이터/베이스/가_1.wav": wav, "02.라벨링데이터/베이스/가_1.json": other.encode(),
        "midi/가_1.mid": b"MThd",
    }  # fmt: skip
    codes = {
        "x.wav": wav, "x.json": b'{"genre": "G1", "instrument": "I7"}',
        "genre.csv": b"G1,rock\nG2,ballad\n", "instrument.yaml": b"codes: {I7: [bass, x], I8: drums}\n",
    }  # fmt: skip
    return pack(side), pack(trees), pack(codes)


def check(data: bytes) -> None:
    """Index the folder and write the table: rows and failures, or an error of one sentence."""
    files = unpack(data)
    tables = {"genre": "genre.csv", "instrument": "instrument.yaml"}
    options = {"instruments": "all"} | (
        {"codes": {field: name for field, name in tables.items() if name in files}}
        if set(files) & set(tables.values())
        else {}
    )
    with scratch() as folder:
        write(files, folder / "loops")
        with typed_errors():
            corpus = index_corpus(
                "korean-loops", folder / "loops", name="k", culture="Korean",
                taxonomy=GENRES, options=options,
            )  # fmt: skip
            assert len(corpus.clips) + len(corpus.failures) > 0
            corpus.to_parquet(folder / "corpus.parquet")
            again = Corpus.from_parquet(folder / "corpus.parquet")
            assert again.fingerprint() == corpus.fingerprint()
            assert len(again.failures) == len(corpus.failures)


TARGET = Target(check, seeds, change_files, memory=2**29, longest=2**16, examples=100)
