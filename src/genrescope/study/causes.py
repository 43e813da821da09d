"""Which kind of shift a drop is: other genre shares, other music, other meaning; what moved."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from genrescope.config import StudyConfig
from genrescope.errors import TrainingError
from genrescope.explanations.shapley import ShapValues, shap_values
from genrescope.files import write_csv, write_json
from genrescope.parallel import Workers
from genrescope.shift.decomposition import decompose_shift
from genrescope.shift.explanation_shift import explanation_shift
from genrescope.shift.feature_shift import feature_shift
from genrescope.shift.ladder import REST
from genrescope.study.laddering import cross_folds
from genrescope.study.pool import Pool


def find_causes(
    folder: Path,
    answers: pd.DataFrame,
    source: Pool,
    target: Pool,
    genres: Sequence[str],
    *,
    n_resamples: int,
) -> None:
    """Divide what remains into label, covariate and concept shift, and write it.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `causes.csv`, `steps.csv` and `causes.json`, the facts in words.
    answers : DataFrame
        As a ladder wrote them, with their `rung`.
    source, target : Pool
        Their clips made alike: what is left to divide is about music and labels.
    genres : sequence of str
    n_resamples : int
    """
    # Rungs are in order: what remains is the step from the source's last to the target's first.
    rungs = list(dict.fromkeys(answers["rung"]))
    last = rungs[rungs.index(REST) - 1]
    try:
        found = decompose_shift(
            answers[answers["rung"] == last],
            answers[answers["rung"] == REST],
            genres,
            source_features=source.inputs("vectors"),
            target_features=target.inputs("vectors"),
            n_resamples=n_resamples,
        )
    except TrainingError as error:
        write_json(folder / "causes.json", {"sentences": [error.reason]})
        return
    write_csv(folder / "causes.csv", found.frame())
    write_csv(folder / "steps.csv", found.steps(source=source.name, target=target.name))
    write_json(folder / "causes.json", {"sentences": found.sentences()})


def find_moved(
    folder: Path,
    config: StudyConfig,
    name: str,
    source: Pool,
    target: Pool,
    *,
    workers: Workers,
) -> None:
    """Find which features moved and whether the model leans on them, and write it.

    Each fold's model, artists apart, explains some of its held-out source clips and as many
    target clips.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `features.csv`, `explanations.csv` and `moved.json`, the facts in words.
    config : StudyConfig
    name : str
        Of the model, which learns from vectors.
    source, target : Pool
    workers : Workers
        Processes; the usable cores where None.
    """
    n_folds, rng = config.shift.folds, np.random.default_rng(config.split.seeds[0])
    settings, at_most = config.models[name], config.explanations.shap_clips // config.shift.folds
    others = np.array_split(rng.permutation(len(target.clips)), n_folds)
    here, there = [], []
    folds = cross_folds(
        settings, source, apart="artist", n_folds=n_folds, seeds=[0], workers=workers
    )
    for fold, rows in zip(folds, others, strict=False):
        model = fold.fit()
        held = rng.permutation(fold.held)[:at_most]
        here.append(shap_values(model, source.inputs("vectors", held), workers=workers))
        there.append(shap_values(model, target.inputs("vectors", rows[:at_most]), workers=workers))
    # A fold whose training clips lack a genre explains other classes than the rest.
    most = max(len(part.classes) for part in here)
    whole = [place for place, part in enumerate(here) if len(part.classes) == most]
    sides = [ShapValues.joined([parts[place] for place in whole]) for parts in (here, there)]
    groups = [
        pd.Series(pool.groups("artist"), index=pool.clips.index).loc[side.data.index].to_numpy()
        for pool, side in zip((source, target), sides, strict=True)
    ]
    here_too, there_too = sides
    moved = feature_shift(here_too, there_too, source_groups=groups[0], target_groups=groups[1])
    other = explanation_shift(here_too, there_too, source_groups=groups[0], target_groups=groups[1])
    write_csv(folder / "features.csv", moved.frame())
    write_csv(folder / "explanations.csv", other.frame())
    facts = {
        "n_source": moved.n_source,
        "n_target": moved.n_target,
        "correlation": str(moved.correlation),
        "sentences": [*moved.sentences(), *other.sentences()],
    }
    write_json(folder / "moved.json", facts)
