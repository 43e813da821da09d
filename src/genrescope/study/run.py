"""Run a study: index, extract, split, train, test every pairing, explain, report."""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.errors import ConfigError, TrainingError
from genrescope.evaluation.cells import RESULT_COLUMNS, Cell, source_members
from genrescope.features.store import export
from genrescope.files import atomic_path, sha256_json, write_csv, write_json, write_text
from genrescope.models import create_model
from genrescope.models.bundle import load_bundle
from genrescope.report.html import write_report
from genrescope.study.explaining import explain_network, explain_trees
from genrescope.study.material import Material, check_comparable, prepare_corpus, prepare_material
from genrescope.study.provenance import now, provenance, resolved_yaml
from genrescope.study.steps import Ledger
from genrescope.study.testing import write_cell
from genrescope.study.training import train_bundle
from genrescope.taxonomy import Taxonomy, load_taxonomy

FAILURE_COLUMNS = ("corpus", "path", "reason", "kind")
MODELS_IN_MEMORY = 4


@dataclass(frozen=True)
class StudyResult:
    """What a finished study leaves.

    Attributes
    ----------
    folder : pathlib.Path
        The run directory.
    report : pathlib.Path
        Its report.
    results : DataFrame
        A row per model, source, target, evaluated part and seed.
    failures : DataFrame
        Everything that could not be used: `corpus`, `path`, `reason`, `kind`.
    skipped : list of dict
        Models, sources or cells left out, each with its `reason`.
    warnings : list of str
        What a reader of the results should know.
    computed : list of str
        Steps that were computed now, not found finished.
    """

    folder: Path
    report: Path
    results: pd.DataFrame
    failures: pd.DataFrame
    skipped: list[dict[str, str | None]]
    warnings: list[str]
    computed: list[str]


def run_study(
    config: StudyConfig, *, out: Path, fresh: bool = False, workers: int | None = None
) -> StudyResult:
    """Run a study, or what is not yet finished of it.

    Parameters
    ----------
    config : StudyConfig
        From `load_config`, or built in Python.
    out : pathlib.Path
        The run directory.
    fresh : bool
        Compute everything again.
    workers : int, optional
        Processes for extraction; the usable cores where not given.

    Returns
    -------
    StudyResult

    Raises
    ------
    ConfigError, CorpusError
        Where the configuration or a corpus cannot be used at all.
    OutputError
        Where the run directory cannot be written, or another run is at work in it.
    """
    for name, settings in config.models.items():
        try:
            create_model(settings.kind, **settings.params)
        except ConfigError as error:
            raise ConfigError(f"models.{name}: {error.reason}") from error
    taxonomy = load_taxonomy(config.taxonomy)
    with Ledger(out, fresh=fresh) as ledger:
        return _Study(config, taxonomy, out, ledger, workers).run()


@dataclass
class _Study:
    config: StudyConfig
    taxonomy: Taxonomy
    out: Path
    ledger: Ledger
    workers: int | None
    started: str = field(default_factory=now)
    skipped: list[dict[str, str | None]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _skipped_models: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> StudyResult:
        self.materials = self._prepare()
        self.genres = self.taxonomy.order(
            genre for material in self.materials.values() for genre in material.clips["genre"]
        )
        self.digests = {
            name: material.digest(audio=self.config.audio, features=self.config.features)
            for name, material in self.materials.items()
        }
        self._load = functools.lru_cache(maxsize=MODELS_IN_MEMORY)(load_bundle)
        failures = self._write_tables()
        inputs = self._trainable()
        for name, source in inputs:
            self._train(name, source)
        trained = [key for key in inputs if key not in self._skipped_models]
        rows = [
            row
            for name, source in trained
            for target in self.config.targets
            for row in self._test(Cell(name, source, target))
        ]
        results = pd.DataFrame(rows, columns=pd.Index(RESULT_COLUMNS))
        write_csv(self.out / "results.csv", results)
        for name, source in trained:
            self._explain(name, source)
        report = self._report(results)
        self.ledger.prune()
        return StudyResult(
            self.out,
            report,
            results,
            failures,
            self.skipped,
            self.warnings,
            self.ledger.computed,
        )

    def _prepare(self) -> dict[str, Material]:
        config = self.config
        corpora = {
            name: prepare_corpus(
                name,
                settings,
                taxonomy=self.taxonomy,
                audio=config.audio,
                made_in=self.out / "audio",
            )
            for name, settings in config.corpora.items()
        }
        check_comparable(corpora)
        inputs = {
            create_model(settings.kind, **settings.params).input
            for settings in config.models.values()
        }
        materials = {}
        for name, corpus in corpora.items():
            corpus.to_parquet(self.out / "corpora" / f"{name}.parquet")
            materials[name] = prepare_material(
                corpus,
                folder=self.out / "features",
                audio=config.audio,
                features=config.features,
                split=config.split,
                workers=self.workers,
                log_mels="log_mels" in inputs,
            )
            export(materials[name].features, corpus, self.out / "features" / f"{name}.csv")
            self.warnings += materials[name].warnings
        return materials

    def _write_tables(self) -> pd.DataFrame:
        failures = pd.concat(
            [material.failures.assign(corpus=name) for name, material in self.materials.items()],
            ignore_index=True,
        )[list(FAILURE_COLUMNS)]
        write_csv(self.out / "failures.csv", failures)
        splits = pd.concat(
            [
                pd.DataFrame(
                    {"corpus": name, "seed": seed, "clip_id": parts.index, "part": parts.to_numpy()}
                )
                for name, material in self.materials.items()
                for seed, parts in material.parts.items()
            ],
            ignore_index=True,
        )
        with atomic_path(self.out / "splits.parquet") as temporary:
            splits.to_parquet(temporary, index=False)
        write_text(self.out / "study.yaml", resolved_yaml(self.config))
        return failures

    def _members(self, joined: str) -> list[Material]:
        return [self.materials[name] for name in source_members(joined)]

    def _trainable(self) -> list[tuple[str, str]]:
        """Models and sources that fit each other: a network cannot learn from a feature table."""
        pairs = []
        for name, settings in self.config.models.items():
            tables = [
                corpus
                for corpus, material in self.materials.items()
                if material.features.log_mels is None
            ]
            needs_audio = create_model(settings.kind, **settings.params).input == "log_mels"
            if needs_audio and tables:
                self._skip(
                    f"{name} learns from log-mel spectrograms, and {' and '.join(tables)} came as "
                    "ready-made features without audio",
                    model=name,
                )
                continue
            pairs += [(name, source) for source in self.config.sources]
        if not pairs:
            raise ConfigError(
                f"no model of the study can use these corpora: {self.skipped[0]['reason']}"
            )
        return pairs

    def _bundle(self, name: str, source: str, seed: int) -> Path:
        first = seed == self.config.split.seeds[0]
        base = self.out if first else self.out / "seeds" / str(seed)
        return base / "models" / name / source

    def _train(self, name: str, source: str) -> None:
        config = self.config
        for seed in config.split.seeds:
            folder = self._bundle(name, source, seed)
            train = functools.partial(
                train_bundle,
                folder,
                config.models[name],
                self._members(source),
                name=name,
                source=source,
                genres=self.genres,
                taxonomy=self.taxonomy,
                audio=config.audio,
                features=config.features,
                seed=seed,
                n_resamples=config.evaluation.n_resamples,
            )
            inputs = {
                "model": config.models[name].model_dump(),
                "members": {m: self.digests[m] for m in source_members(source)},
                "taxonomy": self.taxonomy.to_dict(),
                "genres": self.genres,
                "n_resamples": config.evaluation.n_resamples,
            }
            step = _train_step(name, source, seed)
            self._say(step)
            try:
                self.ledger.run(step, inputs, [folder], train)
            except TrainingError as error:
                self._skipped_models.add((name, source))
                self._skip(error.reason, model=name, source=source)
                return

    def _test(self, cell: Cell) -> list[dict[str, Any]]:
        config = self.config
        inputs = {
            "trained": [
                self.ledger.key(_train_step(cell.model, cell.source, seed))
                for seed in config.split.seeds
            ],
            "members": {m: self.digests[m] for m in source_members(cell.target)},
            "genres": self.genres,
            "n_resamples": config.evaluation.n_resamples,
        }
        folder = self.out / cell.folder
        step = f"test {cell.model} from {cell.source} on {cell.target}"
        write = functools.partial(
            write_cell,
            folder,
            cell,
            self._members(cell.target),
            load=lambda seed: self._load(self._bundle(cell.model, cell.source, seed)).model,
            seeds=config.split.seeds,
            genres=self.genres,
            n_resamples=config.evaluation.n_resamples,
        )
        rows = self.ledger.run(step, inputs, [folder], write)
        if not rows:
            self._skip(
                f"{cell.target} has no held-out clips to test on",
                model=cell.model,
                source=cell.source,
                target=cell.target,
            )
        return list(rows)

    def _explain(self, name: str, source: str) -> None:
        config = self.config
        seed = config.split.seeds[0]
        members = self._members(source)
        if not any(member.part("test", seed=seed) for member in members):
            return
        model = self._load(self._bundle(name, source, seed)).model
        inputs = {
            "trained": self.ledger.key(_train_step(name, source, seed)),
            "settings": config.explanations.model_dump(),
        }
        step = f"explain {name} from {source}"
        self._say(step)
        if model.input == "vectors":
            folder = self.out / "explanations" / "shap" / name / source
            explain: Callable[[], Any] = functools.partial(
                explain_trees,
                folder,
                model,
                members,
                title=f"What {name} listens to, trained on {source}",
                genres=self.genres,
                seed=seed,
                at_most=config.explanations.shap_clips,
            )
        else:
            folder = self.out / "explanations" / "grad_cam" / source
            explain = functools.partial(
                explain_network,
                folder,
                model,
                members,
                genres=self.genres,
                seed=seed,
                examples=config.explanations.grad_cam_examples,
                audio=config.audio,
                features=config.features,
            )
        self.ledger.run(step, inputs, [folder], explain)

    def _report(self, results: pd.DataFrame) -> Path:
        report = self.out / "report.html"

        def write() -> None:
            self._say("write the report")
            facts = provenance(
                self.config,
                self.taxonomy,
                self.materials,
                genres=self.genres,
                started=self.started,
                durations=self.ledger.durations,
                skipped=self.skipped,
                warnings=self.warnings,
            )
            write_json(self.out / "run.json", facts)
            write_report(self.out)

        inputs = {
            "steps": {name: self.ledger.key(name) for name in self.ledger.durations},
            "config": self.config.model_dump(mode="json"),
            "results": sha256_json(results.to_csv()),
            "skipped": self.skipped,
            "warnings": self.warnings,
        }
        self.ledger.run("report", inputs, [report, self.out / "run.json"], write)
        return report

    def _skip(
        self, reason: str, *, model: str, source: str | None = None, target: str | None = None
    ) -> None:
        self.skipped.append({"model": model, "source": source, "target": target, "reason": reason})

    def _say(self, what: str) -> None:
        print(what, file=sys.stderr, flush=True)


def _train_step(name: str, source: str, seed: int) -> str:
    return f"train {name} on {source}, seed {seed}"
