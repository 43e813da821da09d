"""How well a genre that the model never saw is told from those it learned, recording by recording.

How strangeness is measured was chosen by leaving out one known genre at a time: of the study's
four meta-genres in `gtzan_mini` and `gtzan_short` under `$GENRESCOPE_DATA` a model learns three,
in five folds with artists apart, and each candidate ranks the recordings of the fold and those of
the fourth. Only the measure chosen is then reported on classical, country, jazz and reggae, by
models of all four.

A score is the area under the ROC curve: the share of pairs, a held-out recording of a known genre
and one of the unknown, of which the second is the stranger. Intervals are bootstraps over artists
on both sides.

    python benchmarks/unseen_genres.py [--models linear forest] [--divisions 2]
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from artist_gap import CORPORA, FOLDS, GENRES
from machine import describe_machine
from model_choice import SETS, split
from prediction_sets import Inputs, ask, trained
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from genrescope.corpora.index import index_corpus
from genrescope.evaluation.counts import percentile_interval, resample_weights
from genrescope.models.strangeness import deviations, indecision
from genrescope.settings import AudioSettings, FeatureSettings, SplitSettings
from genrescope.study.kept_aside import recordings_of
from genrescope.study.material import prepare_material
from genrescope.taxonomy import load_taxonomy

UNSEEN = ("classical", "country", "jazz", "reggae")
CHOSEN = "distance and entropy"
NEIGHBOURS = 10
N_RESAMPLES = 1000


def load(data: Path) -> Inputs:
    """Every clip of the ten genres; `genre` is the label, `meta` the meta-genre or the label."""
    taxonomy = load_taxonomy("meta-genre")
    with TemporaryDirectory() as folder:
        found = [
            prepare_material(
                index_corpus(
                    "gtzan",
                    data / name,
                    name=name,
                    culture="Western",
                    taxonomy=load_taxonomy("labels"),
                    options={**options, "genres": [*GENRES, *UNSEEN]},
                ),
                store=folder,
                audio=AudioSettings(),
                features=FeatureSettings(set="extended"),
                split=SplitSettings(),
                workers=None,
                log_mels=False,
            )
            for name, options in CORPORA.items()
        ]
        X = pd.concat([m.inputs("vectors", list(m.clips.index)) for m in found])
    clips = pd.concat([material.clips for material in found])
    known = [taxonomy.genre_of(label) or label for label in clips["label"]]
    return Inputs(X, clips.assign(genre=known))


def candidates(
    model: Any, statistics: Any, units: np.ndarray, learnt: Inputs, asked: Inputs
) -> pd.DataFrame:
    """Strangeness of clips by every candidate, higher where stranger."""
    known, X = (inputs.X.to_numpy(np.float64) for inputs in (learnt, asked))
    mean, scale = known.mean(axis=0), known.std(axis=0)
    scale[scale == 0] = 1
    known, X = (known - mean) / scale, (X - mean) / scale
    genres = learnt.clips["genre"].to_numpy()
    centres = {genre: known[genres == genre].mean(axis=0) for genre in np.unique(genres)}
    within = known - np.stack([centres[genre] for genre in genres])
    shared = LedoitWolf(assume_centered=True).fit(within)
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(known)
    answers = model.predict_proba(asked.X)
    distance = np.linalg.norm(deviations(statistics, asked.X), axis=1)
    entropy = indecision(answers)
    found = {
        CHOSEN: distance / units[0] + entropy / units[1],
        "entropy": entropy,
        "distance from medians": distance,
        "distance from means": np.min(
            [np.linalg.norm(X - centre, axis=1) for centre in centres.values()], axis=0
        ),
        "Mahalanobis, whole": LedoitWolf().fit(known).mahalanobis(X),
        "Mahalanobis, by genre": np.min(
            [shared.mahalanobis(X - centre) for centre in centres.values()], axis=0
        ),
        f"{NEIGHBOURS} nearest neighbours": neighbours.kneighbors(X)[0][:, -1],
        "1 - largest probability": 1 - answers.max(axis=1),
    }
    if hasattr(model, "margins"):
        found["energy"] = -np.log(np.exp(model.margins(asked.X)).sum(axis=1))
    return pd.DataFrame(found, asked.clips.index)


def by_recording(clips: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    names = recordings_of(clips)
    facts = clips.groupby(names, sort=False)[["group", "genre"]].first()
    return facts.join(scores.groupby(names, sort=False).mean())


def folds(
    kind: str, inside: Inputs, outside: Inputs, seed: int
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Recordings held out of each fold and those of unknown genres, with their strangeness."""
    genres = sorted(inside.clips["genre"].unique())
    for train, test in split(inside.clips, FOLDS, seed):
        learnt = inside.rows(train)
        model, statistics, kept = trained(kind, learnt, genres, seed=seed)
        calibration = kept["out of fold"].calibration()
        assert calibration is not None
        sides = []
        for asked in (inside.rows(test), outside):
            scores = candidates(model, statistics, calibration.units, learnt, asked)
            told = ask(model, asked, statistics, sorted({*genres, *asked.clips["genre"]}))
            unlike = told.under(calibration)["unlike"]
            sides.append(by_recording(asked.clips, scores).join(unlike))
        yield sides[0], sides[1]


def area(pairs: list[tuple[pd.DataFrame, pd.DataFrame]], name: str) -> tuple[float, float, float]:
    """Area under the ROC curve over the pairs of every fold, with its interval."""
    wins = np.concatenate(
        [
            (new[name].to_numpy() > old[name].to_numpy()[:, np.newaxis])
            + 0.5 * (new[name].to_numpy() == old[name].to_numpy()[:, np.newaxis])
            for old, new in pairs
        ]
    )
    drawn = []
    for groups in (pd.concat([old["group"] for old, _ in pairs]), pairs[0][1]["group"]):
        codes, names = pd.factorize(groups)
        weights = resample_weights(len(names), N_RESAMPLES, seed=len(drawn))
        drawn.append(np.concatenate(list(weights))[:, codes])
    known, unknown = drawn
    resampled = ((known @ wins) * unknown).sum(axis=1) / (known.sum(axis=1) * unknown.sum(axis=1))
    return float(wins.mean()), *percentile_interval(resampled)


def choose(kind: str, inside: Inputs, divisions: int) -> None:
    areas: dict[str, dict[str, list[float]]] = {}
    for left in sorted(inside.clips["genre"].unique()):
        out = (inside.clips["genre"] == left).to_numpy()
        for seed in range(divisions):
            pairs = list(folds(kind, inside.rows(~out), inside.rows(out), seed))
            for name in pairs[0][0].columns.drop(["group", "genre", "unlike"]):
                found = areas.setdefault(name, {}).setdefault(left, [])
                found.append(area(pairs, name)[0])
    table = pd.DataFrame(
        {name: {left: np.mean(found) for left, found in of.items()} for name, of in areas.items()}
    ).T
    table["mean"] = table.mean(axis=1)
    print(table.sort_values("mean", ascending=False).round(3).to_string(), flush=True)


def report(kind: str, inside: Inputs, outside: Inputs, divisions: int) -> None:
    pairs = [pair for seed in range(divisions) for pair in folds(kind, inside, outside, seed)]
    for name in (CHOSEN, "distance from medians", "entropy"):
        told = "{:.3f} [{:.3f}, {:.3f}]".format(*area(pairs, name))
        by_genre = {
            genre: area([(old, new[new["genre"] == genre]) for old, new in pairs], name)[0]
            for genre in UNSEEN
        }
        parts = ", ".join(f"{genre} {value:.3f}" for genre, value in by_genre.items())
        print(f"{kind:<8} {name:<22} {told}  ({parts})")
    old, new = (pd.concat(side) for side in zip(*pairs, strict=True))
    by_genre = ", ".join(
        f"{g} {share:.2f}" for g, share in new.groupby("genre")["unlike"].mean().items()
    )
    print(
        f"{kind:<8} called unlike training: {old['unlike'].mean():.3f} of recordings of known "
        f"genres, {new['unlike'].mean():.3f} of unknown ({by_genre})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["linear", "forest"])
    parser.add_argument("--divisions", type=int, default=2, help="into folds")
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("unseen_genres: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    print(describe_machine("numpy", "scikit-learn"))
    whole = load(Path(data))
    unknown = whole.clips["genre"].isin(UNSEEN).to_numpy()
    for what, rows in (("known", ~unknown), ("unknown", unknown)):
        clips = whole.clips[rows]
        n, artists = recordings_of(clips).nunique(), clips["group"].nunique()
        print(f"{what}: {n} recordings, {artists} artists")
    for name, features in SETS.items():
        inputs = Inputs(whole.X[list(features)], whole.clips)
        inside, outside = inputs.rows(~unknown), inputs.rows(unknown)
        for kind in arguments.models:
            print(f"\n{kind}, {name} features: one known genre left out")
            choose(kind, inside, arguments.divisions)
            print("genres never seen")
            report(kind, inside, outside, arguments.divisions)


if __name__ == "__main__":
    main()
