"""Why a source does not carry over to a target, and what helps: what `genrescope shift` runs."""

import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.errors import ConfigError
from genrescope.evaluation.cells import evaluated_parts, source_members
from genrescope.files import sha256_file, write_json
from genrescope.parallel import Workers
from genrescope.remote import UrlPath
from genrescope.report.shift_page import write_shift_page
from genrescope.study.causes import find_causes, find_moved
from genrescope.study.ladder_steps import Alike, LadderSteps
from genrescope.study.laddering import cross_folds
from genrescope.study.material import prepare_materials
from genrescope.study.pool import Pool
from genrescope.study.provenance import now, provenance, write_records
from genrescope.study.repairing import repair
from genrescope.study.steps import Ledger
from genrescope.study.training import model_inputs
from genrescope.taxonomy import Taxonomy, load_taxonomy


@dataclass(frozen=True)
class ShiftResult:
    """What a finished analysis leaves.

    Attributes
    ----------
    folder : pathlib.Path or UrlPath
        The run directory.
    page : pathlib.Path or UrlPath
        The page that shows it.
    ladders : DataFrame
        `model`, `source`, `target`, then the columns of `shift.ladder.climb`.
    repairs : DataFrame
        `source`, `target`, then the columns of `shift.bench.summarise_bench`.
    failures : DataFrame
        Everything that could not be used: `corpus`, `path`, `reason`, `kind`.
    skipped : list of dict
        What was left out, each with its `reason`.
    """

    folder: Path | UrlPath
    page: Path | UrlPath
    ladders: pd.DataFrame
    repairs: pd.DataFrame
    failures: pd.DataFrame
    skipped: list[dict[str, str | None]]


def run_shift(
    config: StudyConfig,
    *,
    out: str | os.PathLike[str],
    fresh: bool = False,
    workers: Workers = None,
) -> ShiftResult:
    """Take the drop of every pairing of a study apart, or what is not yet finished of it.

    Parameters
    ----------
    config : StudyConfig
    out : path-like
        The run directory, a folder or a URL, not that of the study.
    fresh : bool
        Compute everything again.
    workers : Workers
        Processes; the usable cores where None.

    Raises
    ------
    ConfigError, CorpusError
        Where the configuration or a corpus cannot be used, or no source has a target of its own.
    OutputError
        Where the run directory cannot be written, or another run is at work in it.
    """
    pairs = [
        (source, target)
        for source in config.sources
        for target in config.targets
        if "all" in evaluated_parts(source, target)
    ]
    if not pairs:
        raise ConfigError("no source of the study has a target that shares no corpus with it")
    inputs = model_inputs(config)
    taxonomy = load_taxonomy(config.taxonomy)
    with Ledger(out, fresh=fresh) as ledger:
        return _Shift(config, taxonomy, inputs, ledger, workers, pairs).run()


@dataclass
class _Shift:
    config: StudyConfig
    taxonomy: Taxonomy
    inputs: dict[str, str]
    ledger: Ledger
    workers: Workers
    pairs: list[tuple[str, str]]
    started: str = field(default_factory=now)
    skipped: list[dict[str, str | None]] = field(default_factory=list)

    def run(self) -> ShiftResult:
        config = self.config
        self.out = self.ledger.folder
        log_mels = "log_mels" in self.inputs.values()
        self.materials = prepare_materials(
            config, self.taxonomy, self.ledger, workers=self.workers, log_mels=log_mels
        )
        self.genres = self.taxonomy.order(
            genre for material in self.materials.values() for genre in material.clips["genre"]
        )
        self.steps = LadderSteps(config, self.ledger, self.genres, self.workers, log_mels)
        failures = write_records(self.out, config, self.materials)
        ladders, repairs = [], []
        for source, target in self.pairs:
            home, away = (self._pool(joined) for joined in (source, target))
            pair = self.steps.make_alike(home, away)
            for name in self._usable(home, away):
                ladders.append(self._climb(name, pair))
                self._causes(name, pair)
                if self.inputs[name] == "vectors":
                    self._moved(name, pair)
                repairs.append(self._repair(name, pair))
        if not ladders:
            raise ConfigError(f"no model can be tested: {self.skipped[0]['reason']}")
        tables = [pd.concat(found, ignore_index=True) for found in (ladders, repairs)]
        page = self._page()
        self.ledger.prune()
        place = self.ledger.address
        return ShiftResult(place, place / page.name, tables[0], tables[1], failures, self.skipped)

    def _pool(self, joined: str) -> Pool:
        return Pool(tuple(self.materials[name] for name in source_members(joined)))

    def _usable(self, home: Pool, away: Pool) -> Iterator[str]:
        for name, kind in self.inputs.items():
            if kind == "log_mels" and not (home.has_audio and away.has_audio):
                reason = f"{name} learns from spectrograms, and there is no sound"
                found = {"model": name, "source": home.name, "target": away.name}
                self.skipped.append({**found, "reason": reason})
                continue
            yield name

    def _climb(self, name: str, pair: Alike) -> pd.DataFrame:
        settings, shift = self.config.models[name], self.config.shift
        network = self.inputs[name] == "log_mels"
        repeats = shift.network_repeats if network else shift.repeats
        folds = functools.partial(
            cross_folds,
            settings,
            pair.home,
            n_folds=shift.folds,
            seeds=range(repeats),
            workers=self.workers,
        )
        seen = folds(apart="track") if pair.home.knows_artists else None
        inputs = {"folds": shift.folds, "repeats": repeats}
        ladder = self.steps.climb(name, pair, folds(apart="artist"), seen, inputs=inputs)
        return _labelled(ladder, name, pair)

    def _causes(self, name: str, pair: Alike) -> None:
        folder = self.out / "causes" / name / pair.folder
        answered = self.out / "ladder" / name / pair.folder / "answers.csv"

        def compute() -> None:
            words = dict.fromkeys(("clip_id", "group", "genre", "predicted"), "str")
            answers = pd.read_csv(answered, dtype=words, keep_default_na=False)
            n_resamples = self.config.evaluation.n_resamples
            find_causes(
                folder,
                answers,
                pair.homes[-1],
                pair.aways[-1],
                self.genres,
                n_resamples=n_resamples,
            )

        step = f"kinds of shift of {name} from {pair.home.name} to {pair.away.name}"
        self.ledger.run(step, sha256_file(answered), [folder], compute)

    def _moved(self, name: str, pair: Alike) -> None:
        folder = self.out / "moved" / name / pair.folder
        compute = functools.partial(
            find_moved, folder, self.config, name, pair.home, pair.away, workers=self.workers
        )
        inputs = self.steps.inputs(name, pair) | {
            "folds": self.config.shift.folds,
            "shap_clips": self.config.explanations.shap_clips,
        }
        step = f"features of {name} that moved from {pair.home.name} to {pair.away.name}"
        self.ledger.run(step, inputs, [folder], compute)

    def _repair(self, name: str, pair: Alike) -> pd.DataFrame:
        folder = self.out / "repairs" / name / pair.folder
        step = f"what helps {name} from {pair.home.name} to {pair.away.name}"
        compute = functools.partial(
            repair, folder, self.config, name, pair.home, pair.away, pair.homes[-1], self.genres
        )
        inputs = self.steps.inputs(name, pair)
        inputs |= {"shift": self.config.shift.model_dump(mode="json")}
        self.ledger.run(step, inputs, [folder], compute)
        return _labelled(pd.read_csv(folder / "methods.csv"), name, pair)

    def _page(self) -> Path:
        facts = provenance(
            self.config,
            self.taxonomy,
            self.materials,
            genres=self.genres,
            skipped=self.skipped,
            warnings=[],
        )
        times = {"started": self.started, "finished": now(), "durations": self.ledger.durations}
        pairs = [{"source": source, "target": target} for source, target in self.pairs]
        write_json(self.out / "run.json", facts | times | {"pairs": pairs})
        return write_shift_page(self.out)


def _labelled(table: pd.DataFrame, name: str, pair: Alike) -> pd.DataFrame:
    about = {"model": name, "source": pair.home.name, "target": pair.away.name}
    return table.drop(columns="model", errors="ignore").assign(**about)
