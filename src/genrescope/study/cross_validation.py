"""Cross-validation of one model inside the training and validation clips, groups kept whole."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.evaluation.counts import group_counts, metrics_of
from genrescope.evaluation.metrics import score
from genrescope.figures.style import number
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import ModelSettings
from genrescope.study.kept_aside import KeptAside
from genrescope.study.material import Material
from genrescope.study.training import TrainingClips, fit_model, gather

FOLDS = 5


def deal_folds(clips: pd.DataFrame, *, n_folds: int = FOLDS, seed: int = 0) -> list[Any]:
    """Rows of each fold, groups kept whole and the groups of each genre dealt out in turn.

    A group that is all there is of a genre in the training part is in no fold: without it the
    model could not know the genre.

    Parameters
    ----------
    clips : DataFrame [shape=(n, ...)]
        Columns `group`, `genre`, and `part`: `train` or `validation`.
    n_folds : int
        At most so many; fewer where there are fewer groups.
    seed : int
        Of the order in which the groups of a genre are dealt.

    Returns
    -------
    list of numpy.ndarray of int
        None where fewer than two groups could be held out.

    Examples
    --------
    >>> clips = pd.DataFrame({"group": list("aabbcd"), "genre": list("xxxxyy"), "part": "train"})
    >>> [fold.tolist() for fold in deal_folds(clips, n_folds=2)]
    [[2, 3, 4], [0, 1, 5]]
    """
    learnt = clips[clips["part"] == "train"].drop_duplicates(["group", "genre"])
    only = learnt["genre"].map(learnt["genre"].value_counts()) == 1
    free = clips[~clips["group"].isin(learnt.loc[only, "group"])]
    groups = free.groupby("group", sort=True)[["genre", "part"]].first()
    groups["turn"] = np.random.default_rng(seed % 2**63).permutation(len(groups))
    dealt = groups.sort_values(["genre", "part", "turn"]).index
    folds = min(n_folds, len(dealt))
    if folds < 2:
        return []
    of_group = {group: place % folds for place, group in enumerate(dealt)}
    fold = clips["group"].map(of_group).to_numpy(dtype=np.float64)
    return [np.flatnonzero(fold == k) for k in range(folds)]


def learning_clips(members: Sequence[Material], *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Feature vectors and clips of the training and validation parts of a source.

    Parameters
    ----------
    members : sequence of Material
        The corpora the source joins.
    seed : int
        Of the split.

    Returns
    -------
    X : DataFrame [shape=(n, n_features)]
    clips : DataFrame [shape=(n, ...)]
        In the same order, with their `part`.
    """
    parts = ("train", "validation")
    found = [gather(members, part, kind="vectors", seed=seed) for part in parts]
    clips = [of.assign(part=part) for (_, of), part in zip(found, parts, strict=True)]
    return pd.concat([X for X, _ in found]), pd.concat(clips)


def cross_validate(
    settings: ModelSettings,
    X: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    genres: Sequence[str],
    seed: int = 0,
    n_resamples: int = 1000,
    tell: Callable[[str], None] = print,
) -> KeptAside | None:
    """Answers to clips by models that learned from the other folds.

    Every fold's model learns from the training part and stops or calibrates by the validation
    part, each without the fold: as the final model does, with less of both.

    Parameters
    ----------
    settings : ModelSettings
        A model of feature vectors.
    X, clips : DataFrame
        As from `learning_clips`.
    genres : sequence of str
        In display order.
    seed : int
        Of the folds and the models.
    n_resamples : int
        Of the score's bootstrap.
    tell : callable
        Gets a sentence as each fold ends, and one on all of them.

    Returns
    -------
    KeptAside or None
        None where there are too few groups for two folds, or too few genres.
    """
    folds = deal_folds(clips, seed=seed)
    answers = []
    for fold, held in enumerate(folds, start=1):
        rest = np.setdiff1d(np.arange(len(clips)), held)
        learnt = clips.iloc[rest]
        if learnt.loc[learnt["part"] == "train", "genre"].nunique() < 2:
            continue
        found = _answer_fold(settings, X, clips, rest, held, genres=genres, seed=seed)
        answers.append(found)
        macro_f1 = metrics_of(group_counts(found.predictions, genres).total())["macro_f1"]
        told = f"macro-F1 {number(float(macro_f1))}, {_count(clips.iloc[held])}"
        tell(f"fold {fold} of {len(folds)}: {told}")
    if not answers:
        return None
    whole = KeptAside.joined(answers)
    row = score(whole.predictions, genres, n_resamples=n_resamples)
    tell(
        f"cross-validation: macro-F1 {number(row['macro_f1'])} "
        f"[{number(row['macro_f1_low'])}, {number(row['macro_f1_high'])}], "
        f"{_count(clips.loc[whole.predictions['clip_id']])}"
    )
    return whole


def _answer_fold(
    settings: ModelSettings,
    X: pd.DataFrame,
    clips: pd.DataFrame,
    rest: npt.NDArray[np.int64],
    held: npt.NDArray[np.int64],
    *,
    genres: Sequence[str],
    seed: int,
) -> KeptAside:
    y = clips["genre"].to_numpy(dtype=object)
    learning = (clips["part"] == "train").to_numpy()
    learnt = rest[learning[rest]]
    watched = rest[~learning[rest] & np.isin(y[rest], y[learnt])]
    validation = (X.iloc[watched], y[watched]) if len(watched) else None
    model = fit_model(settings, TrainingClips(X.iloc[learnt], y[learnt], validation), seed=seed)
    return KeptAside.of(
        model,
        X.iloc[held],
        X.iloc[held],
        clips.iloc[held],
        statistics=FeatureStatistics.from_clips(X.iloc[learnt], y[learnt].tolist()),
        genres=genres,
        seed=seed,
    )


def _count(clips: pd.DataFrame) -> str:
    kinds = set(clips["group_kind"])
    kind = kinds.pop() if len(kinds) == 1 else "group"
    n, groups = len(clips), clips["group"].nunique()
    return f"{n} clip{'s' * (n != 1)} of {groups} {kind}{'s' * (groups != 1)}"
