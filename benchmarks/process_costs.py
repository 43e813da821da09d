"""What a command takes with all the processes it starts: processor time, memory, open files.

Processor time is the kernel's own figure, of processes that live shorter than a look at them too;
the largest memory is a process's high-water mark. Samples say how a process changes over time.
"""

import ctypes
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

import psutil

PR_SET_CHILD_SUBREAPER = 36
MARKS = re.compile(
    r"^(VmHWM|VmRSS):\s+(\d+) kB", re.MULTILINE
)  # most and now; a dying one has none
POLL_S = 0.5
REFERENCE_EVERY_S = 10.0
REFERENCE_CLIPS = 40


@dataclass(frozen=True)
class Sample:
    """One look at one process: seconds since the start, megabytes now and at most, open files."""

    at_s: float
    pid: int
    memory_mb: float
    peak_mb: float
    files: int


@dataclass
class Cost:
    """What a command took.

    Attributes
    ----------
    code : int
    said : str
        What it wrote, errors included.
    begun, ended : float
        By the clock.
    cpu_s : float
        User and system time of all its processes.
    peak_mb : float
        Of the largest of its processes.
    samples : list of Sample
    main : int
        The process that was started; all others are its workers.
    """

    code: int = -1
    said: str = ""
    begun: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    main: int = -1

    @property
    def wall_s(self) -> float:
        return self.ended - self.begun

    def peaks_mb(self) -> tuple[float, float]:
        """Most seen of the main process and of any other."""
        own = [one.peak_mb for one in self.samples if one.pid == self.main]
        others = [one.peak_mb for one in self.samples if one.pid != self.main]
        return max(own, default=0.0), max(others, default=0.0)


def run(command: Sequence[str], *, stdin: Path | None = None, poll_s: float = POLL_S) -> Cost:
    """Run a command to its end, and wait for the processes it leaves."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel does not hand down orphans")
    before = {child.pid for child in psutil.Process().children()}
    with TemporaryFile("w+") as said, Path(stdin or os.devnull).open() as fed:
        cost = Cost(begun=time.time())
        started = subprocess.Popen(command, stdin=fed, stdout=said, stderr=said)
        cost.main = started.pid
        while True:
            _look(cost)
            waited = time.time() + poll_s
            while (ended := os.wait4(cost.main, os.WNOHANG))[0] == 0 and time.time() < waited:
                time.sleep(min(poll_s, 0.05))
            if ended[0]:
                break
        cost.ended = time.time()
        cost.code = started.returncode = os.waitstatus_to_exitcode(ended[1])
        used = [ended[2]]
        # Processes that outlive the command, such as the server that forked its workers, are
        # handed down to this one, with the times of those they waited for.
        while left := [c for c in psutil.Process().children() if c.pid not in before]:
            for orphan in left:
                with suppress(ChildProcessError):
                    used.append(os.wait4(orphan.pid, 0)[2])
        said.seek(0)
        cost.said = said.read()
    cost.cpu_s = sum(one.ru_utime + one.ru_stime for one in used)
    # A process begins with the peak of the one that started it, so a peak below this one's own
    # says nothing; the marks seen while it ran then do.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peaks = [one.ru_maxrss / 1024 for one in used if one.ru_maxrss > own]
    cost.peak_mb = max([*peaks, *cost.peaks_mb()])
    return cost


def _look(cost: Cost) -> None:
    at_s = time.time() - cost.begun
    with suppress(psutil.Error):
        main = psutil.Process(cost.main)
        for process in [main, *main.children(recursive=True)]:
            with suppress(psutil.Error, OSError):
                status = Path(f"/proc/{process.pid}/status").read_text()
                marks = {name: int(kb) / 1024 for name, kb in MARKS.findall(status)}
                if marks:
                    now, most = marks["VmRSS"], marks["VmHWM"]
                    cost.samples.append(Sample(at_s, process.pid, now, most, process.num_fds()))


class Reference:
    """The same computation over and over beside what is measured, to tell how fast the machine is.

    It extracts 40 clips every ten seconds in a process of its own.

    Parameters
    ----------
    log : pathlib.Path
        Where it writes when it ran, and the processor time it took.
    """

    def __init__(self, log: Path) -> None:
        self.log = log

    def __enter__(self) -> "Reference":
        self.log.write_text("")
        self._process = subprocess.Popen([sys.executable, __file__, str(self.log)])
        while not self.log.read_text().count("\n"):
            if self._process.poll() is not None:
                raise RuntimeError("the reference computation ended")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def seconds(self, begun: float, ended: float) -> float:
        """Mean processor time of a run of it between two times, or of those next to them."""
        while not (runs := self._runs()) or runs[-1][0] < ended:
            time.sleep(0.2)
        near = min(runs, key=lambda one: abs(one[0] - (begun + ended) / 2))[1]
        within = [cpu_s for at, cpu_s in runs if begun <= at <= ended + REFERENCE_EVERY_S / 2]
        return statistics.fmean(within) if within else near

    def _runs(self) -> list[tuple[float, float]]:
        lines = self.log.read_text().splitlines(keepends=True)
        found = [line.split() for line in lines if line.endswith("\n")]
        return [(float(at), float(cpu_s)) for at, cpu_s in found]


def _repeat_reference(log: Path) -> None:
    import numpy as np

    from genrescope.features.vector import extract

    rng = np.random.default_rng(0)
    clips = rng.standard_normal((REFERENCE_CLIPS, 110250), dtype=np.float32)
    clips /= 10 * np.arange(1, REFERENCE_CLIPS + 1, dtype=np.float32)[:, np.newaxis]
    extract(clips[:1])
    while True:
        begun, at = time.process_time(), time.time()
        extract(clips)
        with log.open("a") as file:
            file.write(f"{at} {time.process_time() - begun}\n")
        time.sleep(REFERENCE_EVERY_S)


if __name__ == "__main__":
    _repeat_reference(Path(sys.argv[1]))
