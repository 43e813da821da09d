"""A small run directory made from seeds, through the same functions a study uses."""

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genrescope.audio.encode import write_wav
from genrescope.evaluation.cells import (
    RESULT_COLUMNS,
    Cell,
    evaluate_cell,
    prediction_columns,
    select_part,
)
from genrescope.evaluation.metrics import classification, confusion
from genrescope.evaluation.summary import evaluate_guesses
from genrescope.explanations.faithfulness import MEASURES
from genrescope.explanations.families import by_family
from genrescope.explanations.sanity import LAYERS
from genrescope.explanations.stability import compare_rankings
from genrescope.explanations.verdicts import MapQuality, compare_maps, quality_table, verdicts
from genrescope.figures import save_figure
from genrescope.figures.style import new_figure
from genrescope.files import write_csv, write_json, write_text
from genrescope.report.html import write_report

GENRES = ["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"]
FEATURES = [
    *(f"mfcc_{s}_{i}" for s in ("mean", "std") for i in range(20)),
    *(f"chroma_{s}_{i}" for s in ("mean", "std") for i in range(12)),
    *(
        f"{k}_{s}"
        for k in ("spec_cent", "spec_bw", "spec_roll", "zcr", "rms")
        for s in ("mean", "std")
    ),
    "tempo",
]
SKILL = {"forest": 1.0, "boosting": 1.5, "cnn": 0.4}
KINDS = {"forest": "vectors", "boosting": "vectors", "cnn": "log_mels"}
RESAMPLES = 200
RunMaker = Callable[..., Path]


def _clips(corpus: str, sizes: list[int]) -> pd.DataFrame:
    rows = []
    for genre, size in zip(GENRES, sizes, strict=True):
        for place in range(size):
            part = ("test", "validation", *["train"] * 5)[place // 2 % 7]
            rows.append(
                (
                    f"{corpus}/{genre}/{place:03d}.wav@0",
                    f"{corpus}-{genre}-{place // 2}",
                    genre,
                    part,
                )
            )
    return pd.DataFrame(rows, columns=["clip_id", "group", "genre", "part"])


def _predict(clips: pd.DataFrame, genres: list[str], skill: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    truth = pd.Index(genres).get_indexer(pd.Index(clips["genre"]))
    scores = rng.normal(size=(len(clips), len(genres)))
    scores[np.arange(len(clips)), truth] += skill
    odds = np.exp(1.3 * scores)
    odds /= odds.sum(axis=1, keepdims=True)
    named = clips.assign(predicted=np.asarray(genres)[odds.argmax(axis=1)])
    return pd.concat([named.reset_index(drop=True), pd.DataFrame(odds, columns=genres)], axis=1)


def _cells(
    folder: Path,
    corpora: dict[str, pd.DataFrame],
    *,
    sources: Sequence[str],
    models: Sequence[str],
    seeds: Sequence[int],
    loss: float,
) -> None:
    rows: list[dict[str, Any]] = []
    for number, (model, source, target) in enumerate(product(models, sources, sources)):
        cell = Cell(model, source, target)
        clips = pd.concat([corpora[name] for name in target.split("+")])
        if "all" not in cell.parts:
            clips = clips[clips["part"] == "test"]
        skill = 2.2 * SKILL.get(model, 1.0) - (loss if "all" in cell.parts else 0)
        frames = [
            _predict(clips, GENRES, skill, 1000 * seed + number).assign(seed=seed) for seed in seeds
        ]
        predictions = pd.concat(frames, ignore_index=True)[prediction_columns(GENRES)]
        rows += evaluate_cell(predictions, cell=cell, genres=GENRES, n_resamples=RESAMPLES)
        if model == models[0]:
            rows += evaluate_guesses(
                predictions, source=source, target=target, genres=GENRES, n_resamples=RESAMPLES
            )
        shown = select_part(predictions[predictions["seed"] == seeds[0]], cell.parts[-1])
        table = confusion(shown, GENRES).rename_axis("genre")
        write_csv(folder / cell.folder / "predictions.csv", predictions)
        write_csv(folder / cell.folder / "confusion.csv", table, index=True)
        write_json(folder / cell.folder / "report.json", classification(shown, GENRES))
    write_csv(folder / "results.csv", pd.DataFrame(rows, columns=list(RESULT_COLUMNS)))


def _shap(folder: Path, model: str, source: str) -> None:
    rng = np.random.default_rng(len(model + source))
    values = rng.exponential(0.1, (75, 1)) * rng.exponential(1, (75, len(GENRES)))
    per_class = pd.DataFrame(values, index=pd.Index(FEATURES, name="feature"), columns=GENRES)
    top = per_class.mean(axis=1).sort_values(ascending=False).head(10)
    place = folder / "explanations" / "shap" / model / source
    table = pd.DataFrame(
        {"rank": range(1, 11), "feature": top.index, "mean_abs_shap": top.to_numpy()}
    )
    write_csv(place / "top_features.csv", table)
    write_csv(place / "per_class.csv", per_class, index=True)
    write_csv(place / "families.csv", by_family(per_class).rename_axis("family"), index=True)
    write_json(place / "summary.json", {"scale": "margin", "n": 40, "residual": 3e-7})
    save_figure(new_figure(1, 1), place / "per_class.png", dpi=20)
    draws = [per_class.mean(axis=1) * rng.uniform(0.9, 1.1, 75) for _ in range(5)]
    stability = compare_rankings(draws)
    place = folder / "explanations" / "stability" / model / source
    write_csv(place / "stability.csv", stability.frame())
    summary = {"n": stability.n, "stable": stability.stable, "verdict": stability.verdict}
    write_json(place / "stability.json", summary)
    _examples(folder / "explanations" / "examples" / model / source, source)


def _quality(folder: Path, source: str) -> None:
    """Maps of 24 clips of 12 groups: occlusion better than what knows nothing, Grad-CAM not."""
    rng = np.random.default_rng(len(source))
    names = ["occlusion", "grad_cam", "random", "centre", "energy"]
    who = pd.DataFrame({"clip_id": [f"{source}/{n}" for n in range(24)]})
    who["group"] = [f"group {n // 2}" for n in range(24)]
    who["genre"] = [GENRES[n % 2] for n in range(24)]
    tables = []
    for name in names:
        table = who.assign(method=name, **{m: rng.uniform(0.4, 0.5, 24) for m in MEASURES})
        if name == "occlusion":
            table = table.assign(deletion=table["deletion"] - 0.3, insertion=0.9)
        tables.append(table.assign(sensitivity=0.1 if name in names[:2] else np.nan))
    randomised = [
        who.assign(method=name, layer=layer, draw=0, correlation=0.05)
        for name, layer in product(names[:2], LAYERS)
    ]
    share = np.linspace(0, 1, 5)
    curves = [
        pd.DataFrame({"method": n, "share": share, "deletion": 1 - share, "insertion": share})
        for n in names
    ]
    quality = MapQuality(*(pd.concat(part) for part in (tables, randomised, curves)))
    table, compared = quality_table(quality, GENRES), compare_maps(quality, GENRES)
    place = folder / "explanations" / "quality" / source
    write_csv(place / "curves.csv", quality.curves)
    write_csv(place / "table.csv", table)
    write_csv(place / "verdicts.csv", verdicts(table, compared))


def _examples(place: Path, source: str, *, maps: bool = False) -> None:
    """Two examples of two genres, one of the third, none of the fourth; one map is empty."""
    index: list[dict[str, Any]] = []
    for number, genre in enumerate(GENRES[:-1]):
        for kind in ("correct", "wrong")[: 2 - (number == 1)]:
            empty = maps and kind == "wrong" and number == 0
            stem = f"genre{number}-{kind}-0"
            save_figure(new_figure(1, 1), place / f"{stem}.png", dpi=20)
            tone = 0.1 * np.sin(2 * np.pi * 220 * np.arange(2205) / 22050)
            for suffix in ("", ".kept", ".left-out") if maps else ("",):
                write_wav(place / f"{stem}{suffix}.wav", tone)
            index.append(
                {
                    "genre": genre,
                    "kind": kind,
                    "clip_id": f"{source}/{genre}/{number:03d}.wav@0",
                    "true": genre,
                    "predicted": genre if kind == "correct" else "Rock/Metal",
                    "probability": 0.83,
                    "stem": stem,
                    "empty": ["Grad-CAM"] if empty else [],
                    "sentences": {"en": ["Heard as it.", "The beat is faster."], "ko": ["", ""]},
                }
            )
    index.append({"genre": GENRES[-1], "kind": "none"})
    write_json(place / "index.json", index)


def _curve(folder: Path, model: str, source: str) -> None:
    step = np.arange(1, 31)
    loss = 1.4 * np.exp(-step / 8)
    curve = pd.DataFrame(
        {
            "epoch" if model == "cnn" else "round": step,
            "train_loss": loss,
            "validation_loss": loss + 0.2 + 0.01 * step,
        }
    )
    if model == "cnn":
        curve = curve.assign(
            train_accuracy=1 - 0.7 * np.exp(-step / 8),
            validation_accuracy=0.8 - 0.5 * np.exp(-step / 8),
        )
    write_csv(folder / "models" / model / source / "training_curve.csv", curve)


def _facts(
    name: str, culture: str, clips: pd.DataFrame, *, first: bool, note: str
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "format": "gtzan" if first else "korean-loops",
        "culture": culture,
        "synthetic": not first,
        "clips": len(clips),
        "tracks": clips["group"].nunique(),
        "groups": clips["group"].nunique(),
        "group_kind": {"artist": len(clips)},
        "genres": clips["genre"].value_counts().to_dict(),
        "unmapped": {},
        "failures": {},
        "fingerprint": "ab" * 32,
        "notes": [],
    }
    if first:
        return facts | {
            "unmapped": {"jazz": 100, "국악": 7},
            "failures": {"unreadable": 1},
            "notes": [note],
        }
    return facts | {"group_kind": {"song": 100, "stem": len(clips) - 100}}


def _provenance(models: Sequence[str], sources: Sequence[str]) -> dict[str, Any]:
    return {
        "name": "test",
        "genrescope": "0.1.0",
        "started": "2026-01-01T10:00:00+00:00",
        "finished": "2026-01-01T10:09:00+00:00",
        "python": "3.11.2",
        "platform": "Linux",
        "versions": {"numpy": "2.4.6"},
        "n_resamples": RESAMPLES,
        "genres": GENRES,
        "taxonomy": "meta-genre",
        "sources": sources,
        "targets": sources,
        "models": {
            name: {"kind": name, "input": KINDS.get(name, "vectors"), "params": {"random_state": 0}}
            for name in models
        },
        "skipped": [],
        "warnings": ["jazz has one artist: all of it is in training."],
        "durations": {"train forest": 12.3},
    }


def _exhibits(folder: Path, models: Sequence[str], sources: Sequence[str]) -> None:
    for model, source in product(models, sources):
        if model == "cnn":
            _examples(folder / "explanations" / "grad_cam" / source, source, maps=True)
            _quality(folder, source)
        else:
            _shap(folder, model, source)
        if model != "forest":
            _curve(folder, model, source)


def build_run(
    folder: Path,
    *,
    models: Sequence[str] = ("forest", "boosting", "cnn"),
    names: Sequence[str] = ("gtzan", "korean"),
    cultures: Sequence[str] = ("Western", "Korean"),
    joined: bool = False,
    seeds: Sequence[int] = (0,),
    loss: float = 2.0,
    reference: str | None = None,
    question: str = "Does a genre model trained on one musical culture carry over to another?",
    exhibits: bool = False,
    note: str = "Excerpts 1 to 100 of each genre.",
) -> Path:
    sizes = ([24, 24, 48, 48], [20, 30, 110, 70])
    corpora = {name: _clips(name, sizes[place > 0]) for place, name in enumerate(names)}
    sources = [*names, "+".join(names)] if joined else list(names)
    _cells(folder, corpora, sources=sources, models=models, seeds=seeds, loss=loss)
    lost = ("gtzan", "/data/genres_original/jazz/jazz.00054.wav", "no sound file", "unreadable")
    columns = ["corpus", "path", "reason", "kind"]
    write_csv(folder / "failures.csv", pd.DataFrame([lost], columns=columns))
    splits = [clips.assign(corpus=name, seed=seeds[0]) for name, clips in corpora.items()]
    table = pd.concat(splits)[["corpus", "seed", "clip_id", "part"]]
    table.to_parquet(folder / "splits.parquet", index=False)
    write_text(folder / "study.yaml", "name: test\ncorpora:\n  gtzan: {format: gtzan}\n")
    facts = {
        name: _facts(name, culture, corpora[name], first=place == 0, note=note)
        for place, (name, culture) in enumerate(zip(names, cultures, strict=True))
    }
    own = {"question": question, "seeds": list(seeds), "reference": reference, "corpora": facts}
    write_json(folder / "run.json", _provenance(models, sources) | own)
    if exhibits:
        _exhibits(folder, models, sources)
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> RunMaker:
    """Builds a run directory; keywords as of `build_run`."""
    return lambda **options: build_run(tmp_path / "run", **options)


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything in it; tests that change it make their own."""
    return build_run(tmp_path_factory.mktemp("full"), reference="paper", exhibits=True, joined=True)


@pytest.fixture(scope="session")
def full_report(full_run: Path) -> str:
    """The report of `full_run`."""
    return write_report(full_run).read_text(encoding="utf-8")
