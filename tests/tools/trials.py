"""Runs that are disturbed by what a seed says, gone on with, and held against undisturbed ones."""

import json
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from disturbances import DISTURBANCES, Attempt, Reference, damage, operations
from scenarios import Scenario
from starter import Run, Starter

TIMES = ("run.json", "report.html", "shift.html", ".steps/", ".lock")  # say when, or how long
DONE = "exists already"  # it was killed when all was done
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
        run, said, met = DISTURBANCES[how](Attempt(scenario, folder, reference, draw, log, starter))
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
        trial.faults += [damage(folder, draw)]
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
