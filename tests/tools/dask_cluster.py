"""A Dask cluster of separate processes on this machine, started with Dask's own commands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TOOLS = Path(__file__).parent
SOURCE = TOOLS.parents[1] / "src"


class DaskCluster:
    """A scheduler and workers with one thread each; they start in folders of their own."""

    def __init__(self, folder: Path, *, workers: int = 2):
        self.file = folder / "scheduler.json"
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self._start("scheduler", [*scheduler, "--dashboard-address", "127.0.0.1:0"])
        for number in range(workers):
            self.add_worker(f"worker-{number}")
        while not self.file.exists():
            time.sleep(0.05)
        self.address: str = json.loads(self.file.read_text())["address"]

    def _start(self, name: str, command: list[str]) -> None:
        home = self._folder / name
        home.mkdir()
        paths = [str(SOURCE), str(TOOLS), os.environ.get("PYTHONPATH", "")]
        with (home / "log.txt").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *command, "--scheduler-file", str(self.file)],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=home,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            )

    def add_worker(self, name: str) -> None:
        worker = ["worker", "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard"]
        self._start(name, [*worker, "--name", name, "--local-directory", str(self._folder)])

    def pid(self, name: str) -> int:
        """Process of the scheduler, or of a worker's nanny."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """End a process at once; a worker's nanny is what `name` is, and takes it along."""
        self._processes[name].send_signal(signal.SIGKILL)
        self._processes.pop(name).wait()

    def close(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
