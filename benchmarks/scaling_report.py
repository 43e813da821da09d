"""What `scaling.py` measured, as tables in Markdown: fits, their check, what they say of more.

The tables are those of docs/scaling.md.
"""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cost_model import Fit

LIMIT_MB = 3000
FEW_SECONDS = 3.0  # steps that take no longer are not held to the share below
ASKED = 0.25
LARGE = (10**6, 10**8)
MACHINE_CORES, MACHINE_GB = 16, 64


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


def _fit(kept: Measurements, step: str, value: str, form: str, *, up_to: float) -> Fit:
    return Fit.of(*kept.of(step, value, up_to=up_to), form)


def _steps(kept: Measurements, measured: float) -> list[tuple[str, Step]]:
    """Steps that were measured at sizes enough for a fit."""
    return [
        (step, about)
        for step, about in MODELLED.items()
        if len(set(kept.of(step, "cpu_s", up_to=measured)[0])) > 2
    ]


def table_of_costs(kept: Measurements, measured: float) -> str:
    """The fitted costs of each step."""
    lines = [
        "| step | processor time | scatter | largest process | leaves |",
        "| --- | --- | ---: | --- | --- |",
    ]
    for step, about in _steps(kept, measured):
        cpu = _fit(kept, step, "calibrated_s", about.cpu, up_to=measured)
        peak = _fit(kept, step, "peak_mb", about.peak, up_to=measured)
        size = ""
        if about.size:
            size = _formula(_fit(kept, step, "bytes", about.size, up_to=measured), "kB", 1e-3)
        lines.append(
            f"| {step.replace('_', ' ')} ({about.unit}) | {_formula(cpu, 's')} | "
            f"{cpu.scatter:.0%} | {_formula(peak, 'MB')} | {size} |"
        )
    return "\n".join(lines)


def _formula(fit: Fit, unit: str, factor: float = 1.0) -> str:
    names = fit.form.split(" + ")
    parts = [
        f"{factor * c:.3g}{'' if name == 'a' else ' ' + name}"
        for name, c in zip(names, fit.coefficients, strict=True)
        if c
    ]
    return f"({' + '.join(parts)}) {unit}"


def table_of_check(kept: Measurements, measured: float, check: int) -> tuple[str, bool]:
    """The predictions of the largest size beside its measurements, and whether they will do."""
    lines = [
        f"| {check:,} | predicted | measured | off | raw, off |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    good, totals = True, {"calibrated_s": [0.0, 0.0], "cpu_s": [0.0, 0.0]}
    for step, about in _steps(kept, measured):
        row: dict[str, tuple[float, float, float, float]] = {}
        for value, form in (
            ("calibrated_s", about.cpu),
            ("cpu_s", about.cpu),
            ("peak_mb", about.peak),
            ("bytes", about.size),
        ):
            if form is None:
                continue
            sizes, found = kept.of(step, value, up_to=check)
            truths = [cost for n, cost in zip(sizes, found, strict=True) if n == check]
            if truths:
                fit = _fit(kept, step, value, form, up_to=measured)
                row[value] = (*fit.predict(check), statistics.fmean(truths))
        if not row:
            continue
        name = step.replace("_", " ")
        off = {value: cost / truth - 1 for value, (cost, _, _, truth) in row.items()}
        for value, total in totals.items():
            total[0] += row[value][0]
            total[1] += row[value][3]
        cost, low, high, truth = row["calibrated_s"]
        good &= abs(off["calibrated_s"]) <= ASKED or truth <= FEW_SECONDS
        lines.append(
            f"| {name} | {cost:,.1f} [{low:,.1f}, {high:,.1f}] s | {truth:,.1f} s | "
            f"{off['calibrated_s']:+.0%} | {off['cpu_s']:+.0%} |"
        )
        for value, unit, factor in (("peak_mb", "MB", 1.0), ("bytes", "MB", 1e-6)):
            if value in row:
                cost, low, high, truth = (factor * one for one in row[value])
                what = "largest process" if value == "peak_mb" else "leaves"
                lines.append(
                    f"| {name}, {what} | {cost:,.0f} [{low:,.0f}, {high:,.0f}] {unit} | "
                    f"{truth:,.0f} {unit} | {off[value]:+.0%} | |"
                )
    if totals["cpu_s"][1]:
        offs = {value: cost / truth - 1 for value, (cost, truth) in totals.items()}
        good &= abs(offs["calibrated_s"]) <= ASKED
        cost, truth = totals["calibrated_s"]
        lines.append(
            f"| all together | {cost:,.0f} s | {truth:,.0f} s | {offs['calibrated_s']:+.0%} | "
            f"{offs['cpu_s']:+.0%} |"
        )
    return "\n".join(lines), good


def table_of_large(kept: Measurements, measured: float) -> str:
    """Costs far beyond what was measured, by the same forms."""
    heads = " | ".join(f"{n:,}: processor time, largest process, leaves" for n in LARGE)
    lines = [f"| step | {heads} |", "| --- | --- | --- |"]
    for step, about in _steps(kept, measured):
        cells = []
        for n in LARGE:
            cpu = _fit(kept, step, "calibrated_s", about.cpu, up_to=measured).predict(n)
            hours, low, high = (one / 3600 for one in cpu)
            peak = _fit(kept, step, "peak_mb", about.peak, up_to=measured).predict(n)[0] / 1000
            cell = f"{hours:,.3g} [{low:,.3g}, {high:,.3g}] h, "
            cell += f"{peak:,.3g} GB" if peak <= MACHINE_GB else f"**{peak:,.3g} GB**"
            if about.size:
                size = _fit(kept, step, "bytes", about.size, up_to=measured).predict(n)
                cell += ", {:,.3g} [{:,.3g}, {:,.3g}] GB".format(*(one / 1e9 for one in size))
            days = hours / MACHINE_CORES / 24
            cells.append(f"{cell}; {days:,.2g} days of {MACHINE_CORES} cores")
        lines.append(f"| {step.replace('_', ' ')} ({about.unit}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def largest_process(kept: Measurements) -> str:
    """Which process of all was the largest, and whether it stays below the limit."""
    most = max(kept.rows, key=lambda row: float(row["peak_mb"]))
    return (
        f"largest process of all steps: {most['peak_mb']:,.0f} MB, {most['step']} of "
        f"{most['n']:,}; below {LIMIT_MB:,} MB: {most['peak_mb'] < LIMIT_MB}"
    )
