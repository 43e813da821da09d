"""Random faults under whole commands, gone on with and compared with undisturbed runs.

    python benchmarks/faults.py [--how kill] [--faults 10] [--first-seed 0] [--only study,predict]

`--how` is `kill` (SIGKILL to the main process or a worker, at a moment of the run or in the
middle of a file operation), `fail` (the disk full, read-only or failing), `signal` (SIGINT,
SIGTERM), `cluster` (SIGKILL to the main process of a run on a Dask cluster, its scheduler, a worker
or its nanny) or `damage` (a file of what a run left is damaged). Each trial has a seed, from which
its command and its faults are drawn; `--first-seed SEED --faults 1` repeats it. With `--folder`
what was written and said is kept.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "tools"))


def main() -> None:
    from scenarios import index_corpora, make_material, scenarios
    from starter import Starter
    from trials import disturb, undisturbed

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--how", default="kill", choices=("kill", "fail", "signal", "cluster", "damage")
    )
    parser.add_argument("--faults", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", default="features,study,predict,train,tags,explain")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).resolve()
        material = folder / "material"
        if not material.exists():
            make_material(material)
            index_corpora(material)
        known = scenarios(material)
        starter = Starter(folder)
        chosen = [known[name] for name in given.only.split(",")]
        references = {}
        met: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        seed = given.first_seed
        while met.total() < given.faults:
            scenario = chosen[seed % len(chosen)]
            if scenario.name not in references:
                whole = folder / f"{scenario.name}-whole"
                references[scenario.name] = undisturbed(scenario, whole, starter)
            place = folder / f"{scenario.name}-{seed}" / "out"
            trial = disturb(
                scenario, place, references[scenario.name], starter, seed=seed, how=given.how
            )
            print(trial.line(), flush=True)
            for fault in trial.faults:
                met[f"{scenario.name}, {fault.split()[0 if given.how != 'damage' else -1]}"] += 1
            wrong["different"] += bool(trial.different)
            wrong["lost"] += bool(trial.lost)
            wrong["trouble"] += bool(trial.trouble)
            seed += 1
        starter.close()
    for name, count in sorted(met.items()):
        print(f"{name:<30} {count:>4}")
    print(f"{met.total()} faults in {seed - given.first_seed} runs: {dict(wrong)}")
    if wrong.total():
        sys.exit(1)


if __name__ == "__main__":
    main()
