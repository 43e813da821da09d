"""The ladders of a study: what its drops would be if nothing but the clips' form had changed."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from genrescope.config import StudyConfig
from genrescope.evaluation.cells import Cell, source_members
from genrescope.study.ladder_steps import LadderSteps
from genrescope.study.laddering import cross_folds, split_folds
from genrescope.study.material import Material
from genrescope.study.pool import Pool


def climb_study(
    steps: LadderSteps,
    cells: Iterable[Cell],
    materials: Mapping[str, Material],
    *,
    kinds: Mapping[str, str],
    load: Callable[[Cell, int], Any],
    config: StudyConfig,
) -> None:
    """Climb the ladder of every model between corpora that share no clip.

    Models that learn from vectors are trained anew, once per fold and with artists apart and
    not, so that all clips of the source count. Networks take too long for that: theirs are the
    study's own models and held-out clips, without the rung of artists seen in training.

    Parameters
    ----------
    steps : LadderSteps
    cells : iterable of Cell
        Those that were tested.
    materials : mapping of str to Material
    kinds : mapping of str to str
        What each model takes.
    load : callable
        Gives the trained model of a cell and a seed.
    config : StudyConfig
    """
    pairs: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        if "all" in cell.parts:
            pairs.setdefault((cell.source, cell.target), []).append(cell)
    for joined, of_pair in pairs.items():
        home, away = (
            Pool(tuple(materials[name] for name in source_members(side))) for side in joined
        )
        pair = steps.make_alike(home, away)
        for cell in of_pair:
            if kinds[cell.model] == "log_mels":
                seeds = config.seeds_of(cell.model)
                folds = split_folds(functools.partial(load, cell), home, seeds=seeds)
                steps.climb(cell.model, pair, folds, None, inputs={"seeds": list(seeds)})
                continue
            deal = functools.partial(
                cross_folds,
                config.models[cell.model],
                home,
                n_folds=config.shift.folds,
                seeds=[config.split.seeds[0]],
                workers=steps.workers,
            )
            seen = deal(apart="track") if home.knows_artists else None
            inputs = {"folds": config.shift.folds, "seed": config.split.seeds[0]}
            steps.climb(cell.model, pair, deal(apart="artist"), seen, inputs=inputs)
