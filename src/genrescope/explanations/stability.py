"""Whether a list of the strongest features would be the same with other clips to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pandas as pd

TOP = 10
STABLE_FROM = 0.6  # mean Jaccard index: lists of ten that share seven or eight
OUTER_PERCENT = (2.5, 97.5)


@dataclass(frozen=True)
class Stability:
    """How far rankings of features agree.

    Attributes
    ----------
    ranks : DataFrame
        The strongest features, by their mean over the rankings: `feature`, `mean`, `rank` (median),
        `rank_low`, `rank_high` (the range that holds 95% of the rankings), `in_top` (share of the
        rankings in whose list it is).
    jaccard : numpy.ndarray [shape=(n_pairs,)]
        Of every pair of lists: features in both, over features in either.
    n : int
        Rankings.
    """

    ranks: pd.DataFrame
    jaccard: npt.NDArray[np.float64]
    n: int

    @property
    def mean_jaccard(self) -> float:
        """Mean over the pairs; NaN with one ranking."""
        return float(self.jaccard.mean()) if len(self.jaccard) else float("nan")

    @property
    def jaccard_range(self) -> tuple[float, float]:
        """The range that holds 95% of the pairs; NaN with one ranking."""
        if not len(self.jaccard):
            return float("nan"), float("nan")
        low, high = np.percentile(self.jaccard, OUTER_PERCENT)
        return float(low), float(high)

    @property
    def stable(self) -> bool:
        """Whether lists share enough to be called one list: a mean Jaccard index of .6 or more."""
        return self.mean_jaccard >= STABLE_FROM

    @property
    def verdict(self) -> str:
        """What may be said of the list, in a sentence."""
        if self.n < 2:
            return "One ranking alone says nothing of its stability."
        low, high = self.jaccard_range
        figure = f"mean Jaccard index {self.mean_jaccard:.2f}, from {low:.2f} to {high:.2f}"
        always = int((self.ranks["in_top"] == 1).sum())
        kept = f"{always} of these features {'is' if always == 1 else 'are'} in every one"
        if self.stable:
            return f"Stable over {self.n} splits and seeds: {kept} ({figure})."
        return (
            f"Unstable over {self.n} splits and seeds: another draw of training clips gives "
            f"another list; {kept} ({figure})."
        )

    def frame(self) -> pd.DataFrame:
        """The strongest features with the intervals of their ranks."""
        return self.ranks


def compare_rankings(importances: Sequence["pd.Series[float]"], *, top: int = TOP) -> Stability:
    """Compare the lists of strongest features that several trainings give.

    Parameters
    ----------
    importances : sequence of Series [shape=(n_features,)]
        Mean absolute contribution by feature, one per training.
    top : int
        Length of a list.

    Returns
    -------
    Stability

    Raises
    ------
    ValueError
        Where there is none, or they are not of the same features.

    Examples
    --------
    >>> a = pd.Series({"tempo": 3.0, "rms_mean": 2.0, "zcr_mean": 1.0})
    >>> b = pd.Series({"tempo": 3.0, "rms_mean": 1.0, "zcr_mean": 2.0})
    >>> found = compare_rankings([a, b], top=2)
    >>> found.ranks["feature"].tolist(), round(found.mean_jaccard, 2), found.stable
    (['tempo', 'rms_mean'], 0.33, False)
    """
    if not importances:
        raise ValueError("there is no ranking")
    table = pd.DataFrame(dict(enumerate(importances)))
    if any(len(values) != len(table) for values in importances):
        raise ValueError("the rankings are not of the same features")
    ranks = table.rank(ascending=False, method="first")
    lists = [set(ranks.index[ranks[place] <= top]) for place in ranks.columns]
    jaccard = [len(a & b) / len(a | b) for a, b in combinations(lists, 2)]
    strongest = table.mean(axis=1).sort_values(ascending=False, kind="stable").head(top)
    of_strongest = ranks.loc[strongest.index].to_numpy()
    low, high = np.percentile(of_strongest, OUTER_PERCENT, axis=1)
    rows = pd.DataFrame(
        {
            "feature": [str(name) for name in strongest.index],
            "mean": strongest.to_numpy(),
            "rank": np.median(of_strongest, axis=1),
            "rank_low": low,
            "rank_high": high,
            "in_top": (of_strongest <= top).mean(axis=1),
        }
    )
    return Stability(rows, np.array(jaccard, dtype=np.float64), len(importances))
