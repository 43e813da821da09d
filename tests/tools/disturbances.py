"""What may happen to a run: processes killed, files that fail, signals, a file damaged."""

import errno
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from dask_cluster import DaskCluster
from scenarios import Scenario
from starter import Run, Starter

WRITES = "create write rename remove"
CONNECTED_S = 3.0  # until a run has found its workers


@dataclass
class Reference:
    """An undisturbed run: what it left; how long it took and how many file operations, by whose."""

    files: dict[str, bytes]
    seconds: dict[str, float]
    operations: dict[str, int]


def operations(folder: Path, who: str, count: Path, ops: str = WRITES) -> dict[str, Any]:
    """Count what somebody does to files below a folder, in the form of `faults.c`."""
    count.unlink(missing_ok=True)
    return {"FAULT_UNDER": folder, "FAULT_WHO": who, "FAULT_COUNT": count, "FAULT_OPS": ops}


# Disturbs one run: what was done, and whether it met the run.
Disturbance = Callable[
    [Scenario, Path, Reference, random.Random, Path, Starter], tuple[Run, str, bool]
]


def _kill(
    scenario: Scenario,
    folder: Path,
    reference: Reference,
    draw: random.Random,
    log: Path,
    starter: Starter,
) -> tuple[Run, str, bool]:
    """Start a run and kill one of its processes; the run, what was done, whether it was met."""
    who = draw.choice(("main", "main", "worker")) if scenario.workers else "main"
    workers = 2 if who == "worker" else 1
    if starter.shim and reference.operations[who] and draw.random() < 0.5:
        at = draw.randint(1, reference.operations[who])
        count = log.with_suffix(".count")
        faults = operations(folder, who, count)
        run = starter.start(scenario.words(folder, workers), log, **faults, FAULT_KILL=at)
        run.end()
        met = count.exists() and count.stat().st_size >= at
        return run, f"{who} in file operation {at} of {reference.operations[who]}", met
    moment = draw.random() * reference.seconds[who]
    said = f"{who} after {moment:.1f} s"
    pick = draw.random()
    run = starter.start(scenario.words(folder, workers), log)
    until = time.monotonic() + moment
    while time.monotonic() < until and run.poll() is None:
        time.sleep(0.002)
    below: list[psutil.Process] = []
    # Where no worker is there at that moment, the next one that is.
    while not below and run.poll() is None:
        below = run.workers() if who == "worker" else [psutil.Process(run.pid)]
    if not below:
        return run, said, False
    try:
        below[int(pick * len(below))].kill()
    except psutil.NoSuchProcess:
        return run, said, False
    return run, said, True


def _cluster(
    scenario: Scenario,
    folder: Path,
    reference: Reference,
    draw: random.Random,
    log: Path,
    starter: Starter,
) -> tuple[Run, str, bool]:
    """Start a run on a cluster of its own, and kill one of their processes."""
    place = log.with_suffix(".cluster")
    place.mkdir()
    cluster = DaskCluster(place)
    try:
        *words, option, _ = scenario.words(folder, 2)
        if option != "--workers":
            raise ValueError(f"{scenario.name} does not end with its number of workers")
        moment = draw.random() * (reference.seconds["worker"] + CONNECTED_S)
        who = draw.choice(("main", "scheduler", "nanny", "worker", "worker"))
        run = starter.start([*words, "--scheduler", cluster.address], log)
        until = time.monotonic() + moment
        while time.monotonic() < until and run.poll() is None:
            time.sleep(0.002)
        met = run.poll() is None
        if met:
            killed = {"main": run.pid, "scheduler": cluster.pid("scheduler")}
            killed["nanny"] = cluster.pid("worker-0")
            # Between a worker's end and its restart by the nanny there is none.
            below = psutil.Process(killed["nanny"]).children()
            killed["worker"] = below[0].pid if below else killed["nanny"]
            os.kill(killed[who], signal.SIGKILL)
        run.end()
    finally:
        cluster.close()
    return run, f"{who} of a cluster after {moment:.1f} s", met


def _fail(
    scenario: Scenario,
    folder: Path,
    reference: Reference,
    draw: random.Random,
    log: Path,
    starter: Starter,
) -> tuple[Run, str, bool]:
    """Start a run whose writing fails from a moment on, or once."""
    code = draw.choice((errno.ENOSPC, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO))
    at = draw.randint(1, reference.operations["main"])
    last = draw.choice((at, 10**9))
    count = log.with_suffix(".count")
    ops = "create write" if code in (errno.ENOSPC, errno.EDQUOT) else WRITES
    faults = operations(folder, "main", count, ops) | {"FAULT_ERROR": f"{code}:{at}:{last}"}
    run = starter.start(scenario.words(folder, 1), log, **faults)
    run.end()
    met = count.exists() and count.stat().st_size >= at
    times = "once" if last == at else "from there on"
    return run, f"{errno.errorcode[code]} in file operation {at}, {times}", met


def _signal(
    scenario: Scenario,
    folder: Path,
    reference: Reference,
    draw: random.Random,
    log: Path,
    starter: Starter,
) -> tuple[Run, str, bool]:
    """Start a run and send it, or all its processes as a terminal does, a signal."""
    workers = draw.choice((1, 2)) if scenario.workers else 1
    which = draw.choice((signal.SIGINT, signal.SIGTERM))
    all_of_them = draw.random() < 0.5
    moment = draw.random() * reference.seconds["worker" if workers > 1 else "main"]
    run = starter.start(scenario.words(folder, workers), log)
    until = time.monotonic() + moment
    while time.monotonic() < until and run.poll() is None:
        time.sleep(0.002)
    said = f"{which.name} to {'all' if all_of_them else 'main'} after {moment:.1f} s"
    if run.poll() is not None:
        return run, said, False
    (os.killpg if all_of_them else os.kill)(run.pid, which)
    return run, said, True


def damage(folder: Path, draw: random.Random) -> str:
    """Damage a file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "lock")
    path = draw.choice(files)
    way = draw.choice(("cut", "emptied", "flipped", "deleted", "folder", "dangling", "garbage"))
    content = path.read_bytes()
    name = path.relative_to(folder).as_posix()
    if way == "flipped" and content:
        at = draw.randrange(len(content))
        path.write_bytes(
            content[:at] + bytes([content[at] ^ (1 << draw.randrange(8))]) + content[at + 1 :]
        )
    elif way == "cut":
        path.write_bytes(content[: draw.randrange(len(content) or 1)])
    elif way == "garbage":
        path.write_bytes(draw.randbytes(len(content) or 10))
    elif way == "emptied":
        path.write_bytes(b"")
    else:
        path.unlink()
        if way == "folder":
            path.mkdir()
        elif way == "dangling":
            path.symlink_to(folder / "nowhere")
    return f"{name} {way}"


DISTURBANCES: dict[str, Disturbance] = {
    "kill": _kill,
    "fail": _fail,
    "signal": _signal,
    "cluster": _cluster,
    "damage": _kill,
}
