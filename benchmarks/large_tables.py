"""Training beyond memory and beyond one machine, against the same training in memory.

Boosting from disk and in memory, each in a process of its own on one Parquet table: seconds of
processor time, peak memory above that of the imports, and what differs in the answers to 10,000
other clips. Then boosting on two Dask workers against memory, and a forest on two Dask workers
against two threads of one process, in turn. The classes overlap; the labels of a tenth are wrong.

    python benchmarks/large_tables.py [--rows 200000] [--rounds 100] [--forest-rows 20000]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import describe_machine

from genrescope.dask_workers import open_workers
from genrescope.features.vector import FEATURE_NAMES
from genrescope.models import create_model
from genrescope.models.place import MEMORY, training_on

GENRES = np.array(["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"])
HELD = 10_000
PART = 50_000


def clips(n: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Feature vectors of four overlapping classes, of some tenth under a wrong label."""
    rng = np.random.default_rng(seed)
    y = rng.integers(len(GENRES), size=n)
    centres = np.random.default_rng(0).normal(0, 0.3, (len(GENRES), len(FEATURE_NAMES)))
    X = (centres[y] + rng.normal(size=(n, len(FEATURE_NAMES)))).astype(np.float32)
    wrong = rng.random(n) < 0.1
    return X, GENRES[np.where(wrong, rng.integers(len(GENRES), size=n), y)]


def write(path: Path, rows: int) -> None:
    """A table in row groups, never whole in memory."""
    writer = None
    for first in range(0, rows, PART):
        X, y = clips(min(PART, rows - first), seed=1 + first)
        columns = dict(zip(FEATURE_NAMES, X.T, strict=True)) | {"genre": y}
        table = pa.table({name: pa.array(np.ascontiguousarray(c)) for name, c in columns.items()})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=PART)
    assert writer is not None
    writer.close()


CHILD = """
import json, resource, sys, time
import numpy as np, pyarrow.parquet as pq
from genrescope.features.vector import FEATURE_NAMES
from genrescope.features.vector_files import VectorFiles
from genrescope.models import create_model
import xgboost

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path, held, out, rounds = sys.argv[1:5]
X = VectorFiles([path], FEATURE_NAMES)
y = pq.read_table(path, columns=["genre"])["genre"].to_numpy(zero_copy_only=False)
with np.load(held) as found: other = found["X"], found["y"]
before, start = peak(), time.process_time()
model = create_model("boosting", n_estimators=int(rounds), early_stopping_rounds=20, n_jobs=1)
model.fit(X, y, validation=other)
facts = {"seconds": time.process_time() - start, "mb": peak() - before, "rounds": model.best_round_}
np.save(out, model.predict_proba(other[0]))
print(json.dumps(facts))
"""


def child(path: Path, held: Path, out: Path, rounds: int, *, memory: int) -> dict[str, float]:
    command = [sys.executable, "-c", CHILD, str(path), str(held), str(out), str(rounds)]
    environment = os.environ | {MEMORY: str(memory), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return dict(json.loads(ran.stdout.splitlines()[-1]))


def differences(one: np.ndarray, other: np.ndarray, y: np.ndarray) -> str:
    gap = np.abs(one - other)
    rows, codes = np.arange(len(y)), np.searchsorted(GENRES, y)
    losses = [-np.log(p[rows, codes]).mean() for p in (one, other)]
    right = [(p.argmax(axis=1) == codes).mean() for p in (one, other)]
    changed = (one.argmax(axis=1) != other.argmax(axis=1)).mean()
    return (
        f"probabilities differ by {gap.mean():.1e} on average, {np.quantile(gap, 0.99):.1e} at the "
        f"99th percentile, {gap.max():.1e} at most; {changed:.2%} of "
        f"answers differ; log loss {losses[0]:.4f} and {losses[1]:.4f}, accuracy "
        f"{right[0]:.4f} and {right[1]:.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--forest-rows", type=int, default=20_000)
    parser.add_argument("--trees", type=int, default=100)
    arguments = parser.parse_args()
    print(describe_machine("xgboost-cpu", "scikit-learn", "distributed"))
    with tempfile.TemporaryDirectory(prefix="genrescope-benchmark-") as made:
        boosting(Path(made), arguments.rows, arguments.rounds)
    forest(arguments.forest_rows, arguments.trees)


def boosting(folder: Path, rows: int, rounds: int) -> None:
    path, held = folder / "clips.parquet", folder / "held.npz"
    write(path, rows)
    X, y = clips(HELD, seed=0)
    np.savez(held, X=X, y=y)
    size = rows * len(FEATURE_NAMES) * 4 / 2**20
    print(f"\nboosting, {rows} clips of {len(FEATURE_NAMES)} features: {size:.0f} MB")
    answers = {}
    for name, memory in (("in memory", 2**50), ("from disk", 1)):
        out = folder / f"{name}.npy"
        facts = child(path, held, out, rounds, memory=memory)
        answers[name] = np.load(out)
        print(
            f"  {name}: {facts['seconds']:.1f} s of processor time, {facts['mb']:.0f} MB, "
            f"{facts['rounds']:.0f} rounds kept"
        )
    print(f"  {differences(answers['from disk'], answers['in memory'], y)}")
    train = [part for first in range(0, rows, PART) for part in [_part(rows, first)]]
    table, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    params = {"n_estimators": rounds, "early_stopping_rounds": 20}
    with open_workers("dask", 2) as workers, training_on(workers):
        os.environ[MEMORY] = "1"
        start = time.perf_counter()
        model = create_model("boosting", **params).fit(table, labels, validation=(X, y))
        seconds = time.perf_counter() - start
        del os.environ[MEMORY]
    print(f"  on 2 workers: {seconds:.1f} s of wall time, {model.best_round_} rounds kept")
    print(f"  {differences(model.predict_proba(X), answers['in memory'], y)}")


def _part(rows: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    return clips(min(PART, rows - first), seed=1 + first)


def forest(rows: int, trees: int) -> None:
    X, y = clips(rows, seed=1)
    print(f"\nforest, {rows} clips, {trees} trees, wall time")
    with open_workers("dask", 2) as workers:
        with training_on(workers):
            create_model("forest", n_estimators=4).fit(X[:100], y[:100])  # imports there
        for _ in range(2):
            start = time.perf_counter()
            here = create_model("forest", n_estimators=trees, n_jobs=2).fit(X, y)
            between = time.perf_counter()
            with training_on(workers):
                there = create_model("forest", n_estimators=trees).fit(X, y)
            seconds = time.perf_counter() - between
            same = np.array_equal(here.predict_proba(X[:500]), there.predict_proba(X[:500]))
            print(
                f"  2 threads {between - start:.1f} s, 2 Dask workers {seconds:.1f} s, ratio "
                f"{seconds / (between - start):.2f}; the same answers: {same}"
            )


if __name__ == "__main__":
    main()
