"""Which model of feature vectors is best, chosen without seeing what it is scored on.

Clips, genres and outer folds are those of `artist_gap.py` with artists apart. For each outer fold
every candidate is scored on folds of its training clips alone, artists apart there too, and the one
with the lowest loss is trained on all of them and answers for the fold: nested cross-validation
(Varma and Simon 2006, "Bias in error estimation when using cross-validation for model selection").
The loss is the log loss averaged over genres. With two to four artists in a genre the macro-F1 of
inner folds moves in leaps, and a loss of probabilities does not.

The candidates were written down before any outer fold was scored. What they are made of was tried
on inner folds of the first outer fold's training clips, so that this fold alone is wholly unseen
by whoever wrote the list: the two feature sets, penalties, kernels, weights of genres, trees,
votes. Left out, because there they lost, or gained less than a hundredth, are shrinkage LDA,
principal components, features without level or without chroma, clipped and rank-normalised
features, and finer modulation bands; weights that count every artist alike gained a hundredth, but
no kind of model takes such weights. After the first run the defaults of the kind `linear` became
what it had chosen.

Beside the choice there are two tables: each kind with its defaults on either set of features, and
the candidates by mean inner loss. Which artists fall into a fold together moves a score by several
hundredths, so the first of that list is also compared over the pooled answers of more divisions
into folds. This part was added after the first run had begun and before it had told the score of a
candidate. Intervals are bootstraps over artists, comparisons are paired.

    python benchmarks/model_choice.py [--seed 0] [--divisions 10]
"""

import argparse
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from artist_gap import FOLDS, materials
from machine import describe_machine
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.class_weight import compute_sample_weight

from genrescope.evaluation.cells import predict_cell
from genrescope.evaluation.metrics import score
from genrescope.evaluation.significance import paired_difference
from genrescope.evaluation.tracks import by_track
from genrescope.features.vector import FEATURE_NAMES, feature_names
from genrescope.models import create_model
from genrescope.settings import FeatureSettings

INNER_FOLDS, INNER_SEEDS = 4, (0, 1)
SETS = {"paper": FEATURE_NAMES, "extended": feature_names(FeatureSettings(set="extended"))}
DEFAULTS = ("linear", "svm", "forest", "boosting", "ensemble")
BASELINE = ("linear", "paper", {"C": 1.0, "class_weight": None})
FORMER_DEFAULT = ("boosting", "paper", {})
LEAST = 1e-3  # a probability below it counts as it: one certain error must not decide
BALANCED = {"class_weight": "balanced"}

Candidate = tuple[str, str, dict[str, Any]]


def candidates() -> list[Candidate]:
    found: list[Candidate] = []
    for name, features in SETS.items():
        found += [
            ("linear", name, {"C": C, "class_weight": weight})
            for C in (0.01, 0.1, 1.0)
            for weight in (None, "balanced")
        ]
        found += [
            ("svm", name, {"C": C, "gamma": gamma, **BALANCED})
            for C in (1.0, 10.0)
            for gamma in ("scale", 0.3 / len(features))
        ]
        forest = {"n_estimators": 200, **BALANCED}
        members = {"linear": {"C": 0.1, **BALANCED}, "svm": {"C": 10.0, **BALANCED}}
        found += [
            ("forest", name, forest),
            ("boosting", name, {"n_estimators": 150}),
            ("ensemble", name, {"members": {**members, "forest": forest}}),
        ]
    return found


def label(candidate: Candidate) -> str:
    kind, features, params = candidate
    told = ", ".join(
        "+".join(value)
        if key == "members"
        else f"{key} {value:.2g}"
        if isinstance(value, float)
        else f"{key} {value}"
        for key, value in params.items()
        if value is not None
    )
    return f"{kind}, {features}" + (f", {told}" if told else "")


def answers(
    candidate: Candidate, X: pd.DataFrame, clips: pd.DataFrame, folds: Any, *, seed: int = 0
) -> pd.DataFrame:
    """Predictions of clips by models that learned from the other folds."""
    kind, features, params = candidate
    genres = sorted(clips["genre"].unique())
    found = []
    for train, test in folds:
        rows = X[list(SETS[features])]
        model = create_model(kind, **params)
        model.fit(rows.iloc[train], clips["genre"].to_numpy(object)[train])
        found.append(predict_cell(model, rows.iloc[test], clips.iloc[test], genres, seed=seed))
    return pd.concat(found, ignore_index=True)


def split(clips: pd.DataFrame, n_folds: int, seed: int) -> list[Any]:
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    return list(folds.split(clips, clips["genre"], clips["group"]))


def inner_loss(candidate: Candidate, X: pd.DataFrame, clips: pd.DataFrame) -> float:
    """Log loss averaged over genres, over folds of the clips at hand."""
    losses = []
    for seed in INNER_SEEDS:
        found = answers(candidate, X, clips, split(clips, INNER_FOLDS, seed))
        genres = sorted(found["genre"].unique())
        said = np.maximum(found[genres].to_numpy(np.float64), LEAST)
        losses.append(
            log_loss(
                found["genre"],
                said / said.sum(axis=1, keepdims=True),
                labels=genres,
                sample_weight=compute_sample_weight("balanced", found["genre"]),
            )
        )
    return float(np.mean(losses))


def by_name(found: pd.DataFrame, clips: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Predictions of clips, and of tracks by the mean of their clips."""
    genres = sorted(clips["genre"].unique())
    of_clips = clips.set_index("clip_id")["track"]
    tracks = [
        by_track(part, of_clips.loc[part["clip_id"]].to_numpy(), genres).assign(seed=seed)
        for seed, part in found.groupby("seed")
    ]
    voted = pd.concat(tracks, ignore_index=True).rename(columns={"track": "clip_id"})
    return {"clips": found, "tracks": voted}


def tell(name: str, found: pd.DataFrame, baseline: pd.DataFrame, clips: pd.DataFrame) -> None:
    genres = sorted(clips["genre"].unique())
    for what, frame in by_name(found, clips).items():
        row = score(frame, genres)
        gain = paired_difference(frame, by_name(baseline, clips)[what], genres)
        print(
            f"{name:<42} {what:<6} n {row['n']}  macro-F1 {row['macro_f1']:.3f} "
            f"[{row['macro_f1_low']:.3f}, {row['macro_f1_high']:.3f}]  over the baseline "
            f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}], p {gain.p_value:.3f}"
        )
    sys.stdout.flush()


def over_divisions(
    candidate: Candidate, X: pd.DataFrame, clips: pd.DataFrame, count: int
) -> pd.DataFrame:
    found = [
        answers(candidate, X, clips, split(clips, FOLDS, seed), seed=seed) for seed in range(count)
    ]
    return pd.concat(found, ignore_index=True)


def load(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    with TemporaryDirectory() as folder:
        settings = FeatureSettings(set="extended")
        found = materials(data, Path(folder), features=settings, log_mels=False)
        clips = pd.concat([material.clips for material in found]).reset_index(drop=True)
        X = pd.concat([m.inputs("vectors", list(m.clips.index)) for m in found])
    return X, clips


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the outer folds")
    parser.add_argument("--divisions", type=int, default=10, help="into folds, for the last lines")
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("model_choice: GENRESCOPE_DATA names no folder of real data; nothing measured")
        return
    print(describe_machine("numpy", "scikit-learn", "xgboost-cpu"))
    X, clips = load(Path(data))
    print(
        f"{len(clips)} clips, {clips['track'].nunique()} tracks, {clips['group'].nunique()} "
        f"artists; outer folds of seed {arguments.seed}"
    )
    outer = split(clips, FOLDS, arguments.seed)
    baseline = answers(BASELINE, X, clips, outer)
    tell(f"baseline: {label(BASELINE)}", baseline, baseline, clips)
    every, losses, chosen = candidates(), [], []
    for number, fold in enumerate(outer):
        train = fold[0]
        rows, known = X.iloc[train], clips.iloc[train]
        losses.append([inner_loss(candidate, rows, known) for candidate in every])
        best = every[int(np.argmin(losses[-1]))]
        print(f"fold {number}: {label(best)} (inner loss {min(losses[-1]):.3f})", flush=True)
        chosen.append(answers(best, X, clips, [fold]))
    tell("chosen inside", pd.concat(chosen, ignore_index=True), baseline, clips)
    print("\nKinds with their defaults")
    for kind in DEFAULTS:
        for features in SETS:
            candidate: Candidate = (kind, features, {})
            tell(label(candidate), answers(candidate, X, clips, outer), baseline, clips)
    print("\nCandidates by mean inner loss")
    for place in np.mean(losses, axis=0).argsort():
        print(f"{label(every[place]):<60} {np.mean(losses, axis=0)[place]:.3f}")
    first = every[int(np.mean(losses, axis=0).argmin())]
    tell(f"the first of them: {label(first)}", answers(first, X, clips, outer), baseline, clips)
    print(f"\n{arguments.divisions} divisions into folds")
    pooled = over_divisions(BASELINE, X, clips, arguments.divisions)
    tell(f"baseline: {label(BASELINE)}", pooled, pooled, clips)
    others: list[Candidate] = [(first[0], "paper", first[2]), ("linear", "extended", BASELINE[2])]
    best, former, *rest = (
        over_divisions(candidate, X, clips, arguments.divisions)
        for candidate in (first, FORMER_DEFAULT, *others)
    )
    told = zip((first, FORMER_DEFAULT, *others), (best, former, *rest), strict=True)
    for candidate, found in told:
        tell(label(candidate), found, pooled, clips)
    print("\nThe first of them over the former default of `genrescope train`")
    tell(label(first), best, former, clips)


if __name__ == "__main__":
    main()
