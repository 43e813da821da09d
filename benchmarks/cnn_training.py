"""The network trained with augmentation, and adapted without labels: what either gains on music.

`augmentation`: the clips and folds of `artist_gap.py`, artists apart; the network plain and with
the strengths below, on the same clips. Intervals are over artists.

`adaptation`: trained on the 5 s mixes of `gtzan_mini`, tested on held-out tracks: as they are, on
3 s of one stem-like part of them (looped), and on 3 s of the mix with silence behind. There is no
culture in it, only what the paper's two corpora differ in besides. Each fold adapts to its own
held-out clips, without their genres. Intervals are over tracks. `source_statistics` is no
adaptation but AdaBN on the training clips themselves: what it gains, exact statistics gain.

    python benchmarks/cnn_training.py augmentation adaptation [--epochs 40] [--folds 5]
                                      [--batch-size 32] [--precision bfloat16] [--threads 1]
                                      [--methods none adabn ...] [--targets mix stem padded]
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from itertools import cycle, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from artist_gap import GENRES, folds, held_out_for_validation, materials, take

from genrescope.audio.alter import Part, shorten, stem_like
from genrescope.audio.fit import load_clip
from genrescope.corpora.index import index_corpus
from genrescope.evaluation.cells import predict_cell
from genrescope.evaluation.metrics import score
from genrescope.evaluation.significance import paired_difference
from genrescope.features.vector import extract
from genrescope.models import create_model
from genrescope.settings import AudioSettings
from genrescope.shift.adaptation import create_adaptation, methods_of
from genrescope.taxonomy import load_taxonomy

# From the literature (see `Augmentation`), none of it tried out here: masks of the Audio
# Spectrogram Transformer, mixup's own 0.2, two semitones and a fifth of the tempo.
STRENGTHS = {
    "roll": True,
    "tempo": 0.2,
    "band_shift": 4,
    "time_mask": 0.19,
    "band_mask": 0.38,
    "mixup": 0.2,
}

PARTS: tuple[Part, ...] = ("bass", "drums", "harmonic", "high")
SHORT_S = 3.0
CONTROL = "source_statistics"
TARGETS = ("mix", "stem", "padded")


def show(title: str, answers: dict[str, list[pd.DataFrame]], baseline: str) -> None:
    """Scores with intervals, and paired differences from the baseline."""
    predictions = {name: pd.concat(found, ignore_index=True) for name, found in answers.items()}
    genres = sorted(predictions[baseline]["genre"].unique())
    rows = []
    for name, found in predictions.items():
        row = {"method": name} | score(found, genres)
        keep = ("method", "n", "macro_f1", "macro_f1_low", "macro_f1_high", "accuracy")
        kept = {key: row[key] for key in keep} | {"groups": found["group"].nunique()}
        if name != baseline:
            compared = asdict(paired_difference(found, predictions[baseline], genres))
            kept |= {"difference": compared["value"]}
            kept |= {key: compared[key] for key in ("low", "high", "p_value")}
        rows.append(kept)
    print(f"\n{title}\n{pd.DataFrame(rows).round(3).to_string(index=False)}")
    sys.stdout.flush()


def augmentation(data: Path, params: dict[str, Any], n_folds: int) -> None:
    with TemporaryDirectory() as folder:
        found = materials(data, Path(folder))
        clips = pd.concat([material.clips for material in found]).reset_index(drop=True)
        X = np.concatenate([m.inputs("log_mels", list(m.clips.index))[:] for m in found])
    genres, y = sorted(clips["genre"].unique()), clips["genre"].to_numpy(object)
    answers: dict[str, list[pd.DataFrame]] = {"plain": [], "augmented": []}
    for number, (train, test) in enumerate(list(folds(clips, "artists"))[:n_folds], start=1):
        stop = held_out_for_validation(clips.iloc[train])
        held, kept = train[stop], train[~stop]
        for name in answers:
            strengths = STRENGTHS if name == "augmented" else None
            model = create_model("cnn", **params, augmentation=strengths)
            model.fit(take(X, kept), y[kept], validation=(take(X, held), y[held]))
            answers[name].append(predict_cell(model, take(X, test), clips.iloc[test], genres))
            print(f"fold {number} {name}: best epoch {model.best_epoch_}", file=sys.stderr)
        show(f"augmentation, {number} of 5 folds, artists apart", answers, "plain")


def changed_clips(data: Path, targets: list[str]) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The clips of `gtzan_mini`, and log-mels of each as it is and changed as the targets say."""
    audio = AudioSettings()
    corpus = index_corpus(
        "gtzan",
        data / "gtzan_mini",
        name="gtzan_mini",
        culture="Western",
        taxonomy=load_taxonomy("meta-genre"),
        options={"segments": "all", "genres": GENRES},
    )
    clips = corpus.clips.reset_index(drop=True)
    clips["group"] = clips["track"]
    short = int(SHORT_S * audio.sample_rate)
    waveforms = [
        load_clip(c.path, start_s=c.start_s, duration_s=c.duration_s) for c in clips.itertuples()
    ]
    change: dict[str, Callable[[np.ndarray, Part], np.ndarray]] = {
        "mix": lambda y, _: y,
        "stem": lambda y, part: shorten(stem_like(y, part), samples=short),
        "padded": lambda y, _: shorten(y, samples=short, how="pad"),
    }
    maps = {
        name: np.concatenate(
            [
                extract(change[name](y, part)[np.newaxis], vectors=False).log_mels
                for y, part in zip(waveforms, cycle(PARTS), strict=False)
            ]
        )
        for name in dict.fromkeys(["mix", *targets])
    }
    return clips, maps


def adaptation(
    data: Path, params: dict[str, Any], n_folds: int, methods: list[str], targets: list[str]
) -> None:
    clips, maps = changed_clips(data, targets)
    genres, y = sorted(clips["genre"].unique()), clips["genre"].to_numpy(object)
    source = maps["mix"]
    answers: dict[str, dict[str, list[pd.DataFrame]]] = {name: {} for name in targets}
    for number, (train, test) in enumerate(list(folds(clips, "tracks"))[:n_folds], start=1):
        plain = create_model("cnn", **params).fit(source[train], y[train])
        for name, method in product(targets, methods):
            # A control: exact statistics of the source in place of training's running ones.
            name_of = "adabn" if method == CONTROL else method
            adapting = create_adaptation(name_of, takes="log_mels")
            unlabelled = source[train] if method == CONTROL else maps[name][test]
            adapting.fit(source[train], y[train], unlabelled)
            if method == "deep_coral":
                fresh = create_model("cnn", **params)
                model = adapting.train(fresh, source[train], y[train])
                print(name, model.training_curve_.iloc[-1].to_dict(), file=sys.stderr)
            else:
                model = adapting.refine(plain)
            found = predict_cell(model, maps[name][test], clips.iloc[test], genres)
            answers[name].setdefault(method, []).append(found)
        for name, of_methods in answers.items():
            show(f"adaptation to {name}, {number} of 5 folds, tracks apart", of_methods, "none")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="+", choices=["augmentation", "adaptation"])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--methods", nargs="+", default=[*methods_of("log_mels"), CONTROL])
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("cnn_training: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    torch.set_num_threads(arguments.threads)
    params = {
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "precision": arguments.precision,
    }
    if "augmentation" in arguments.parts:
        augmentation(Path(data), params, arguments.folds)
    if "adaptation" in arguments.parts:
        methods = list(dict.fromkeys(["none", *arguments.methods]))
        adaptation(Path(data), params, arguments.folds, methods, arguments.targets)


if __name__ == "__main__":
    main()
