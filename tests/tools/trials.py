"""Runs that are disturbed by what a seed says, gone on with, and held against undisturbed ones."""

import errno
import json
import os
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from dask_cluster import DaskCluster
from scenarios import Scenario
from starter import Run, Starter

WRITES = "create write rename remove"
TIMES = ("run.json", "report.html", "shift.html", ".steps/", ".lock")  # say when, or how long
DONE = "exists already"  # it was killed when all was done
CONNECTED_S = 3.0  # until a run has found its workers
STOPPED = "were done by a run that was stopped"


def outcome(folder: Path) -> dict[str, bytes]:
    """Every file a run left, with its bytes, but those that say when it ran."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(part in f"{name}" for part in TIMES):
            found[name] = path.read_bytes()
    return found


def finished(folder: Path) -> dict[str, tuple[int, int]]:
    """What is finished and may never be made again: shards of a store, and steps of a run."""
    found = {}
    for path in folder.rglob("*"):
        if ".partial" in path.name or not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        shard = len(path.stem) == 64 and path.suffix in (".parquet", ".npy")
        if shard or (".steps/" in name and path.suffix == ".json" and _keyed(path)):
            status = path.stat()
            found[name] = (status.st_ino, status.st_mtime_ns)
    return found


def _keyed(record: Path) -> bool:
    try:
        return bool(json.loads(record.read_text())["key"])
    except (ValueError, KeyError):
        return False


def journalled(folder: Path) -> int:
    """Pieces that journals hold."""
    return sum(
        path.read_bytes().count(b"\n") for path in folder.rglob(".*.journal") if path.is_file()
    )


@dataclass
class Trial:
    """What a disturbed run came to.

    Attributes
    ----------
    seed : int
    scenario : str
    faults : list of str
        Those that met a run.
    lost : list of str
        What was finished before a kill, and was made again or is gone.
    different : list of str
        Files that are not as in the undisturbed run.
    refusals : list of str
        Sentences by which a damaged folder was refused.
    trouble : list of str
        Tracebacks, leftovers, processes that stayed, unexpected exit codes.
    """

    seed: int
    scenario: str
    faults: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        return not (self.lost or self.different or self.trouble)

    def line(self) -> str:
        wrong = {
            name: found
            for name in ("lost", "different", "trouble")
            if (found := getattr(self, name))
        }
        verdict = f"{wrong}" if wrong else "; ".join(self.refusals) or "fine"
        return f"seed {self.seed:>4}  {self.scenario:<9} {'; '.join(self.faults) or '-'}: {verdict}"


@dataclass
class Reference:
    """An undisturbed run: what it left; how long it took and how many file operations, by whose."""

    files: dict[str, bytes]
    seconds: dict[str, float]
    operations: dict[str, int]


def undisturbed(scenario: Scenario, folder: Path, starter: Starter) -> Reference:
    """Run a scenario in peace, counting what it does to files."""
    reference = Reference({}, {}, {})
    for who, workers in (("main", 1), ("worker", 2))[: 1 + scenario.workers]:
        place = folder / who
        place.parent.mkdir(parents=True, exist_ok=True)
        scenario.prepare(place)
        count = folder / f"{who}.count"
        started = time.monotonic()
        run = starter.start(
            scenario.words(place, workers), folder / f"{who}.log", **operations(place, who, count)
        )
        if run.end() != scenario.code:
            raise AssertionError(f"{scenario.name} ended with {run.code}: {run.said}")
        reference.seconds[who] = time.monotonic() - started
        reference.operations[who] = count.stat().st_size if count.exists() else 0
        found = outcome(place)
        if differences(reference.files or found, found):
            raise AssertionError(f"{scenario.name}: workers change the outcome")
        reference.files = found
    return reference


def operations(folder: Path, who: str, count: Path, ops: str = WRITES) -> dict[str, Any]:
    """Count what somebody does to files below a folder, in the form of `faults.c`."""
    count.unlink(missing_ok=True)
    return {"FAULT_UNDER": folder, "FAULT_WHO": who, "FAULT_COUNT": count, "FAULT_OPS": ops}


# Disturbs one run: what was done, and whether it met the run.
Disturbance = Callable[
    [Scenario, Path, Reference, random.Random, Path, Starter], tuple[Run, str, bool]
]


def disturb(
    scenario: Scenario,
    folder: Path,
    reference: Reference,
    starter: Starter,
    *,
    seed: int,
    how: str = "kill",
) -> Trial:
    """Disturb a run at random moments, go on until it ends, and hold it against its reference.

    Parameters
    ----------
    scenario : Scenario
    folder : pathlib.Path
        New; what was said lies beside it.
    reference : Reference
    starter : Starter
    seed : int
        Decides everything but the speed of the machine.
    how : str
        `kill`, `fail` (operations on files fail from a moment on), `signal` (SIGINT or SIGTERM),
        `cluster` (the run is on a Dask cluster, and a process of either is killed), `damage` (a run
        is killed, or ends, and a file it left is damaged).
    """
    draw = random.Random(seed)
    trial = Trial(seed, scenario.name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scenario.prepare(folder)
    before: dict[str, tuple[int, int]] = {}
    pieces = 0
    for number in range(draw.choice((1, 1, 2, 3))):
        log = folder.with_name(f"{number}.log")
        run, said, met = DISTURBANCES[how](scenario, folder, reference, draw, log, starter)
        run.end()
        trial.faults += [said] * met
        codes = {-signal.SIGKILL, -signal.SIGTERM, 1, 3, scenario.code}
        codes = codes if met else {scenario.code, 1 if DONE in run.said else scenario.code}
        check(trial, run, expected=codes, pieces=pieces)
        now = finished(folder)
        trial.lost += [name for name, made in before.items() if now.get(name) != made]
        before, pieces = now, journalled(folder)
        if run.code == scenario.code or DONE in run.said:
            break
    if how == "damage":
        trial.faults += [_damage(folder, draw)]
        before, pieces = {}, 0
    tries = 0
    while (
        (run.code != scenario.code or how not in ("kill", "cluster"))
        and tries < 2
        and not trial.trouble
    ):
        if how == "damage" and scenario.once and run.code == scenario.code:
            break
        run = starter.start(scenario.words(folder, 1), folder.with_name(f"end{tries}.log"))
        run.end()
        codes = {scenario.code, 1} if how == "damage" or scenario.once else {scenario.code}
        check(trial, run, expected=codes, pieces=pieces)
        tries += 1
        pieces = 0
        if run.code in codes:
            break
    now = finished(folder)
    trial.lost += [name for name, made in before.items() if now.get(name) != made]
    if run.code == scenario.code or DONE in run.said:
        trial.different += differences(reference.files, outcome(folder))
    else:
        trial.refusals += [run.said.strip().splitlines()[-1]]
    trial.trouble += [f"left: {path.name}" for path in folder.rglob(".*.partial*")]
    return trial


def differences(wanted: Mapping[str, bytes], found: Mapping[str, bytes]) -> list[str]:
    """Names of files that are missing, new or other."""
    return sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def check(trial: Trial, run: Run, *, expected: set[int], pieces: int = 0) -> None:
    """Note what of a run that ended is not as it should be."""
    if run.code not in expected:
        trial.trouble.append(f"exit code {run.code}: {run.said[-300:]}")
    if "Traceback" in run.said:
        trial.trouble.append(f"traceback: {run.said[-1500:]}")
    if run.code == 1 and run.said.count("error: ") != 1 and "failed: " not in run.said:
        if "Aborted" in run.said:  # by Ctrl-C
            return
        trial.trouble.append(f"not one sentence: {run.said[-300:]}")
    if pieces and run.code not in (-signal.SIGKILL, 1) and STOPPED not in run.said:
        trial.lost.append(f"{pieces} pieces of the journal")
    if orphans := run.orphans():
        trial.trouble.append(f"processes stayed: {orphans}")


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


def _damage(folder: Path, draw: random.Random) -> str:
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
