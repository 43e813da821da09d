"""Extraction on the workers of a Dask cluster against the processes of this machine.

The clips are windows of built-in loops, each of other bounds, so that all are extracted. A round
runs every contender in turn into an empty store: 1 and 2 processes of this machine, 1 and 2 workers
of a local cluster with one thread each. Time is that of `extract_corpus`, planning and reading back
included, for all alike; a pool's start is in it, that of a cluster is told apart. Processor time is
that of the command and all its processes, which the load of the machine does not change as much.

    python benchmarks/dask_extraction.py [--folder FOLDER] [--clips 5000] [--files 500] [--rounds 3]
"""

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psutil
from machine import describe_machine

from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.corpora.synthetic import write_synthetic
from genrescope.dask_workers import open_workers
from genrescope.features.extraction import extract_corpus
from genrescope.taxonomy import load_taxonomy

CONTENDERS = (("processes", 1), ("processes", 2), ("Dask", 1), ("Dask", 2))
POLL_S = 0.1
STEP_S = 0.02  # between windows of one file


class Cost(NamedTuple):
    """What an extraction took, and the start of its cluster."""

    wall_s: float
    cpu_s: float
    start_s: float


class Meter:
    """Processor time of this process and its descendants, also of those that end meanwhile."""

    def __enter__(self) -> "Meter":
        self._first = self._look()
        self._last = dict(self._first)
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._poll)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()
        self._last |= self._look()

    @property
    def seconds(self) -> float:
        return sum(spent - self._first.get(pid, 0.0) for pid, spent in self._last.items())

    def _poll(self) -> None:
        while not self._ended.wait(POLL_S):
            self._last |= self._look()

    @staticmethod
    def _look() -> dict[int, float]:
        here, found = psutil.Process(), {}
        for process in [here, *here.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            found[process.pid] = times.user + times.system
        return found


def windows(folder: Path, *, clips: int, files: int) -> Corpus:
    root = write_synthetic(folder / "loops", style="korean", size=files)
    corpus = index_corpus(
        "synthetic",
        root,
        name="windows",
        culture="Korean-style",
        taxonomy=load_taxonomy("meta-genre"),
    )
    rounds = -(-clips // len(corpus.clips))
    parts = [
        corpus.clips.assign(
            start_s=k * STEP_S,
            duration_s=1.0,
            clip_id=[f"{clip_id}+{k}" for clip_id in corpus.clips["clip_id"]],
        )
        for k in range(rounds)
    ]
    table = pd.concat(parts, ignore_index=True).head(clips)
    return Corpus("windows", "Korean-style", "synthetic", table, corpus.failures, synthetic=True)


def extract(corpus: Corpus, folder: Path, engine: str, count: int) -> Cost:
    scheduler = "dask" if engine == "Dask" else None
    before = time.perf_counter()
    with (
        tempfile.TemporaryDirectory(dir=folder) as store,
        open_workers(scheduler, count) as workers,
    ):
        start_s = time.perf_counter() - before
        with Meter() as meter:
            begun = time.perf_counter()
            found = extract_corpus(corpus, store, workers=workers)
            wall_s = time.perf_counter() - begun
        if found.extracted < len(corpus.clips) or len(found.failures):
            raise RuntimeError("not every clip was extracted")
        return Cost(wall_s, meter.seconds, start_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keeps the loops for the next time")
    parser.add_argument("--clips", type=int, default=5000)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(describe_machine("numpy", "soundfile", "distributed"))
    with tempfile.TemporaryDirectory(prefix="genrescope-benchmark-") as made:
        folder = arguments.folder or Path(made)
        corpus = windows(folder, clips=arguments.clips, files=arguments.files)
        print(f"loops to store, {len(corpus.clips)} clips")
        rounds = [
            {who: extract(corpus, folder, *who) for who in CONTENDERS}
            for _ in range(arguments.rounds)
        ]
    report(rounds, len(corpus.clips))


def report(rounds: list[dict[tuple[str, int], Cost]], clips: int) -> None:
    for number, costs in enumerate(rounds, start=1):
        print(f"round {number}")
        for (engine, count), cost in costs.items():
            started = f", cluster started in {cost.start_s:.1f} s" if engine == "Dask" else ""
            print(
                f"  {count} {engine:<9} {cost.wall_s:6.1f} s, {clips / cost.wall_s:5.0f} clips/s, "
                f"{1000 * cost.cpu_s / clips:.2f} ms of processor time a clip{started}"
            )
    pool, one, two = ("processes", 2), ("Dask", 1), ("Dask", 2)
    for title, value in (
        ("2 workers against 1, throughput", lambda r: r[one].wall_s / r[two].wall_s),
        ("2 workers against 2 processes, throughput", lambda r: r[pool].wall_s / r[two].wall_s),
        ("2 workers against 2 processes, processor time", lambda r: r[two].cpu_s / r[pool].cpu_s),
    ):
        ratios = [value(costs) for costs in rounds]
        listed = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{title}: median {statistics.median(ratios):.2f} times ({listed})")


if __name__ == "__main__":
    main()
