"""Climbing the confound ladder: which models answer which clips on which rung."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from genrescope.config import ModelSettings
from genrescope.evaluation.cells import predict_cell
from genrescope.models import create_model
from genrescope.shift.adapted import Clips, source_folds
from genrescope.shift.confounds import Change
from genrescope.shift.ladder import Rung
from genrescope.study.pool import Places, Pool
from genrescope.study.training import TrainingClips, fit_model

VALIDATION_FOLDS = 6  # one of them tells a network when to stop


@dataclass(frozen=True)
class Fold:
    """A model and the source clips it has not learned from.

    Attributes
    ----------
    seed : int
    held : numpy.ndarray of int
        Places of the clips in the source.
    fit : callable
        Gives the trained model.
    """

    seed: int
    held: Places
    fit: Callable[[], Any]


def cross_folds(
    settings: ModelSettings,
    source: Pool,
    *,
    apart: Literal["artist", "track"],
    n_folds: int,
    seeds: Sequence[int],
) -> Iterator[Fold]:
    """Folds of a source, each with a model of the others.

    Parameters
    ----------
    settings : ModelSettings
    source : Pool
    apart : {"artist", "track"}
        What is never on both sides.
    n_folds : int
    seeds : sequence of int
        Of folds and models; every clip is held out once per seed.
    """
    kind = create_model(settings.kind, **settings.params).input
    genres, groups = source.genres, source.groups(apart)
    whole = Clips(np.zeros((len(genres), 1)), genres, groups)
    for seed in seeds:
        for train, held in source_folds(whole, n_folds, seed=seed):

            def fit(train: Places = train, seed: int = seed) -> Any:
                learned, stopping = train, None
                if kind == "log_mels":
                    inner = source_folds(whole.rows(train), VALIDATION_FOLDS, seed=seed)
                    kept, aside = inner[0]
                    learned = train[kept]
                    known = train[aside][np.isin(genres[train[aside]], genres[learned])]
                    stopping = (source.inputs(kind, known), genres[known])
                clips = TrainingClips(source.inputs(kind, learned), genres[learned], stopping)
                return fit_model(settings, clips, seed=seed)

            yield Fold(seed, held, fit)


def answers_of(
    folds: Sequence[Fold],
    pools: Mapping[str, Pool],
    target: Pool,
    genres: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """What the models of some folds answer.

    Parameters
    ----------
    folds : sequence of Fold
    pools : mapping of str to Pool
        The source's clips as they are on each rung.
    target : Pool
    genres : sequence of str
        In display order.

    Returns
    -------
    dict of str to DataFrame
        By rung: the held-out clips, each by the model that has not seen it; and under `target`
        all clips of the target by every model. Columns as from `predict_cell`.
    """
    clips, away = (
        pool.clips.assign(group=pool.groups("artist"))
        for pool in (next(iter(pools.values())), target)
    )
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in (*pools, "target")}
    for fold in folds:
        model = fold.fit()
        for name, pool in pools.items():
            X = pool.inputs(model.input, fold.held)
            held = clips.iloc[fold.held]
            found[name].append(predict_cell(model, X, held, genres, seed=fold.seed))
        X = target.inputs(model.input)
        found["target"].append(predict_cell(model, X, away, genres, seed=fold.seed))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in found.items()}


SEEN, UNSEEN = "artists seen in training", "artists never seen"
SHARES, REST = "the target's shares of genres", "what remains"


def rungs_of(
    answers: Mapping[str, pd.DataFrame],
    changes: Sequence[Change],
    *,
    seen: pd.DataFrame | None,
    why_not_seen: str = "",
) -> list[Rung]:
    """The rungs of a ladder from what was answered.

    Parameters
    ----------
    answers : mapping of str to DataFrame
        As from `answers_of`, with a rung `UNSEEN` and one for each change that is needed.
    changes : sequence of Change
        In order.
    seen : DataFrame or None
        Answers of models that learned from other tracks of the same artists.
    why_not_seen : str
        The reason where there are none.
    """
    first = answers[UNSEEN]
    rungs = [Rung(SEEN, first if seen is None else seen)]
    rungs.append(Rung(UNSEEN, first, note=why_not_seen if seen is None else ""))
    now = first
    for change in changes:
        now = answers[change.name] if change.needed else now
        rungs.append(Rung(change.name, now, note=change.note))
    rungs.append(Rung(SHARES, now, target_shares=True))
    rungs.append(Rung(REST, answers["target"], of_target=True))
    return rungs
