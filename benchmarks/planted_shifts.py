"""Whether the decomposition of a drop finds what was planted, on music rendered by code.

Clips of the built-in Western corpus, six genres folded into four; some artists train a forest, the
others are the population. Genres are drawn from known chances: those of a logistic regression on
the corpus' own labels, less sure where music is bright and fast. So every density is known, and
with it what each cause costs (`planted.truth`). Each scenario is drawn 50 times: 600 source and
900 target clips by artist. Printed for each cause: the truth, the mean estimate, their distance in
percent of the whole drop, and how many of the 50 intervals hold the truth.

    python benchmarks/planted_shifts.py [--tracks 250] [--draws 50] [--resamples 200]
                                        [--only NAME ...] [--pool FILE.parquet]
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from planted import CAUSES, Population, Target, sample, target, truth
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genrescope.corpora.synthesis.tracks import LABELS, artist_number, render_track
from genrescope.features.vector import FEATURE_NAMES, extract
from genrescope.models import create_model
from genrescope.shift import overlap
from genrescope.shift.decomposition import decompose_shift

GENRES = ["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"]
FOLDED = {"blues": 0, "hiphop": 1, "disco": 2, "pop": 2, "rock": 3, "metal": 3}
CLIPS = 2  # of 5 s in each track
SEED = 7
TRAINING = 0.2  # share of the artists


def render(tracks: int) -> pd.DataFrame:
    """Feature vectors of the clips, with `label` and `artist`."""
    vectors, rows = [], []
    for number in range(tracks):
        for label in LABELS:
            sound = render_track(label, number, seed=SEED, duration_s=5.0 * CLIPS)
            clips = sound.astype(np.float32).reshape(CLIPS, -1)
            vectors.append(extract(clips, log_mels=False).vectors)
            rows += [(label, f"{label} {artist_number(number)}")] * CLIPS
    table = pd.DataFrame(np.concatenate(vectors), columns=list(FEATURE_NAMES))
    table[["label", "artist"]] = rows
    return table


def populate(pool: pd.DataFrame) -> tuple[Population, np.ndarray]:
    """The population, and how hard its clips are (in standard deviations)."""
    X = pool[list(FEATURE_NAMES)]
    standard = (X - X.mean()) / X.std()
    hardness = (standard["spec_cent_mean"] + 0.5 * standard["tempo"]).to_numpy()
    teacher = make_pipeline(StandardScaler(), LogisticRegression(C=0.02, max_iter=5000))
    teacher.fit(X, pool["label"].map(FOLDED))
    sure = 1.0 - 0.8 * expit(2.5 * (hardness - 0.3))
    chances = softmax(sure[:, np.newaxis] * teacher.predict_log_proba(X), axis=1)
    artists, names = pd.factorize(pool["artist"], sort=True)
    rng = np.random.default_rng(0)
    trains = np.isin(artists, rng.permutation(len(names))[: int(TRAINING * len(names))])
    drawn = [GENRES[int(rng.choice(len(GENRES), p=row))] for row in chances[trains]]
    model = create_model("forest", n_estimators=100, n_jobs=1, random_state=0)
    answers = model.fit(X[trains], drawn).predict_proba(X[~trains])
    groups = pd.factorize(artists[~trains])[0]
    clips = X[~trains].reset_index(drop=True)
    return Population(clips, chances[~trains], answers, groups, GENRES), hardness[~trains]


def scenarios(population: Population, hardness: np.ndarray) -> dict[str, Target]:
    loud, bright = (population.X[name].to_numpy() for name in ("rms_mean", "spec_cent_mean"))
    loud_half, bright_part = loud > np.median(loud), bright > np.quantile(bright, 0.4)
    return {
        "none": target(population),
        "label": target(population, shares=(3.0, 0.3, 0.6, 1.5)),
        "covariate": target(population, kept=expit(1.5 * hardness - 1)),
        "concept": target(population, region=bright_part, relabelled=0.5),
        "label + concept": target(
            population, shares=(3.0, 0.4, 0.6, 1.5), region=loud_half, relabelled=0.4
        ),
        "covariate + concept": target(
            population, kept=expit(1.5 * hardness - 1), region=loud_half, relabelled=0.4
        ),
        "all three": target(
            population,
            kept=expit(2.0 * hardness - 1),
            region=loud_half,
            relabelled=0.3,
            shares=(2.0, 0.4, 0.8, 1.5),
        ),
        "covariate, band": target(population, kept=np.exp(-2 * (hardness - 0.7) ** 2)),
        "covariate, strong": target(population, kept=expit(3.0 * hardness - 3)),
        "covariate, extreme": target(population, kept=expit(8.0 * hardness - 10) + 3e-4),
    }


def trial(population: Population, shift: Target, arguments: Any) -> tuple[pd.DataFrame, Any]:
    """Every draw's estimates beside the truth."""
    known, rows, areas = truth(population, shift), [], []
    for draw in range(arguments.draws):
        rng = np.random.default_rng([draw, 1])
        home = sample(population, target(population), arguments.clips[0], rng)
        away = sample(population, shift, arguments.clips[1], rng)
        found = decompose_shift(
            home.predictions,
            away.predictions,
            GENRES,
            source_features=home.features,
            target_features=away.features,
            n_resamples=arguments.resamples,
            seed=draw,
        )
        areas.append(found.overlap.auc)
        rows += found.frame().to_dict("records")
    table = pd.DataFrame(rows)
    table["truth"] = [known[row["metric"]][row["cause"]] for row in rows]
    table["held"] = table["truth"].between(table["low"], table["high"])
    return table, (known["overlap"]["auc"], float(np.mean(areas)))


def report(name: str, table: pd.DataFrame, areas: tuple[float, float]) -> None:
    print(f"\n{name}: AUC by the true densities {areas[0]:.3f}, as estimated {areas[1]:.3f}")
    for metric, of_metric in table.groupby("metric", sort=False):
        total = of_metric.loc[of_metric["cause"] == "total", "truth"].iloc[0]
        for cause in CAUSES:
            rows = of_metric[of_metric["cause"] == cause]
            off = rows["drop"].mean() - rows["truth"].iloc[0]
            percent = f"{100 * off / total:+6.1f}%" if abs(total) > 0.01 else "      –"
            error = rows["drop"].std(ddof=1) / np.sqrt(len(rows))
            print(
                f"  {metric:<9} {cause:<10} truth {rows['truth'].iloc[0]:+.3f}  "
                f"mean {rows['drop'].mean():+.3f} (± {error:.3f})  off by {percent} of the drop  "
                f"held {rows['held'].sum()} of {len(rows)}"
            )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=250, help="of each of the six labels")
    parser.add_argument("--draws", type=int, default=50)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--clips", type=int, nargs=2, default=(600, 900))
    parser.add_argument("--only", nargs="+", help="names of scenarios")
    parser.add_argument("--pool", type=Path, help="keep the rendered clips' features here")
    arguments = parser.parse_args()
    if arguments.pool and arguments.pool.exists():
        pool = pd.read_parquet(arguments.pool)
    else:
        pool = render(arguments.tracks)
        if arguments.pool:
            pool.to_parquet(arguments.pool)
    population, hardness = populate(pool)
    print(f"{len(population.X)} clips of {len(set(population.groups.tolist()))} artists")
    # The limit of the AUC is what is measured here: every draw is divided.
    overlap.AUC_LIMIT = 1.0
    for name, shift in scenarios(population, hardness).items():
        if not arguments.only or name in arguments.only:
            report(name, *trial(population, shift, arguments))


if __name__ == "__main__":
    main()
