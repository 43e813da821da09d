"""The report's pictures and sounds: what changed, SHAP, Grad-CAM and training curves."""

from typing import Any

import pandas as pd

from genrescope.explanations.words import load_language
from genrescope.figures import drop_figure, shap_figure, training_curve_figure
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


def drop_exhibit(drops: pd.DataFrame, embed: Embedder) -> str | None:
    """The figure of the drops that can be drawn."""
    drawn = drops.dropna(subset=["in_domain", "cross"])
    if drawn.empty:
        return None
    figure = drop_figure(
        drawn,
        title="What a trained model loses away from home",
        subtitle="Bars join the same model's macro-F1 on its own held-out clips and on the other "
        "corpus.",
    )
    return embed.figure(figure)


def shap_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """Top features and per-class figures of every tree model and source."""
    words = load_language("en")
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
            what = f"{min(TOP, count)} strongest of {count} features"
            figure = shap_figure(
                per_class,
                title=f"{model} trained on {source}: which features decide",
                subtitle=f"{what}; mean over {summary.get('n', '?')} held-out clips",
                scale=scale,
                top=TOP,
                words={str(name): words.feature(str(name)) for name in per_class["feature"]},
            )
            rows: list[dict[str, Any]] = [
                {
                    "rank": rank,
                    "feature": str(row["feature"]),
                    "words": words.feature(str(row["feature"])),
                    "value": float(row["mean_abs_shap"]),
                }
                for rank, row in enumerate(top.head(TABLE).to_dict("records"), start=1)
            ]
            strongest = max((row["value"] for row in rows), default=0.0)
            found.append(
                {
                    "model": model,
                    "source": source,
                    "summary": summary,
                    "scale": scale,
                    "top": [row | {"share": row["value"] / (strongest or 1)} for row in rows],
                    "worded": any(row["words"] for row in rows),
                    "figure": embed.figure(figure, dpi=130),
                    "all": embed.picture(run.folder.joinpath(*place, "per_class.png"))
                    if count > TOP
                    else None,
                    "features": count,
                }
            )
    return found


def grad_cam_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """For each source and genre one right and one wrong answer, picture beside sound."""
    found = []
    for source in run.sources:
        place = ("explanations", "grad_cam", source)
        index = run.json(*place, "index.json")
        if not index:
            continue
        folder = run.folder.joinpath(*place)
        genres = []
        for genre in run.genres:
            of_genre = [entry for entry in index if entry["genre"] == genre]
            cards = []
            for kind in SHOWN:
                entry = next((e for e in of_genre if e["kind"] == kind), None)
                if entry is not None:
                    stem = str(entry["stem"])
                    cards.append(
                        entry
                        | {
                            "picture": embed.picture(folder / f"{stem}.png"),
                            "sounds": [
                                {"words": words, "sound": embed.sound(folder / f"{stem}{suffix}")}
                                for suffix, words in SOUNDS.items()
                            ],
                        }
                    )
            genres.append({"genre": genre, "cards": cards})
        drawn = [entry for entry in index if entry["kind"] != "none"]
        empty = sum(bool(entry["empty"]) for entry in drawn)
        found.append({"source": source, "genres": genres, "drawn": len(drawn), "empty": empty})
    return found


def curve_exhibits(run: RunDirectory, embed: Embedder) -> list[dict[str, Any]]:
    """Training curves of every bundle that has one."""
    found = []
    for model in run.models:
        for source in run.sources:
            curve = run.table("models", model, source, "training_curve.csv")
            if curve is None or curve.empty:
                continue
            figure = training_curve_figure(curve, title=f"{model} trained on {source}")
            found.append(
                {
                    "model": model,
                    "source": source,
                    "figure": embed.figure(figure, dpi=120),
                    "panels": len(figure.axes),
                    "steps": len(curve),
                    "unit": "rounds" if "round" in curve else "epochs",
                }
            )
    return found
