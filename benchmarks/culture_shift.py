"""What becomes of a forest between two cultures, and why, from two tables of ready features.

GTZAN's table and BanglaBeats' under `$GENRESCOPE_DATA`, mapped by `folk-as-blues`. The source's
held-out answers are those of five folds with artists apart, the target's those of a forest that
learned from the whole source. Printed, both ways: the drop by cause. From GTZAN to Bangla also how
far the features moved and whether the forest leans on others; SHAP values are of the fold's forest
on its held-out source clips, and on a fifth of the target's clips.

    python benchmarks/culture_shift.py [--seeds 1] [--trees 500] [--resamples 500] [--out FOLDER]
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from adaptation import TABLES, TAXONOMY, load

from genrescope.explanations.shapley import ShapValues, shap_values
from genrescope.figures import feature_shift_figure, save_figure, waterfall_figure
from genrescope.models import create_model
from genrescope.shift.adapted import Clips, source_folds
from genrescope.shift.bench import FOLDS, in_domain, run_bench
from genrescope.shift.decomposition import decompose_shift
from genrescope.shift.explanation_shift import explanation_shift
from genrescope.shift.feature_shift import FeatureShift, feature_shift
from genrescope.taxonomy import load_taxonomy

NAMES = {"gtzan": "GTZAN", "bangla": "Bangla"}
KIND = "forest"


def feature_columns(data: Path) -> list[str]:
    header = pd.read_csv(data / "features_tables" / TABLES["gtzan"], nrows=0).columns
    return [name for name in header if name not in ("filename", "length", "label")]


def table(clips: Clips, columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame(clips.X, columns=columns, index=[str(row) for row in range(len(clips.y))])


def show(title: str, facts: list[str], frame: pd.DataFrame) -> None:
    print(f"\n{title}", *facts, frame.round(3).to_string(index=False), sep="\n")
    sys.stdout.flush()


def explained(
    source: Clips, target: Clips, columns: list[str], params: dict[str, Any]
) -> tuple[ShapValues, ShapValues, Clips, Clips]:
    """Explanations of every clip once, by a forest that was not trained on it."""
    shuffled = np.random.default_rng(0).permutation(len(target.y))
    fifths = np.array_split(shuffled, FOLDS)
    here, there, held_rows = [], [], []
    for (train, held), rows in zip(source_folds(source, FOLDS), fifths, strict=True):
        model = create_model(KIND, **{"random_state": 0, **params})
        model.fit(pd.DataFrame(source.X[train], columns=columns), source.y[train])
        here.append(shap_values(model, pd.DataFrame(source.X[held], columns=columns)))
        there.append(shap_values(model, pd.DataFrame(target.X[rows], columns=columns)))
        held_rows.append(held)
    of_source, of_target = source.rows(np.concatenate(held_rows)), target.rows(shuffled)
    return joined(here), joined(there), of_source, of_target


def joined(parts: list[ShapValues]) -> ShapValues:
    return ShapValues(
        np.concatenate([part.values for part in parts]),
        np.mean([part.baseline for part in parts], axis=0),
        pd.concat([part.data for part in parts], ignore_index=True),
        parts[0].classes,
        np.concatenate([part.answers for part in parts]),
        parts[0].scale,
    )


def feature_picture(found: FeatureShift, trees: int, names: tuple[str, str]) -> Any:
    return feature_shift_figure(
        found.table,
        title="Do the features that the model leans on move?",
        subtitle=f"forest of {trees} trees, {NAMES[names[0]]} ({found.n_source} clips) to "
        f"{NAMES[names[1]]} ({found.n_target} clips)\n"
        f"rank correlation of importance and shift {found.correlation}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--out", type=Path, help="a folder for tables and figures")
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("culture_shift: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    corpora = {name: load(Path(data), name) for name in TABLES}
    columns = feature_columns(Path(data))
    params = {"n_estimators": arguments.trees, "n_jobs": 1}
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
    for names in (("gtzan", "bangla"), ("bangla", "gtzan")):
        source, target = (corpora[name] for name in names)
        way = " to ".join(NAMES[name] for name in names)
        genres = load_taxonomy(TAXONOMY).order(source.y.tolist())
        seeds = range(arguments.seeds)
        home = in_domain(source, genres, kind=KIND, params=params, seeds=seeds)
        away = run_bench(
            source, target, genres, methods=["none"], models={KIND: params}, seeds=seeds
        )
        found = decompose_shift(
            home,
            away,
            genres,
            source_features=table(source, columns),
            target_features=table(target, columns),
            n_resamples=arguments.resamples,
        )
        facts = [*found.sentences("macro_f1"), *found.sentences("accuracy")]
        show(f"{way}: the drop by cause", facts, found.frame())
        if arguments.out:
            figure = waterfall_figure(
                found.steps(source=NAMES[names[0]], target=NAMES[names[1]]),
                title=f"A forest from {way}, step by step",
                subtitle=f"{found.overlap.n_source} held-out clips and {found.overlap.n_target} of "
                f"the target, {arguments.trees} trees",
            )
            save_figure(figure, arguments.out / f"shift_{'_'.join(names)}.png", dpi=110)
    names = ("gtzan", "bangla")
    here, there, of_source, of_target = explained(
        *(corpora[name] for name in names), columns, params
    )
    settings = {"source_groups": of_source.groups, "target_groups": of_target.groups}
    moved = feature_shift(here, there, n_resamples=arguments.resamples, **settings)
    show("GTZAN to Bangla: features", moved.sentences(), moved.frame())
    other = explanation_shift(here, there, n_resamples=arguments.resamples, **settings)
    show("GTZAN to Bangla: explanations", other.sentences(), other.frame())
    if arguments.out:
        picture = feature_picture(moved, arguments.trees, names)
        save_figure(picture, arguments.out / "feature_shift.png", dpi=110)


if __name__ == "__main__":
    main()
