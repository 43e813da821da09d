"""Climbing the confound ladder: which models answer which clips on which rung."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from genrescope.evaluation.cells import predict_cell
from genrescope.files import write_csv
from genrescope.models import create_model
from genrescope.parallel import Workers
from genrescope.settings import ModelSettings
from genrescope.shift.adapted import Clips, source_folds
from genrescope.shift.confounds import Change
from genrescope.shift.ladder import REST, Rung, climb
from genrescope.study.pool import Places, Pool
from genrescope.study.training import TrainingClips, fit_model

VALIDATION_FOLDS = 6  # one of them tells a network when to stop
SEEN, UNSEEN = "artists seen in training", "artists never seen"
HELD_OUT = "held-out clips of the source"
SHARES = "the target's shares of genres"


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
    workers: Workers = None,
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
    workers : Workers
        Processes for a model that trains in several; the usable cores where None.
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
                return fit_model(settings, clips, seed=seed, workers=workers)

            yield Fold(seed, held, fit)


def split_folds(
    load: Callable[[int], Any], source: Pool, *, seeds: Sequence[int]
) -> Iterator[Fold]:
    """The models a study has trained, with the clips their splits hold out for testing.

    Parameters
    ----------
    load : callable
        Gives the model of a seed.
    source : Pool
    seeds : sequence of int
        Of the splits.
    """
    places = pd.Series(np.arange(len(source.clips)), index=source.clips.index)
    for seed in seeds:
        held = [clip_id for m in source.members for clip_id in m.part("test", seed=seed)]
        yield Fold(seed, places.loc[held].to_numpy(), functools.partial(load, seed))


def answers_of(
    folds: Iterable[Fold],
    home: Mapping[str, Pool],
    away: Mapping[str, Pool],
    genres: Sequence[str],
) -> dict[str, pd.DataFrame]:
    """What the models of some folds answer.

    Parameters
    ----------
    folds : iterable of Fold
    home : mapping of str to Pool
        The source's clips as they are on each rung; those held out are answered.
    away : mapping of str to Pool
        The target's; all are answered by every model.
    genres : sequence of str
        In display order.

    Returns
    -------
    dict of str to DataFrame
        By rung; columns as from `predict_cell`.
    """
    rungs = {**home, **away}
    clips = {name: pool.clips.assign(group=pool.groups("artist")) for name, pool in rungs.items()}
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in rungs}
    for fold in folds:
        model = fold.fit()
        for name, pool in rungs.items():
            places = fold.held if name in home else np.arange(len(clips[name]))
            X, answered = pool.inputs(model.input, places), clips[name].iloc[places]
            found[name].append(predict_cell(model, X, answered, genres, seed=fold.seed))
    return {name: pd.concat(tables, ignore_index=True) for name, tables in found.items()}


def rungs_of(
    answers: Mapping[str, pd.DataFrame],
    changes: Sequence[Change],
    *,
    seen: pd.DataFrame | None,
) -> list[Rung]:
    """The rungs of a ladder from what was answered.

    Down from the source: its changes one after the other, then the target's shares of genres.
    What remains is the step to the target with all changes of its own, which are then undone.

    Parameters
    ----------
    answers : mapping of str to DataFrame
        As from `answers_of`: `UNSEEN`, `REST`, and the name of each change that is needed.
    changes : sequence of Change
        In order.
    seen : DataFrame or None
        Answers of models that learned from other tracks of the same artists; None leaves that
        rung out.
    """
    now = answers[UNSEEN]
    rungs = [Rung(HELD_OUT, now)] if seen is None else [Rung(SEEN, seen), Rung(UNSEEN, now)]
    undone = []
    for change in changes:
        if change.needed and change.side == "target":
            undone.append(Rung(change.name, answers[change.name], of_target=True, note=change.note))
            continue
        now = answers[change.name] if change.needed else now
        rungs.append(Rung(change.name, now, note=change.note))
    rungs.append(Rung(SHARES, now, target_shares=True))
    rungs.append(Rung(REST, answers[REST], of_target=True))
    return [*rungs, *reversed(undone)]


def climb_pair(
    folder: Path,
    home: Mapping[str, Pool],
    away: Mapping[str, Pool],
    changes: Sequence[Change],
    genres: Sequence[str],
    *,
    folds: Iterable[Fold],
    seen: Iterable[Fold] | None,
    n_resamples: int,
) -> None:
    """Climb the ladder of one model from a source to a target, and write it.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `ladder.csv` and `answers.csv`, the answers every number can be recomputed from.
    home, away : mapping of str to Pool
        The source's clips on each of its rungs, `UNSEEN` first; the target's, `REST` among them.
    changes : sequence of Change
    genres : sequence of str
    folds : iterable of Fold
    seen : iterable of Fold or None
        With tracks apart, artists not; None leaves that rung out.
    n_resamples : int
        Of the bootstrap.
    """
    known = None if seen is None else answers_of(seen, {SEEN: home[UNSEEN]}, {}, genres)[SEEN]
    rungs = rungs_of(answers_of(folds, home, away, genres), changes, seen=known)
    tables: list[pd.DataFrame] = []
    for before, rung in zip([None, *rungs], rungs, strict=False):
        if before is None or rung.answers is not before.answers:
            tables.append(rung.answers.assign(rung=rung.name))
    write_csv(folder / "answers.csv", pd.concat(tables, ignore_index=True))
    write_csv(folder / "ladder.csv", climb(rungs, genres, n_resamples=n_resamples))
