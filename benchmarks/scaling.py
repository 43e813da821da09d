"""What each step costs for every clip, measured up to 10,000 clips, and what that says of more.

Each step runs in processes of its own, as a command does, at several sizes; its processor time,
its largest process and its bytes are fitted by forms in the number of clips that are stated. The
fits predict the largest size, which is measured too, and then 10^6 and 10^8. The speed of the
machine changes while this runs: a reference computation beside every step tells by how much, and
times are given raw and as they would be at the speed of the median reference.

    python benchmarks/scaling.py FOLDER [--sizes 1000 2000 4000 10000] [--check 100000]

Measurements are kept in the folder, and are not made again.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from machine import describe_machine
from process_costs import Cost, Reference, run
from scaling_report import (
    ASKED,
    MODELLED,
    Measurements,
    largest_process,
    table_of_check,
    table_of_costs,
    table_of_large,
)
from scaling_steps import STEPS, Folder, prepare

SOME_FAILED = 3  # exit code of a command that did the rest


def command(folder: Folder, step: str, n: int, trained: int) -> tuple[list[str], Path | None]:
    """What runs a step, and what it reads on standard input."""
    if step != "predict":
        script = Path(__file__).with_name("scaling_steps.py")
        return [sys.executable, str(script), str(folder.path), step, str(n)], None
    out = folder.path / f"predicted-{n}.csv"
    words = ["predict", folder.bundle("boosting", trained), folder.files(n), "--format", "csv"]
    words += ["-o", out, "--exists", "overwrite", "--workers", 2]
    return [sys.executable, "-m", "genrescope", *map(str, words)], None


def facts_of(folder: Folder, step: str, n: int, cost: Cost) -> dict[str, Any]:
    if step == "predict":
        out = folder.path / f"predicted-{n}.csv"
        with out.open("rb") as file:
            return {"bytes": out.stat().st_size, "answered": sum(1 for _ in file) - 1}
    found: dict[str, Any] = json.loads(cost.said.splitlines()[-1])
    return found


def measure(
    folder: Folder,
    kept: Measurements,
    steps: Iterable[str],
    sizes: Sequence[int],
    *,
    turns: int,
    trained: int,
) -> None:
    """Measure what is not measured yet; a model trained on so many clips predicts files."""
    with Reference(folder.path / "reference.log") as reference:
        for turn in range(turns):
            # A step at all sizes before the next: the last finds what the largest has trained.
            for step in steps:
                for n in sizes:
                    if n > MODELLED[step].largest or kept.has(step, n, turn):
                        continue
                    words, stdin = command(folder, step, n, trained)
                    cost = run(words, stdin=stdin)
                    if cost.code not in (0, SOME_FAILED):
                        raise RuntimeError(f"{step} of {n}: {cost.said}")
                    main_mb, other_mb = cost.peaks_mb()
                    kept.add(
                        step=step, n=n, turn=turn, cpu_s=cost.cpu_s, wall_s=cost.wall_s,
                        peak_mb=cost.peak_mb, main_mb=main_mb, other_mb=other_mb,
                        reference_s=reference.seconds(cost.begun, cost.ended),
                        facts=facts_of(folder, step, n, cost),
                    )  # fmt: skip
                    row = kept.rows[-1]
                    print(
                        f"  {step} of {n}: {row['cpu_s']:.1f} s of processor time in "
                        f"{row['wall_s']:.1f} s, {row['peak_mb']:.0f} MB, reference "
                        f"{row['reference_s']:.2f} s, {row['facts']}",
                        flush=True,
                    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 2000, 4000, 10_000])
    parser.add_argument("--check", type=int, nargs="*", default=[100_000])
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--steps", nargs="*", choices=list(MODELLED), default=list(MODELLED))
    arguments = parser.parse_args()
    folder = Folder(arguments.folder.absolute())
    folder.path.mkdir(parents=True, exist_ok=True)
    print(describe_machine("numpy", "soundfile", "scikit-learn", "xgboost-cpu", "pyarrow"))
    prepare(folder, [*arguments.sizes, *arguments.check])
    kept = Measurements(folder.path / "costs.jsonl")
    within = max(arguments.sizes, default=10_000)
    measure(folder, kept, arguments.steps, arguments.sizes, turns=arguments.turns, trained=within)
    measure(folder, kept, arguments.steps, arguments.check, turns=1, trained=within)
    usual = statistics.median(row["reference_s"] for row in kept.rows)
    print(f"\nfitted up to {within:,}; the median reference took {usual:.3f} s\n")
    print(table_of_costs(kept, within))
    for size in arguments.check:
        table, good = table_of_check(kept, within, size)
        print(f"\n{table}\n\neach step and all together within {ASKED:.0%}: {good}")
    print(f"\n{table_of_large(kept, within)}\n\n{largest_process(kept)}")


if __name__ == "__main__":
    assert set(STEPS) | {"predict"} == set(MODELLED)
    main()
