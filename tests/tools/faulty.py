"""Whole commands in processes of their own, disturbed at moments drawn from a seed, and resumed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile
import yaml
from tones import RATE, pitch_bundle, tone

SHIM = Path(__file__).with_name("faults.c")
WRITES = "create write rename remove"
# The same program with small shards, so that small corpora have many.
PROGRAM = """
import genrescope.cli, genrescope.collection.predicting, genrescope.features.extraction
genrescope.features.extraction.CLIPS_PER_SHARD = 6
genrescope.collection.predicting.FILES_PER_SHARD = (6, 6)
genrescope.cli.main()
"""
TIMES = ("run.json", "report.html", "shift.html", ".steps/", ".lock")  # say when, or how long
PATIENCE_S = 600


def build_shim(folder: Path) -> Path | None:
    """Compile the shim of faults; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / "faults.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", library, SHIM, "-ldl"], check=True, timeout=100
    )
    return library


@dataclass(frozen=True)
class Scenario:
    """A command, where it writes, and what of it is finished and what comes out.

    Attributes
    ----------
    name : str
    words : callable
        The command's words for a folder to write in.
    prepare : callable
        Makes that folder ready.
    code : int
        Exit code of a run that ends well.
    workers : bool
        Whether processes below the main one do the work.
    """

    name: str
    words: Callable[[Path], Sequence[Any]]
    prepare: Callable[[Path], None] = lambda folder: folder.mkdir(parents=True)
    code: int = 0
    workers: bool = True

    def command(self, folder: Path) -> list[str]:
        return [sys.executable, "-c", PROGRAM, *map(str, self.words(folder))]


@dataclass
class Run:
    """A command at work; `said` is what it wrote on standard error."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> int:
        return self.process.wait(timeout=PATIENCE_S)

    def members(self) -> list[psutil.Process]:
        """Every process of its session, the main one first."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.process.pid:
                    found.append(process)
            except (ProcessLookupError, PermissionError):
                continue
        return sorted(found, key=lambda process: process.pid != self.process.pid)

    def workers(self) -> list[psutil.Process]:
        """Processes of the pool: below the fork server, which is below the main one."""
        found = []
        for process in self.members():
            try:
                parent = process.parent()
                if parent and parent.pid != self.process.pid and process.pid != self.process.pid:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def orphans(self, patience_s: float = 30) -> list[int]:
        """Processes that are left after the main one, when they had time to notice."""
        deadline = time.monotonic() + patience_s
        while (left := self.members()) and time.monotonic() < deadline:
            left = [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
            if not left:
                break
            time.sleep(0.1)
        return [process.pid for process in left]


def start(command: Sequence[str], log: Path, *, faults: Mapping[str, Any] | None = None) -> Run:
    """Start a command in a session of its own, with faults in the form of `faults.c`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    env = os.environ | {key: str(value) for key, value in (faults or {}).items()}
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env=env,
        )
    return Run(process, log)


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
    kills : list of str
        Those that met a process.
    lost : list of str
        What was finished before a kill, and was made again or is gone.
    different : list of str
        Files that are not as in the undisturbed run.
    trouble : list of str
        Tracebacks, leftovers, processes that stayed, unexpected exit codes.
    """

    seed: int
    scenario: str
    kills: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)

    @property
    def fine(self) -> bool:
        return not (self.lost or self.different or self.trouble)

    def line(self) -> str:
        verdict = "fine" if self.fine else f"{self.lost=} {self.different=} {self.trouble=}"
        return f"seed {self.seed:>4}  {self.scenario:<10} {'; '.join(self.kills) or 'no kill'}: {verdict}"


@dataclass
class Reference:
    """An undisturbed run: what it left, how long it took, and its operations by who did them."""

    files: dict[str, bytes]
    seconds: float
    operations: dict[str, int]


def undisturbed(scenario: Scenario, folder: Path, shim: Path | None) -> Reference:
    """Run a scenario in peace, counting what it does to files."""
    scenario.prepare(folder)
    counts = {}
    started = time.monotonic()
    for who in ("main", "worker") if shim and scenario.workers else ("main",):
        place = folder if not counts else folder.with_name(f"{folder.name}-{who}")
        if counts:
            scenario.prepare(place)
        count = folder.with_name(f"{folder.name}.{who}.count")
        started = time.monotonic()
        run = start(
            scenario.command(place),
            folder.with_name(f"{folder.name}.log"),
            faults=_operations(shim, place, who, count) if shim else None,
        )
        code = run.end()
        if code != scenario.code:
            raise AssertionError(f"{scenario.name} ended with {code}: {run.said}")
        counts[who] = count.stat().st_size if count.exists() else 0
        if place != folder:
            shutil.rmtree(place)
    return Reference(outcome(folder), time.monotonic() - started, counts)


def _operations(shim: Path, folder: Path, who: str, count: Path) -> dict[str, Any]:
    count.unlink(missing_ok=True)
    return {
        "LD_PRELOAD": shim,
        "FAULT_UNDER": folder,
        "FAULT_WHO": who,
        "FAULT_COUNT": count,
        "FAULT_OPS": WRITES,
    }


def disturb(
    scenario: Scenario, folder: Path, reference: Reference, *, seed: int, shim: Path | None
) -> Trial:
    """Kill a run at random moments, resume it until it ends, and hold it against its reference."""
    draw = random.Random(seed)  # noqa: S311
    trial = Trial(seed, scenario.name)
    scenario.prepare(folder)
    before: dict[str, tuple[int, int]] = {}
    for number in range(draw.choice((1, 1, 2, 3))):
        log = folder.with_name(f"{folder.name}.{number}.log")
        run, said, killed = _kill(scenario, folder, reference, draw, log, shim)
        code = run.end()
        trial.kills += [said] * killed
        _check(
            trial, run, expected={-signal.SIGKILL, 1, scenario.code} if killed else {scenario.code}
        )
        now = finished(folder)
        trial.lost += [name for name, made in before.items() if now.get(name) != made]
        before = now
        if code == scenario.code:
            break
    pieces = journalled(folder)
    last = code
    for attempt in range(3):
        if last == scenario.code:
            break
        run = start(scenario.command(folder), folder.with_name(f"{folder.name}.end{attempt}.log"))
        last = run.end()
        _check(trial, run, expected={scenario.code})
        if attempt == 0 and pieces and "were done by a run that was stopped" not in run.said:
            trial.lost.append(f"{pieces} pieces of the journal")
    now = finished(folder)
    trial.lost += [name for name, made in before.items() if now.get(name) != made]
    trial.different += differences(reference.files, outcome(folder))
    trial.trouble += [f"left: {path.name}" for path in folder.rglob(".*.partial*")]
    return trial


def differences(wanted: Mapping[str, bytes], found: Mapping[str, bytes]) -> list[str]:
    """Names of files that are missing, new or other."""
    return sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )


def _check(trial: Trial, run: Run, *, expected: set[int]) -> None:
    code = run.process.returncode
    if code not in expected:
        trial.trouble.append(f"exit code {code}: {run.said[-300:]}")
    if "Traceback" in run.said:
        trial.trouble.append(f"traceback: {run.said[-1500:]}")
    if code == 1 and run.said.count("error: ") != 1:
        trial.trouble.append(f"not one sentence: {run.said[-300:]}")
    if orphans := run.orphans():
        trial.trouble.append(f"processes stayed: {orphans}")


def _kill(
    scenario: Scenario,
    folder: Path,
    reference: Reference,
    draw: random.Random,
    log: Path,
    shim: Path | None,
) -> tuple[Run, str, bool]:
    """Start a run and kill one of its processes; the run, what was done, whether it was met."""
    who = draw.choice(("main", "worker")) if scenario.workers else "main"
    count = log.with_suffix(".count")
    if shim and reference.operations.get(who) and draw.random() < 0.5:
        at = draw.randint(1, reference.operations[who])
        faults = _operations(shim, folder, who, count) | {"FAULT_KILL": at}
        run = start(scenario.command(folder), log, faults=faults)
        run.end()
        met = count.exists() and count.stat().st_size >= at
        return run, f"{who} at its file operation {at}", met
    moment = draw.random() * reference.seconds
    pick = draw.random()
    run = start(scenario.command(folder), log)
    until = time.monotonic() + moment
    while time.monotonic() < until and run.process.poll() is None:
        time.sleep(0.002)
    if who == "worker":
        # Where none is at work at that moment, the next one that is.
        while not (below := run.workers()) and run.process.poll() is None:
            time.sleep(0.002)
        below = below or []
    else:
        below = [psutil.Process(run.process.pid)] if run.process.poll() is None else []
    if not below:
        return run, f"{who} after {moment:.1f} s", False
    try:
        below[int(pick * len(below))].kill()
    except psutil.NoSuchProcess:
        return run, f"{who} after {moment:.1f} s", False
    return run, f"{who} after {moment:.1f} s", True


# --- What is run ---------------------------------------------------------------------------------


def make_material(folder: Path, *, corpora: int = 24, files: int = 60) -> Path:
    """Corpora `west` and `east` of tones, a study of them, a bundle, and files to predict."""
    draw = np.random.default_rng(0)
    for corpus, low, high in (("west", 110, 3200), ("east", 90, 2600)):
        for n in range(corpora):
            genre, hertz = (("low", low), ("high", high))[n % 2]
            path = folder / corpus / genre / f"{n:02}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            sound = tone(hertz * draw.uniform(0.9, 1.1), draw.uniform(3, 7))
            noise = draw.normal(0, draw.uniform(0.01, 0.2), len(sound))
            soundfile.write(path, np.clip(sound + noise, -1, 1), RATE)
    (folder / "files").mkdir()
    for n in range(files):
        path = folder / "files" / f"{n:03}.flac"
        soundfile.write(path, tone(3200 if n % 2 else 110, draw.uniform(1, 6)), RATE)
    for n in range(3, files, 20):
        (folder / "files" / f"{n:03}.flac").write_text("no sound")
    pitch_bundle(folder / "bundle")
    corpora_of = {
        name: {"format": "folder", "root": str(folder / name)} for name in ("west", "east")
    }
    content = {
        "name": "small",
        "corpora": corpora_of,
        "taxonomy": "labels",
        "sources": ["west", "east"],
        "targets": ["west", "east"],
        "models": {"forest": {"n_estimators": 10}, "boosting": {"n_estimators": 8}},
        "split": {"group": "track"},
        "evaluation": {"n_resamples": 100},
        "shift": {"in_study": False},
        "explanations": {"shap_clips": 4, "examples": 0, "quality_clips": 0, "stability_seeds": 0},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    cnn = {"models": content["models"] | {"cnn": {"epochs": 1}}}
    (folder / "cnn.yaml").write_text(yaml.safe_dump(content | cnn))
    small = {"folds": 2, "repeats": 1, "seeds": 1, "draws": 1, "shots": [0, 2]}
    shift = {"models": {"forest": {"n_estimators": 10}}, "shift": small}
    (folder / "shift.yaml").write_text(yaml.safe_dump(content | shift))
    return folder


def scenarios(material: Path) -> dict[str, Scenario]:
    """The commands that are disturbed, over the material."""

    def tagged(folder: Path) -> None:
        shutil.copytree(material / "files", folder)
        for path in folder.iterdir():
            if path.stat().st_size < 100:
                path.unlink()

    found = [
        Scenario(
            "features",
            lambda folder: ["features", material / "west.parquet", "-o", folder, "--workers", 2],
        ),
        Scenario(
            "study",
            lambda folder: ["study", material / "study.yaml", "--out", folder, "--workers", 2],
        ),
        Scenario(
            "cnn",
            lambda folder: ["study", material / "cnn.yaml", "--out", folder, "--workers", 2],
        ),
        Scenario(
            "predict",
            lambda folder: [
                "predict", material / "bundle", material / "files", "--format", "csv",
                "-o", folder / "answers.csv", "--workers", 2,
            ],
            code=3,
        ),
        Scenario(
            "train",
            lambda folder: [
                "train", material / "west", "-o", folder / "bundle", "-m", "forest",
                "--features", "paper", "--workers", 2,
            ],
        ),
        Scenario(
            "tags",
            lambda folder: ["tags", "write", "--genre", "Low", "--write", folder],
            prepare=tagged,
            workers=False,
        ),
        Scenario(
            "explain",
            lambda folder: [
                "explain", material / "bundle",
                *sorted((material / "files").iterdir())[4:8], "-o", folder,
            ],
            workers=False,
        ),
        Scenario(
            "shift",
            lambda folder: ["shift", material / "shift.yaml", "--out", folder, "--workers", 2],
        ),
    ]  # fmt: skip
    return {scenario.name: scenario for scenario in found}


def index_corpora(material: Path) -> None:
    """Write `west.parquet` and `east.parquet`."""
    for name in ("west", "east"):
        subprocess.run(
            [
                sys.executable, "-m", "genrescope", "corpus", "index", "folder", material / name,
                "-o", material / f"{name}.parquet", "--taxonomy", "labels",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
