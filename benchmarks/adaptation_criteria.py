"""Which criterion finds the better adaptation without target labels: planted shifts of GTZAN.

GTZAN's table under `$GENRESCOPE_DATA` is halved with artists apart, three times. One half is the
source; the other, changed in a known way, the target: its vectors as they are, gain and offset by
feature, a rising curve, features mixed and scaled, another share of one genre, and that with gain.
No music of another culture is touched, so the criterion is fixed before it is used.

    python benchmarks/adaptation_criteria.py [--trees 100] [--halves 3]
"""

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from adaptation import load
from scipy.stats import spearmanr

from genrescope.evaluation.counts import group_counts, metrics_of
from genrescope.shift.adaptation import METHODS, SELF_TRAINED
from genrescope.shift.adapted import Clips, source_folds
from genrescope.shift.bench import run_bench
from genrescope.shift.selection import rate_methods, reverse_validation

GAIN, OFFSET, MIXING, CURVE = 0.4, 0.8, 0.08, 0.7  # in standard deviations of a feature
KEPT = 4  # one clip in so many stays of the genre that becomes rare


def planted(source: Clips, target: Clips, seed: int) -> dict[str, Clips]:
    """The target changed in six known ways."""
    rng = np.random.default_rng(seed)
    mean, spread = source.X.mean(axis=0), source.X.std(axis=0)
    Z = (target.X - mean) / spread
    k = Z.shape[1]

    def gain(values: np.ndarray) -> np.ndarray:
        return values * np.exp(GAIN * rng.normal(size=k)) + OFFSET * rng.normal(size=k)

    def changed(values: np.ndarray) -> Clips:
        return target._replace(X=values * spread + mean)

    rare = np.flatnonzero(target.y == np.unique(target.y)[seed % len(np.unique(target.y))])
    kept = np.union1d(np.setdiff1d(np.arange(len(Z)), rare), rare[::KEPT])
    return {
        "artists alone": target,
        "gain": changed(gain(Z)),
        "curve": changed(np.sinh(CURVE * Z) + OFFSET * rng.normal(size=k)),
        "mixing": changed(gain(Z @ (np.eye(k) + MIXING * rng.normal(size=(k, k))))),
        "shares": target.rows(kept),
        "shares, gain": changed(gain(Z)).rows(kept),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--halves", type=int, default=3)
    arguments = parser.parse_args()
    data = os.environ.get("GENRESCOPE_DATA")
    if not data:
        print("adaptation_criteria: GENRESCOPE_DATA names no folder of real data")
        return
    clips = load(Path(data), "gtzan")
    genres = sorted(set(clips.y.tolist()))
    params = {"n_estimators": arguments.trees, "n_jobs": 1}
    scores, quality = [], []
    for half in range(arguments.halves):
        one, other = source_folds(clips, 2, seed=half)[0]
        source = clips.rows(one)
        for shift, target in planted(source, clips.rows(other), half).items():
            methods = [*METHODS, "standardise" + SELF_TRAINED, "quantile" + SELF_TRAINED]
            found = run_bench(
                source, target, genres, methods=methods, models={"forest": params}, seeds=[0]
            )
            true = pd.Series(
                {
                    method: metrics_of(group_counts(part, genres).total())["macro_f1"].item()
                    for method, part in found.groupby("method", sort=False)
                }
            )
            scores.append(true.rename(f"{shift} {half}"))
            blind = rate_methods(found.drop(columns="genre"), genres)
            reverse = {
                method: reverse_validation(method, "forest", source, target, params=params)
                for method in METHODS
            }
            criteria = {
                "agreement": blind.set_index("method")["agreement"],
                "reverse validation": pd.Series(reverse),
            }
            for name, rating in criteria.items():
                known = true[list(METHODS)]
                order = float(spearmanr(rating[known.index], known).statistic)
                chosen = known[rating.idxmax()]
                row = (name, shift, order, chosen - known["none"], known.max() - chosen)
                quality.append((*row, rating.idxmax()))
    table = pd.DataFrame(scores)
    print("mean difference of macro-F1 from no adaptation, by method")
    print(table.sub(table["none"], axis=0).mean().round(3).to_string())
    for name in ("standardise", "quantile"):
        gain = table[name + SELF_TRAINED] - table[name]
        print(f"self-training after {name}: {gain.mean():+.3f}, better in {(gain > 0).sum()}")
    columns = pd.Index(["criterion", "shift", "rank_correlation", "gain", "regret", "chosen"])
    found = pd.DataFrame(quality, columns=columns)
    print(found.round(3).to_string(index=False))
    print(found.groupby("criterion")[["rank_correlation", "gain", "regret"]].mean().round(3))


if __name__ == "__main__":
    main()
