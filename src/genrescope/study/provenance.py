"""What made a run: versions, seeds, corpora, durations, the configuration as it was resolved."""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from genrescope import __version__
from genrescope.config import StudyConfig
from genrescope.files import atomic_path, write_csv, write_text
from genrescope.models import create_model
from genrescope.settings import ModelSettings
from genrescope.study.material import Material
from genrescope.taxonomy import Taxonomy

LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "soundfile",
    "soxr",
    "scikit-learn",
    "xgboost-cpu",
    "torch",
    "shap",
)
FAILURE_COLUMNS = ("corpus", "path", "reason", "kind")


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def library_versions() -> dict[str, str]:
    """Versions of the libraries that decide the numbers, those installed."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def resolved_yaml(config: StudyConfig) -> str:
    """The configuration with every default spelled out, as YAML that `study` reads again.

    Parameters
    ----------
    config : StudyConfig

    Examples
    --------
    >>> config = StudyConfig.parse({"name": "a", "corpora": {"b": {"format": "folder"}}})
    >>> StudyConfig.parse(yaml.safe_load(resolved_yaml(config))) == config
    True
    """
    return yaml.safe_dump(
        config.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100
    )


def provenance(
    config: StudyConfig,
    taxonomy: Taxonomy,
    materials: Mapping[str, Material],
    *,
    genres: Sequence[str],
    skipped: Sequence[Mapping[str, str | None]],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """Facts about a run, as `run.json` holds them beside its times.

    Parameters
    ----------
    config : StudyConfig
    taxonomy : Taxonomy
    materials : mapping of str to Material
        By corpus.
    genres : sequence of str
        In display order.
    skipped, warnings
        What was left out, and what a reader should know.
    """
    return {
        "name": config.name,
        "question": config.question,
        "genrescope": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": library_versions(),
        "seeds": list(config.split.seeds),
        "n_resamples": config.evaluation.n_resamples,
        "reference": config.reference,
        "genres": list(genres),
        "taxonomy": taxonomy.name,
        "corpora": {name: _corpus(material) for name, material in materials.items()},
        "sources": list(config.sources),
        "targets": list(config.targets),
        "models": {
            name: _model(settings) | {"seeds": list(config.seeds_of(name))}
            for name, settings in config.models.items()
        },
        "skipped": [dict(item) for item in skipped],
        "warnings": list(warnings),
    }


def _corpus(material: Material) -> dict[str, Any]:
    corpus, clips = material.corpus, material.clips
    summary = corpus.summary()
    return {
        "format": corpus.format,
        "culture": corpus.culture,
        "synthetic": corpus.synthetic,
        "clips": len(clips),
        "tracks": int(clips["track"].nunique()),
        "groups": int(clips["group"].nunique()),
        "group_kind": {str(k): int(v) for k, v in clips["group_kind"].value_counts().items()},
        "genres": {str(k): int(v) for k, v in clips["genre"].value_counts().items()},
        "unmapped": summary["unmapped"],
        "failures": {
            str(kind): int(count)
            for kind, count in material.failures["kind"].value_counts().items()
        },
        "fingerprint": corpus.fingerprint(),
        "notes": list(corpus.notes),
    }


def _model(settings: ModelSettings) -> dict[str, Any]:
    model = create_model(settings.kind, **settings.params)
    facts = {"kind": settings.kind, "input": model.input, "params": model.get_params()}
    if model.input == "log_mels":
        from genrescope.models.device import pick_device, where_it_trains

        facts["trained"] = where_it_trains(pick_device(model.device), model.n_jobs)
    return facts


def write_records(
    out: Path, config: StudyConfig, materials: Mapping[str, Material]
) -> pd.DataFrame:
    """Write what a study was run on: `failures.csv`, `splits.parquet` and `study.yaml`.

    Parameters
    ----------
    out : pathlib.Path
        The run directory.
    config : StudyConfig
    materials : mapping of str to Material
        By corpus.

    Returns
    -------
    DataFrame
        Everything that could not be used: `corpus`, `path`, `reason`, `kind`.
    """
    failures = pd.concat(
        [material.failures.assign(corpus=name) for name, material in materials.items()],
        ignore_index=True,
    )[list(FAILURE_COLUMNS)]
    write_csv(out / "failures.csv", failures)
    splits = [
        pd.DataFrame({"corpus": name, "seed": seed, "clip_id": parts.index, "part": list(parts)})
        for name, material in materials.items()
        for seed, parts in material.parts.items()
    ]
    with atomic_path(out / "splits.parquet") as temporary:
        pd.concat(splits, ignore_index=True).to_parquet(temporary, index=False)
    write_text(out / "study.yaml", resolved_yaml(config))
    return failures
