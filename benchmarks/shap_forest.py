"""Tree SHAP of a forest of 500 trees, against one process of shap's own TreeExplainer.

3,460 rows of 75 features in four classes, as many clips as the paper's Korean corpus has, and the
forest is grown on as many others. Both are timed in this run, one after the other; the values are
compared, and for both tree models the largest gap between the sum of values and the model's answer
is told.

    python benchmarks/shap_forest.py [--rows 3460] [--trees 500] [--repeats 1]
"""

import argparse
import time
import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from machine import describe_machine

from genrescope.explanations.shapley import shap_values
from genrescope.features.vector import FEATURE_NAMES
from genrescope.models import create_model

GENRES = ["Blues-like", "HipHop/Rap", "Pop/Dance/RnB", "Rock/Metal"]


def clips(n: int, *, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Feature vectors of four overlapping classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(len(GENRES), size=n)
    centres = np.random.default_rng(0).normal(0, 0.6, (len(GENRES), len(FEATURE_NAMES)))
    X = (centres[y] + rng.normal(size=(n, len(FEATURE_NAMES)))).astype(np.float32)
    return pd.DataFrame(X, columns=list(FEATURE_NAMES)), np.array(GENRES)[y]


def rival(forest: Any, X: pd.DataFrame) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        from shap import TreeExplainer
    return TreeExplainer(forest).shap_values(X.to_numpy(np.float32), check_additivity=False)


def timed(work: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=3460)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    print(describe_machine("shap", "scikit-learn", "xgboost-cpu"))
    train, y = clips(arguments.rows, seed=1)
    X, _ = clips(arguments.rows, seed=2)
    forest = create_model("forest", n_estimators=arguments.trees).fit(train, y)
    boosting = create_model("boosting", n_estimators=arguments.trees).fit(train, y)
    rival(forest.forest_, X.head(2))  # imports shap
    for _ in range(arguments.repeats):
        theirs, expected = timed(partial(rival, forest.forest_, X))
        ours, found = timed(partial(shap_values, forest, X, workers=None))
        gap = np.abs(found.values - expected).max()
        print(
            f"forest: {ours:.1f} s, one TreeExplainer {theirs:.1f} s, ratio {ours / theirs:.2f}; "
            f"values differ by at most {gap:.1e}, residual {found.residual:.1e}"
        )
    seconds, found = timed(partial(shap_values, boosting, X))
    print(f"boosting: {seconds:.1f} s, residual {found.residual:.1e}")


if __name__ == "__main__":
    main()
