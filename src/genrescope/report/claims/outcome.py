"""What came of checking a claim: its comparisons, and the verdict they allow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genrescope.evaluation.significance import holm
from genrescope.report.claims.kinds import Claim
from genrescope.report.comparisons import verdict

SUPPORTED, CONTRADICTED, OPEN = "supported", "contradicted", "not decidable"
INCLUDES_BOTH = "the interval includes both"


@dataclass(frozen=True)
class Comparison:
    """One figure that a claim says lies between two bounds.

    Attributes
    ----------
    score : str
        Of what the figure is, in words.
    what : str
        Which models and cells it compares.
    value, low, high : float
        The figure with its 95% interval; NaN ends where it has none.
    p_value, p_adjusted : float
        Two-sided; adjusted by Holm's method over the comparisons of the claim.
    n : int
        Clips it rests on, or splits.
    above, below : float
        The bounds.
    verdict : str
        `positive`, `negative`, `undecided` or `untested`, as `comparisons.verdict` gives it.
    """

    score: str
    what: str
    value: float
    low: float
    high: float
    p_value: float
    n: int
    above: float = 0.0
    below: float = np.inf
    p_adjusted: float = np.nan
    verdict: str = "untested"


@dataclass(frozen=True)
class Outcome:
    """A claim with its verdict.

    Attributes
    ----------
    claim : Claim
    verdict : str
        `supported`, `contradicted` or `not decidable`.
    reason : str
        Why it is not decidable; empty where it is.
    comparisons : tuple of Comparison
        What the verdict rests on.
    remark : str
        Numbers beside the comparisons, in a sentence.
    """

    claim: Claim
    verdict: str
    reason: str
    comparisons: tuple[Comparison, ...] = ()
    remark: str = ""

    def by_score(self) -> dict[str, str]:
        """The verdict on each score the claim speaks of, of comparisons already adjusted."""
        scores = dict.fromkeys(one.score for one in self.comparisons)
        return {
            score: conclude([one for one in self.comparisons if one.score == score])[0]
            for score in scores
        }


def conclude(comparisons: Sequence[Comparison], missing: Sequence[str] = ()) -> tuple[str, str]:
    """The verdict on a claim that all its comparisons have to bear out, and why it is open.

    Parameters
    ----------
    comparisons : sequence of Comparison
    missing : sequence of str
        What the claim also speaks of and the run does not have.

    Returns
    -------
    tuple of str
        A claim is contradicted by one comparison beyond chance against it, and supported where
        all are beyond chance for it.
    """
    found = [one.verdict for one in comparisons]
    if "negative" in found:
        return CONTRADICTED, ""
    if missing:
        return OPEN, f"not tested in this run: {'; '.join(dict.fromkeys(missing))}"
    if not found or "untested" in found:
        return OPEN, "not tested in this run: fewer than two groups, so no interval"
    if set(found) == {"positive"}:
        return SUPPORTED, ""
    return OPEN, INCLUDES_BOTH


def judge(
    claim: Claim, comparisons: Iterable[Comparison], missing: Sequence[str] = (), remark: str = ""
) -> Outcome:
    """Adjust the p-values of a claim's comparisons and conclude.

    Parameters
    ----------
    claim : Claim
    comparisons : iterable of Comparison
    missing : sequence of str
        As in `conclude`.
    remark : str
    """
    found = list(comparisons)
    adjusted = holm([one.p_value for one in found])
    judged = tuple(
        replace(
            one,
            p_adjusted=float(p),
            verdict=verdict(one.low, one.high, float(p), above=one.above, below=one.below),
        )
        for one, p in zip(found, adjusted, strict=True)
    )
    return Outcome(claim, *conclude(judged, missing), judged, remark)
