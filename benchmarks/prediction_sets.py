"""Whether prediction sets hold the true genre as often as they say, on recordings held out.

The recordings are those of the study's six GTZAN genres under `$GENRESCOPE_DATA`: the tracks of
`gtzan_mini`, whose segments vote, and the excerpts of `gtzan_short`. Several times over they are
divided into five outer folds with artists apart; of the other four folds, some artists validate
and the rest train. Each model is calibrated twice, on the validation part and on answers out of
inner folds (as `genrescope train` does), and its sets are tested on the outer fold. Beside the
sets that bundles use stand adaptive ones (Romano et al. 2020, without randomisation).

Then the same where models learn from, and are calibrated on, the first segment of each recording
only, as `genrescope train` takes one of each file, and are asked about whole tracks too. And with
tracks of GTZAN's table of ready features, whose sets are tested on Bangla music as well: nothing
vouches for them there.

    python benchmarks/prediction_sets.py [--models linear svm forest boosting] [--divisions 5]
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from adaptation import TABLES, TAXONOMY
from artist_gap import FOLDS, held_out_for_validation
from machine import describe_machine
from model_choice import load, split
from scipy.stats import binom

from genrescope.corpora.corpus import regroup
from genrescope.corpora.index import index_corpus
from genrescope.evaluation.paired import grouped_mean
from genrescope.evaluation.tracks import by_track
from genrescope.models.prediction_sets import threshold
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import ModelSettings
from genrescope.study.cross_validation import cross_validate
from genrescope.study.kept_aside import KeptAside, recordings_of
from genrescope.study.training import TrainingClips, fit_model
from genrescope.taxonomy import load_taxonomy

ASKED = (0.8, 0.9, 0.95)
PARAMS: dict[str, dict[str, Any]] = {
    "forest": {"n_estimators": 200},
    "boosting": {"n_estimators": 150},
}
CASE = ["where", "sets", "calibrated on", "asked"]


class Inputs(NamedTuple):
    """Feature vectors and the clips they are of."""

    X: pd.DataFrame
    clips: pd.DataFrame

    def rows(self, rows: Any) -> "Inputs":
        return Inputs(self.X.iloc[rows], self.clips.iloc[rows])


Others = Callable[
    [Inputs], dict[str, Inputs]
]  # what else a model is asked, given its held-out clips


def segments(data: Path) -> Inputs:
    X, clips = load(data)
    return Inputs(X, clips.set_index("clip_id", drop=False))


def table(data: Path, name: str) -> Inputs:
    corpus = index_corpus(
        "feature-table",
        data / "features_tables" / TABLES[name],
        name=name,
        culture=name,
        taxonomy=load_taxonomy(TAXONOMY),
        options={"duplicates": "keep"},
    )
    clips = regroup(corpus, "artist").set_index("clip_id", drop=False)
    clips = clips[clips["genre"].notna()]
    assert corpus.features is not None
    return Inputs(corpus.features.loc[clips.index], clips)


def ask(model: Any, inputs: Inputs, statistics: FeatureStatistics, genres: list[str]) -> KeptAside:
    X, clips = inputs
    return KeptAside.of(model, X, X, clips, statistics=statistics, genres=genres, seed=0)


def trained(
    kind: str, inputs: Inputs, genres: list[str], *, seed: int
) -> tuple[Any, FeatureStatistics, dict[str, KeptAside]]:
    """A model, and the answers it can be calibrated on."""
    X, clips = inputs
    validating = held_out_for_validation(clips)
    y = clips["genre"].to_numpy(dtype=object)
    validating = validating & np.isin(y, y[~validating])
    settings = ModelSettings(kind=kind, params=PARAMS.get(kind, {}))
    held = X[validating], y[validating]
    model = fit_model(settings, TrainingClips(X[~validating], y[~validating], held), seed=0)
    statistics = FeatureStatistics.from_clips(X[~validating], y[~validating].tolist())
    parts = clips.assign(part=np.where(validating, "validation", "train"))
    folds = cross_validate(
        settings, X, parts, genres=genres, seed=seed, n_resamples=2, tell=lambda _: None
    )
    assert folds is not None
    kept = {
        "validation": ask(model, inputs.rows(validating), statistics, genres),
        "out of fold": folds,
    }
    return model, statistics, kept


def adaptive_scores(answers: pd.DataFrame, genres: list[str]) -> np.ndarray:
    """What is more probable than each genre, itself included: Romano et al. 2020."""
    table = answers[genres].to_numpy(np.float64)
    order = np.argsort(-table, axis=1, kind="stable")
    scores = np.empty_like(table)
    np.put_along_axis(
        scores, order, np.cumsum(np.take_along_axis(table, order, axis=1), axis=1), axis=1
    )
    return scores


def adaptive(kept: KeptAside, tested: KeptAside, asked: float) -> pd.DataFrame:
    genres = list(tested.genres)
    known, new = (by_track(one.predictions, one.recordings, genres) for one in (kept, tested))
    place = {genre: column for column, genre in enumerate(genres)}
    rows, true = np.arange(len(known)), known["genre"].map(place).to_numpy()
    largest = threshold(adaptive_scores(known, genres)[rows, true], asked)
    sets = adaptive_scores(new, genres) <= largest
    sets[np.arange(len(new)), new[genres].to_numpy().argmax(axis=1)] = True
    covered = sets[np.arange(len(new)), new["genre"].map(place).to_numpy()]
    facts = new[["group", "genre"]].assign(covered=covered, size=sets.sum(axis=1))
    return facts.assign(right=(new["genre"] == new["predicted"]).to_numpy())


def tests(kind: str, inputs: Inputs, divisions: int, others: Others) -> Iterator[pd.DataFrame]:
    genres = sorted(inputs.clips["genre"].unique())
    for seed in range(divisions):
        for train, test in split(inputs.clips, FOLDS, seed):
            model, statistics, kept = trained(kind, inputs.rows(train), genres, seed=seed)
            held = inputs.rows(test)
            tested = {"held out": held, **others(held)}
            for where, of in tested.items():
                answers = ask(model, of, statistics, genres)
                for name, aside in kept.items():
                    calibration = aside.calibration()
                    assert calibration is not None
                    for asked in ASKED:
                        case = {"where": where, "calibrated on": name, "asked": asked}
                        case |= {"division": seed, "recordings": calibration.n}
                        found = answers.under(calibration, coverage=asked)
                        yield found.assign(sets="least ambiguous", **case)
                        if asked == 0.9:
                            yield adaptive(aside, answers, asked).assign(sets="adaptive", **case)


def tell(kind: str, found: pd.DataFrame) -> None:
    for case, of in found.groupby(CASE, sort=False):
        mean = grouped_mean(of["covered"], of["group"], n_permutations=1)
        by_genre = of.groupby("genre")["covered"].mean()
        told = ", ".join(f"{genre} {share:.2f}" for genre, share in by_genre.items())
        where, sets, calibrated, asked = case
        print(
            f"{kind:<9} {where:<9} {sets:<15} {calibrated:<12} {asked:.2f}  covered "
            f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]  n {mean.n} answers, "
            f"{mean.n_groups} groups  calibrated on {of['recordings'].mean():.0f}  size "
            f"{of['size'].mean():.2f}  accuracy {of['right'].mean():.3f}  unlike "
            f"{of['unlike'].mean():.3f}  ({told})"
        )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["linear", "svm", "forest", "boosting"])
    parser.add_argument("--divisions", type=int, default=5, help="into outer folds")
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("prediction_sets: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    print(describe_machine("numpy", "scikit-learn", "xgboost-cpu"))
    every, bangla = segments(Path(data)), table(Path(data), "bangla")
    names = recordings_of(every.clips)
    tracks = names.map(names.value_counts()) > 1

    def whole(held: Inputs) -> dict[str, Inputs]:
        same = names.isin(recordings_of(held.clips)) & tracks
        begun = recordings_of(held.clips).isin(names[same])
        return {"tracks": every.rows(same.to_numpy()), "starts": held.rows(begun.to_numpy())}

    cases: dict[str, tuple[Inputs, Others]] = {
        "gtzan_mini and gtzan_short, extended features": (every, lambda _: {}),
        "the same, by first segments": (
            every.rows((every.clips["start_s"] == 0).to_numpy()),
            whole,
        ),
        "GTZAN's table of 57 features": (
            table(Path(data), "gtzan"),
            lambda _: {"Bangla": bangla},
        ),
    }
    for title, (inputs, others) in cases.items():
        n = recordings_of(inputs.clips).nunique()
        print(f"\n{title}: {n} recordings, {inputs.clips['group'].nunique()} groups")
        for asked in ASKED:
            low, high = binom.interval(0.95, n, asked)
            print(
                f"{asked:.2f} of {n}: between {low / n:.3f} and {high / n:.3f} in 95 of 100 draws"
            )
        for kind in arguments.models:
            found = pd.concat(tests(kind, inputs, arguments.divisions, others), ignore_index=True)
            tell(kind, found)


if __name__ == "__main__":
    main()
