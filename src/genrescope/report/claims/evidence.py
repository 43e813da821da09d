"""What a run knows of its cells: confusion counts with their resamples, kept for many claims."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from genrescope.evaluation.cells import Cell
from genrescope.evaluation.counts import (
    FloatArray,
    GroupCounts,
    Statistic,
    bootstrap,
    group_counts,
    metrics_of,
    percentile_interval,
)
from genrescope.evaluation.differences import aligned
from genrescope.evaluation.guesses import guess_counts, guess_shares
from genrescope.evaluation.p_values import inverted_p_value, permutation_p_value
from genrescope.evaluation.rates import genre_rate
from genrescope.report.comparisons import N_PERMUTATIONS
from genrescope.report.run_directory import RunDirectory
from genrescope.report.run_files import damage_named

N_RESAMPLES = 4000  # p-values from .0005 on: enough for a hundred comparisons in one claim
WORDS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "kappa": "kappa",
    "macro_precision": "macro-precision",
    "macro_recall": "macro-recall",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}
Seeds = tuple[int, ...]


@dataclass(frozen=True)
class Tested:
    """A cell, the part of it that is scored, and the seeds."""

    cell: Cell
    part: str
    seeds: Seeds

    def __str__(self) -> str:
        return f"{self.cell.model}, {self.cell.source} → {self.cell.target}"


@dataclass(frozen=True)
class Estimate:
    """A figure, its values over resamples of groups, and the clips it rests on.

    Attributes
    ----------
    value : float
    resampled : numpy.ndarray [shape=(n_resamples,)]
        Empty where there are fewer than two groups.
    n : int
        Different clips, whatever the number of seeds.
    """

    value: float
    resampled: FloatArray
    n: int

    def minus(self, other: "Estimate") -> "Estimate":
        """The difference, resample by resample."""
        resampled = np.empty(0)
        if len(self.resampled) and len(other.resampled):
            resampled = self.resampled - other.resampled
        return Estimate(self.value - other.value, resampled, min(self.n, other.n))

    def between(self, above: float, below: float) -> dict[str, Any]:
        """The figure with interval and p-value against its bounds, as a `Comparison` takes them.

        A figure between its bounds is tested against both, and the larger p-value counts: two
        one-sided tests (Schuirmann 1987), here at 2.5% each. One beyond a bound is tested against
        that bound.
        """
        low, high = percentile_interval(self.resampled)
        bounds = [bound for bound in (above, below) if np.isfinite(bound)]
        if self.value <= above:
            bounds = [above]
        elif self.value >= below:
            bounds = [below]
        p_values = [inverted_p_value(self.resampled, at=bound) for bound in bounds]
        p_value = max(p_values) if len(self.resampled) else np.nan
        numbers = {"value": self.value, "low": low, "high": high, "p_value": p_value, "n": self.n}
        return numbers | {"above": above, "below": below}


def score_statistic(score: str, genre: int | None = None) -> Statistic:
    """A score as a function of confusion matrices: over all genres, or of one of them.

    Parameters
    ----------
    score : str
        As a claim names it; `precision`, `recall` and `f1` are the macro-averages where no genre
        is given.
    genre : int, optional
        Place of the genre.

    Examples
    --------
    >>> score_statistic("recall", 0)(np.array([[3.0, 1.0], [0.0, 4.0]])).item()
    0.75
    """
    if genre is not None:
        return lambda counts: genre_rate(counts, score, genre)
    name = f"macro_{score}" if score in ("precision", "recall", "f1") else score
    return lambda counts: metrics_of(counts)[name]


@dataclass
class Evidence:
    """Confusion counts of a run's cells and their bootstrap, computed once for all claims."""

    run: RunDirectory
    _counts: dict[Tested, tuple[GroupCounts, int]] = field(default_factory=dict)
    _drawn: dict[tuple[Tested, int], FloatArray] = field(default_factory=dict)

    def _predictions(self, tested: Tested) -> pd.DataFrame:
        return self.run.predictions(tested.cell, tested.part, seeds=tested.seeds)

    def counts(self, tested: Tested) -> tuple[GroupCounts, int]:
        """Confusion counts by group and seed, and the number of different clips."""
        if tested not in self._counts:
            frame = self._predictions(tested)
            counts = group_counts(frame, self.run.genres, by_seed=True)
            self._counts[tested] = counts, frame["clip_id"].nunique()
        return self._counts[tested]

    def estimate(self, tested: Tested, statistic: Statistic, *, stream: int = 0) -> Estimate:
        """A statistic of a cell, the mean over its seeds.

        Estimates on the same clips from the same stream are resampled alike, so their difference
        is paired; from two streams they are independent.
        """
        counts, n = self.counts(tested)
        value = counts.values(statistic, counts.total()[np.newaxis])[0]
        if counts.n_groups < 2:
            return Estimate(float(value), np.empty(0), n)
        if (tested, stream) not in self._drawn:
            seeds = np.random.SeedSequence(self.run.seed % 2**63).generate_state(2)
            self._drawn[tested, stream] = bootstrap(
                counts, n_resamples=N_RESAMPLES, seed=int(seeds[stream])
            )
        return Estimate(float(value), counts.values(statistic, self._drawn[tested, stream]), n)

    def fall(self, home: Tested, away: Tested, statistic: Statistic) -> Estimate:
        """What a statistic loses from one cell to another: paired where the clips are the same."""
        same = (home.cell.target, home.part, home.seeds) == (
            away.cell.target,
            away.part,
            away.seeds,
        )
        there = self.estimate(away, statistic, stream=0 if same else 1)
        return self.estimate(home, statistic).minus(there)

    def lead(self, first: Tested, second: Tested, statistic: Statistic) -> dict[str, Any]:
        """How far one model is above another on the same clips, by the paired test.

        Raises
        ------
        GenrescopeError
            Where the run tested them on different clips.
        """
        with damage_named(self.run.folder / second.cell.folder / "predictions.csv"):
            aligned(self._predictions(first), self._predictions(second))
        gap = self.estimate(first, statistic).minus(self.estimate(second, statistic))
        p_value = permutation_p_value(
            self.counts(first)[0],
            self.counts(second)[0],
            statistic,
            n_permutations=N_PERMUTATIONS,
            seed=self.run.seed % 2**63,
        )
        return gap.between(0.0, np.inf) | {"p_value": p_value}

    def above_guess(self, tested: Tested, statistic: Statistic, guess: str) -> Estimate:
        """How far a statistic is above a guess that knows the shares of the genres."""
        shares = guess_shares(self.counts(tested)[0].total().sum(axis=-1), guess)
        return self.estimate(
            tested, lambda counts: statistic(counts) - statistic(guess_counts(counts, shares))
        )
