"""Training one model on one source and keeping it as a bundle with its held-out score."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.config import StudyConfig
from genrescope.errors import ConfigError, TrainingError
from genrescope.evaluation.cells import Cell, evaluate_cell
from genrescope.features.log_mels import LogMels
from genrescope.files import write_csv
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.place import training_on
from genrescope.models.statistics import FeatureStatistics
from genrescope.parallel import Workers
from genrescope.report.model_card import model_card
from genrescope.settings import AudioSettings, FeatureSettings, ModelSettings
from genrescope.study.kept_aside import KeptAside, measured_coverage
from genrescope.study.material import Material
from genrescope.taxonomy import Taxonomy


def model_inputs(config: StudyConfig) -> dict[str, str]:
    """What each model of a study takes, `vectors` or `log_mels`, having checked its parameters.

    Parameters
    ----------
    config : StudyConfig

    Raises
    ------
    ConfigError
        With the model's place in the configuration.

    Examples
    --------
    >>> model_inputs(StudyConfig.parse({"name": "a", "corpora": {"b": {"format": "folder"}}}))
    {'forest': 'vectors', 'boosting': 'vectors', 'cnn': 'log_mels'}
    """
    found: dict[str, str] = {}
    for name, settings in config.models.items():
        try:
            found[name] = create_model(settings.kind, **settings.params).input
        except ConfigError as error:
            raise ConfigError(f"models.{name}: {error.reason}") from error
    return found


def gather(
    members: Sequence[Material], part: str, *, kind: str, seed: int
) -> tuple[Any, pd.DataFrame]:
    """Inputs and clips of one part of a source.

    Parameters
    ----------
    members : sequence of Material
        The corpora the source joins.
    part : str
        `train`, `validation`, `test`, or `all` for every usable clip.
    kind : str
        `vectors` or `log_mels`.
    seed : int
        Of the split.

    Returns
    -------
    X : DataFrame or LogMels [shape=(n, ...)]
    clips : DataFrame [shape=(n, ...)]
        In the same order.
    """
    inputs, clips = [], []
    for member in members:
        ids = list(member.clips.index) if part == "all" else member.part(part, seed=seed)
        inputs.append(member.inputs(kind, ids))
        clips.append(member.clips.loc[ids])
    X = pd.concat(inputs) if kind == "vectors" else LogMels.joined(inputs)
    return X, pd.concat(clips)


def pick(X: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Some rows of what `gather` gives, without reading what lies on disk."""
    return X.rows(rows) if isinstance(X, LogMels) else X.iloc[rows]


class TrainingClips(NamedTuple):
    """What a model learns from: inputs and genres, and the same of validation clips or None."""

    X: Any
    y: npt.NDArray[Any]
    validation: tuple[Any, npt.NDArray[Any]] | None


def training_clips(members: Sequence[Material], *, kind: str, seed: int) -> TrainingClips:
    """The training part of a source, its validation part beside it.

    Parameters
    ----------
    members : sequence of Material
        The corpora the source joins.
    kind : str
        `vectors` or `log_mels`.
    seed : int
        Of the split.

    Raises
    ------
    TrainingError
        Where the training part holds fewer than two genres.
    """
    X, clips = gather(members, "train", kind=kind, seed=seed)
    present = sorted(clips["genre"].unique())
    if len(present) < 2:
        names = " and ".join(member.name for member in members)
        raise TrainingError(
            f"{names} has training clips of {len(present)} genre ({', '.join(present)}); a "
            "classifier needs two or more"
        )
    X_validation, validation = gather(members, "validation", kind=kind, seed=seed)
    known = np.flatnonzero(validation["genre"].isin(present))
    held = pick(X_validation, known), validation["genre"].to_numpy(dtype=object)[known]
    return TrainingClips(X, clips["genre"].to_numpy(dtype=object), held if len(known) else None)


def fit_model(
    settings: ModelSettings,
    clips: TrainingClips,
    *,
    seed: int,
    workers: Workers = None,
) -> Any:
    """Train a model.

    Parameters
    ----------
    settings : ModelSettings
        Kind and parameters; `random_state` is the seed unless they say otherwise.
    clips : TrainingClips
    seed : int
        Of the model.
    workers : Workers
        Processes for a model that trains in several; the usable cores where None.
    """
    model = create_model(settings.kind, **({"random_state": seed} | settings.params))
    with training_on(workers):
        return model.fit(clips.X, clips.y, validation=clips.validation)


def train_bundle(
    folder: Path,
    settings: ModelSettings,
    members: Sequence[Material],
    *,
    name: str,
    source: str,
    genres: Sequence[str],
    taxonomy: Taxonomy,
    audio: AudioSettings,
    features: FeatureSettings,
    seed: int,
    n_resamples: int,
    kept_aside: KeptAside | None = None,
    workers: Workers = None,
) -> dict[str, Any]:
    """Train a model, score it on its own held-out clips and save it as a bundle.

    The bundle keeps the statistics of the training clips' features, whatever the model takes, and
    a calibration of the doubt beside its answers.

    Parameters
    ----------
    folder : pathlib.Path
        The bundle.
    settings : ModelSettings
    members : sequence of Material
        The corpora the source joins.
    name, source : str
        Of the model and the source, for the rows of scores.
    genres : sequence of str
        The study's genres, in display order.
    taxonomy, audio, features
        Kept in the bundle.
    seed : int
    n_resamples : int
        Of the score's bootstrap.
    kept_aside : KeptAside, optional
        Answers that calibrate; those to the validation part where not given.
    workers : Workers
        Processes for a model that trains in several; the usable cores where None.

    Returns
    -------
    dict
        `metrics`, a list with the row of scores of the held-out part, as in `results.csv`, and
        `coverage`, what `measured_coverage` gives for it; empty and None where no clip was held
        out.
    """
    kind = create_model(settings.kind, **settings.params).input
    shown = {"verbose": True} if "verbose" in create_model(settings.kind).get_params() else {}
    model = fit_model(
        settings.model_copy(update={"params": shown | settings.params}),
        training_clips(members, kind=kind, seed=seed),
        seed=seed,
        workers=workers,
    )
    vectors, learned = gather(members, "train", kind="vectors", seed=seed)
    statistics = FeatureStatistics.from_clips(vectors, learned["genre"].tolist())
    answers = functools.partial(
        _answers, model, members, statistics=statistics, genres=genres, seed=seed
    )
    kept_aside = kept_aside or answers("validation")
    calibration = None if kept_aside is None else kept_aside.calibration()
    held_out = answers("test")
    metrics, coverage = [], None
    if held_out is not None:
        metrics = evaluate_cell(
            held_out.predictions,
            cell=Cell(name, source, source),
            genres=genres,
            n_resamples=n_resamples,
        )
        coverage = None if calibration is None else measured_coverage(held_out, calibration)
    corpora = [describe(member, audio=audio, features=features, seed=seed) for member in members]
    facts: dict[str, Any] = {
        "kind": settings.kind,
        "genres": list(genres),
        "corpora": corpora,
        "metrics": metrics,
        "coverage": coverage,
        "audio": audio.model_dump(),
        "features": features.model_dump(),
    }
    save_bundle(
        folder,
        model,
        genres=list(genres),
        taxonomy=taxonomy.to_dict(),
        audio=audio,
        features=features,
        corpora=corpora,
        metrics=metrics,
        coverage=coverage,
        card=model_card(facts),
        statistics=statistics,
        calibration=calibration,
    )
    if model.training_curve_ is not None:
        write_csv(folder / "training_curve.csv", model.training_curve_)
    return {"metrics": metrics, "coverage": coverage}


def _answers(
    model: Any,
    members: Sequence[Material],
    part: str,
    *,
    statistics: FeatureStatistics,
    genres: Sequence[str],
    seed: int,
) -> KeptAside | None:
    """A model's answers to a part of its source; None where the part has no clips."""
    vectors, clips = gather(members, part, kind="vectors", seed=seed)
    if clips.empty:
        return None
    X = vectors
    if model.input != "vectors":
        X, _ = gather(members, part, kind=model.input, seed=seed)
    return KeptAside.of(model, X, vectors, clips, statistics=statistics, genres=genres, seed=seed)


def describe(
    member: Material, *, audio: AudioSettings, features: FeatureSettings, seed: int
) -> dict[str, Any]:
    """What a bundle remembers of a corpus it was trained on."""
    parts = member.parts[seed].loc[member.clips.index]
    return {
        "name": member.name,
        "culture": member.corpus.culture,
        "synthetic": member.corpus.synthetic,
        "clips": len(member.clips),
        "train_clips": int((parts == "train").sum()),
        "genres": {str(k): int(v) for k, v in member.clips["genre"].value_counts().items()},
        "fingerprint": member.digest(audio=audio, features=features),
    }
