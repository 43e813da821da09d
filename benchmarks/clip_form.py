"""What the form of clips costs with no cultural difference at all, and what mends it.

The study's 60 tracks of `gtzan_mini` under `$GENRESCOPE_DATA`, every 5 s segment; models learn from
full mixes in four fifths of the tracks and are tested on the others, as they are and changed: cut
to 3 s and looped or padded, a stem-like part of the mix. Repairs see no label of the changed clips:
alignment of the held-out clips, training on clips padded the same way, training on stem-like parts
as well. Macro-F1 by segment, five folds with tracks apart, bootstrap over tracks. The last column
is what the paper's reading gives for the same (`PAPER`), which was made with another split.

    python benchmarks/clip_form.py [--models forest boosting svm linear cnn] [--epochs 60]
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from genrescope.config import StudyConfig
from genrescope.evaluation.cells import predict_cell
from genrescope.evaluation.metrics import score
from genrescope.models import create_model
from genrescope.settings import ModelSettings
from genrescope.shift.adapted import AdaptedModel, Clips
from genrescope.shift.confounds import Change
from genrescope.study.laddering import answers_of, cross_folds
from genrescope.study.material import prepare_corpus, prepare_material
from genrescope.study.pool import Pool
from genrescope.taxonomy import load_taxonomy

FOLDS = 5
LENGTH = Change("clip length", {"seconds": 3.0, "how": "loop"})
PAD = Change("padding", {"seconds": 3.0, "how": "pad"})
PARTS = Change("single instruments", instruments={"bass": 0.25, "drums": 0.25, "synth/keys": 0.5})
RUNGS = {
    "full 5 s": [],
    "3 s, padded": [PAD],
    "3 s, looped": [LENGTH],
    "stem-like, 3 s looped": [LENGTH, PARTS],
    "stem-like, 3 s padded": [PAD, PARTS],
}
# rung, adaptation of the held-out clips, which clips are trained on beside or instead of the mixes
REPAIRS = {
    "padded: standardised by corpus": ("3 s, padded", "standardise", None),
    "padded: CORAL": ("3 s, padded", "coral", None),
    "padded: source padded too": ("3 s, padded", "none", ("3 s, padded", False)),
    "stem-like: trained on parts as well": (
        "stem-like, 3 s looped", "none", ("stem-like, 3 s looped", True),
    ),
    "stem-like: importance weighting": ("stem-like, 3 s looped", "importance", None),
}  # fmt: skip
PAPER = {
    "full 5 s": {"forest": 0.740, "boosting": 0.745, "svm": 0.798, "linear": 0.791, "cnn": 0.932},
    "3 s, padded": {
        "forest": 0.459, "boosting": 0.441, "svm": 0.269, "linear": 0.460, "cnn": 0.071,
    },
    "3 s, looped": {
        "forest": 0.735, "boosting": 0.727, "svm": 0.781, "linear": 0.772, "cnn": 0.913,
    },
    "stem-like, 3 s looped": {
        "forest": 0.470, "boosting": 0.467, "svm": 0.320, "linear": 0.446, "cnn": 0.419,
    },
    "stem-like, 3 s padded": {
        "forest": 0.336, "boosting": 0.353, "svm": 0.182, "linear": 0.341, "cnn": 0.125,
    },
    "padded: standardised by corpus": {
        "forest": 0.74, "boosting": 0.66, "svm": 0.72, "linear": 0.72,
    },
    "padded: CORAL": {"forest": 0.77, "boosting": 0.73, "svm": 0.74, "linear": 0.71},
    "padded: source padded too": {
        "forest": 0.75, "boosting": 0.72, "svm": 0.76, "linear": 0.77,
    },
    "stem-like: trained on parts as well": {
        "forest": 0.64, "boosting": 0.65, "svm": 0.63, "linear": 0.58,
    },
}  # fmt: skip


def load(data: Path, folder: Path, *, log_mels: bool) -> tuple[StudyConfig, Pool]:
    config = StudyConfig.parse(
        {
            "name": "clip-form",
            "corpora": {
                "gtzan": {
                    "format": "gtzan",
                    "root": str(data / "gtzan_mini"),
                    "culture": "Western",
                    "segments": "all",
                    "genres": ["blues", "rock", "metal", "hiphop", "disco", "pop"],
                }
            },
            "store": str(folder),
        }
    )
    taxonomy = load_taxonomy("meta-genre")
    corpus = prepare_corpus(
        "gtzan", config.corpora["gtzan"], taxonomy=taxonomy, audio=config.audio, made_in=folder
    )
    material = prepare_material(
        corpus,
        store=folder,
        audio=config.audio,
        features=config.features,
        split=config.split,
        workers=None,
        log_mels=log_mels,
    )
    return config, Pool((material,))


def repaired(
    settings: ModelSettings, pools: dict[str, Pool], name: str, genres: list[str]
) -> pd.DataFrame:
    rung, method, trained = REPAIRS[name]
    mixes, altered = pools["full 5 s"].labelled(by="track"), pools[rung].labelled(by="track")
    clips = pools[rung].clips.assign(group=pools[rung].groups("track"))
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    tables = []
    for train, held in splitter.split(mixes.X, mixes.y, mixes.groups):
        learned: Clips = mixes.rows(train)
        if trained is not None:
            others = pools[trained[0]].labelled(by="track").rows(train)
            learned = learned.joined(others) if trained[1] else others
        model = AdaptedModel(method, settings.kind, settings.params)
        model.fit(learned, altered.X[held])
        tables.append(predict_cell(model, altered.X[held], clips.iloc[held], genres))
    return pd.concat(tables, ignore_index=True)


def show(kind: str, name: str, answers: pd.DataFrame, genres: list[str]) -> None:
    row = score(answers, genres)
    known = PAPER.get(name, {}).get(kind)
    inside = ""
    if known is not None:
        within = row["macro_f1_low"] <= known <= row["macro_f1_high"]
        inside = f"{known:.3f} {'inside' if within else 'OUTSIDE'}"
    print(
        f"{kind:<9} {name:<36} n {row['n']}  {row['macro_f1']:.3f} "
        f"[{row['macro_f1_low']:.3f}, {row['macro_f1_high']:.3f}]  {inside}"
    )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["forest", "boosting", "svm", "linear"])
    parser.add_argument("--epochs", type=int, default=60)
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("clip_form: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    with TemporaryDirectory() as folder:
        out = Path(folder)
        log_mels = "cnn" in arguments.models
        config, pool = load(Path(data), out, log_mels=log_mels)
        pools = {
            name: pool.altered(changes, config=config, out=out, workers=None, log_mels=log_mels)
            for name, changes in RUNGS.items()
        }
        genres = load_taxonomy("meta-genre").order(pool.genres)
        for kind in arguments.models:
            params: dict[str, Any] = {"epochs": arguments.epochs} if kind == "cnn" else {}
            settings = ModelSettings(kind=kind, params=params)
            folds = cross_folds(settings, pool, apart="track", n_folds=FOLDS, seeds=[0])
            found = answers_of(folds, pools, {}, genres)
            tracks = dict(zip(pool.clips.index, pool.groups("track"), strict=True))
            for name, answers in found.items():
                show(kind, name, answers.assign(group=answers["clip_id"].map(tracks)), genres)
            if create_model(kind).input == "vectors":
                for name in REPAIRS:
                    show(kind, name, repaired(settings, pools, name, genres), genres)


if __name__ == "__main__":
    main()
