"""The report's explanations: features and families, maps and their quality, examples with sound."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from genrescope.explanations.maps import ALL, METHODS, REFERENCES, TITLES
from genrescope.explanations.words import load_language
from genrescope.figures import faithfulness_figure, shap_figure
from genrescope.report.embedding import Embedder
from genrescope.report.run_directory import RunDirectory

TOP = 20  # features in the report's figure
TABLE = 10  # features in its table
SHOWN = ("correct", "wrong")
SOUNDS = {
    ".wav": "the clip",
    ".kept.wav": "what the occlusion map keeps",
    ".left-out.wav": "what it leaves out",
}
QUALITY = {
    "deletion": "deletion ↓",
    "insertion": "insertion ↑",
    "drop": "AD ↓",
    "increase": "AI ↑",
    "gain": "AG ↑",
    "fidelity": "FF ↑",
    "kept_answer": "Fid-In ↑",
    "sparseness": "sparseness",
    "complexity": "complexity",
    "sensitivity": "max-sensitivity ↓",
    "randomised_output": "random answer layer",
    "randomised_block3": "… to block 3",
    "randomised_block1": "all layers random",
}


def shap_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """Top features, families, stability and examples of every model of features and source."""
    found = []
    for model in run.models:
        for source in run.sources:
            place = ("explanations", "shap", model, source)
            top, per_class = (
                run.table(*place, name) for name in ("top_features.csv", "per_class.csv")
            )
            if top is None or per_class is None:
                continue
            summary = run.json(*place, "summary.json") or {}
            scale = str(summary.get("scale", "margin"))
            count = len(per_class)
            words = load_language("en")
            what = f"{min(TOP, count)} strongest of {count} features"
            figure = shap_figure(
                per_class,
                title=f"{model} trained on {source}: which features decide",
                subtitle=f"{what}; mean over {summary.get('n', '?')} held-out clips",
                scale=scale,
                top=TOP,
                words={name: words.feature(name) for name in map(str, per_class["feature"])},
            )
            trainings = ("explanations", "stability", model, source)
            rows = _top_rows(top, run.table(*trainings, "stability.csv"))
            found.append(
                {
                    "model": model,
                    "source": source,
                    "summary": summary,
                    "scale": scale,
                    "top": rows,
                    "worded": any(row["words"] for row in rows),
                    "families": _families(run.table(*place, "families.csv")),
                    "stability": run.json(*trainings, "stability.json"),
                    "examples": _examples(run, embed, ("examples", model, source)),
                    "figure": embed.figure(figure, dpi=130),
                    "all": embed.picture(run.folder.joinpath(*place, "per_class.png"))
                    if count > TOP
                    else None,
                    "features": count,
                }
            )
    return found


def _top_rows(top: pd.DataFrame, stability: pd.DataFrame | None) -> list[dict[str, Any]]:
    words = load_language("en")
    ranks: dict[str, Mapping[Any, Any]] = {}
    if stability is not None and "rank_low" in stability:
        ranks = {str(row["feature"]): row for row in stability.to_dict("records")}
    strongest = float(top["mean_abs_shap"].max()) or 1.0
    return [
        {
            "rank": rank,
            "feature": str(row["feature"]),
            "words": words.feature(str(row["feature"])),
            "value": float(row["mean_abs_shap"]),
            "share": float(row["mean_abs_shap"]) / strongest,
            "ranks": ranks.get(str(row["feature"])),
        }
        for rank, row in enumerate(top.head(TABLE).to_dict("records"), start=1)
    ]


def _families(table: pd.DataFrame | None) -> dict[str, Any] | None:
    """Rows of family and values per genre, each with its share of the largest."""
    if table is None:
        return None
    words, values = load_language("en"), table.set_index("family")
    largest = float(values.to_numpy().max()) or 1.0
    rows = [
        {
            "family": words.family(str(family)),
            "values": [(float(value), float(value) / largest) for value in row],
        }
        for family, row in zip(values.index, values.to_numpy(), strict=True)
    ]
    return {"genres": [str(genre) for genre in values.columns], "rows": rows}


def map_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """For each source the quality of the network's maps and its examples."""
    found = []
    for source in run.sources:
        examples = _examples(run, embed, ("grad_cam", source))
        quality = _quality(run, embed, source)
        if examples is not None or quality is not None:
            found.append({"source": source, "examples": examples, "quality": quality})
    return found


def _examples(run: RunDirectory, embed: Embedder, place: tuple[str, ...]) -> dict[str, Any] | None:
    """For each genre one right and one wrong answer: picture, sentences and sound."""
    index = run.json("explanations", *place, "index.json")
    if not index:
        return None
    folder = run.folder.joinpath("explanations", *place)
    genres = []
    for genre in run.genres:
        of_genre = [entry for entry in index if entry["genre"] == genre]
        cards = []
        for kind in SHOWN:
            entry = next((e for e in of_genre if e["kind"] == kind), None)
            if entry is None:
                continue
            stem = str(entry["stem"])
            sounds = [
                {"words": words, "sound": embed.sound(folder / f"{stem}{suffix}")}
                for suffix, words in SOUNDS.items()
            ]
            picture = embed.picture(folder / f"{stem}.png")
            path = (folder / f"{stem}.png").relative_to(run.folder).as_posix()
            cards.append(entry | {"picture": picture, "sounds": sounds, "path": path})
        genres.append({"genre": genre, "cards": cards})
    drawn = [entry for entry in index if entry["kind"] != "none"]
    empty = sum(bool(entry["empty"]) for entry in drawn)
    return {"genres": genres, "drawn": len(drawn), "empty": empty}


def _quality(run: RunDirectory, embed: Embedder, source: str) -> dict[str, Any] | None:
    place = ("explanations", "quality", source)
    table, verdicts, curves = (
        run.table(*place, name) for name in ("table.csv", "verdicts.csv", "curves.csv")
    )
    if table is None or verdicts is None or curves is None:
        return None
    every = table[table["genre"] == ALL]
    n, n_groups = int(every["n"].max()), int(every["n_groups"].max())
    figure = faithfulness_figure(
        curves,
        title=f"Are the maps true of the network trained on {source}?",
        subtitle=f"mean over {n} held-out clips of {n_groups} groups",
    )
    return {
        "n": n,
        "n_groups": n_groups,
        "figure": embed.figure(figure, dpi=130),
        "measures": list(QUALITY.values()),
        "blocks": [
            {"genre": genre, "rows": _quality_rows(table[table["genre"] == genre])}
            for genre in (ALL, *run.genres)
            if (table["genre"] == genre).any()
        ],
        "verdicts": [
            {
                "genre": row["genre"],
                "method": TITLES[row["method"]],
                "verdict": row["verdict"],
                "sentence": row["sentence"],
            }
            for row in verdicts.to_dict("records")
        ],
    }


def _quality_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for method in (*METHODS, *REFERENCES):
        of_method = table[table["method"] == method].to_dict("records")
        by_measure = {row["measure"]: row for row in of_method}
        cells = [by_measure.get(measure) for measure in QUALITY]
        rows.append({"method": TITLES[method], "own": method in METHODS, "cells": cells})
    return rows
