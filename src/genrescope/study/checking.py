"""How far a study's explanations can be trusted: quality of maps, stability of feature lists."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.corpora.split import split_clips
from genrescope.errors import TrainingError
from genrescope.explanations.shapley import shap_values
from genrescope.explanations.stability import compare_rankings
from genrescope.files import write_csv, write_json
from genrescope.models import create_model
from genrescope.models.bundle import Bundle
from genrescope.parallel import Workers, map_processes
from genrescope.progress import progress
from genrescope.settings import ModelSettings
from genrescope.study.explaining import choose_clips
from genrescope.study.material import Material
from genrescope.study.training import TrainingClips, fit_model, training_clips


def check_maps(
    folder: Path,
    load: Callable[[], Bundle],
    members: Sequence[Material],
    *,
    genres: Sequence[str],
    seed: int,
    config: StudyConfig,
) -> None:
    """Measure the maps of a network on its source's held-out clips.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `clips.csv` (every figure of every map), `table.csv` (means with intervals),
        `comparisons.csv` (paired tests against maps that know nothing), `verdicts.csv` and
        `curves.csv`.
    load : callable
        Gives the bundle of the network.
    members : sequence of Material
        The corpora the source joins.
    genres : sequence of str
        In display order.
    seed : int
        Of the split, and of all that is drawn.
    config : StudyConfig
    """
    from genrescope.explanations import verdicts

    at_most = config.explanations.quality_clips
    X, clips = choose_clips(members, kind="log_mels", seed=seed, at_most=at_most)
    with progress(len(clips) * verdicts.N_MAPS, "measuring maps", unit="maps") as bar:
        quality = verdicts.measure(load().model, X[:], clips, seed=seed, on_maps=bar.advance)
    table = verdicts.quality_table(quality, genres, seed=seed)
    compared = verdicts.compare_maps(quality, genres, seed=seed)
    write_csv(folder / "clips.csv", quality.clips)
    write_csv(folder / "curves.csv", quality.curves)
    write_csv(folder / "table.csv", table)
    write_csv(folder / "comparisons.csv", compared)
    write_csv(folder / "verdicts.csv", verdicts.verdicts(table, compared))


def check_features(
    folder: Path,
    settings: ModelSettings,
    members: Sequence[Material],
    *,
    config: StudyConfig,
    workers: Workers,
) -> dict[str, Any]:
    """Train a model on many splits and compare the features that decide in each.

    Parameters
    ----------
    folder : pathlib.Path
        Gets `stability.csv` (rank intervals of the strongest features) and `stability.json`.
    settings : ModelSettings
        Of a kind that takes vectors.
    members : sequence of Material
        The corpora the source joins.
    config : StudyConfig
        `explanations.stability_seeds` splits, each with a model of its own, and at most
        `explanations.stability_clips` held-out clips explained in each.
    workers : Workers
        Processes; the usable cores where None.

    Returns
    -------
    dict
        The content of `stability.json`: `n` and `verdict`; with two splits or more also `jaccard`
        (mean), `jaccard_low`, `jaccard_high` and `stable`.
    """
    n_seeds = config.explanations.stability_seeds
    one = {"n_jobs": 1} if "n_jobs" in create_model(settings.kind).get_params() else {}
    rank = partial(_rank, settings.model_copy(update={"params": settings.params | one}))
    with progress(n_seeds, "stability of the features", unit="splits") as bar:
        draws = _draws(list(members), config)
        ranked = map_processes(rank, draws, workers=workers, on_result=lambda _: bar.advance())
        importances = list(ranked)
    summary: dict[str, Any] = {"n": len(importances)}
    table = pd.DataFrame(columns=pd.Index(["feature"]))
    if len(importances) > 1:
        stability = compare_rankings(importances)
        table, (low, high) = stability.frame(), stability.jaccard_range
        summary |= {"jaccard": stability.mean_jaccard, "jaccard_low": low, "jaccard_high": high}
        summary |= {"stable": stability.stable, "verdict": stability.verdict}
    else:
        summary["verdict"] = "Too few splits leave clips to train on and to explain."
    write_csv(folder / "stability.csv", table)
    write_json(folder / "stability.json", summary)
    return summary


class _Draw(NamedTuple):
    seed: int
    clips: TrainingClips
    explained: pd.DataFrame


def _draws(members: Sequence[Material], config: StudyConfig) -> Iterator[_Draw]:
    """Training clips and held-out vectors of one split after the other, where both can be had."""
    for seed in range(config.explanations.stability_seeds):
        drawn = [
            replace(member, parts={seed: _split(member.clips, config, seed)}) for member in members
        ]
        at_most = config.explanations.stability_clips
        X, clips = choose_clips(drawn, kind="vectors", seed=seed, at_most=at_most)
        with contextlib.suppress(TrainingError):
            training = training_clips(drawn, kind="vectors", seed=seed)
            if len(clips):
                yield _Draw(seed, training, X)


def _split(clips: pd.DataFrame, config: StudyConfig, seed: int) -> "pd.Series[Any]":
    return split_clips(clips.reset_index(drop=True), config.split, seed=seed)[0]


def _rank(settings: ModelSettings, draw: _Draw) -> "pd.Series[float]":
    """Mean absolute contribution of each feature after training on one split."""
    model = fit_model(settings, draw.clips, seed=draw.seed)
    return shap_values(model, draw.explained).per_class().mean(axis=1)
