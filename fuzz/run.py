"""Runs fuzzers: `python fuzz/run.py TARGET... --seconds N`; `all` for every target.

Each target runs in a process of its own under limits of memory and time, again and again until it
has used so many seconds of processor time; one that dies is started anew, and its last input kept.
By atheris, which looks for inputs that lead to new lines of genrescope. With `--short` a few hundred
inputs by hypothesis instead, always the same ones, all targets in one process: a line of JSON when a
target begins and when it ends. Exit code 1 where anything was found.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from random import Random

from fuzzing.target import NAMES, load

FOUND = Path("build/fuzz")
RSS_SPARE_MB = 1500  # what the libraries take


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", choices=[*NAMES, "all"])
    parser.add_argument("--seconds", type=int, default=60, help="of processor time, each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true", help="by hypothesis, without atheris")
    parser.add_argument("--out", type=Path, default=FOUND, help="folder of what is found")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    targets = NAMES if "all" in options.targets else options.targets
    if options.child:
        _atheris(targets[0], options)
    if options.short:
        _quiet_environment()
        for target in targets:
            load(target)  # with all its libraries, before the first one limits memory
        return max([_short(target, options.out) for target in targets])
    return max([_until_done(target, options) for target in targets])


def _until_done(name: str, options: argparse.Namespace) -> int:
    """Run a target in child processes until its processor time is used up."""
    folder = options.out / name
    folder.mkdir(parents=True, exist_ok=True)
    used, deaths, seed, runs = 0.0, 0, options.seed, 0
    while used < options.seconds and deaths < 20:
        left = max(1, round(options.seconds - used))
        command = [
            sys.executable, __file__, name, "--child", "--seconds", str(left), "--seed", str(seed),
            "--out", str(options.out),
        ]  # fmt: skip
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        with (folder / "log.txt").open("ab") as log:
            code = subprocess.call(command, stdout=log, stderr=log)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        runs += _count(folder)
        seed += 1
        if code not in (0, 124):
            deaths += 1
            last = folder / ".current"
            if last.exists():
                last.rename(folder / f"died-{code}-{seed}")
            print(f"finding: {name} ended with {code}; see {folder / 'log.txt'}", flush=True)
    found = [path.name for path in folder.glob("*.txt") if path.name != "log.txt"]
    found += [path.name for path in folder.glob("died-*")]
    print(f"{name}: {runs:,} inputs in {used:.0f} s, {len(found)} findings", flush=True)
    return 1 if found else 0


def _count(folder: Path) -> int:
    try:
        return int((folder / ".runs").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0


def _quiet_environment() -> None:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_ARENA_MAX"):
        os.environ.setdefault(name, "1")


def _short(name: str, out: Path) -> int:
    """Some inputs by hypothesis."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    from fuzzing.limits import Findings, limit_memory, limited_time

    print(json.dumps({"begins": name}), flush=True)
    target = load(name)
    seeds = target.seeds()
    findings = Findings(target, out / name)
    for seed in seeds:
        findings.check(seed)
    limit_memory(target)

    @settings(
        max_examples=target.examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip
    @given(st.sampled_from(range(len(seeds))), st.integers(0, 2**32 - 1), st.integers(1, 4))
    def run(at: int, seed: int, times: int) -> None:
        rng = Random(seed)
        data = seeds[at]
        for _ in range(times):
            data = target.changed(data, rng)
        with limited_time(target.seconds):
            findings.check(data)

    run()
    print(json.dumps({"ends": name, "runs": findings.runs, "found": findings.found}), flush=True)
    return 1 if findings.found else 0


def _atheris(name: str, options: argparse.Namespace) -> None:
    _quiet_environment()
    import atheris

    with atheris.instrument_imports(include=["genrescope"]):
        target = load(name)
    from fuzzing.limits import Findings, limit_memory, taken_memory

    findings = Findings(target, options.out / name)
    runs = findings.folder / ".runs"

    def mutate(data: bytes, longest: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < 0.3:
            return atheris.Mutate(data, longest)
        return target.changed(data, rng)[:longest]

    def check(data: bytes) -> None:
        findings.check(data)
        if not findings.runs % 50:
            runs.write_text(str(findings.runs), encoding="ascii")
        if time.process_time() > options.seconds or taken_memory() > most:
            runs.write_text(str(findings.runs), encoding="ascii")
            os._exit(124)

    # What leads to new lines is kept for the next process.
    corpus = findings.folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
        findings.check(seed)
    limit_memory(target)
    # atheris keeps the result of each comparison it looks at, a whole table's too: this process
    # ends while there is still room, and another goes on.
    most = taken_memory() + target.memory // 4
    atheris.Setup(
        [
            sys.argv[0], str(corpus), f"-seed={options.seed + 1}", f"-max_len={target.longest}",
            f"-timeout={target.seconds}", "-verbosity=0",
            f"-rss_limit_mb={RSS_SPARE_MB + target.memory // 2**20}",
            f"-artifact_prefix={findings.folder}/",
        ],
        check,
        custom_mutator=mutate,
    )  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
