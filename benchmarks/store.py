"""From sound files to the feature store: throughput by processes, memory by size of the corpus.

The clips are FLAC copies of built-in loops, rendered first where the folder does not hold them
yet, which takes about a minute per 2,500. `extract_corpus` runs in a process of its own into an
empty store. Time is wall time, start to end; memory is the sum over its processes at its peak, a
shared page counted once.

    python benchmarks/store.py [--folder FOLDER] [--clips 5000] [--sizes 2000 20000]
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import soundfile
from machine import describe_machine

from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.corpora.synthetic import write_synthetic
from genrescope.parallel import map_processes
from genrescope.taxonomy import load_taxonomy

POLL_S = 0.2


def as_flac(paths: tuple[Path, Path]) -> None:
    wav, flac = paths
    if not flac.exists():
        sound, rate = soundfile.read(wav, dtype="int16")
        soundfile.write(flac, sound, rate)


def flac_corpus(folder: Path, size: int) -> Corpus:
    """A corpus of FLAC loops, with copies on disk."""
    root = write_synthetic(folder / "korean", style="korean", size=size)
    corpus = index_corpus(
        "synthetic",
        root,
        name="loops",
        culture="Korean-style",
        taxonomy=load_taxonomy("meta-genre"),
    )
    (folder / "flac").mkdir(exist_ok=True)
    wavs = [Path(path) for path in corpus.clips["path"]]
    flacs = [folder / "flac" / f"{wav.stem}.flac" for wav in wavs]
    for _ in map_processes(as_flac, zip(wavs, flacs, strict=True)):
        pass
    clips = corpus.clips.assign(path=[str(flac) for flac in flacs])
    return Corpus("loops", "Korean-style", "synthetic", clips, corpus.failures, synthetic=True)


def memory_of(process: psutil.Process) -> float:
    """Megabytes of a process and its children; a page shared by n counts 1/n for each."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except psutil.Error:
            continue
    return total / 2**20


CHILD = """
import sys
from genrescope.corpora.corpus import Corpus
from genrescope.features.extraction import extract_corpus

if __name__ == "__main__":
    extract_corpus(Corpus.from_parquet(sys.argv[1]), sys.argv[2], workers=int(sys.argv[3]))
"""


def extract(table: Path, *, workers: int, watch: bool) -> tuple[float, float]:
    """Extract into an empty store; seconds, and megabytes where they are watched."""
    with tempfile.TemporaryDirectory(dir=table.parent) as out:
        script = Path(out) / "child.py"
        script.write_text(CHILD)
        start = time.perf_counter()
        command = [sys.executable, str(script), str(table), f"{out}/store", str(workers)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as ran:
            process, peak = psutil.Process(ran.pid), 0.0
            while watch and ran.poll() is None:
                peak = max(peak, memory_of(process))
                time.sleep(POLL_S)
            ran.wait()
            seconds = time.perf_counter() - start
        if ran.returncode:
            raise RuntimeError(f"extraction ended with code {ran.returncode}")
    return seconds, peak


def part_of(corpus: Corpus, size: int, folder: Path) -> Path:
    table = folder / f"loops-{size}.parquet"
    Corpus(**{**vars(corpus), "clips": corpus.clips.head(size)}).to_parquet(table)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="keeps the loops for the next time")
    parser.add_argument("--clips", type=int, default=5000, help="for the throughput")
    parser.add_argument("--sizes", type=int, nargs="+", default=[500, 5000], help="for memory")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(describe_machine("numpy", "soundfile", "pyarrow"))
    with tempfile.TemporaryDirectory(prefix="genrescope-benchmark-") as made:
        folder = arguments.folder or Path(made)
        corpus = flac_corpus(folder, max(*arguments.sizes, arguments.clips))
        throughput(part_of(corpus, arguments.clips, folder), arguments.clips, arguments.rounds)
        memory([(size, part_of(corpus, size, folder)) for size in sorted(arguments.sizes)])


def throughput(table: Path, clips: int, rounds: int) -> None:
    print(f"\nFLAC to store, {clips} clips, start to end")
    ratios = []
    for number in range(1, rounds + 1):
        one, two = (extract(table, workers=workers, watch=False)[0] for workers in (1, 2))
        ratios.append(one / two)
        print(
            f"  round {number}: 1 process {one:.1f} s ({1000 * one / clips:.1f} ms a clip), "
            f"2 processes {two:.1f} s: {one / two:.2f} times as fast"
        )
    print(f"  median: {statistics.median(ratios):.2f} times")


def memory(tables: list[tuple[int, Path]]) -> None:
    print("\npeak memory, 2 processes")
    peaks = []
    for size, table in tables:
        seconds, peak = extract(table, workers=2, watch=True)
        peaks.append(peak)
        print(f"  {size:>6} clips: {peak:.0f} MB, {size / seconds:.0f} clips/s")
    print(f"  the largest against the smallest: {peaks[-1] / peaks[0]:.2f} times")


if __name__ == "__main__":
    main()
