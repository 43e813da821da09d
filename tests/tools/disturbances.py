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


@dataclass(frozen=True)
class Attempt:
    """A run that is to be disturbed: its command, where it writes and logs, and what is drawn."""

    scenario: Scenario
    folder: Path
    reference: Reference
    draw: random.Random
    log: Path
    starter: Starter


# Disturbs one run: what was done, and whether it met the run.
Disturbance = Callable[[Attempt], tuple[Run, str, bool]]


def _kill(one: Attempt) -> tuple[Run, str, bool]:
    """Start a run and kill one of its processes; the run, what was done, whether it was met."""
    who = one.draw.choice(("main", "main", "worker")) if one.scenario.workers else "main"
    workers = 2 if who == "worker" else 1
    if one.starter.shim and one.reference.operations[who] and one.draw.random() < 0.5:
        at = one.draw.randint(1, one.reference.operations[who])
        count = one.log.with_suffix(".count")
        faults = operations(one.folder, who, count)
        run = one.starter.start(
            one.scenario.words(one.folder, workers), one.log, **faults, FAULT_KILL=at
        )
        run.end()
        met = count.exists() and count.stat().st_size >= at
        return run, f"{who} in file operation {at} of {one.reference.operations[who]}", met
    moment = one.draw.random() * one.reference.seconds[who]
    said = f"{who} after {moment:.1f} s"
    pick = one.draw.random()
    run = one.starter.start(one.scenario.words(one.folder, workers), one.log)
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


def _cluster(one: Attempt) -> tuple[Run, str, bool]:
    """Start a run on a cluster of its own, and kill one of their processes."""
    place = one.log.with_suffix(".cluster")
    place.mkdir()
    cluster = DaskCluster(place)
    try:
        *words, option, _ = one.scenario.words(one.folder, 2)
        if option != "--workers":
            raise ValueError(f"{one.scenario.name} does not end with its number of workers")
        moment = one.draw.random() * (one.reference.seconds["worker"] + CONNECTED_S)
        who = one.draw.choice(("main", "scheduler", "nanny", "worker", "worker"))
        run = one.starter.start([*words, "--scheduler", cluster.address], one.log)
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


def _fail(one: Attempt) -> tuple[Run, str, bool]:
    """Start a run whose writing fails from a moment on, or once."""
    code = one.draw.choice((errno.ENOSPC, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO))
    at = one.draw.randint(1, one.reference.operations["main"])
    last = one.draw.choice((at, 10**9))
    count = one.log.with_suffix(".count")
    ops = "create write" if code in (errno.ENOSPC, errno.EDQUOT) else WRITES
    faults = operations(one.folder, "main", count, ops) | {"FAULT_ERROR": f"{code}:{at}:{last}"}
    run = one.starter.start(one.scenario.words(one.folder, 1), one.log, **faults)
    run.end()
    met = count.exists() and count.stat().st_size >= at
    times = "once" if last == at else "from there on"
    return run, f"{errno.errorcode[code]} in file operation {at}, {times}", met


def _signal(one: Attempt) -> tuple[Run, str, bool]:
    """Start a run and send it, or all its processes as a terminal does, a signal."""
    workers = one.draw.choice((1, 2)) if one.scenario.workers else 1
    which = one.draw.choice((signal.SIGINT, signal.SIGTERM))
    all_of_them = one.draw.random() < 0.5
    moment = one.draw.random() * one.reference.seconds["worker" if workers > 1 else "main"]
    run = one.starter.start(one.scenario.words(one.folder, workers), one.log)
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
