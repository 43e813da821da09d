"""`genrescope predict` over thousands of files: throughput, what broken files and kills do, memory.

The files are FLAC cuts of GTZAN's tracks (of the built-in corpus where `$GENRESCOPE_DATA` is not
set): `long` ones of 5 to 30 s, `short` ones of 2 to 3 s. The rival does no more than decode and
extract what the model takes, over the same shards in as many processes; both run start to end in a
process of their own, imports and the loading of models included, in turn. One file in twenty is
then broken in one of ten ways, and a run over all of them is killed with all its processes and
goes on. Models are of the study's size, trained on labels that mean nothing.

    python benchmarks/predicting.py [--files 2000] [--rounds 3] [--folder FOLDER] [--only linear]

Then both go over some shards in one process, in turn, so that a machine whose speed changes by the
minute does not decide. On a machine that other programs use, look at the processor time. `--rounds
0` leaves the whole commands out.
"""

import argparse
import csv
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

import numpy as np
import pandas as pd
import psutil
import soundfile
from broken_sounds import WAYS, write_broken
from machine import describe_machine, real_clips
from store import memory_of

from genrescope.audio.decode import decode
from genrescope.collection.listing import list_sounds
from genrescope.collection.predicting import Shard, cut_shards, name_models, predict_shard
from genrescope.corpora.synthetic import write_synthetic
from genrescope.errors import AudioError
from genrescope.features.vector import extract, feature_names
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.bundle_info import read_info
from genrescope.models.inputs import Need, inputs_from_file
from genrescope.models.predictor import Predictor
from genrescope.parallel import map_processes
from genrescope.settings import AudioSettings, FeatureSettings

RATE = 22050
LENGTHS_S = {"short": (2.0, 3.0), "long": (5.0, 30.0)}
BROKEN_EVERY = 20
SETS = {"linear": "extended", "forest": "paper", "boosting": "paper"}
POLL_S = 0.2

SHARDS_IN_TURN = 8


def extract_alone(shard: Shard) -> int:
    """The rival: decode a shard's files and extract what its first model takes."""
    info = read_info(shard.models[0].folder)
    need = Need(info.audio, info.features, info.input)
    for path in shard.files:
        with suppress(AudioError):
            for _ in inputs_from_file(path, [need]):
                pass
    return len(shard.files)


def run_rival(bundle: str, folder: str, workers: int) -> None:
    """The rival over a collection, in a process of its own."""
    shards = cut_shards(name_models([bundle])[0], list_sounds([folder]))
    sum(map_processes(extract_alone, shards, workers=workers))


def recordings(folder: Path) -> list[Path]:
    data = os.environ.get("GENRESCOPE_DATA")
    root = (
        Path(data) / "gtzan_mini" if data else write_synthetic(folder / "western", style="western")
    )
    return sorted(path for path in root.rglob("*") if path.suffix in (".flac", ".wav"))


def write_collection(folder: Path, sources: list[Path], files: int, length: str) -> None:
    """Cuts of random length from random places; a place near the end goes on at the beginning."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    sounds = [decode(path) for path in sources]
    rng = random.Random(0)
    for n in range(files):
        sound = sounds[n % len(sounds)]
        cut = np.roll(sound, -rng.randrange(len(sound)))
        count = round(rng.uniform(*LENGTHS_S[length]) * RATE)
        soundfile.write(folder / f"{n:05}.flac", cut[:count], RATE, subtype="PCM_16")


def train(folder: Path, kind: str) -> Path:
    if (folder / kind).exists():
        return folder / kind
    clips, _ = real_clips(360)
    features = FeatureSettings.parse({"set": SETS[kind]})
    vectors = extract(clips, features=features, log_mels=False).vectors
    X = pd.DataFrame(vectors, columns=list(feature_names(features)))
    labels = [f"genre {n % 4}" for n in range(len(X))]
    return save_bundle(
        folder / kind, create_model(kind).fit(X, labels), genres=sorted(set(labels)), taxonomy={},
        audio=AudioSettings(), features=features,
    )  # fmt: skip


def predict(bundle: Path, out: Path, workers: int) -> list[str]:
    """The command that answers for a list on standard input."""
    words = ["predict", bundle, "-", "--format", "csv", "-o", out, "--workers", workers]
    return [sys.executable, "-m", "genrescope", *map(str, words)]


@dataclass
class Ran:
    """What a command did and took.

    Attributes
    ----------
    code : int
    said : str
    wall_s, cpu_s : float
        From start to end, and of all its processes together, as far as polling saw them.
    memory : list of float
        Megabytes of all its processes as they worked.
    """

    code: int
    said: str
    wall_s: float
    cpu_s: float
    memory: list[float]


def watch(command: list[str], named: list[str]) -> Ran:
    """Run a command that reads a list, and look at its processes as they work."""
    memory: list[float] = []
    taken: dict[int, float] = {}
    start = time.perf_counter()
    with TemporaryFile("w+") as said, TemporaryFile("w+") as listed:
        listed.write("\n".join(named))
        listed.seek(0)
        with subprocess.Popen(command, stdin=listed, stdout=said, stderr=said) as ran:
            parent = psutil.Process(ran.pid)
            while ran.poll() is None:
                with suppress(psutil.Error):
                    for process in [parent, *parent.children(recursive=True)]:
                        with suppress(psutil.Error):
                            times = process.cpu_times()
                            taken[process.pid] = times.user + times.system
                    memory.append(memory_of(parent))
                time.sleep(POLL_S)
            wall_s = time.perf_counter() - start
        said.seek(0)
        return Ran(ran.returncode, said.read(), wall_s, sum(taken.values()), memory)


def bare_model_s(bundle: Path, out: Path) -> float:
    """What the model alone takes for as many windows, in questions of the same size."""
    model = Predictor.load(bundle).bundle.model
    with out.open() as file:
        windows = sum(int(row["windows"]) for row in csv.DictReader(file))
    names = getattr(model, "feature_names_in_", None)
    X = pd.DataFrame(np.zeros((256, model.n_features_in_), np.float32), columns=names)
    start = time.perf_counter()
    for _ in range(-(-windows // len(X))):
        model.predict_proba(X)
    return time.perf_counter() - start


def throughput(bundle: Path, collection: Path, made: Path, arguments: argparse.Namespace) -> None:
    out = made / "out.csv"
    named = [str(path) for path in sorted(collection.iterdir())]
    rival = [sys.executable, __file__, "--rival", str(bundle), str(collection)]
    rival += ["--workers", str(arguments.workers)]
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        theirs.append(watch(rival, []))
        out.unlink(missing_ok=True)
        ours.append(watch(predict(bundle, out, arguments.workers), named))
        for ran in (theirs[-1], ours[-1]):
            if ran.code:
                raise RuntimeError(ran.said)
    print(f"  {bundle.name}, {collection.name} files, whole commands:")
    for what, taken in (("wall", "wall_s"), ("processor", "cpu_s")):
        a, b = ([getattr(ran, taken) for ran in runs] for runs in (theirs, ours))
        ratios = [x / y for x, y in zip(a, b, strict=True)]
        print(
            f"    {what} time: decode and extract {statistics.median(a):.1f} s, predict "
            f"{statistics.median(b):.1f} s: throughput {statistics.median(ratios):.2f} of it "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]"
        )
    print(f"    the model alone: {bare_model_s(bundle, out):.1f} s")


def in_turn(bundle: Path, collection: Path) -> None:
    """Both over the same shards in this process, in turn: neither starting nor loading counts."""
    models, _ = name_models([bundle])
    files = list_sounds([collection])
    shards = cut_shards(models, files)[: SHARDS_IN_TURN + 1]
    ratios = []
    for shard in shards:
        taken = []
        for work in (extract_alone, predict_shard):
            start = time.process_time()
            work(shard)
            taken.append(time.process_time() - start)
        ratios.append(taken[0] / taken[1])
    ratios = ratios[1:]  # the first loads the model
    print(
        f"    in one process, {len(ratios)} shards of {len(shards[0].files)} files: throughput "
        f"{statistics.median(ratios):.2f} of decoding and extraction "
        f"[{min(ratios):.2f}, {max(ratios):.2f}]"
    )


def with_broken(collection: Path, folder: Path) -> tuple[list[Path], Counter[str]]:
    """The collection with one file in twenty replaced by a broken one."""
    folder.mkdir()
    paths, kinds = [], Counter[str]()
    for n, path in enumerate(sorted(collection.iterdir())):
        if n % BROKEN_EVERY == BROKEN_EVERY // 2:
            broken, kind = write_broken(folder / path.stem, n // BROKEN_EVERY)
            paths.append(broken)
            kinds[kind] += 1
        else:
            paths.append(path)
    return paths, kinds


def broken_and_killed(bundle: Path, collection: Path, made: Path, workers: int) -> None:
    paths, kinds = with_broken(collection, made / "broken")
    named = list(map(str, paths))
    whole, out = made / "whole.csv", made / "killed.csv"
    ran = watch(predict(bundle, whole, workers), named)
    with (made / "whole.failures.csv").open() as file:
        found = Counter(row["kind"] for row in csv.DictReader(file))
    print(
        f"  {len(paths)} files, {sum(kinds.values())} broken in {len(WAYS)} ways: "
        f"{len(pd.read_csv(whole))} rows, {sum(found.values())} failures, each of the kind it was "
        f"made: {found == kinds}; exit {ran.code}"
    )
    print(f"    {line_with('answered', ran.said)}")
    third = len(ran.memory) // 3
    middle, last = (
        statistics.median(ran.memory[a:b]) for a, b in ((third, -third), (-third, None))
    )
    print(
        f"    memory of all processes: {middle:.0f} MB in the middle third of the run, "
        f"{last:.0f} MB in the last ({last / middle:.2f} times), at most {max(ran.memory):.0f} MB"
    )
    killed = subprocess.Popen(
        predict(bundle, out, workers), stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, start_new_session=True,
    )  # fmt: skip
    assert killed.stdin is not None
    killed.stdin.write("\n".join(named))
    killed.stdin.close()
    journal = out.with_name(f".{out.name}.journal")
    while not journal.exists() or journal.read_bytes().count(b"\n") < len(paths) // 256:
        time.sleep(0.05)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    ran = watch(predict(bundle, out, workers), named)
    same = out.read_bytes() == whole.read_bytes()
    print(f"    killed and run again: {line_with('was stopped', ran.said)}; exit {ran.code}")
    print(f"    the same bytes as in one go: {same}")


def line_with(words: str, said: str) -> str:
    return next(line for line in said.splitlines() if words in line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="keeps the files for the next time")
    parser.add_argument("--lengths", choices=sorted(LENGTHS_S), nargs="*", default=[*LENGTHS_S])
    parser.add_argument("--only", choices=sorted(SETS), nargs="*", default=sorted(SETS))
    parser.add_argument("--rival", nargs=2, metavar=("BUNDLE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rival:
        run_rival(*arguments.rival, arguments.workers)
        return
    print(describe_machine("numpy", "soundfile", "scikit-learn", "xgboost-cpu"))
    print(f"{arguments.files} files, {arguments.workers} processes, {arguments.rounds} rounds")
    with TemporaryDirectory(prefix="genrescope-benchmark-") as temporary:
        made = Path(temporary)
        kept = arguments.folder or made
        sources = recordings(kept)
        for kind in arguments.only:
            for length in arguments.lengths:
                write_collection(kept / length, sources, arguments.files, length)
                bundle = train(kept, kind)
                if arguments.rounds:
                    throughput(bundle, kept / length, made, arguments)
                print(f"  {kind}, {length} files:")
                in_turn(bundle, kept / length)
        write_collection(kept / "long", sources, arguments.files, "long")
        broken_and_killed(train(kept, "boosting"), kept / "long", made, arguments.workers)


if __name__ == "__main__":
    main()
