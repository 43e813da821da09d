"""How far each way to explain the network can be trusted: every quality figure, on real clips.

The clips are the six GTZAN genres of the study under `$GENRESCOPE_DATA`, as in `artist_gap.py`.
Five folds with artists apart; in each a network learns from four and its answers to some clips of
the fifth are explained. Tables of figures, of paired tests and of verdicts go to standard output,
and as CSV into a folder where one is named.

    python benchmarks/map_quality.py [--epochs 40] [--clips 48] [--out FOLDER]
"""

import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from artist_gap import folds, held_out_for_validation, materials

from genrescope.explanations.verdicts import (
    ALL,
    MapQuality,
    compare_maps,
    measure,
    quality_table,
    verdicts,
)
from genrescope.models import create_model

SHOWN = ["deletion", "insertion", "area", "drop", "gain", "increase", "fidelity", "kept_answer"]
SHOWN += ["sparseness", "complexity", "sensitivity", "randomised_output", "randomised_block1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--clips", type=int, default=48, help="of each fold, at most")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("map_quality: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    with TemporaryDirectory() as folder:
        found = materials(Path(data), Path(folder))
        clips = pd.concat([material.clips for material in found]).reset_index(drop=True)
        X = np.concatenate([m.inputs("log_mels", list(m.clips.index))[:] for m in found])
    genres = sorted(clips["genre"].unique())
    truth = clips["genre"].to_numpy(object)
    parts: list[MapQuality] = []
    rng = np.random.default_rng(0)
    for train, test in folds(clips, "artists"):
        stop = held_out_for_validation(clips.iloc[train])
        model = create_model("cnn", epochs=arguments.epochs)
        held = (X[train[stop]], truth[train[stop]])
        model.fit(X[train[~stop]], truth[train[~stop]], validation=held)
        some = np.sort(rng.permutation(test)[: arguments.clips])
        print(f"fold {len(parts) + 1}: {len(some)} clips explained", flush=True)
        parts.append(measure(model, X[some], clips.iloc[some].set_index("clip_id")))
    quality = MapQuality(
        *(
            pd.concat([getattr(part, name) for part in parts], ignore_index=True)
            for name in ("clips", "randomised", "curves")
        )
    )
    table = quality_table(quality, genres)
    compared = compare_maps(quality, genres)
    said = verdicts(table, compared)
    pd.set_option("display.width", 250, "display.max_columns", 30, "display.max_colwidth", 200)
    pd.set_option("display.max_rows", 200)
    for genre in (ALL, *genres):
        rows = table[table["genre"] == genre]
        wide = rows.pivot_table(index="method", columns="measure", values="value", sort=False)
        n = rows.iloc[0]
        print(f"\n{genre}: {n['n']} clips, {n['n_groups']} artists")
        print(wide.reindex(columns=SHOWN).round(3).to_string())
    print("\n", compared[compared["genre"] == ALL].round(4).to_string())
    for row in said.itertuples():
        print(f"{row.genre} · {row.method}: {row.verdict}. {row.sentence}")
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name, frame in {"clips": quality.clips, "table": table, "tests": compared}.items():
            frame.to_csv(arguments.out / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
