"""A server under the load of many clients, one request in ten malformed, against the bare models.

Says whether every good answer is the library's and every bad one a 4xx, what memory and the
temporary folder look like in the end, requests per second, latencies, and the same with the windows
of different requests kept apart.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import psutil
from machine import ONE_THREAD, describe_machine, real_clips
from threadpoolctl import threadpool_limits

from genrescope.corpora.synthetic import write_synthetic
from genrescope.features.vector import extract
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.predictor import Predictor
from genrescope.settings import AudioSettings, FeatureSettings

CLIENTS = 16
BAD_ONE_IN = 10
SETTLED_AFTER = 200  # requests, after which memory is taken as the yardstick
TOLERANCE = 1e-9  # sums over batches of other sizes may round otherwise
SERVE = (
    "import json, sys\n"
    "from genrescope.app.running import run_server\n"
    "from genrescope.app.settings import ServerSettings\n"
    "limits, *bundles = sys.argv[1:]\n"
    "run_server(bundles, ServerSettings(**json.loads(limits)), host='127.0.0.1', port=0,\n"
    "           page=False, say=lambda line: print(line, flush=True))\n"
)


@dataclass
class Storm:
    """What became of many requests.

    Attributes
    ----------
    seconds : float
        From the first to the last.
    latencies_s : list of float
        Of the good ones that were answered.
    wrong : list of str
        Whatever should not have been: a good request refused or answered otherwise than by the
        library, a bad one that did not get a 4xx.
    bad : Counter
        Statuses of the malformed ones.
    """

    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    bad: Counter[int] = field(default_factory=Counter)


def malformed(sound: bytes) -> list[dict[str, Any]]:
    """Requests that no server should answer with a 200, as keywords of `httpx.Client.post`."""
    kind = {"content-type": "multipart/form-data; boundary=b"}
    return [
        {"files": {"file": ("a.wav", b"")}},
        {"files": {"file": ("a.wav", b"La la la, but written down.\n" * 100)}},
        {"files": {"file": ("a.flac", sound[: len(sound) // 3])}},
        {"files": {"sound": ("a.flac", sound)}},
        {"files": {"file": ("a.flac", sound)}, "data": {"model": "no-such-model"}},
        {"files": [("file", ("a.flac", sound)), ("file", ("b.flac", sound))]},
        {"files": {"file": ("a.flac", sound)}, "data": {"coverage": "2"}},
        {"json": {"file": "a.flac"}},
        {"content": b"no boundary in sight", "headers": kind},
        {"files": {"file": ("../../etc/passwd", np.random.default_rng(0).bytes(5000))}},
    ]


def storm(
    url: str,
    sounds: Sequence[bytes],
    expected: Mapping[str, Sequence[Mapping[str, float]]],
    *,
    requests: int,
    seed: int = 0,
) -> Storm:
    """Send many requests from several clients at once.

    Parameters
    ----------
    url : str
    sounds : sequence of bytes
    expected : mapping
        By model, the probability of each genre for each sound.
    requests : int
        One in ten is malformed.
    seed : int
        Of the order of sounds, models and faults.
    """
    chance = random.Random(seed)
    faults = malformed(sounds[0])
    tasks: list[tuple[int, str] | int] = [
        n // BAD_ONE_IN % len(faults)
        if n % BAD_ONE_IN == 0
        else (chance.randrange(len(sounds)), chance.choice(list(expected)))
        for n in range(requests)
    ]
    found = Storm()
    clients = [httpx.Client(base_url=url, timeout=120) for _ in range(CLIENTS)]

    def send(place: int) -> None:
        client, task = clients[place % CLIENTS], tasks[place]
        if isinstance(task, int):
            status = client.post("/v1/predict", **faults[task]).status_code
            found.bad[status] += 1
            if not 400 <= status < 500:
                found.wrong.append(f"fault {task}: {status}")
            return
        sound, model = task
        begin = time.perf_counter()
        answer = client.post(
            "/v1/predict", files={"file": ("a.flac", sounds[sound])}, data={"model": model}
        )
        found.latencies_s.append(time.perf_counter() - begin)
        if answer.status_code != 200:
            found.wrong.append(f"sound {sound}, {model}: {answer.status_code} {answer.text[:200]}")
            return
        given = answer.json()["answers"][0]["probabilities"]
        true = expected[model][sound]
        if given.keys() != true.keys() or any(
            abs(given[genre] - true[genre]) > TOLERANCE for genre in true
        ):
            found.wrong.append(f"sound {sound}, {model}: {given}, not {true}")

    def send_all(first: int) -> None:
        for place in range(first, requests, CLIENTS):
            send(place)

    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(send_all, range(CLIENTS)))
    found.seconds = time.perf_counter() - start
    for client in clients:
        client.close()
    return found


@contextmanager
def served(bundles: Sequence[Path], temporary: Path, **limits: Any):
    """A server in processes of its own; its address and its process."""
    command = [sys.executable, "-c", SERVE, json.dumps(limits), *map(str, bundles)]
    environment = os.environ | ONE_THREAD | {"TMPDIR": str(temporary)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        address = next(line.split()[1] for line in lines if line.startswith("listening"))
        try:
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.stdout.read()


def memory_mb(process: psutil.Process) -> float:
    """Of a process and its children, pages they share counted once."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_full_info().pss for member in family) / 1e6


def train(folder: Path) -> list[Path]:
    """A forest and a linear model, of the sizes that are usual."""
    clips, _ = real_clips(120)
    labels = [f"genre {n % 4}" for n in range(len(clips))]
    bundles = []
    for kind, which in (("forest", "paper"), ("linear", "extended")):
        features = FeatureSettings(set=which)
        vectors = extract(clips, features=features, log_mels=False).vectors
        model = create_model(kind).fit(vectors, labels)
        bundles.append(
            save_bundle(
                folder / kind, model, genres=sorted(set(labels)), taxonomy={},
                audio=AudioSettings(), features=features,
            )
        )  # fmt: skip
    return bundles


def recordings(folder: Path) -> list[Path]:
    """Real recordings where there are any, else those of the built-in corpus."""
    data = os.environ.get("GENRESCOPE_DATA")
    root = Path(data) / "gtzan_mini" if data else write_synthetic(folder, style="western", size=36)
    return sorted(path for path in root.rglob("*") if path.suffix in (".flac", ".wav"))[::3]


def processor_s(process: psutil.Process) -> float:
    """Processor time of a process and its children so far."""
    times = [member.cpu_times() for member in [process, *process.children(recursive=True)]]
    return sum(time.user + time.system for time in times)


def describe(name: str, found: Storm, bare: tuple[float, float], spent_s: float) -> str:
    """A storm in a few lines; `bare` is wall and processor time of the library for a sound."""
    cuts = [1000 * cut for cut in statistics.quantiles(found.latencies_s, n=100)]
    good = len(found.latencies_s)
    total = good + found.bad.total()
    wall_s, bare_s = bare
    rate = good / found.seconds
    return (
        f"{name}: {total} requests in {found.seconds:.1f} s, {total / found.seconds:.1f}/s\n"
        f"  good {good}; bad {dict(found.bad)}; wrong {len(found.wrong)}\n"
        f"  good ones {rate:.1f}/s, {rate * wall_s:.2f} times as fast as the bare model in one "
        f"process ({1000 * wall_s:.1f} ms)\n"
        f"  processor time {1000 * spent_s / total:.1f} ms a request, {1000 * bare_s:.1f} ms bare\n"
        f"  latency of the good: p50 {cuts[49]:.0f} ms, p90 {cuts[89]:.0f}, p99 {cuts[98]:.0f}"
    )


def ask_library(bundle: Path, paths: Sequence[Path]) -> tuple[list[Any], tuple[float, float]]:
    """The library's own probabilities, and its wall and processor time for a sound."""
    predictor = Predictor.load(bundle)
    threadpool_limits(1)  # as in the server's workers: threads of BLAS move the last digits
    predictor.from_file(paths[0])
    start, start_cpu = time.perf_counter(), time.process_time()
    found = [predictor.from_file(path).probabilities.to_dict() for path in paths]
    wall_s, spent_s = time.perf_counter() - start, time.process_time() - start_cpu
    return found, (wall_s / len(paths), spent_s / len(paths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()
    print(describe_machine("fastapi", "uvicorn", "pebble"))
    with TemporaryDirectory() as made:
        folder = Path(made)
        bundles, paths = train(folder / "bundles"), recordings(folder / "music")
        sounds = [path.read_bytes() for path in paths]
        print(f"{len(sounds)} recordings, {sum(map(len, sounds)) / len(sounds) / 1e6:.2f} MB each")
        expected, bare = {}, {}
        for bundle in bundles:
            expected[bundle.name], bare[bundle.name] = ask_library(bundle, paths)
        temporary = folder / "temporary"
        temporary.mkdir()
        with served(bundles, temporary) as (url, process):
            storm(url, sounds, expected, requests=SETTLED_AFTER)
            settled, spent_s = memory_mb(process), processor_s(process)
            rest = arguments.requests - SETTLED_AFTER
            weather = storm(url, sounds, expected, requests=rest, seed=1)
            end, spent_s = memory_mb(process), processor_s(process) - spent_s
            left = list(temporary.rglob("*"))
        either = tuple(statistics.mean(times) for times in zip(*bare.values(), strict=True))
        print(describe("either model", weather, (either[0], either[1]), spent_s))
        print(
            f"  memory {settled:.0f} MB after {SETTLED_AFTER} requests, {end:.0f} MB in the end "
            f"({end / settled:.2f} times); files in the temporary folder: {len(left)}"
        )
        for said in weather.wrong[:5]:
            print(f"  {said}")
        for name, answers in expected.items():
            for words, windows in (("together", 256), ("apart", 1)):
                with served(bundles, temporary, windows_per_batch=windows) as (url, process):
                    storm(url, sounds, {name: answers}, requests=2 * CLIENTS)
                    spent_s, few = processor_s(process), arguments.requests // 5
                    weather = storm(url, sounds, {name: answers}, requests=few, seed=2)
                    spent_s = processor_s(process) - spent_s
                print(describe(f"{name}, windows {words}", weather, bare[name], spent_s))


if __name__ == "__main__":
    main()
