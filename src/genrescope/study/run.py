"""Run a study: index, extract, split, train, test every pairing, explain, report."""

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.errors import ConfigError, TrainingError
from genrescope.evaluation.cells import RESULT_COLUMNS, Cell, source_members
from genrescope.files import write_csv
from genrescope.models.bundle import load_bundle
from genrescope.parallel import Workers, preload
from genrescope.remote import UrlPath
from genrescope.study.controls import climb_study
from genrescope.study.explanation_steps import explanation_steps
from genrescope.study.guessing import score_guesses
from genrescope.study.ladder_steps import LadderSteps
from genrescope.study.material import Material, prepare_materials
from genrescope.study.provenance import now, provenance, write_records
from genrescope.study.reporting import report_run
from genrescope.study.steps import Ledger
from genrescope.study.testing import write_cell
from genrescope.study.training import model_inputs, train_bundle
from genrescope.taxonomy import Taxonomy, load_taxonomy

MODELS_IN_MEMORY = 4
# What other processes do: with what these modules import they start at once.
IN_PROCESSES = ("genrescope.explanations.tree_shap", "genrescope.study.checking")


@dataclass(frozen=True)
class StudyResult:
    """What a finished study leaves.

    Attributes
    ----------
    folder : pathlib.Path or UrlPath
        The run directory.
    report : pathlib.Path or UrlPath
        Its report.
    results : DataFrame
        A row per model, source, target, evaluated part and seed, as `results.csv` has them.
    failures : DataFrame
        Everything that could not be used: `corpus`, `path`, `reason`, `kind`.
    skipped : list of dict
        Models, sources or cells left out, each with its `reason`.
    warnings : list of str
        What a reader of the results should know.
    computed : list of str
        Steps that were computed now, not found finished.
    """

    folder: Path | UrlPath
    report: Path | UrlPath
    results: pd.DataFrame
    failures: pd.DataFrame
    skipped: list[dict[str, str | None]]
    warnings: list[str]
    computed: list[str]


def run_study(
    config: StudyConfig,
    *,
    out: str | os.PathLike[str],
    fresh: bool = False,
    workers: Workers = None,
) -> StudyResult:
    """Run a study, or what is not yet finished of it.

    Parameters
    ----------
    config : StudyConfig
        From `load_config`, or built in Python.
    out : path-like
        The run directory, a folder or a URL.
    fresh : bool
        Compute everything again.
    workers : Workers
        Processes; the usable cores where None.

    Returns
    -------
    StudyResult

    Raises
    ------
    ConfigError, CorpusError
        Where the configuration or a corpus cannot be used at all.
    OutputError
        Where the run directory cannot be written, or another run is at work in it.
    RemoteError
        Where a URL cannot be reached; what was finished before stays.
    """
    inputs = model_inputs(config)
    taxonomy = load_taxonomy(config.taxonomy)
    preload(*IN_PROCESSES)
    with Ledger(out, fresh=fresh) as ledger:
        return _Study(config, taxonomy, inputs, ledger, workers).run()


@dataclass
class _Study:
    config: StudyConfig
    taxonomy: Taxonomy
    inputs: dict[str, str]
    ledger: Ledger
    workers: Workers
    started: str = field(default_factory=now)
    skipped: list[dict[str, str | None]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def run(self) -> StudyResult:
        config = self.config
        self.out = self.ledger.folder
        log_mels = "log_mels" in self.inputs.values()
        self.materials = prepare_materials(
            config,
            self.taxonomy,
            self.ledger,
            workers=self.workers,
            log_mels=log_mels,
        )
        self.warnings = [w for m in self.materials.values() for w in m.warnings]
        self.genres = self.taxonomy.order(
            genre for material in self.materials.values() for genre in material.clips["genre"]
        )
        self.digests = {
            name: material.digest(audio=config.audio, features=config.features)
            for name, material in self.materials.items()
        }
        self._load = functools.lru_cache(maxsize=MODELS_IN_MEMORY)(load_bundle)
        failures = write_records(self.out, config, self.materials)
        trained = [pair for pair in self._trainable() if self._train(*pair)]
        rows = [
            row
            for name, source in trained
            for target in config.targets
            for row in self._test(Cell(name, source, target))
        ]
        if not rows:
            raise TrainingError(f"the study has no cell: {self.skipped[0]['reason']}")
        rows += score_guesses(
            config,
            rows,
            out=self.out,
            ledger=self.ledger,
            step_of=_test_step,
            genres=self.genres,
        )
        results = pd.DataFrame(rows, columns=pd.Index(RESULT_COLUMNS))
        write_csv(self.out / "results.csv", results)
        for name, source in trained:
            self._explain(name, source)
        if config.shift.in_study:
            climb_study(
                LadderSteps(config, self.ledger, self.genres, self.workers, log_mels),
                [Cell(*pair, target) for pair in trained for target in config.targets],
                self.materials,
                kinds=self.inputs,
                load=lambda cell, seed: self._model(cell.model, cell.source, seed),
                config=config,
            )
        facts = provenance(
            config,
            self.taxonomy,
            self.materials,
            genres=self.genres,
            skipped=self.skipped,
            warnings=self.warnings,
        )
        report = report_run(
            self.ledger, config, facts, started=self.started, tables=(results, failures)
        )
        self.ledger.prune()
        return StudyResult(
            self.ledger.address,
            self.ledger.address / report.name,
            results,
            failures,
            self.skipped,
            self.warnings,
            self.ledger.computed,
        )

    def _members(self, joined: str) -> list[Material]:
        return [self.materials[name] for name in source_members(joined)]

    def _trainable(self) -> list[tuple[str, str]]:
        """Models and sources that fit each other: a network cannot learn from a feature table."""
        tables = [
            name
            for name, material in self.materials.items()
            if material.corpus.features is not None
        ]
        pairs = []
        for name, kind in self.inputs.items():
            if kind == "log_mels" and tables:
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

    def _model(self, name: str, source: str, seed: int) -> Any:
        return self._load(self._bundle(name, source, seed)).model

    def _train(self, name: str, source: str) -> bool:
        """Train a model with each of its seeds; False, the reason noted, if its clips do not do."""
        config = self.config
        for seed in config.seeds_of(name):
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
                workers=self.workers,
            )
            inputs = {
                "model": config.models[name].model_dump(exclude={"seeds"}),
                "members": {m: self.digests[m] for m in source_members(source)},
                "taxonomy": self.taxonomy.to_dict(),
                "genres": self.genres,
                "n_resamples": config.evaluation.n_resamples,
            }
            try:
                self.ledger.run(_train_step(name, source, seed), inputs, [folder], train)
            except TrainingError as error:
                self._skip(error.reason, model=name, source=source)
                return False
        return True

    def _test(self, cell: Cell) -> list[dict[str, Any]]:
        config = self.config
        inputs = {
            "trained": [
                self.ledger.key(_train_step(cell.model, cell.source, seed))
                for seed in config.seeds_of(cell.model)
            ],
            "members": {m: self.digests[m] for m in source_members(cell.target)},
            "genres": self.genres,
            "n_resamples": config.evaluation.n_resamples,
        }
        folder = self.out / cell.folder
        step = _test_step(cell)
        write = functools.partial(
            write_cell,
            folder,
            cell,
            self._members(cell.target),
            load=functools.partial(self._model, cell.model, cell.source),
            seeds=config.seeds_of(cell.model),
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
        seed = self.config.split.seeds[0]
        members = self._members(source)
        networks = [model for model, kind in self.inputs.items() if kind == "log_mels"]
        # The run directory has room for the maps of one network.
        if name in networks[1:] or not any(m.part("test", seed=seed) for m in members):
            return
        steps = explanation_steps(
            self.out / "explanations",
            lambda: self._load(self._bundle(name, source, seed)),
            members,
            name=name,
            source=source,
            genres=self.genres,
            config=self.config,
            workers=self.workers,
        )
        inputs = {
            "trained": self.ledger.key(_train_step(name, source, seed)),
            "settings": self.config.explanations.model_dump(),
        }
        for step, folder, compute in steps:
            self.ledger.run(step, inputs, [folder], compute)

    def _skip(
        self, reason: str, *, model: str, source: str | None = None, target: str | None = None
    ) -> None:
        self.skipped.append({"model": model, "source": source, "target": target, "reason": reason})


def _test_step(cell: Cell) -> str:
    return f"test {cell.model} trained on {cell.source} on {cell.target}"


def _train_step(name: str, source: str, seed: int) -> str:
    return f"train {name} on {source}, seed {seed}"
