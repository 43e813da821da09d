"""A small run directory made from seeds, through the same functions a study uses."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from genrescope.evaluation.cells import RESULT_COLUMNS, Cell, evaluate_cell, select_part
from genrescope.evaluation.metrics import classification, confusion
from genrescope.files import write_csv, write_json, write_text
from genrescope.report.figures import confusion_figure, grad_cam_figure, save_figure, shap_figure

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
SKILL = {"forest": 1.0, "boosting": 1.5, "cnn": 0.6}
KINDS = {"forest": "vectors", "boosting": "vectors", "cnn": "log_mels"}
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
    folder: Path, corpora: dict[str, pd.DataFrame], models: list[str], seeds: list[int], loss: float
) -> None:
    names = [*corpora, "+".join(corpora)] if len(corpora) > 1 else list(corpora)
    rows: list[dict[str, Any]] = []
    for place, model in enumerate(models):
        for number, source in enumerate(names):
            for other, target in enumerate(names):
                cell = Cell(model, source, target)
                clips = pd.concat([corpora[name] for name in target.split("+")])
                if "all" not in cell.parts:
                    clips = clips[clips["part"] == "test"]
                skill = 2.2 * SKILL.get(model, 1.0) - (loss if "all" in cell.parts else 0)
                frames = [
                    _predict(
                        clips, GENRES, skill, 1000 * s + 100 * place + 10 * number + other
                    ).assign(seed=s)
                    for s in seeds
                ]
                predictions = pd.concat(frames, ignore_index=True)
                columns = ["seed", "part", "clip_id", "group", "genre", "predicted", *GENRES]
                rows += evaluate_cell(predictions, cell=cell, genres=GENRES, n_resamples=200)
                write_csv(folder / cell.folder / "predictions.csv", predictions[columns])
                first = predictions[predictions["seed"] == seeds[0]]
                shown = select_part(first, cell.parts[-1])
                table = confusion(shown, GENRES)
                write_csv(
                    folder / cell.folder / "confusion.csv", table.rename_axis("genre"), index=True
                )
                write_json(folder / cell.folder / "report.json", classification(shown, GENRES))
    write_csv(folder / "results.csv", pd.DataFrame(rows, columns=list(RESULT_COLUMNS)))
    save_figure(confusion_figure(table), folder / cell.folder / "confusion.png", dpi=40)


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
    write_json(place / "summary.json", {"scale": "margin", "n": 40, "residual": 3e-7})
    save_figure(shap_figure(per_class, title="all"), place / "per_class.png", dpi=60)


def _grad_cam(folder: Path, source: str) -> None:
    place = folder / "explanations" / "grad_cam" / source
    rng = np.random.default_rng(len(source))
    band, time = np.arange(128)[:, None], np.linspace(0, 5, 128)[None]
    index: list[dict[str, Any]] = []
    for number, genre in enumerate(GENRES[:-1]):
        log_mel = rng.normal(-60, 4, (128, 128)) + 45 * np.exp(
            -(((band - 30 - 12 * np.sin(3 * time + number)) / 5) ** 2)
        )
        cam = (
            np.maximum(
                0, np.exp(-(((band - 40 - 20 * number) / 20) ** 2) - (time - 1 - number) ** 2) - 0.1
            )
            / 40
        )
        for kind in ("correct", "wrong")[: 2 - (number == 1)]:
            empty = kind == "wrong" and number == 0
            shown = np.zeros_like(cam) if empty else cam
            stem = f"genre{number}-{kind}-0"
            save_figure(
                grad_cam_figure(log_mel, shown, title=f"Heard as {genre}"),
                place / f"{stem}.png",
                dpi=60,
            )
            tone = 0.1 * np.sin(2 * np.pi * 220 * np.arange(2205) / 22050)
            soundfile.write(place / f"{stem}.wav", tone, 22050, subtype="PCM_16")
            index.append(
                {
                    "genre": genre,
                    "kind": kind,
                    "clip_id": f"{source}/{genre}/{number:03d}.wav@0",
                    "true": genre,
                    "predicted": genre if kind == "correct" else "Rock/Metal",
                    "probability": 0.83,
                    "stem": stem,
                    "empty": empty,
                    "strength": float(shown.max()),
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


def build_run(
    folder: Path,
    *,
    models: tuple[str, ...] = ("forest", "boosting", "cnn"),
    names: tuple[str, ...] = ("gtzan", "korean"),
    cultures: tuple[str, ...] = ("Western", "Korean"),
    seeds: tuple[int, ...] = (0,),
    loss: float = 2.0,
    reference: str | None = None,
    question: str = "Does a genre model trained on one musical culture carry over to another?",
    exhibits: bool = True,
    note: str = "Excerpts 1 to 100 of each genre.",
) -> Path:
    sizes = {
        name: [24, 24, 48, 48] if place == 0 else [20, 30, 110, 70]
        for place, name in enumerate(names)
    }
    corpora = {name: _clips(name, of_corpus) for name, of_corpus in sizes.items()}
    _cells(folder, corpora, list(models), list(seeds), loss)
    sources = [*names, "+".join(names)] if len(names) > 1 else list(names)
    failures = pd.DataFrame(
        [
            (
                "gtzan",
                "/data/gtzan/genres_original/jazz/jazz.00054.wav",
                "is not a sound file",
                "unreadable",
            )
        ],
        columns=["corpus", "path", "reason", "kind"],
    )
    write_csv(folder / "failures.csv", failures)
    splits = pd.concat(
        [clips.assign(corpus=name, seed=seeds[0]) for name, clips in corpora.items()]
    )
    splits[["corpus", "seed", "clip_id", "part"]].to_parquet(folder / "splits.parquet", index=False)
    write_text(folder / "study.yaml", "name: test\ncorpora:\n  gtzan: {format: gtzan}\n")
    facts = {}
    for place, (name, culture) in enumerate(zip(names, cultures, strict=True)):
        clips = corpora[name]
        facts[name] = {
            "format": ("gtzan", "korean-loops")[place % 2],
            "culture": culture,
            "synthetic": place == 1,
            "clips": len(clips),
            "tracks": clips["group"].nunique(),
            "groups": clips["group"].nunique(),
            "group_kind": {"artist": len(clips)}
            if place == 0
            else {"song": 100, "stem": len(clips) - 100},
            "genres": clips["genre"].value_counts().to_dict(),
            "unmapped": {"jazz": 100, "국악": 7} if place == 0 else {},
            "failures": {"unreadable": 1} if place == 0 else {},
            "fingerprint": "ab" * 32,
            "notes": [note] if place == 0 else [],
        }
    write_json(
        folder / "run.json",
        {
            "name": "test", "question": question, "genrescope": "0.1.0", "started": "2026-01-01T10:00:00+00:00",
            "finished": "2026-01-01T10:09:00+00:00", "python": "3.11.2", "platform": "Linux", "versions": {"numpy": "2.4.6"},
            "seeds": list(seeds), "reference": reference, "genres": GENRES, "taxonomy": "meta-genre", "corpora": facts,
            "sources": sources, "targets": sources,
            "models": {m: {"kind": m, "input": KINDS.get(m, "vectors"), "params": {"random_state": 0}} for m in models},
            "skipped": [], "warnings": ["jazz has one artist: all of it is in training."], "durations": {"train forest": 12.3},
        },
    )  # fmt: skip
    if exhibits:
        for model in models:
            for source in sources:
                if model == "cnn":
                    _grad_cam(folder, source)
                else:
                    _shap(folder, model, source)
                if model != "forest":
                    _curve(folder, model, source)
    return folder


@pytest.fixture
def make_run(tmp_path: Path) -> RunMaker:
    """Builds a run directory; keywords as of `build_run`."""
    return lambda **options: build_run(tmp_path / "run", **options)


@pytest.fixture(scope="session")
def full_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything in it; tests that change it make their own."""
    return build_run(tmp_path_factory.mktemp("full"), reference="paper")
