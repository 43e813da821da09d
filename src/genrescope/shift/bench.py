"""The adaptation bench: every method, model and seed from one corpus to another, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from genrescope.errors import ConfigError
from genrescope.evaluation.cells import predict_cell
from genrescope.evaluation.counts import group_counts, metrics_of
from genrescope.evaluation.metrics import score
from genrescope.evaluation.significance import LEVEL, holm, paired_difference
from genrescope.models import create_model, model_class
from genrescope.shift.adaptation import methods_of
from genrescope.shift.adapted import AdaptedModel, Clips, source_folds

BASELINE = "none"
FOLDS = 5
RESULT_COLUMNS = ["model", "method", "n", "n_groups", "seeds", "accuracy", "macro_f1"]
RESULT_COLUMNS += ["macro_f1_low", "macro_f1_high", "seed_sd", "difference", "low", "high"]
RESULT_COLUMNS += ["p_value", "p_adjusted", "significant"]


def clip_frame(clips: Clips) -> pd.DataFrame:
    """Clips as `evaluation.cells.predict_cell` wants them: `clip_id`, `group`, `genre`.

    Examples
    --------
    >>> clip_frame(Clips(np.zeros((1, 1)), np.array(["x"]), np.array(["a"]))).values.tolist()
    [['0', 'a', 'x']]
    """
    names = [str(row) for row in range(len(clips.y))]
    return pd.DataFrame({"clip_id": names, "group": clips.groups, "genre": clips.y})


def run_bench(
    source: Clips,
    target: Clips,
    genres: Sequence[str],
    *,
    methods: Sequence[str] | None = None,
    models: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
) -> pd.DataFrame:
    """Predict all target clips with every adaptation, model and seed.

    Parameters
    ----------
    source, target : Clips
        All of the source is trained on. The target's clips are adapted to; its genres are only
        written beside the answers.
    genres : sequence of str
        In display order.
    methods : sequence of str, optional
        As `create_adaptation` takes them; all there are for a model where not given.
    models : mapping of str to mapping
        Parameters by kind of model.
    seeds : sequence of int
        Of the models. Adaptation and calibration are those of the first in all.

    Returns
    -------
    DataFrame
        `method`, `model`, then the columns of `predict_cell`; a row per clip of each run.

    Raises
    ------
    ConfigError, TrainingError
        Where a method is unknown or the corpora do not fit each other.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (30, 2)), rng.normal(5, 1, (30, 2))])
    >>> home = Clips(X, np.repeat(["slow", "fast"], 30), np.arange(60))
    >>> away = home._replace(X=3 * X + 40)
    >>> found = run_bench(home, away, ["slow", "fast"], methods=["none", "standardise"],
    ...     models={"forest": {"n_estimators": 20}}, seeds=[0, 1])
    >>> summarise_bench(found, ["slow", "fast"])[["method", "macro_f1", "significant"]].round(2)
            method  macro_f1  significant
    0         none      0.33        False
    1  standardise      1.00         True
    """
    clips = clip_frame(target)
    tables = []
    for kind, params in models.items():
        for method in methods or methods_of(model_class(kind).input):
            first = None
            for seed in seeds:
                model = AdaptedModel(method, kind, params, seed=seed)
                first = model.fit(source, target.X, like=first)
                answers = predict_cell(model, target.X, clips, genres, seed=seed)
                answers.insert(0, "model", kind)
                answers.insert(0, "method", method)
                tables.append(answers)
    return pd.concat(tables, ignore_index=True)


def summarise_bench(
    predictions: pd.DataFrame,
    genres: Sequence[str],
    *,
    baseline: str = BASELINE,
    n_resamples: int = 1000,
    n_permutations: int = 9999,
) -> pd.DataFrame:
    """Score every method and compare it with no adaptation, clip by clip.

    Scores are of the answers of all seeds together; intervals and tests resample the target's
    groups with all their seeds, since another seed is no new clip.

    Parameters
    ----------
    predictions : DataFrame
        As from `run_bench`.
    genres : sequence of str
    baseline : str
        The method all others are compared with.
    n_resamples, n_permutations : int
        As in `paired_difference`.

    Returns
    -------
    DataFrame
        `RESULT_COLUMNS`; `difference`, `low`, `high` of macro-F1 against the baseline,
        `p_adjusted` by Holm over all methods and models, `seed_sd` the standard deviation of
        macro-F1 between seeds.

    Raises
    ------
    ConfigError
        Where the baseline is not among the methods.
    """
    if baseline not in set(predictions["method"]):
        raise ConfigError(f"the baseline {baseline!r} is not among the methods that were run")
    rows = []
    for kind, of_kind in predictions.groupby("model", sort=False):
        by_method = dict(list(of_kind.groupby("method", sort=False)))
        for method, found in by_method.items():
            row = {"model": kind, "method": method, **score(found, genres, n_resamples=n_resamples)}
            row |= {"n": found["clip_id"].nunique(), "seeds": found["seed"].nunique()}
            row |= {"n_groups": found["group"].nunique(), "seed_sd": _seed_sd(found, genres)}
            if method != baseline:
                difference = asdict(
                    paired_difference(
                        found,
                        by_method[baseline],
                        genres,
                        n_resamples=n_resamples,
                        n_permutations=n_permutations,
                    )
                )
                row |= {name: difference[name] for name in ("low", "high", "p_value")}
                row["difference"] = difference["value"]
            rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=RESULT_COLUMNS)
    adjusted = holm(table["p_value"].to_numpy(dtype=np.float64))
    return table.assign(p_adjusted=adjusted, significant=adjusted < LEVEL)


def _seed_sd(predictions: pd.DataFrame, genres: Sequence[str]) -> float:
    scores = [
        metrics_of(group_counts(found, genres).total())["macro_f1"].item()
        for _, found in predictions.groupby("seed")
    ]
    return float(np.std(scores, ddof=1)) if len(scores) > 1 else float("nan")


def in_domain(
    clips: Clips,
    genres: Sequence[str],
    *,
    kind: str,
    params: Mapping[str, Any] | None = None,
    seeds: Sequence[int],
) -> pd.DataFrame:
    """Predict every clip of a corpus by models trained on its other groups.

    Parameters
    ----------
    clips : Clips
        Where groups are artists, no artist is on both sides; where they are rows, an artist can
        be, and the score flatters.
    genres : sequence of str
    kind, params
        The model.
    seeds : sequence of int
        Of the five folds and the model alike.

    Returns
    -------
    DataFrame
        As from `predict_cell`, every clip once per seed.
    """
    frame = clip_frame(clips)
    answers = []
    for seed in seeds:
        for train, held in source_folds(clips, FOLDS, seed=seed):
            model = create_model(kind, **({"random_state": seed} | dict(params or {})))
            seen, tested = clips.rows(train), clips.rows(held)
            model.fit(seen.X, seen.y)
            answers.append(predict_cell(model, tested.X, frame.iloc[held], genres, seed=seed))
    return pd.concat(answers, ignore_index=True)
