"""Whole commands in processes of their own, with faults put under them."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SHIM = Path(__file__).with_name("faults.c")
PATIENCE_S = 600
# Commands are forked from a process that has everything imported, with small shards, so that small
# corpora have many.
PROGRAM = """
import json, multiprocessing, os, sys
import genrescope.cli
import genrescope.collection.explaining, genrescope.collection.prediction_file
import genrescope.collection.predicting, genrescope.collection.tag_writing
import genrescope.features.extraction, genrescope.study.run, genrescope.study.shifting
import genrescope.study.single, matplotlib.pyplot, shap, sklearn.ensemble, xgboost

genrescope.features.extraction.CLIPS_PER_SHARD = 6
genrescope.collection.predicting.FILES_PER_SHARD = (6, 6)
multiprocessing.set_forkserver_preload([
    "genrescope.collection.predicting", "genrescope.features.extraction", "sklearn.ensemble", "skops"
])
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    pid = os.fork()
    if pid == 0:
        break
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
else:
    sys.exit()
os.setsid()
for number, name in enumerate((os.devnull, asked["log"], asked["log"])):
    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644), number)
os.environ.update(asked["env"], FAULT_MAIN=str(os.getpid()))
sys.argv = ["genrescope", *asked["words"]]
genrescope.cli.main()
"""


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


class Starter:
    """Starts commands, one at a time; `shim` is put under each, idle unless faults are asked for."""

    def __init__(self, folder: Path) -> None:
        self.shim = build_shim(folder)
        env = {"LD_PRELOAD": str(self.shim)} if self.shim else {}
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | env,
            bufsize=0,  # what is ready is in the pipe, and can be waited for
        )
        self.line()

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()

    def ready(self) -> bool:
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def start(self, words: Sequence[Any], log: Path, **faults: Any) -> "Run":
        """Start a command in a session of its own, with faults in the form of `faults.c`."""
        log.unlink(missing_ok=True)
        asked = {
            "words": list(map(str, words)),
            "log": str(log),
            "env": {key: str(value) for key, value in faults.items()},
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        return Run(self, int(self.line()), log)

    def close(self) -> None:
        self._process.communicate()


@dataclass
class Run:
    """A command at work; `said` is what it wrote, `code` its exit code once it has ended."""

    starter: Starter
    pid: int
    log: Path
    code: int | None = None

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def poll(self) -> int | None:
        if self.code is None and self.starter.ready():
            self.code = int(self.starter.line())
        return self.code

    def end(self, patience_s: float = PATIENCE_S) -> int:
        deadline = time.monotonic() + patience_s
        while self.poll() is None:
            if time.monotonic() > deadline:
                for process in self.members():
                    process.kill()
                raise AssertionError(f"did not end within {patience_s:g} s: {self.said}")
            time.sleep(0.002)
        assert self.code is not None
        return self.code

    def members(self) -> list[psutil.Process]:
        """Every process of its session, the main one first."""
        found = []
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) == self.pid:
                    found.append(process)
            except (ProcessLookupError, PermissionError):
                continue
        return sorted(found, key=lambda process: process.pid != self.pid)

    def workers(self) -> list[psutil.Process]:
        """Processes of the pool: below the fork server, which is below the main one."""
        found = []
        for process in self.members():
            try:
                if process.pid != self.pid and process.ppid() != self.pid:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def orphans(self, patience_s: float = 30) -> list[int]:
        """Processes that are left after the main one, when they had time to notice."""
        deadline = time.monotonic() + patience_s
        while True:
            left = []
            for process in self.members():
                try:
                    if process.status() != psutil.STATUS_ZOMBIE:
                        left.append(process.pid)
                except psutil.Error:
                    continue
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.05)
