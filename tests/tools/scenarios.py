"""Commands that are disturbed, and the small corpora they run over."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from tones import RATE, pitch_bundle, tone


@dataclass(frozen=True)
class Scenario:
    """A command, where it writes, and what of it is finished and what comes out.

    Attributes
    ----------
    name : str
    words : callable
        The command's words for a folder to write in and a number of workers.
    prepare : callable
        Makes that folder ready.
    code : int
        Exit code of a run that ends well.
    workers : bool
        Whether processes below the main one do the work.
    once : bool
        Whether a finished run refuses to be run again.
    """

    name: str
    words: Callable[[Path, int], Sequence[Any]]
    prepare: Callable[[Path], None] = lambda folder: folder.mkdir(parents=True)
    code: int = 0
    workers: bool = True
    once: bool = False


def make_material(folder: Path, *, corpora: int = 24, files: int = 60) -> Path:
    """Corpora `west` and `east` of tones, a study of them, a bundle, and files to predict."""
    draw = np.random.default_rng(0)
    for corpus, low, high in (("west", 110, 3200), ("east", 90, 2600)):
        for n in range(corpora):
            genre, hertz = (("low", low), ("high", high))[n % 2]
            path = folder / corpus / genre / f"{n:02}.flac"
            path.parent.mkdir(parents=True, exist_ok=True)
            sound = tone(hertz * draw.uniform(0.9, 1.1), draw.uniform(3, 7))
            noise = draw.normal(0, draw.uniform(0.01, 0.2), len(sound))
            soundfile.write(path, np.clip(sound + noise, -1, 1), RATE)
    (folder / "files").mkdir()
    for n in range(files):
        path = folder / "files" / f"{n:03}.flac"
        soundfile.write(path, tone(3200 if n % 2 else 110, draw.uniform(1, 6)), RATE)
    for n in range(3, files, 20):
        (folder / "files" / f"{n:03}.flac").write_text("no sound")
    pitch_bundle(folder / "bundle")
    corpora_of = {
        name: {"format": "folder", "root": str(folder / name)} for name in ("west", "east")
    }
    content = {
        "name": "small",
        "corpora": corpora_of,
        "taxonomy": "labels",
        "sources": ["west", "east"],
        "targets": ["west", "east"],
        "models": {"forest": {"n_estimators": 10}, "boosting": {"n_estimators": 8}},
        "split": {"group": "track"},
        "evaluation": {"n_resamples": 100},
        "shift": {"in_study": False},
        "explanations": {"shap_clips": 4, "examples": 0, "quality_clips": 0, "stability_seeds": 0},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    cnn = {"models": content["models"] | {"cnn": {"epochs": 1}}}
    (folder / "cnn.yaml").write_text(yaml.safe_dump(content | cnn))
    tiny = {"sources": ["west"], "targets": ["east"], "models": {"forest": {"n_estimators": 5}}}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content | tiny))
    small = {"folds": 2, "repeats": 1, "seeds": 1, "draws": 1, "shots": [0, 2]}
    shift = {"models": {"forest": {"n_estimators": 10}}, "shift": small}
    (folder / "shift.yaml").write_text(yaml.safe_dump(content | shift))
    return folder


def scenarios(material: Path) -> dict[str, Scenario]:
    """The commands that are disturbed, over the material."""

    def tagged(folder: Path) -> None:
        shutil.copytree(material / "files", folder)
        for path in folder.iterdir():
            if path.stat().st_size < 100:
                path.unlink()

    found = [
        Scenario(
            "features",
            lambda folder, workers: [
                "features", material / "west.parquet", "-o", folder, "--workers", workers,
            ],
        ),
        Scenario(
            "study",
            lambda folder, workers: [
                "study", material / "study.yaml", "--out", folder, "--workers", workers,
            ],
        ),
        Scenario(
            "tiny",
            lambda folder, workers: [
                "study", material / "tiny.yaml", "--out", folder, "--workers", workers,
            ],
        ),
        Scenario(
            "cnn",
            lambda folder, workers: [
                "study", material / "cnn.yaml", "--out", folder, "--workers", workers,
            ],
        ),
        Scenario(
            "predict",
            lambda folder, workers: [
                "predict", material / "bundle", material / "files", "--format", "csv",
                "-o", folder / "answers.csv", "--workers", workers,
            ],
            code=3,
            once=True,
        ),
        Scenario(
            "train",
            lambda folder, workers: [
                "train", material / "west", "-o", folder / "bundle", "-m", "forest",
                "--features", "paper", "--workers", workers,
            ],
        ),
        Scenario(
            "tags",
            lambda folder, workers: ["tags", "write", "--genre", "Low", "--write", folder],
            prepare=tagged,
            workers=False,
        ),
        Scenario(
            "explain",
            lambda folder, workers: [
                "explain", material / "bundle",
                *sorted((material / "files").iterdir())[4:8], "-o", folder,
            ],
            workers=False,
        ),
        Scenario(
            "shift",
            lambda folder, workers: [
                "shift", material / "shift.yaml", "--out", folder, "--workers", workers,
            ],
        ),
    ]  # fmt: skip
    return {scenario.name: scenario for scenario in found}


def index_corpora(material: Path) -> None:
    """Write `west.parquet` and `east.parquet`."""
    for name in ("west", "east"):
        subprocess.run(
            [
                sys.executable, "-m", "genrescope", "corpus", "index", "folder", material / name,
                "-o", material / f"{name}.parquet", "--taxonomy", "labels",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
