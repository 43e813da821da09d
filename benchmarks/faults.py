"""Random kills of whole commands, resumed and compared with undisturbed runs, byte for byte.

    python benchmarks/faults.py [--kills 10] [--first-seed 0] [--only study,predict] [--folder DIR]

Each trial has a seed, from which its command, its victims and their moments are drawn; one that went
wrong is repeated by `--first-seed SEED --kills 1`, its folder and what it said are kept. Victims
die by SIGKILL at a moment of the run, or in the middle of one of their file operations.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "tools"))


def main() -> None:
    from faulty import build_shim, disturb, index_corpora, make_material, scenarios, undisturbed

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", default="features,study,predict,train,tags,explain")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        material = folder / "material"
        if not material.exists():
            make_material(material)
            index_corpora(material)
        known = scenarios(material)
        shim = build_shim(folder)
        chosen = [known[name] for name in given.only.split(",")]
        references = {}
        kills: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        seed = given.first_seed
        while kills.total() < given.kills:
            scenario = chosen[seed % len(chosen)]
            place = folder / f"{scenario.name}-{seed}" / "out"
            place.parent.mkdir()
            if scenario.name not in references:
                whole = folder / f"{scenario.name}-whole" / "out"
                whole.parent.mkdir()
                references[scenario.name] = undisturbed(scenario, whole, shim)
            trial = disturb(scenario, place, references[scenario.name], seed=seed, shim=shim)
            print(trial.line(), flush=True)
            for kill in trial.kills:
                kills[f"{scenario.name}, {kill.split()[0]}"] += 1
            wrong["different"] += bool(trial.different)
            wrong["lost"] += bool(trial.lost)
            wrong["trouble"] += bool(trial.trouble)
            seed += 1
    for name, count in sorted(kills.items()):
        print(f"{name:<20} {count:>4} kills")
    print(f"{kills.total()} kills in {seed - given.first_seed} runs: {dict(wrong)}")
    if wrong.total():
        sys.exit(1)


if __name__ == "__main__":
    main()
