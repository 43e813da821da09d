"""A day's predictions in small: 50,000 short clips in one run, and what memory and files do.

The clips are built-in loops of 2 to 4 s, linked again and again; the model is a boosting trained
on windows of them. Every process is looked at twice a second. What follows the first tenth of the
run is cut into twenty pieces; the slope of their means, with Student's interval, is the growth.

    python benchmarks/long_run.py FOLDER [--files 50000]

The folder is that of `scaling.py`, which may make it first.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import describe_machine
from process_costs import Cost, Sample, run
from scaling_steps import Folder, do_extract, do_train_boosting, prepare
from scipy.stats import linregress
from scipy.stats import t as student

WARM = 0.1  # of the run, left out
PIECES = 20
TRAINED_ON = 10_000


def growth(samples: Sequence[Sample], value: str) -> tuple[float, float, float, float]:
    """Mean, and growth per second with the ends of its 95% interval, once the process is warm.

    The means of pieces, because neighbouring looks at a process say almost the same.
    """
    pieces = np.array_split(np.arange(len(samples)), PIECES)
    values = np.array([float(getattr(one, value)) for one in samples])
    times = np.array([one.at_s for one in samples])
    at = [times[piece].mean() for piece in pieces]
    means = [values[piece].mean() for piece in pieces]
    fit = linregress(at, means)
    half = student.ppf(0.975, PIECES - 2) * np.nan_to_num(fit.stderr)  # NaN of what never moves
    return float(values.mean()), fit.slope, fit.slope - half, fit.slope + half


def long_lived(cost: Cost) -> dict[int, list[Sample]]:
    """Samples after the first tenth, by process, of those that were there for nearly all of it."""
    first = WARM * cost.wall_s
    found: dict[int, list[Sample]] = {}
    for one in cost.samples:
        if one.at_s >= first:
            found.setdefault(one.pid, []).append(one)
    longest = max(len(samples) for samples in found.values())
    return {pid: samples for pid, samples in found.items() if len(samples) > 0.9 * longest}


def report(cost: Cost, files: int) -> None:
    rate = files / cost.wall_s
    for pid, samples in long_lived(cost).items():
        name = "main" if pid == cost.main else "other"
        for value, unit in (("memory_mb", "MB"), ("files", "open files")):
            mean, *slopes = growth(samples, value)
            more, low, high = (slope * 10_000 / rate for slope in slopes)
            print(
                f"  {name} {pid}: {mean:.1f} {unit}, {more:+.3f} [{low:+.3f}, {high:+.3f}] for "
                f"every 10,000 files"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--bundle", type=Path, help="a model in place of the boosting")
    arguments = parser.parse_args()
    print(describe_machine("numpy", "soundfile", "scikit-learn", "xgboost-cpu"))
    folder = Folder(arguments.folder.absolute())
    prepare(folder, [TRAINED_ON, arguments.files])
    bundle = arguments.bundle or folder.bundle("boosting", TRAINED_ON)
    if not bundle.exists():
        do_extract(folder, TRAINED_ON)
        do_train_boosting(folder, TRAINED_ON)
    out = folder.path / "long-run.csv"
    words = ["predict", bundle, folder.files(arguments.files), "--format", "csv", "-o", out]
    words += ["--exists", "overwrite", "--workers", 2]
    cost = run([sys.executable, "-m", "genrescope", *map(str, words)])
    if cost.code not in (0, 3):
        raise RuntimeError(cost.said)
    print(cost.said.splitlines()[-1])
    main_mb, other_mb = cost.peaks_mb()
    print(
        f"{arguments.files} files in {cost.wall_s:.0f} s, {cost.cpu_s:.0f} s of processor time; "
        f"at most {main_mb:.0f} MB in the main process and {other_mb:.0f} MB in another"
    )
    report(cost, arguments.files)


if __name__ == "__main__":
    main()
