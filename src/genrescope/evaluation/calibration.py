"""How far stated probabilities can be trusted: reliability by bin of confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from genrescope.evaluation.counts import (
    INTERVAL_PERCENT,
    FloatArray,
    centred_interval,
    codes,
    resample_weights,
)
from genrescope.evaluation.metrics import ECE_BINS

BIN_COLUMNS = ["low", "high", "n", "confidence", "accuracy", "accuracy_low", "accuracy_high"]


@dataclass(frozen=True)
class Calibration:
    """Reliability of a table of predictions.

    Attributes
    ----------
    bins : DataFrame [shape=(n_bins, 7)]
        A row per bin of confidence `(low, high]`: `n` clips (over all seeds together), their mean
        `confidence`, the share that was right (`accuracy`) with its 95% interval; NaN where empty.
    ece : float
        Expected calibration error, the mean over seeds.
    ece_low, ece_high : float
        Its 95% interval; NaN with fewer than two groups.
    n, n_seeds : int
        Different clips, and seeds.
    """

    bins: pd.DataFrame
    ece: float
    ece_low: float
    ece_high: float
    n: int
    n_seeds: int


def calibrate(
    predictions: pd.DataFrame,
    genres: Sequence[str],
    *,
    n_bins: int = ECE_BINS,
    n_resamples: int = 1000,
    seed: int = 0,
) -> Calibration:
    """Compare the probability of each answer with how often such answers are right.

    Bins and error are those of `expected_calibration_error` (Guo et al. 2017, "On calibration of
    modern neural networks"). Intervals resample whole groups with their clips of all seeds. The
    error of a resample is above that of all clips on average, since chance moves every bin, so
    its interval is `centred_interval`'s. The error itself is above the truth where clips are few.

    Parameters
    ----------
    predictions : DataFrame [shape=(n, ...)]
        Columns `seed`, `clip_id`, `group`, `genre`, `predicted` and a probability per genre.
    genres : sequence of str
        The genres, in display order.
    n_bins : int
        Equal-width bins of [0, 1].
    n_resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    Calibration

    Examples
    --------
    >>> frame = pd.DataFrame({"seed": 0, "clip_id": list("1234"), "group": list("aabb"),
    ...     "genre": list("xxxy"), "predicted": list("xxxx"), "x": 0.8, "y": 0.2})
    >>> found = calibrate(frame, ["x", "y"])
    >>> round(found.ece, 3), int(found.bins["n"].max())
    (0.05, 4)
    """
    place = codes(predictions["predicted"], genres)
    confidence = predictions[list(genres)].to_numpy(dtype=np.float64)[range(len(place)), place]
    right: FloatArray = np.asarray(
        predictions["genre"] == predictions["predicted"], dtype="float64"
    )
    group, groups = pd.factorize(predictions["group"], sort=True)
    of_seed, seeds = pd.factorize(predictions["seed"], sort=True)
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    column = of_seed * n_bins + bins
    shape = (len(groups), len(seeds) * n_bins)

    def by_group(values: FloatArray) -> sparse.csr_array:
        return sparse.coo_array((values, (group, column)), shape=shape).tocsr()

    values: list[FloatArray] = [np.ones(len(right)), right, confidence]
    parts = [by_group(value) for value in values]

    def sums(weights: FloatArray) -> list[FloatArray]:
        return [(part.T @ weights.T).T.reshape(-1, len(seeds), n_bins) for part in parts]

    whole = sums(np.ones((1, len(groups))))
    drawn = []
    if len(groups) > 1:
        blocks = resample_weights(len(groups), n_resamples, seed=seed)
        drawn = [sums(weights.astype(np.float64)) for weights in blocks]
    resampled = [np.concatenate(part) for part in zip(*drawn, strict=True)] if drawn else None
    error, low, high = float(_ece(*whole)[0]), np.nan, np.nan
    if resampled is not None:
        low, high = centred_interval(_ece(*resampled), error)
    return Calibration(
        _bins(whole, resampled),
        error,
        low,
        high,
        predictions["clip_id"].nunique(),
        len(seeds),
    )


def _ece(n: FloatArray, right: FloatArray, confidence: FloatArray) -> FloatArray:
    """Expected calibration error of each resample, the mean over seeds that have clips."""
    clips = n.sum(axis=-1)
    gaps = np.abs(right - confidence).sum(axis=-1)
    errors = np.divide(gaps, clips, out=np.zeros(clips.shape), where=clips > 0)
    known = (clips > 0).sum(axis=-1)
    mean: FloatArray = np.divide(
        errors.sum(axis=-1), known, out=np.full(known.shape, np.nan), where=known > 0
    )
    return mean


def _bins(whole: list[FloatArray], resampled: list[FloatArray] | None) -> pd.DataFrame:
    n, right, confidence = (part[0].sum(axis=0) for part in whole)
    edges = np.linspace(0, 1, len(n) + 1)
    low = high = np.full(len(n), np.nan)
    if resampled is not None:
        clips, hits = (part.sum(axis=1) for part in resampled[:2])
        shares = np.divide(hits, clips, out=np.full(clips.shape, np.nan), where=clips > 0)
        filled = n > 0
        low, high = low.copy(), high.copy()
        low[filled], high[filled] = np.nanpercentile(shares[:, filled], INTERVAL_PERCENT, axis=0)
    empty = np.where(n > 0, n, np.nan)
    columns = [edges[:-1], edges[1:], n.astype(np.int64), confidence / empty, right / empty]
    return pd.DataFrame(dict(zip(BIN_COLUMNS, [*columns, low, high], strict=True)))
