"""Choosing an adaptation without a single target label."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import f1_score

from genrescope.errors import ConfigError
from genrescope.shift.adaptation import SELF_TRAINED
from genrescope.shift.adapted import AdaptedModel, Clips, source_folds

FOLDS = 3
RATING_COLUMNS = ("model", "method", "agreement", "chosen")
CHOICE_COLUMNS = ["model", "chosen", "macro_f1", "difference", "low", "high", "p_adjusted"]
CHOICE_COLUMNS += ["oracle", "oracle_macro_f1", "regret"]


def rate_methods(predictions: pd.DataFrame, genres: Sequence[str]) -> pd.DataFrame:
    """How far each method agrees with all the others about the target's clips.

    Self-trained variants take no part: they repeat the errors of the method they refine.

    The others' mean probabilities name a genre for each clip; the rating is the macro-F1 of the
    method's own answers against these names, all seeds together. Where methods err in different
    places, the one that agrees most with the rest errs least (Platanios, Blum and Mitchell 2014,
    "Estimating accuracy from unlabeled data"). Where most of them share an error it
    is the wrong guide. Unlike the distance between aligned corpora it can rate methods that change
    weights or probabilities too, and it costs no further training.

    Parameters
    ----------
    predictions : DataFrame
        As from `bench.run_bench`: `method`, `model`, `seed`, `clip_id`, `predicted` and the
        probabilities. `genre` is not read and may be missing.
    genres : sequence of str
        In display order.

    Returns
    -------
    DataFrame
        `RATING_COLUMNS`, best first within each model; `chosen` marks the best.

    Raises
    ------
    ConfigError
        Where there are fewer than three methods: two agree with each other alike.

    Examples
    --------
    >>> answers = {"none": [0.9, 0.7], "coral": [0.8, 0.1], "quantile": [0.7, 0.2]}
    >>> frame = pd.concat([pd.DataFrame({"method": name, "model": "forest", "seed": 0,
    ...     "clip_id": ["1", "2"], "x": np.array(p), "y": 1 - np.array(p),
    ...     "predicted": np.where(np.array(p) > 0.5, "x", "y")}) for name, p in answers.items()])
    >>> rate_methods(frame, ["x", "y"])[["method", "agreement"]].round(2).values.tolist()
    [['coral', 1.0], ['quantile', 1.0], ['none', 0.33]]
    """
    rows: list[tuple[str, str, float, bool]] = []
    refined = predictions["method"].str.endswith(SELF_TRAINED)
    for kind, of_kind in predictions[~refined].groupby("model", sort=False):
        answers = {
            str(method): found.sort_values(["seed", "clip_id"])
            for method, found in of_kind.groupby("method", sort=False)
        }
        if len(answers) < 3:
            raise ConfigError(
                f"agreement rates three methods or more; of {kind} there are {len(answers)}"
            )
        total = np.sum([found[list(genres)].to_numpy() for found in answers.values()], axis=0)
        rated: list[tuple[float, str]] = []
        for method, found in answers.items():
            others = np.asarray(genres)[(total - found[list(genres)].to_numpy()).argmax(axis=1)]
            own = found["predicted"].to_numpy(dtype=str)
            rated.append((_macro_f1(others, own), method))
        rated.sort(key=lambda pair: -pair[0])
        for place, (agreement, method) in enumerate(rated):
            rows.append((str(kind), method, agreement, place == 0))
    return pd.DataFrame(rows, columns=pd.Index(RATING_COLUMNS))


def choices(ratings: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """What was chosen without target labels, and apart from it what an oracle would have.

    Parameters
    ----------
    ratings : DataFrame
        As from `rate_methods`.
    results : DataFrame
        As from `bench.summarise_bench`, which needs the target's labels.

    Returns
    -------
    DataFrame
        `CHOICE_COLUMNS`: a row per model for the chosen method, and another for its self-trained
        variant where that was run; with their difference from no adaptation, the oracle's
        method, which nobody can know without labels, its score, and what the choice lost
        against it.
    """
    rows = []
    scores = results.set_index(["model", "method"])
    for row in ratings[ratings["chosen"]].to_dict("records"):
        of_model = scores.loc[row["model"]]
        best = float(of_model["macro_f1"].max())
        for method in (row["method"], row["method"] + SELF_TRAINED):
            if method not in of_model.index:
                continue
            found = of_model.loc[method].to_dict()
            found["difference"] = np.nan_to_num(found["difference"])
            found |= {"model": row["model"], "chosen": method}
            found |= {"oracle": of_model["macro_f1"].idxmax(), "oracle_macro_f1": best}
            rows.append({**found, "regret": best - found["macro_f1"]})
    return pd.DataFrame(rows, columns=pd.Index(CHOICE_COLUMNS))


def reverse_validation(
    method: str,
    kind: str,
    source: Clips,
    target: Clips,
    *,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> float:
    """Macro-F1 on held-out source clips after going to the target and back.

    A second criterion, reported beside `rate_methods` and not used. A model that is trained on two
    thirds of the source and adapted answers for the target. A second model learns from these
    answers, is adapted back to the source, and is scored on the third that was held out (Zhong
    et al. 2010, "Cross validation framework to choose amongst models and datasets for transfer
    learning"; Ganin et al. 2016, "Domain-adversarial training of neural networks", section
    5.1.2).

    Parameters
    ----------
    method : str
        A key of `genrescope.shift.adaptation.METHODS`.
    kind : str
        `forest` or `boosting`.
    source : Clips
        Groups are kept apart in the folds.
    target : Clips
        Its genres `y` are not read.
    params : mapping, optional
        Of the model.
    seed : int
        Of folds and model.

    Returns
    -------
    float
        In [0, 1].
    """
    truth, back = [], []
    for train, held in source_folds(source, FOLDS, seed=seed):
        there = AdaptedModel(method, kind, params, seed=seed).fit(source.rows(train), target.X)
        answers = there.predict(target.X)
        truth.append(source.y[held])
        if len(set(answers.tolist())) < 2:
            back.append(np.full(len(held), answers[0]))
            continue
        again = AdaptedModel(method, kind, params, seed=seed)
        again.fit(target._replace(y=answers), source.X[train])
        back.append(again.predict(source.X[held]))
    return _macro_f1(np.concatenate(truth), np.concatenate(back))


def _macro_f1(truth: npt.NDArray[Any], found: npt.NDArray[Any]) -> float:
    # Over the genres of the truth, as in evaluation.
    names = np.unique(truth).tolist()
    return float(f1_score(truth, found, labels=names, average="macro", zero_division=0))
