"""How much shared artists and shared tracks lift a score: five-fold cross-validation, three ways.

The clips are the study's six GTZAN genres under `$GENRESCOPE_DATA`: every 5 s segment of
`gtzan_mini` and the short excerpts of `gtzan_short`, looped. Folds keep artists apart, or only
tracks, or nothing (clips of one track on both sides). Intervals are bootstraps over
artists in all three, since clips of one artist are never independent. Beside the score of clips
stands that of tracks, the clips of one brought together by their mean probabilities.

A network always stops on clips of training artists set aside; with `--hold-out` every model has
such validation clips, as in a study, and learns from so many fewer.

    python benchmarks/artist_gap.py [--models forest boosting cnn] [--apart artists] [--hold-out]
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from genrescope.corpora.index import index_corpus
from genrescope.corpora.split import split_clips
from genrescope.evaluation.cells import predict_cell
from genrescope.evaluation.metrics import score
from genrescope.evaluation.tracks import by_track
from genrescope.models import create_model
from genrescope.settings import AudioSettings, FeatureSettings, SplitSettings
from genrescope.study.material import Material, prepare_material
from genrescope.taxonomy import load_taxonomy

FOLDS = 5
GENRES = ["blues", "rock", "metal", "hiphop", "disco", "pop"]
CORPORA = {"gtzan_mini": {"segments": "all"}, "gtzan_short": {"segments": "start"}}


def materials(
    data: Path, folder: Path, *, features: FeatureSettings | None = None, log_mels: bool = True
) -> list[Material]:
    found = []
    for name, options in CORPORA.items():
        corpus = index_corpus(
            "gtzan",
            data / name,
            name=name,
            culture="Western",
            taxonomy=load_taxonomy("meta-genre"),
            options={**options, "genres": GENRES},
        )
        found.append(
            prepare_material(
                corpus,
                store=folder,
                audio=AudioSettings(),
                features=features or FeatureSettings(),
                split=SplitSettings(),
                workers=None,
                log_mels=log_mels,
            )
        )
    return found


def folds(clips: pd.DataFrame, apart: str) -> Any:
    if apart == "nothing":
        splitter: Any = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        return splitter.split(clips, clips["genre"])
    splitter = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    return splitter.split(clips, clips["genre"], clips["group" if apart == "artists" else "track"])


def held_out_for_validation(clips: pd.DataFrame) -> np.ndarray:
    """Clips of the training folds by which a model stops or calibrates, artists apart."""
    settings = SplitSettings(train=0.84, validation=0.15, test=0.01)
    parts, _ = split_clips(clips.reset_index(drop=True), settings, seed=0)
    return (parts.loc[clips["clip_id"]] == "validation").to_numpy()


def cross_validate(
    kind: str,
    params: dict[str, Any],
    X: Any,
    clips: pd.DataFrame,
    apart: str,
    *,
    hold_out: bool = False,
) -> pd.DataFrame:
    genres = sorted(clips["genre"].unique())
    answers = []
    for train, test in folds(clips, apart):
        model = create_model(kind, **params)
        validation = None
        if hold_out or model.input == "log_mels":
            stop = held_out_for_validation(clips.iloc[train])
            validation = (take(X, train[stop]), clips["genre"].to_numpy(object)[train[stop]])
            train = train[~stop]
        model.fit(take(X, train), clips["genre"].to_numpy(object)[train], validation=validation)
        answers.append(predict_cell(model, take(X, test), clips.iloc[test], genres))
    return pd.concat(answers, ignore_index=True)


def take(X: Any, rows: np.ndarray) -> Any:
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["forest", "boosting", "cnn"])
    parser.add_argument("--apart", nargs="+", default=["artists", "tracks", "nothing"])
    parser.add_argument("--hold-out", action="store_true")
    parser.add_argument("--epochs", type=int, default=40)
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("artist_gap: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    with TemporaryDirectory() as folder:
        found = materials(Path(data), Path(folder))
        clips = pd.concat([material.clips for material in found]).reset_index(drop=True)
        inputs = {
            "vectors": pd.concat([m.inputs("vectors", list(m.clips.index)) for m in found]),
            "log_mels": np.concatenate(
                [m.inputs("log_mels", list(m.clips.index))[:] for m in found]
            ),
        }
    print(
        f"{len(clips)} clips, {clips['track'].nunique()} tracks, {clips['group'].nunique()} artists"
    )
    for kind in arguments.models:
        params: dict[str, Any] = {"epochs": arguments.epochs} if kind == "cnn" else {}
        X = inputs[create_model(kind, **params).input]
        for apart in arguments.apart:
            found = cross_validate(kind, params, X, clips, apart, hold_out=arguments.hold_out)
            genres = sorted(clips["genre"].unique())
            tracks = clips.set_index("clip_id").loc[found["clip_id"], "track"].to_numpy()
            for what, answers in (("clips", found), ("tracks", by_track(found, tracks, genres))):
                row = score(answers, genres)
                print(
                    f"{kind:<9} apart: {apart:<8} {what:<6} n {row['n']}  macro-F1 "
                    f"{row['macro_f1']:.3f} [{row['macro_f1_low']:.3f}, "
                    f"{row['macro_f1_high']:.3f}]  accuracy {row['accuracy']:.3f}  ECE "
                    f"{row['ece']:.3f}"
                )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
