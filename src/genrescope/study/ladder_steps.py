"""The steps that climb a ladder in a run directory, whether of a study or of a shift."""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from genrescope.config import StudyConfig
from genrescope.corpora.recording import Recording, recording_of
from genrescope.files import sha256_json, write_json
from genrescope.parallel import Workers
from genrescope.shift.confounds import CHANGES, Change, Side, changes_between
from genrescope.shift.ladder import REST
from genrescope.study.laddering import UNSEEN, Fold, climb_pair
from genrescope.study.material import STORE
from genrescope.study.pool import Pool
from genrescope.study.steps import Ledger


@dataclass(frozen=True)
class Alike:
    """A source and a target, and their clips made alike step by step.

    Attributes
    ----------
    home, away : Pool
        The source and the target as they are.
    changes : list of Change
    homes, aways : list of Pool
        The clips as they are, and after each needed change of their side, cumulated.
    """

    home: Pool
    away: Pool
    changes: list[Change]
    homes: list[Pool]
    aways: list[Pool]

    @property
    def folder(self) -> str:
        """What folders of the pair are called."""
        return f"{self.home.name}__{self.away.name}"


@dataclass(frozen=True)
class LadderSteps:
    """Makes the clips of pairs alike, and climbs.

    Attributes
    ----------
    config : StudyConfig
    ledger : Ledger
        Of the run directory.
    genres : sequence of str
        In display order.
    workers : Workers
        Processes that extract.
    log_mels : bool
        Whether a model needs spectrograms.
    """

    config: StudyConfig
    ledger: Ledger
    genres: Sequence[str]
    workers: Workers
    log_mels: bool

    @property
    def out(self) -> Path:
        """The run directory."""
        return self.ledger.folder

    def make_alike(self, home: Pool, away: Pool) -> Alike:
        """Find what differs about the clips of a pair, and change it on the side that has more.

        Parameters
        ----------
        home, away : Pool
            The source and the target.
        """
        changes = self._changes(home, away)
        homes, aways = (
            self._alike(pool, changes, side)
            for pool, side in zip((home, away), get_args(Side), strict=True)
        )
        return Alike(home, away, changes, homes, aways)

    def climb(
        self,
        name: str,
        pair: Alike,
        folds: Iterable[Fold],
        seen: Iterable[Fold] | None,
        *,
        inputs: Any,
    ) -> pd.DataFrame:
        """Climb the ladder of one model, or read what was climbed.

        Parameters
        ----------
        name : str
            Of the model.
        pair : Alike
        folds : iterable of Fold
            Models and the clips of the source that each has not seen, artists apart where the
            run keeps them apart.
        seen : iterable of Fold or None
            The same with tracks apart only; None leaves that rung out.
        inputs : JSON value
            What else the answers depend on.

        Returns
        -------
        DataFrame
            As from `shift.ladder.climb`.
        """
        folder = self.out / "ladder" / name / pair.folder
        down, up = (
            [c.name for c in pair.changes if c.needed and c.side == side] for side in get_args(Side)
        )
        compute = functools.partial(
            climb_pair,
            folder,
            dict(zip([UNSEEN, *down], pair.homes, strict=True)),
            dict(zip([*up, REST], pair.aways, strict=True)),
            pair.changes,
            self.genres,
            folds=folds,
            seen=seen,
            n_resamples=self.config.evaluation.n_resamples,
        )
        step = f"ladder of {name} from {pair.home.name} to {pair.away.name}"
        given = self.inputs(name, pair) | {"changes": [vars(c) for c in pair.changes]}
        self.ledger.run(step, given | {"more": inputs}, [folder], compute)
        return pd.read_csv(folder / "ladder.csv")

    def inputs(self, name: str, pair: Alike) -> dict[str, Any]:
        """What a step about a model and a pair depends on, as a ledger wants it."""
        return {
            "model": self.config.models[name].model_dump(),
            "members": [self._digests(pool) for pool in (*pair.homes, *pair.aways)],
            "genres": list(self.genres),
            "n_resamples": self.config.evaluation.n_resamples,
        }

    def _changes(self, home: Pool, away: Pool) -> list[Change]:
        tables = [pool.name for pool in (home, away) if not pool.has_audio]
        if tables:
            note = f"{' and '.join(tables)} came as features: there is no sound to change"
            return [Change(name, note=note) for name in CHANGES]
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
                        store=self.config.store or str(self.ledger.address / STORE),
                        workers=self.workers,
                        log_mels=self.log_mels,
                    ),
                )
            )
        return pools
