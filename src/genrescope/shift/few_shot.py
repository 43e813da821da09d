"""How many labelled target clips it takes: source and a few clips per genre of the target."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.errors import TrainingError
from genrescope.evaluation.cells import predict_cell
from genrescope.evaluation.metrics import score
from genrescope.models import create_model
from genrescope.shift.adaptation import create_adaptation
from genrescope.shift.adapted import Clips, source_folds
from genrescope.shift.bench import clip_frame

SHOTS = (0, 5, 10, 20, 50, 100)
DRAWS = 20
FOLDS = 3  # one of them is tested
SHARE = 0.9
CURVE_COLUMNS = ("per_genre", "n_labelled", "draws", "n_tested", "macro_f1", "low", "high")


def few_shot(
    source: Clips,
    target: Clips,
    genres: Sequence[str],
    *,
    kind: str,
    method: str = "standardise",
    params: Mapping[str, Any] | None = None,
    shots: Sequence[int] = SHOTS,
    draws: int = DRAWS,
    with_source: bool = True,
) -> pd.DataFrame:
    """Train on the source and some labelled target clips, and predict other target clips.

    Each draw sets a third of the target aside, groups apart, and tests on it whatever the number of
    labels; the labelled clips are drawn from the other two thirds. The adaptation sees the
    vectors of all target clips, labels are seen of the drawn ones only.

    Parameters
    ----------
    source, target : Clips
    genres : sequence of str
    kind, params
        The model.
    method : str
        An adaptation that changes vectors only.
    shots : sequence of int
        Labelled target clips per genre; all there are where a genre has fewer.
    draws : int
        Draws, seeds 0, 1, ...; in one draw the clips of a smaller shot are among those of a
        larger one.
    with_source : bool
        Whether the source is trained on as well; without it, shots of 0 are left out.

    Returns
    -------
    DataFrame
        `per_genre`, `n_labelled`, then the columns of `predict_cell`, whose `seed` is the draw.

    Raises
    ------
    TrainingError
        Where the method does more than change vectors.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (30, 2)), rng.normal(5, 1, (30, 2))])
    >>> home = Clips(X, np.repeat(["slow", "fast"], 30), np.arange(60))
    >>> away = home._replace(X=-X)
    >>> found = few_shot(home, away, ["slow", "fast"], kind="forest", shots=[0, 20], draws=2,
    ...     params={"n_estimators": 20})
    >>> few_shot_curve(found, ["slow", "fast"])["macro_f1"].round(1).tolist()
    [0.0, 0.4]
    """
    adaptation = create_adaptation(method).fit(source.X, source.y, target.X)
    more = adaptation.corrects_priors or adaptation.self_trains
    if more or adaptation.sample_weight_ is not None:
        raise TrainingError(f"{method} does more than change vectors: it has no few-shot curve")
    home = source._replace(X=adaptation.transform_source(source.X))
    away = target._replace(X=adaptation.transform_target(target.X))
    frame = clip_frame(target)
    tables = []
    for draw in range(draws):
        pool, tested = source_folds(target, FOLDS, seed=draw)[0]
        pool = np.random.default_rng(draw).permutation(pool)
        for per_genre in shots:
            labelled = away.rows(pool[_first_of_each(target.y[pool], per_genre)])
            if not with_source and not len(labelled.y):
                continue
            learned = home.joined(labelled) if with_source else labelled
            model = create_model(kind, **({"random_state": draw} | dict(params or {})))
            model.fit(learned.X, learned.y)
            answers = predict_cell(model, away.X[tested], frame.iloc[tested], genres, seed=draw)
            answers.insert(0, "n_labelled", len(labelled.y))
            answers.insert(0, "per_genre", per_genre)
            tables.append(answers)
    return pd.concat(tables, ignore_index=True)


def _first_of_each(labels: npt.NDArray[Any], count: int) -> npt.NDArray[np.intp]:
    return np.concatenate([np.flatnonzero(labels == name)[:count] for name in np.unique(labels)])


def few_shot_curve(predictions: pd.DataFrame, genres: Sequence[str]) -> pd.DataFrame:
    """Score the clips of each number of labels.

    Parameters
    ----------
    predictions : DataFrame
        As from `few_shot`.
    genres : sequence of str

    Returns
    -------
    DataFrame
        `CURVE_COLUMNS`, a row per number of labels. `macro_f1` is the mean over draws; `low` and
        `high` bound 95% of a bootstrap over the target's groups, each with all its draws, moved by
        what the mean and the score of all answers together differ in.

    Examples
    --------
    >>> frame = pd.DataFrame({"per_genre": 5, "n_labelled": 10, "seed": [0, 0, 1, 1],
    ...     "clip_id": list("abab"), "group": list("abab"), "genre": list("xyxy"),
    ...     "predicted": list("xyxy"), "x": [1.0, 0, 1, 0], "y": [0.0, 1, 0, 1]})
    >>> few_shot_curve(frame, ["x", "y"])[["per_genre", "draws", "macro_f1"]].values.tolist()
    [[5.0, 2.0, 1.0]]
    """
    rows = []
    for per_genre, found in predictions.groupby("per_genre"):
        means = [
            score(of_draw, genres, n_resamples=1)["macro_f1"]
            for _, of_draw in found.groupby("seed")
        ]
        pooled = score(found, genres)
        mean = float(np.mean(means))
        moved = mean - pooled["macro_f1"]
        rows.append(
            {
                "per_genre": per_genre,
                "n_labelled": round(float(found.groupby("seed")["n_labelled"].first().mean())),
                "draws": len(means),
                "n_tested": round(len(found) / len(means)),
                "macro_f1": mean,
                "low": pooled["macro_f1_low"] + moved,
                "high": pooled["macro_f1_high"] + moved,
            }
        )
    return pd.DataFrame(rows, columns=pd.Index(CURVE_COLUMNS))


def shots_needed(curve: pd.DataFrame, in_domain: float, *, share: float = SHARE) -> float:
    """Labelled clips per genre at which the curve reaches a share of the in-domain score.

    Linear between the measured numbers of clips.

    Parameters
    ----------
    curve : DataFrame
        As from `few_shot_curve`.
    in_domain : float
        Macro-F1 of a model of the target's own corpus, groups apart.
    share : float

    Returns
    -------
    float
        0 where no labels are needed, infinity where the curve does not get there.

    Examples
    --------
    >>> curve = pd.DataFrame({"per_genre": [0, 10, 20], "macro_f1": [0.3, 0.4, 0.6]})
    >>> shots_needed(curve, 0.5), shots_needed(curve, 0.9), shots_needed(curve, 0.3)
    (12.5, inf, 0.0)
    """
    goal = share * in_domain
    shots = curve["per_genre"].to_numpy(dtype=np.float64)
    scores = curve["macro_f1"].to_numpy(dtype=np.float64)
    reached = np.flatnonzero(scores >= goal - 1e-12)
    if not len(reached):
        return float("inf")
    first = int(reached[0])
    if first == 0:
        return float(shots[0])
    step = (goal - scores[first - 1]) / (scores[first] - scores[first - 1])
    return float(shots[first - 1] + step * (shots[first] - shots[first - 1]))
