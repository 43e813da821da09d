"""Tables of ready features, as CSV."""

import functools
import math

from fuzzing.mutation import change_csv
from fuzzing.target import Target, scratch, typed_errors
from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.taxonomy import load_taxonomy

GENRES = load_taxonomy("meta-genre")
OPTIONS = (
    {},
    {"duplicates": "keep"},
    {"group": "track", "artist": "artist"},
    {"gtzan_names": True},
)


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """GTZAN's own form, another with groups, one in CP949; the first byte chooses the options."""
    gtzan = "filename,length,chroma_mean,rms_mean,tempo,label\n" + "".join(
        f"{genre}.{n:05}.wav,661794,{n * 0.1},{n * 0.01 + 0.2},{90 + n},{genre}\n"
        for n, genre in enumerate(["blues", "rock", "metal", "pop", "blues", "disco"])
    )
    grouped = "filename,track,artist,f1,f2,label\n" + "".join(
        f"a{n},t{n // 2},가수 {n // 3},{n},{n * n},rock\n" for n in range(6)
    )
    return (
        b"\0" + gtzan.encode(), b"\1" + gtzan.encode("utf-8-sig"), b"\2" + grouped.encode(),
        b"\2" + grouped.encode("cp949"), b"\3" + gtzan.replace("\n", "\r\n").encode(),
    )  # fmt: skip


def check(data: bytes) -> None:
    """Index a table and write it: rows and failures, or an error of one sentence."""
    with scratch() as folder:
        (folder / "t.csv").write_bytes(data[1:])
        with typed_errors():
            corpus = index_corpus(
                "feature-table", folder / "t.csv", name="t", culture="Western",
                taxonomy=GENRES, options=OPTIONS[data[0] % 4] if data else {},
            )  # fmt: skip
            assert corpus.features is not None
            assert all(map(math.isfinite, corpus.features.to_numpy().ravel()))
            corpus.to_parquet(folder / "corpus.parquet")
            again = Corpus.from_parquet(folder / "corpus.parquet")
            assert again.fingerprint() == corpus.fingerprint()


TARGET = Target(
    check,
    seeds,
    lambda data, rng: data[:1] + change_csv(data[1:], rng),
    memory=2**29,
    longest=2**16,
    examples=150,
)
