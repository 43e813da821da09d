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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cost_model import Fit
from machine import describe_machine
from process_costs import Cost, Reference, run
from scaling_steps import STEPS, Folder, prepare

LIMIT_MB = 3000
FEW_SECONDS = 3.0
ASKED = 0.25
LARGE = (10**6, 10**8)


@dataclass(frozen=True)
class Step:
    """A step and the forms of its costs: see `cost_model.FORMS`.

    Attributes
    ----------
    unit : str
        What n counts.
    cpu, peak : str
        Forms of the processor time and of the largest process's memory.
    size : str or None
        Form of the bytes it leaves, where it leaves any.
    largest : int
        Sizes above it are not measured.
    """

    unit: str
    cpu: str
    peak: str = "a + n"
    size: str | None = "n"
    largest: int = 10**9


# In the order in which each finds what it needs. Each starts a process and imports: hence "a".
MODELLED = {
    "index": Step("files", "a + n"),
    "digest": Step("files", "a + n"),
    "extract": Step("clips", "a + n"),
    "extract_with_maps": Step("clips", "a + n", largest=10_000),
    "found_again": Step("clips", "a + n", size=None),
    "export": Step("clips", "a + n"),
    "train_forest": Step("clips", "a + n log n"),
    "train_boosting": Step("clips", "a + n", size="a + n"),
    "ask_forest": Step("clips", "a + n log n", size=None),
    "ask_boosting": Step("clips", "a + n", size=None),
    "explain_forest": Step("clips", "a + n", size=None, largest=10_000),
    "explain_boosting": Step("clips", "a + n", size=None, largest=10_000),
    "predict": Step("files", "a + n"),
}


def command(folder: Folder, step: str, n: int) -> tuple[list[str], Path | None]:
    """What runs a step, and what it reads on standard input."""
    if step != "predict":
        script = Path(__file__).with_name("scaling_steps.py")
        return [sys.executable, str(script), str(folder.path), step, str(n)], None
    out = folder.path / f"predicted-{n}.csv"
    words = ["predict", folder.bundle("boosting", 10_000), folder.files(n), "--format", "csv"]
    words += ["-o", out, "--exists", "overwrite", "--workers", 2]
    return [sys.executable, "-m", "genrescope", *map(str, words)], None


def facts_of(folder: Folder, step: str, n: int, cost: Cost) -> dict[str, Any]:
    if step == "predict":
        out = folder.path / f"predicted-{n}.csv"
        with out.open("rb") as file:
            return {"bytes": out.stat().st_size, "answered": sum(1 for _ in file) - 1}
    found: dict[str, Any] = json.loads(cost.said.splitlines()[-1])
    return found


class Measurements:
    """What was measured, a line of JSON each in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def has(self, step: str, n: int, turn: int) -> bool:
        return any((row["step"], row["n"], row["turn"]) == (step, n, turn) for row in self.rows)

    def add(self, **row: Any) -> None:
        self.rows.append(row)
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")

    def of(self, step: str, value: str, *, up_to: float) -> tuple[list[int], list[float]]:
        """Sizes and values, the times at the speed of the median reference in `calibrated_s`."""
        usual = statistics.median(row["reference_s"] for row in self.rows)
        sizes, values = [], []
        for row in self.rows:
            if row["step"] == step and row["n"] <= up_to:
                row = row | row["facts"]
                row["calibrated_s"] = row["cpu_s"] * usual / row["reference_s"]
                sizes.append(row["n"])
                values.append(float(row[value]))
        return sizes, values


def measure(
    folder: Folder, kept: Measurements, steps: Iterable[str], sizes: Sequence[int], turns: int
) -> None:
    with Reference(folder.path / "reference.log") as reference:
        for turn in range(turns):
            for n in sizes:
                for step in steps:
                    if n > MODELLED[step].largest or kept.has(step, n, turn):
                        continue
                    words, stdin = command(folder, step, n)
                    cost = run(words, stdin=stdin)
                    if cost.code:
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


def report_costs(kept: Measurements, measured: float) -> None:
    """The fitted cost of each step, for a clip or a file."""
    print(f"\nfitted up to {measured:,.0f}, at the speed of the median reference")
    for step, about in MODELLED.items():
        if not kept.of(step, "cpu_s", up_to=measured)[0]:
            continue
        line = f"  {step:18} {about.cpu:12}"
        fit = Fit.of(*kept.of(step, "calibrated_s", up_to=measured), about.cpu)
        line += " + ".join(f"{c:.3g}" for c in fit.coefficients) + f" s (scatter {fit.scatter:.0%})"
        peak = Fit.of(*kept.of(step, "peak_mb", up_to=measured), about.peak)
        line += "; memory " + " + ".join(f"{c:.3g}" for c in peak.coefficients) + " MB"
        if about.size:
            size = Fit.of(*kept.of(step, "bytes", up_to=measured), about.size)
            line += f"; {about.size}: " + " + ".join(f"{c:.4g}" for c in size.coefficients) + " B"
        print(line)


def report_check(kept: Measurements, measured: float, check: int) -> bool:
    """The prediction of the largest size beside its measurement."""
    print(f"\npredicted from at most {measured:,.0f}, measured at {check:,}")
    good = True
    for value, unit in (("calibrated_s", "s"), ("cpu_s", "s, raw"), ("peak_mb", "MB"),
                        ("bytes", "B")):  # fmt: skip
        total = [0.0, 0.0]
        for step, about in MODELLED.items():
            form = {"peak_mb": about.peak, "bytes": about.size}.get(value, about.cpu)
            found = [
                cost
                for n, cost in zip(*kept.of(step, value, up_to=check), strict=True)
                if n == check
            ] if form else []  # fmt: skip
            if not found or form is None:
                continue
            truth = statistics.fmean(found)
            cost, low, high = Fit.of(*kept.of(step, value, up_to=measured), form).predict(check)
            off = cost / truth - 1
            counts = value != "calibrated_s" or truth > FEW_SECONDS
            good &= not (counts and value in ("calibrated_s", "bytes") and abs(off) > ASKED)
            total = [total[0] + cost, total[1] + truth]
            print(
                f"  {step:18} {form:12} {cost:12,.4g} [{low:,.4g}, {high:,.4g}] {unit}, measured "
                f"{truth:,.4g}: {off:+.0%}"
            )
        if value.endswith("_s") and total[1]:
            off = total[0] / total[1] - 1
            good &= value == "cpu_s" or abs(off) <= ASKED
            print(f"  all together {total[0]:,.0f} {unit}, measured {total[1]:,.0f}: {off:+.0%}")
    print(f"  all within {ASKED:.0%}: {good}")
    return good


def report_memory(kept: Measurements) -> None:
    most = max(kept.rows, key=lambda row: row["peak_mb"])
    print(
        f"\nlargest process of all steps: {most['peak_mb']:,.0f} MB, {most['step']} of "
        f"{most['n']:,}; below {LIMIT_MB:,} MB: {most['peak_mb'] < LIMIT_MB}"
    )


def report_large(kept: Measurements, measured: float) -> None:
    """Costs far beyond what was measured, by the same forms."""
    print("\nby the same forms")
    for n in LARGE:
        print(f"  {n:,} clips, each in a file of its own")
        for step, about in MODELLED.items():
            if not kept.of(step, "cpu_s", up_to=measured)[0]:
                continue
            sizes = kept.of(step, "calibrated_s", up_to=measured)
            cost, low, high = (x / 3600 for x in Fit.of(*sizes, about.cpu).predict(n))
            line = f"    {step:18} {cost:12,.3g} [{low:,.3g}, {high:,.3g}] h"
            peak = Fit.of(*kept.of(step, "peak_mb", up_to=measured), about.peak).predict(n)[0]
            line += f", {peak / 1000:,.3g} GB of memory"
            if about.size:
                size = Fit.of(*kept.of(step, "bytes", up_to=measured), about.size).predict(n)
                line += ", {:,.3g} [{:,.3g}, {:,.3g}] GB".format(*(x / 1e9 for x in size))
            print(line)


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
    measure(folder, kept, arguments.steps, arguments.sizes, arguments.turns)
    measure(folder, kept, arguments.steps, arguments.check, 1)
    within = max(arguments.sizes, default=10_000)
    report_costs(kept, within)
    for size in arguments.check:
        report_check(kept, within, size)
    report_memory(kept)
    report_large(kept, within)


if __name__ == "__main__":
    assert set(STEPS) | {"predict"} == set(MODELLED)
    main()
