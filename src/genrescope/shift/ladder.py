"""The confound ladder: a drop taken apart by steps that each change one thing, and sum to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genrescope.evaluation.counts import (
    FloatArray,
    GroupCounts,
    bootstrap,
    group_counts,
    percentile_interval,
)
from genrescope.evaluation.differences import as_statistic

REST, TOTAL = "what remains", "in all"
LADDER_COLUMNS = ["name", "score", "low", "high", "drop", "drop_low", "drop_high"]
LADDER_COLUMNS += ["share", "share_low", "share_high", "n", "n_groups", "note"]


@dataclass(frozen=True)
class Rung:
    """The answers on one rung of a ladder.

    Attributes
    ----------
    name : str
        What the step to this rung changes.
    answers : DataFrame
        `clip_id`, `group`, `genre`, `predicted`; a clip may be answered by several models.
    of_target : bool
        Whether the clips are the target's, not the source's.
    target_shares : bool
        Whether genres are to count as often as they occur in the target.
    note : str
        What exactly was done, or why nothing was.
    """

    name: str
    answers: pd.DataFrame
    of_target: bool = False
    target_shares: bool = False
    note: str = ""


def climb(
    rungs: Sequence[Rung],
    genres: Sequence[str],
    *,
    metric: str = "macro_f1",
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score every rung and give each step its part of the drop.

    A step's drop is the score of the rung before it minus its own, so that the drops sum to the
    difference of the first and the last rung. Each belongs to its place in the order: what two
    changes do together falls to the later one.

    Intervals are of a bootstrap over groups. The rungs of the source's clips draw the same groups
    at a time, which pairs them; the target's are drawn by themselves. The models are given: their
    own variation shows only as far as the answers hold several models.

    Parameters
    ----------
    rungs : sequence of Rung
        Two or more, the target's last; all rungs of the source of the same clips.
    genres : sequence of str
        In display order.
    metric : str
        One of `evaluation.counts.COUNT_METRICS`.
    n_resamples : int
    seed : int
        Same seed, same result.

    Returns
    -------
    DataFrame
        `LADDER_COLUMNS`, a row per rung and a last one, `TOTAL`, for the whole drop; `drop` and
        `share` are NaN in the first. Shares are of the whole drop, and NaN unless its interval
        lies above 0: else there is nothing to share out.

    Raises
    ------
    ValueError
        Where a rung of the source has other clips than the first, or the metric is unknown.

    Examples
    --------
    >>> clips = {"clip_id": list("123456"), "group": list("abcdef"), "genre": list("xyxyxy")}
    >>> right = pd.DataFrame({**clips, "predicted": list("xyxyxy")})
    >>> wrong = pd.DataFrame({**clips, "predicted": list("yxxyxy")})
    >>> steps = climb([Rung("at home", right), Rung("shorter", wrong),
    ...     Rung("away", wrong, of_target=True)], ["x", "y"], metric="accuracy")
    >>> steps[["name", "score", "drop"]].round(2).values.tolist()
    [['at home', 1.0, nan], ['shorter', 0.67, 0.33], ['away', 0.67, 0.0], ['in all', 0.67, 0.33]]
    """
    statistic = as_statistic(metric)
    counts = [group_counts(rung.answers, genres) for rung in rungs]
    _check_same_clips(rungs)
    target = [place for place, rung in enumerate(rungs) if rung.of_target]
    totals = [found.total()[np.newaxis] for found in counts]
    drawn = [
        _resampled(found, n_resamples, seed=seed + rung.of_target)
        for rung, found in zip(rungs, counts, strict=True)
    ]
    for matrices in (totals, drawn):
        for place, rung in enumerate(rungs):
            if rung.target_shares and target:
                matrices[place] = with_shares(matrices[place], matrices[target[-1]].sum(axis=-1))
    scores = np.array([statistic(total)[0] for total in totals])
    resampled = np.array([statistic(found) for found in drawn])
    facts = [
        {
            "name": rung.name,
            "n": rung.answers["clip_id"].nunique(),
            "n_groups": found.n_groups,
            "note": rung.note,
        }
        for rung, found in zip(rungs, counts, strict=True)
    ]
    whole = facts[-1] | {"name": TOTAL, "note": ""}
    steps = _steps(scores, resampled)
    table = pd.DataFrame([a | b for a, b in zip([*facts, whole], steps, strict=True)])
    return table.reindex(columns=LADDER_COLUMNS)


def _check_same_clips(rungs: Sequence[Rung]) -> None:
    first: set[object] | None = None
    for rung in rungs:
        if rung.of_target:
            continue
        clips = set(rung.answers["clip_id"])
        if first is not None and clips != first:
            raise ValueError(f"the rung {rung.name!r} has other clips than the one before it")
        first = clips


def _resampled(counts: GroupCounts, n_resamples: int, *, seed: int) -> FloatArray:
    if counts.n_groups < 2:
        return np.full((n_resamples, counts.n_genres, counts.n_genres), np.nan)
    return bootstrap(counts, n_resamples=n_resamples, seed=seed)


def with_shares(counts: FloatArray, support: FloatArray) -> FloatArray:
    """Confusion matrices as they would be with other numbers of clips per genre.

    Recall of each genre stays, which is what label shift means: p(genre) changes, p(x | genre)
    does not (Saerens et al. 2002, "Adjusting the outputs of a classifier to new a priori
    probabilities").

    Parameters
    ----------
    counts : numpy.ndarray [shape=(..., n_genres, n_genres)]
        Rows are the truth.
    support : numpy.ndarray [shape=(..., n_genres)]
        Clips wanted of each genre; genres without a clip in `counts` stay empty.

    Returns
    -------
    numpy.ndarray [shape=(..., n_genres, n_genres)]

    Examples
    --------
    >>> with_shares(np.array([[3.0, 1.0], [0.0, 4.0]]), np.array([40.0, 4.0])).tolist()
    [[30.0, 10.0], [0.0, 4.0]]
    """
    own = counts.sum(axis=-1)
    factor = np.divide(support, own, out=np.zeros(np.broadcast(support, own).shape), where=own > 0)
    weighted: FloatArray = counts * factor[..., np.newaxis]
    return weighted


def _steps(scores: FloatArray, resampled: FloatArray) -> list[dict[str, float]]:
    """Scores, drops and shares of each rung, then of the whole drop."""
    drops = np.append(scores[:-1] - scores[1:], scores[0] - scores[-1])
    drawn = np.vstack([resampled[:-1] - resampled[1:], resampled[:1] - resampled[-1:]])
    dropped = percentile_interval(drawn[-1])[0] > 0
    # A resample without a drop has no shares; with a drop beyond chance they are rare.
    some = drawn[-1] > 0
    rows = []
    for place in range(len(scores) + 1):
        rung = min(place, len(scores) - 1)
        row = {"score": scores[rung]}
        row["low"], row["high"] = percentile_interval(resampled[rung])
        if place:
            row["drop"] = drops[place - 1]
            row["drop_low"], row["drop_high"] = percentile_interval(drawn[place - 1])
        if place and dropped:
            row["share"] = drops[place - 1] / drops[-1]
            shares = drawn[place - 1][some] / drawn[-1][some]
            row["share_low"], row["share_high"] = percentile_interval(shares)
        rows.append(row)
    return rows
