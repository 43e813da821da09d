"""A corpus ready to learn from: usable clips, their features and their splits."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.corpora.corpus import Corpus, regroup
from genrescope.corpora.index import index_corpus
from genrescope.corpora.split import split_clips
from genrescope.errors import CorpusError
from genrescope.features.extraction import CorpusFeatures, export, extract_corpus
from genrescope.files import sha256_json
from genrescope.parallel import Workers
from genrescope.remote import UrlPath, place_of
from genrescope.settings import AudioSettings, CorpusSettings, FeatureSettings, SplitSettings
from genrescope.study.steps import Ledger
from genrescope.taxonomy import Taxonomy

STORE = "features/store"  # in the run directory, where the study names no other
RENDERED = "audio"  # synthetic corpora without a root


@dataclass(frozen=True)
class Material:
    """One corpus of a study with everything that training and testing need of it.

    Attributes
    ----------
    corpus : Corpus
        As indexed.
    features : CorpusFeatures
        Of every clip that could be decoded.
    clips : DataFrame
        Index `clip_id`; the clips that have a genre and features, with `group` as the split
        wants it.
    parts : mapping of int to Series
        By split seed: `train`, `validation` or `test` of each clip.
    warnings : tuple of str
        What the user should know about the splits.
    """

    corpus: Corpus
    features: CorpusFeatures
    clips: pd.DataFrame
    parts: Mapping[int, "pd.Series[Any]"]
    warnings: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the corpus."""
        return self.corpus.name

    @property
    def failures(self) -> pd.DataFrame:
        """Everything of the corpus that could not be used: `path`, `reason`, `kind`."""
        return pd.concat([self.corpus.failures, self.features.failures], ignore_index=True)

    def part(self, part: str, *, seed: int) -> list[str]:
        """Clips in one part of the split."""
        parts = self.parts[seed]
        return [str(clip_id) for clip_id in self.clips.index[parts.loc[self.clips.index] == part]]

    def inputs(self, kind: str, clip_ids: Sequence[str]) -> Any:
        """What a model takes of some clips.

        Parameters
        ----------
        kind : str
            `vectors` or `log_mels`.
        clip_ids : sequence of str

        Returns
        -------
        DataFrame [shape=(n, n_features)] or LogMels [shape=(n, n_mels, frames)]
        """
        if kind == "vectors":
            return self.features.vectors.loc[list(clip_ids)]
        if self.features.log_mels is None:
            raise CorpusError(f"the corpus {self.name} is a table of features: it has no log-mels")
        rows = pd.Index(self.features.clip_ids).get_indexer(pd.Index(list(clip_ids)))
        return self.features.log_mels.rows(rows)

    def digest(self, *, audio: AudioSettings, features: FeatureSettings) -> str:
        """Digest of all that a model can learn or be tested on here, splits included."""
        return sha256_json(
            {
                "corpus": self.corpus.fingerprint(),
                "audio": audio.model_dump(),
                "features": features.model_dump(),
                "clips": self.clips[["genre", "group"]].astype("str").to_csv(),
                "parts": {seed: parts.to_csv() for seed, parts in self.parts.items()},
            }
        )


def grouped(corpus: Corpus, by: Literal["artist", "track", "none"]) -> pd.DataFrame:
    """Clips of a corpus by `clip_id`, in groups that mean the same in every corpus.

    Parameters
    ----------
    corpus : Corpus
    by : {"artist", "track", "none"}
        As `corpora.corpus.regroup` takes it.
    """
    clips = regroup(corpus, by).set_index("clip_id", drop=False)
    # An artist is the same person in every corpus; a track or stem of one name is not.
    known = clips["group_kind"] == "artist"
    clips["group"] = clips["group"].where(known, f"{corpus.name}/" + clips["group"])
    return clips


def prepare_corpus(
    name: str,
    settings: CorpusSettings,
    *,
    taxonomy: Taxonomy,
    audio: AudioSettings,
    made_in: Path,
) -> Corpus:
    """Index one corpus of a study.

    Parameters
    ----------
    name : str
        Name of the corpus in the study.
    settings : CorpusSettings
        Its format, root, culture and options.
    taxonomy : Taxonomy
    audio : AudioSettings
    made_in : pathlib.Path
        Where a corpus without a root, which only a synthetic one can be, is rendered.

    Raises
    ------
    ConfigError, CorpusError
        Where an option or the folder is wrong, or no clip is found.
    """
    root = settings.root
    if root is None and settings.format == "synthetic":
        root = made_in / name
    return index_corpus(
        settings.format,
        root,
        name=name,
        culture=settings.culture,
        taxonomy=taxonomy,
        audio=audio,
        options=settings.options,
    )


def prepare_material(
    corpus: Corpus,
    *,
    store: str | Path,
    audio: AudioSettings,
    features: FeatureSettings,
    split: SplitSettings,
    workers: Workers,
    log_mels: bool,
) -> Material:
    """Extract a corpus's features and divide its usable clips.

    Parameters
    ----------
    corpus : Corpus
    store : path-like
        Folder or URL of the feature store.
    audio, features, split
        Settings of the study.
    workers : Workers
        Processes that extract; the usable cores where None.
    log_mels : bool
        Whether a model of the study needs the log-mel spectrograms.

    Raises
    ------
    CorpusError
        Where no clip with a genre could be decoded.
    """
    extracted = extract_corpus(
        replace(corpus, clips=corpus.usable),
        store,
        audio=audio,
        features=features,
        workers=workers,
        log_mels=log_mels,
    )
    clips = grouped(corpus, split.group)
    usable = clips[clips["genre"].notna() & clips.index.isin(extracted.clip_ids)]
    if usable.empty:
        failed = len(corpus.failures) + len(extracted.failures)
        raise CorpusError(
            f"the corpus {corpus.name} has no clip that has a genre of the taxonomy and could be "
            f"decoded ({len(clips)} clips indexed, {failed} failures); see failures.csv"
        )
    parts, warnings = {}, []
    for seed in split.seeds:
        parts[seed], of_seed = split_clips(usable.reset_index(drop=True), split, seed=seed)
        warnings += [f"{corpus.name}: {warning}" for warning in of_seed]
    return Material(corpus, extracted, usable, parts, tuple(dict.fromkeys(warnings)))


def prepare_materials(
    config: StudyConfig,
    taxonomy: Taxonomy,
    ledger: Ledger,
    *,
    workers: Workers,
    log_mels: bool,
) -> dict[str, Material]:
    """Index, extract and split every corpus of a study, and write the tables of each.

    Parameters
    ----------
    config : StudyConfig
    taxonomy : Taxonomy
    ledger : Ledger
        Of the run directory, which gets `corpora/` and `features/`.
    workers : Workers
        Processes that extract; the usable cores where None.
    log_mels : bool
        Whether a model of the study needs the log-mel spectrograms.

    Raises
    ------
    ConfigError, CorpusError
        Where a corpus cannot be used, or the corpora cannot be compared.
    """
    out = ledger.folder
    corpora = {}
    for name, settings in config.corpora.items():
        if settings.root is None:
            ledger.bring(f"{RENDERED}/{name}")
        index = functools.partial(
            prepare_corpus,
            name,
            settings,
            taxonomy=taxonomy,
            audio=config.audio,
            made_in=out / RENDERED,
        )
        if settings.root is None and settings.format == "synthetic":
            # Sound that the run made itself is held against its digest like all that it makes.
            rendered = [out / RENDERED / name]
            render = functools.partial(_done, index)
            ledger.run(f"render {name}", settings.options, rendered, render)
        corpora[name] = _moved(ledger.timed(f"index {name}", index), ledger.folder, ledger.address)
    _check_comparable(corpora)
    materials = {}
    for name, corpus in corpora.items():
        corpus.to_parquet(out / "corpora" / f"{name}.parquet")
        material = ledger.timed(
            f"features and splits of {name}",
            functools.partial(
                prepare_material,
                corpus,
                store=config.store or str(ledger.address / STORE),
                audio=config.audio,
                features=config.features,
                split=config.split,
                workers=workers,
                log_mels=log_mels,
            ),
            worked=lambda material: material.features.extracted > 0,
        )
        files = [out / "features" / f"{name}.csv"]
        if material.features.log_mels is not None:
            files.append(out / "features" / f"{name}.logmel.npy")
        ledger.run(
            f"write the features of {name}",
            material.digest(audio=config.audio, features=config.features),
            files,
            functools.partial(export, material.features, corpus, *files),
        )
        materials[name] = material
    return materials


def _moved(corpus: Corpus, folder: Path, address: Path | UrlPath) -> Corpus:
    """The corpus with the paths that its files have for everyone, where it was rendered here."""
    if folder == address:
        return corpus

    def renamed(path: Any) -> Any:
        inside = isinstance(path, str) and place_of(path).is_relative_to(folder)
        return str(address / Path(path).relative_to(folder)) if inside else path

    clips = corpus.clips.copy()
    for column in ("path", "midi_path"):
        clips[column] = clips[column].map(renamed).astype(clips[column].dtype)
    return replace(corpus, clips=clips)


def _done(compute: Callable[[], object]) -> None:
    compute()


def _check_comparable(corpora: Mapping[str, Corpus]) -> None:
    """Refuse feature tables with different columns, and tables beside audio."""
    columns: dict[str, Sequence[str] | None] = {
        name: None if corpus.features is None else list(corpus.features.columns)
        for name, corpus in corpora.items()
    }
    tables = {name: names for name, names in columns.items() if names is not None}
    if not tables:
        return
    audio = [name for name in columns if name not in tables]
    if audio:
        raise CorpusError(
            f"{audio[0]} is audio and {next(iter(tables))} a table of ready-made features: a study "
            "compares corpora with the same features, so give both as audio or both as tables"
        )
    first, *others = tables
    for other in others:
        difference = set(tables[first]) ^ set(tables[other])
        if difference:
            raise CorpusError(
                f"the feature tables {first} and {other} differ in the columns "
                f"{', '.join(sorted(difference)[:5])}; exclude them or give tables made alike"
            )
