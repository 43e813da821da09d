"""Adaptation between two cultures: every method, both ways, from two tables of ready features.

GTZAN's table and BanglaBeats' under `$GENRESCOPE_DATA`, mapped by `folk-as-blues`. For each model
and direction: macro-F1 of every adaptation with its interval and its paired difference from none,
the method chosen without target labels and apart from it the oracle's, what is left of the drop
from the in-domain score, and how many labelled target clips reach 90% of it.

    python benchmarks/adaptation.py [--seeds 20] [--models forest boosting] [--trees 500]
                                    [--draws 20] [--reverse] [--out FOLDER]
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genrescope.corpora.corpus import regroup
from genrescope.corpora.index import index_corpus
from genrescope.evaluation.metrics import score
from genrescope.evaluation.significance import unpaired_difference
from genrescope.shift.adaptation import METHODS, SELF_TRAINED
from genrescope.shift.adapted import Clips
from genrescope.shift.bench import in_domain, run_bench, summarise_bench
from genrescope.shift.few_shot import SHOTS, few_shot, few_shot_curve, shots_needed
from genrescope.shift.selection import choices, rate_methods, reverse_validation
from genrescope.taxonomy import load_taxonomy

TABLES = {"gtzan": "gtzan_features_30_sec.csv", "bangla": "banglabeats_features_30_sec.csv"}
TAXONOMY = "folk-as-blues"


def load(data: Path, name: str) -> Clips:
    taxonomy = load_taxonomy(TAXONOMY)
    corpus = index_corpus(
        "feature-table",
        data / "features_tables" / TABLES[name],
        name=name,
        culture=name,
        taxonomy=taxonomy,
        options={"duplicates": "keep"},
    )
    assert corpus.features is not None
    clips = regroup(corpus, "artist").set_index("clip_id", drop=False)
    clips = clips[clips["genre"].notna()]
    vectors = corpus.features.loc[clips.index].to_numpy(dtype=np.float64)
    y, groups = (clips[name].to_numpy(dtype=str) for name in ("genre", "group"))
    return Clips(vectors, y, groups)


def show(title: str, table: pd.DataFrame) -> None:
    print(f"\n{title}\n{table.round(3).to_string(index=False)}")
    sys.stdout.flush()


def of_direction(
    names: tuple[str, str], corpora: dict[str, Clips], home: dict[Any, Any], arguments: Any
) -> None:
    source, target = (corpora[name] for name in names)
    way = " to ".join(names)
    genres = load_taxonomy(TAXONOMY).order(source.y.tolist())
    models = {kind: {"n_estimators": arguments.trees, "n_jobs": 1} for kind in arguments.models}
    predictions = run_bench(source, target, genres, models=models, seeds=range(arguments.seeds))
    ratings = rate_methods(predictions.drop(columns="genre"), genres)
    tables = [predictions]
    for kind, method in ratings.loc[ratings["chosen"], ["model", "method"]].to_numpy():
        refined = run_bench(
            source,
            target,
            genres,
            methods=[method + SELF_TRAINED],
            models={kind: models[kind]},
            seeds=range(arguments.seeds),
        )
        tables.append(refined)
    predictions = pd.concat(tables, ignore_index=True)
    results = summarise_bench(predictions, genres)
    show(f"{way}: macro-F1 by method, {arguments.seeds} seeds", results)
    show(f"{way}: agreement with the other methods, no target label read", ratings)
    chosen = choices(ratings, results)
    show(f"{way}: chosen without labels, and apart from it the oracle", chosen)
    if arguments.reverse:
        rows = [
            (kind, m, reverse_validation(m, kind, source, target, params=models[kind]))
            for kind in models
            for m in METHODS
        ]
        names_of = pd.Index(["model", "method", "reverse_validation"])
        show(f"{way}: a second criterion, not used", pd.DataFrame(rows, columns=names_of))
    drops, curves = [], []
    for kind in models:
        for name in ("none", *chosen.loc[chosen["model"] == kind, "chosen"]):
            mine = predictions[(predictions["model"] == kind) & (predictions["method"] == name)]
            for domain in dict.fromkeys(names):
                drop = unpaired_difference(home[kind, domain], mine, genres)
                drops.append((kind, name, domain, drop.value, drop.low, drop.high, drop.p_value))
    columns = pd.Index(["model", "method", "in_domain", "drop", "low", "high", "p_value"])
    show(
        f"{way}: what is left of the drop from the in-domain score",
        pd.DataFrame(drops, columns=columns),
    )
    for kind in arguments.few_shot_models:
        goal = score(home[kind, names[1]], genres)["macro_f1"]
        for method in ("none", "standardise"):
            for with_source in (True, False):
                if method == "none" and not with_source:
                    continue
                found = few_shot(
                    source,
                    target,
                    genres,
                    kind=kind,
                    method=method,
                    params={**models[kind], "n_estimators": arguments.few_shot_trees},
                    shots=arguments.shots,
                    draws=arguments.draws,
                    with_source=with_source,
                )
                curve = few_shot_curve(found, genres)
                curve.insert(0, "trained_on", "source + labelled" if with_source else "labelled")
                curve.insert(0, "method", method)
                curve.insert(0, "model", kind)
                curve["clips_for_90_percent"] = shots_needed(curve, goal)
                curves.append(curve)
    if curves:
        show(f"{way}: labelled target clips per genre", pd.concat(curves))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        results.to_csv(arguments.out / f"{'__'.join(names)}.csv", index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["forest", "boosting"])
    parser.add_argument("--few-shot-models", nargs="*", default=["forest"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--few-shot-trees", type=int, default=200)
    parser.add_argument("--shots", type=int, nargs="+", default=list(SHOTS))
    parser.add_argument("--reverse", action="store_true", help="reverse validation as well")
    parser.add_argument("--out", type=Path, help="a folder for the tables as CSV")
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("adaptation: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    corpora = {name: load(Path(data), name) for name in TABLES}
    home = {}
    rows = []
    kinds = list(dict.fromkeys([*arguments.models, *arguments.few_shot_models]))
    for kind in kinds:
        for name, clips in corpora.items():
            genres = load_taxonomy(TAXONOMY).order(clips.y.tolist())
            found = in_domain(
                clips,
                genres,
                kind=kind,
                params={"n_estimators": arguments.trees, "n_jobs": 1},
                seeds=range(min(arguments.seeds, 5)),
            )
            home[kind, name] = found
            row = score(found, genres)
            interval = (row["macro_f1_low"], row["macro_f1_high"])
            groups = len(set(clips.groups.tolist()))
            rows.append((kind, name, len(clips.y), groups, row["macro_f1"], *interval))
    columns = pd.Index(["model", "corpus", "n", "n_groups", "macro_f1", "low", "high"])
    show(
        "in-domain, five folds, artists apart in gtzan (bangla has no artists: it flatters)",
        pd.DataFrame(rows, columns=columns),
    )
    for names in (("gtzan", "bangla"), ("bangla", "gtzan")):
        of_direction(names, corpora, home, arguments)


if __name__ == "__main__":
    main()
