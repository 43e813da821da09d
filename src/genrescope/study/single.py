"""One corpus at a time: its features as files, and a model trained on it, outside a study."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import pandas as pd

from genrescope.corpora.corpus import Corpus
from genrescope.corpora.index import index_corpus
from genrescope.errors import ConfigError
from genrescope.features.extraction import CorpusFeatures, export, extract_corpus
from genrescope.models import create_model
from genrescope.models.bundle_info import DESCRIPTION
from genrescope.parallel import Workers
from genrescope.remote import place_of
from genrescope.settings import AudioSettings, FeatureSettings, ModelSettings, SplitSettings
from genrescope.study.cross_validation import cross_validate, learning_clips
from genrescope.study.material import prepare_material
from genrescope.study.mirror import written_to
from genrescope.study.training import train_bundle
from genrescope.taxonomy import Taxonomy

N_RESAMPLES = 1000


@dataclass(frozen=True)
class Trained:
    """What training one model on one corpus leaves.

    Attributes
    ----------
    metrics : list of dict
        A row of scores of the held-out clips, as in `results.csv`; empty where none could be
        held out.
    coverage : dict or None
        How the prediction sets did on the held-out recordings, as `measured_coverage` gives it.
    warnings : tuple of str
        What the user should know about the split.
    failures : DataFrame
        What could not be used: `path`, `reason`, `kind`.
    """

    metrics: list[dict[str, Any]]
    coverage: dict[str, Any] | None
    warnings: tuple[str, ...]
    failures: pd.DataFrame


def open_corpus(path: str | os.PathLike[str], *, taxonomy: Taxonomy) -> Corpus:
    """Open a corpus table, or index a folder that holds one folder per genre.

    Of a folder every clip of every file is used: the windows of a whole file vote when it is
    predicted, so the doubt is calibrated on such votes, and openings alone say little of a song.

    Parameters
    ----------
    path : path-like
        A `.parquet` file from `corpus index`, or a folder; or the URL of either.
    taxonomy : Taxonomy
        Gives the genre of each label, whatever the table was indexed with.

    Raises
    ------
    CorpusError
        Where it is neither.
    """
    if PurePath(path).suffix == ".parquet":
        corpus = Corpus.from_parquet(path)
        genres = [taxonomy.genre_of(label) for label in corpus.clips["label"]]
        clips = corpus.clips.assign(genre=pd.Series(genres, dtype="str", index=corpus.clips.index))
        return Corpus(**{**vars(corpus), "clips": clips})
    return index_corpus(
        "folder",
        path,
        name="corpus",
        culture="unknown",
        taxonomy=taxonomy,
        options={"segments": "all"},
    )


def write_features(
    corpus: Corpus,
    folder: str | os.PathLike[str],
    *,
    features: FeatureSettings | None = None,
    store: str | None = None,
    workers: Workers = None,
) -> CorpusFeatures:
    """Extract a corpus's features into a folder, as a CSV and a `.npy`.

    Parameters
    ----------
    corpus : Corpus
    folder : path-like
        A folder or a URL; gets `<corpus>.csv` and `<corpus>.logmel.npy`.
    features : FeatureSettings, optional
        What to extract.
    store : str, optional
        Folder or URL of the feature store; `folder/store` where not given.
    workers : Workers
        Processes; the usable cores where None.

    Raises
    ------
    OutputError
        Where the folder cannot be written.
    """
    place = store or str(place_of(folder) / "store")
    extracted = extract_corpus(corpus, place, features=features, workers=workers)
    with written_to(folder) as here:
        export(extracted, corpus, here / f"{corpus.name}.csv", here / f"{corpus.name}.logmel.npy")
    return extracted


def train_single(
    corpus: Corpus,
    out: str | os.PathLike[str],
    *,
    kind: str,
    taxonomy: Taxonomy,
    params: Mapping[str, Any] | None = None,
    features: FeatureSettings | None = None,
    group: str = "artist",
    seed: int = 0,
    store: str | None = None,
    workers: Workers = None,
    tell: Callable[[str], None] = print,
) -> Trained:
    """Train one model on one corpus and keep it as a bundle.

    The split, the training and the score are those of a study with this corpus as its only
    source. Before it, a model of features is cross-validated inside the training and validation
    clips, and the doubt beside its answers is calibrated on those answers: they are of more
    recordings than the validation part, by which a network, too slow to be trained so often,
    is calibrated.

    Parameters
    ----------
    corpus : Corpus
    out : path-like
        The bundle, a folder or a URL.
    kind : str
        As `create_model` takes it.
    taxonomy : Taxonomy
        Kept in the bundle.
    params : mapping, optional
        Parameters of the estimator.
    features : FeatureSettings, optional
        What it learns from.
    group : str
        `artist`, `track` or `none`.
    seed : int
        Of the split and the model.
    store : str, optional
        Folder or URL of the feature store; `<out>.features` beside the bundle where not given.
    workers : Workers
        Processes; the usable cores where None.
    tell : callable, optional
        Gets a sentence as each fold of the cross-validation ends; it is printed where not given.

    Returns
    -------
    Trained

    Raises
    ------
    ConfigError
        Where the model cannot learn from this corpus.
    CorpusError, TrainingError
        Where no classifier can be trained from its clips.
    """
    settings = ModelSettings(kind=kind, params=dict(params or {}))
    needs_audio = create_model(kind, **settings.params).input == "log_mels"
    if needs_audio and corpus.features is not None:
        raise ConfigError(
            f"{kind} learns from log-mel spectrograms, and {corpus.name} is a table of ready-made "
            "features; choose forest, boosting, linear, svm or ensemble"
        )
    audio, features = AudioSettings(), features or FeatureSettings()
    material = prepare_material(
        corpus,
        store=store or str(place_of(out).with_name(f"{place_of(out).name}.features")),
        audio=audio,
        features=features,
        split=SplitSettings.parse({"group": group, "seeds": (seed,)}),
        workers=workers,
        log_mels=needs_audio,
    )
    genres = taxonomy.order(material.clips["genre"])
    kept_aside = None
    if not needs_audio:
        X, clips = learning_clips([material], seed=seed)
        kept_aside = cross_validate(
            settings, X, clips, genres=genres, seed=seed, n_resamples=N_RESAMPLES, tell=tell
        )
    with written_to(out, last=DESCRIPTION) as here:
        found = train_bundle(
            here,
            settings,
            [material],
            name=kind,
            source=corpus.name,
            genres=genres,
            taxonomy=taxonomy,
            audio=audio,
            features=features,
            seed=seed,
            n_resamples=N_RESAMPLES,
            kept_aside=kept_aside,
        )
    return Trained(found["metrics"], found["coverage"], material.warnings, material.failures)
