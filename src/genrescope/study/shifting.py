"""Why a source does not carry over to a target, and what helps: what `genrescope shift` runs."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.corpora.recording import Recording, recording_of
from genrescope.errors import ConfigError
from genrescope.evaluation.cells import evaluated_parts, source_members
from genrescope.files import sha256_json, write_json
from genrescope.models import create_model
from genrescope.report.shift_page import write_shift_page
from genrescope.shift.confounds import Change, Side, changes_between
from genrescope.shift.ladder import REST
from genrescope.study.laddering import UNSEEN, climb_pair
from genrescope.study.material import prepare_materials
from genrescope.study.pool import Pool
from genrescope.study.provenance import now, provenance, write_records
from genrescope.study.repairing import repair
from genrescope.study.steps import Ledger
from genrescope.taxonomy import Taxonomy, load_taxonomy


@dataclass(frozen=True)
class ShiftResult:
    """What a finished analysis leaves.

    Attributes
    ----------
    folder : pathlib.Path
        The run directory.
    page : pathlib.Path
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

    folder: Path
    page: Path
    ladders: pd.DataFrame
    repairs: pd.DataFrame
    failures: pd.DataFrame
    skipped: list[dict[str, str | None]]


def run_shift(
    config: StudyConfig, *, out: Path, fresh: bool = False, workers: int | None = None
) -> ShiftResult:
    """Take the drop of every pairing of a study apart, or what is not yet finished of it.

    Parameters
    ----------
    config : StudyConfig
    out : pathlib.Path
        The run directory, not that of the study.
    fresh : bool
        Compute everything again.
    workers : int, optional
        Processes for extraction; the usable cores where not given.

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
    taxonomy = load_taxonomy(config.taxonomy)
    with Ledger(out, fresh=fresh) as ledger:
        return _Shift(config, taxonomy, out, ledger, workers, pairs).run()


@dataclass
class _Shift:
    config: StudyConfig
    taxonomy: Taxonomy
    out: Path
    ledger: Ledger
    workers: int | None
    pairs: list[tuple[str, str]]
    started: str = field(default_factory=now)
    skipped: list[dict[str, str | None]] = field(default_factory=list)

    def run(self) -> ShiftResult:
        config = self.config
        inputs = {
            name: create_model(settings.kind, **settings.params).input
            for name, settings in config.models.items()
        }
        self.log_mels = "log_mels" in inputs.values()
        self.materials = prepare_materials(
            config, self.taxonomy, self.ledger, workers=self.workers, log_mels=self.log_mels
        )
        self.genres = self.taxonomy.order(
            genre for material in self.materials.values() for genre in material.clips["genre"]
        )
        failures = write_records(self.out, config, self.materials)
        ladders, repairs = [], []
        for source, target in self.pairs:
            home, away = (self._pool(joined) for joined in (source, target))
            changes = self._changes(home, away)
            alike = self._alike(home, changes, "source"), self._alike(away, changes, "target")
            for name in self._usable(inputs, home, away):
                ladders.append(self._climb(name, home, away, changes, alike))
                if inputs[name] == "vectors":
                    repairs.append(self._repair(name, home, away, alike))
        tables = [pd.concat(found, ignore_index=True) for found in (ladders, repairs)]
        return ShiftResult(self.out, self._page(), tables[0], tables[1], failures, self.skipped)

    def _pool(self, joined: str) -> Pool:
        return Pool(tuple(self.materials[name] for name in source_members(joined)))

    def _changes(self, home: Pool, away: Pool) -> list[Change]:
        names = ("clip length", "padding", "band", "level", "single instruments")
        tables = [pool.name for pool in (home, away) if not pool.has_audio]
        if tables:
            note = f"{' and '.join(tables)} came as features: there is no sound to change"
            return [Change(name, note=note) for name in names]
        source, target = (self._recording(pool) for pool in (home, away))
        return changes_between(source, target, fit=self.config.audio.fit)

    def _recording(self, pool: Pool) -> Recording:
        path = self.out / "recordings" / f"{pool.name}.json"
        clips = pool.clips.reset_index(drop=True)

        def measure() -> dict[str, Any]:
            whole = replace(pool.members[0].corpus, name=pool.name, clips=clips)
            facts = vars(recording_of(whole, audio=self.config.audio, workers=self.workers))
            write_json(path, facts)
            return dict(facts)

        inputs = self._digests(pool)
        return Recording(**self.ledger.run(f"recording of {pool.name}", inputs, [path], measure))

    def _digests(self, pool: Pool) -> list[str]:
        audio, features = self.config.audio, self.config.features
        vectors = [sha256_json(member.features.vectors.to_csv()) for member in pool.members]
        return vectors + [member.digest(audio=audio, features=features) for member in pool.members]

    def _alike(self, pool: Pool, changes: Sequence[Change], side: Side) -> list[Pool]:
        """The clips as they are, and after each needed change of their side, cumulated."""
        made, pools = [], [pool]
        for change in changes:
            if not change.needed or change.side != side:
                continue
            made.append(change)
            pools.append(
                self.ledger.timed(
                    f"{pool.name} as {side}: {', '.join(one.name for one in made)}",
                    functools.partial(
                        pool.altered,
                        tuple(made),
                        config=self.config,
                        out=self.out,
                        workers=self.workers,
                        log_mels=self.log_mels,
                    ),
                )
            )
        return pools

    def _usable(self, inputs: Mapping[str, str], home: Pool, away: Pool) -> Iterator[str]:
        for name, kind in inputs.items():
            if kind == "log_mels" and not (home.has_audio and away.has_audio):
                reason = f"{name} learns from spectrograms, and there is no sound"
                found = {"model": name, "source": home.name, "target": away.name}
                self.skipped.append({**found, "reason": reason})
                continue
            yield name

    def _climb(
        self,
        name: str,
        home: Pool,
        away: Pool,
        changes: Sequence[Change],
        alike: tuple[list[Pool], list[Pool]],
    ) -> pd.DataFrame:
        folder = self.out / "ladder" / name / f"{home.name}__{away.name}"
        inputs = self._inputs(name, home, away) | {"changes": [vars(c) for c in changes]}
        step = f"ladder of {name} from {home.name} to {away.name}"
        down, up = (
            [c.name for c in changes if c.needed and c.side == side] for side in get_args(Side)
        )
        compute = functools.partial(
            climb_pair,
            folder,
            self.config,
            name,
            dict(zip([UNSEEN, *down], alike[0], strict=True)),
            dict(zip([*up, REST], alike[1], strict=True)),
            changes,
            self.genres,
        )
        self.ledger.run(step, inputs, [folder], compute)
        return _labelled(pd.read_csv(folder / "ladder.csv"), name, home, away)

    def _repair(
        self, name: str, home: Pool, away: Pool, alike: tuple[list[Pool], list[Pool]]
    ) -> pd.DataFrame:
        folder = self.out / "repairs" / name / f"{home.name}__{away.name}"
        step = f"what helps {name} from {home.name} to {away.name}"
        changed = alike[0][-1]
        inputs = self._inputs(name, home, away) | {"alike": self._digests(changed)}
        compute = functools.partial(
            repair, folder, self.config, name, home, away, changed, self.genres
        )
        self.ledger.run(step, inputs, [folder], compute)
        return _labelled(pd.read_csv(folder / "methods.csv"), name, home, away)

    def _inputs(self, name: str, home: Pool, away: Pool) -> dict[str, Any]:
        return {
            "model": self.config.models[name].model_dump(),
            "members": [self._digests(pool) for pool in (home, away)],
            "genres": self.genres,
            "shift": self.config.shift.model_dump(mode="json"),
            "n_resamples": self.config.evaluation.n_resamples,
        }

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


def _labelled(table: pd.DataFrame, name: str, home: Pool, away: Pool) -> pd.DataFrame:
    about = {"model": name, "source": home.name, "target": away.name}
    return table.drop(columns="model", errors="ignore").assign(**about)
