"""Populations whose shifts are planted, so that what a drop is made of is known exactly.

A population is a finite set of clips with feature vectors, and for each the chance of every genre
given its vector. The source draws clips alike and a genre by these chances. A target may draw
clips by another density of the vectors (covariate shift), genres by other chances (concept shift)
and keep them by genre (label shift). A fixed model answers for every clip, so the scores that
`genrescope.shift.decomposition` estimates from samples follow from sums over the population.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.evaluation.counts import metrics_of

Floats = npt.NDArray[np.float64]
CAUSES = ("label", "covariate", "concept", "total")


class Population(NamedTuple):
    """Clips, and the fixed model's answers for them.

    Attributes
    ----------
    X : DataFrame [shape=(n, n_features)]
    chances : numpy.ndarray [shape=(n, n_genres)]
        Of each genre given the clip.
    answers : numpy.ndarray [shape=(n, n_genres)]
        The model's probabilities.
    groups : numpy.ndarray [shape=(n,)]
        Artists.
    genres : list of str
    """

    X: pd.DataFrame
    chances: Floats
    answers: Floats
    groups: npt.NDArray[np.intp]
    genres: list[str]


class Target(NamedTuple):
    """How a target differs from the source.

    Attributes
    ----------
    kept : numpy.ndarray [shape=(n,)]
        Density of each clip, in source densities, up to a factor.
    chances : numpy.ndarray [shape=(n, n_genres)]
        Of each genre given the clip.
    shares : numpy.ndarray [shape=(n_genres,)]
        How readily a clip of each genre is taken, up to a factor.
    """

    kept: Floats
    chances: Floats
    shares: Floats


def target(
    population: Population,
    *,
    kept: Floats | None = None,
    region: npt.NDArray[np.bool_] | None = None,
    relabelled: float = 0.0,
    shares: tuple[float, ...] | None = None,
) -> Target:
    """A target with the shifts that are named, each of them independent of the others.

    Within `region` a genre becomes the next one in the list with the chance `relabelled`.
    """
    chances = population.chances.copy()
    if region is not None:
        moved = np.roll(population.chances[region], 1, axis=1)
        chances[region] = (1 - relabelled) * chances[region] + relabelled * moved
    return Target(
        np.ones(len(chances)) if kept is None else kept,
        chances,
        np.ones(chances.shape[1]) if shares is None else np.array(shares),
    )


def truth(population: Population, found: Target) -> dict[str, dict[str, float]]:
    """What each cause costs, by the true densities of the whole population.

    Returns
    -------
    dict of str to dict
        By metric: `CAUSES`. Under `overlap`: `auc` of the true densities.
    """
    p = population.chances / len(population.chances)
    q = found.kept[:, np.newaxis] * found.chances * found.shares
    q = q / q.sum()
    alike = p * (q.sum(axis=0) / p.sum(axis=0))
    here, there = alike.sum(axis=1), q.sum(axis=1)
    of_target = there / (here + there)
    said = np.eye(p.shape[1])[population.answers.argmax(axis=1)]
    chain = [p, alike, alike * of_target[:, None], q * (1 - of_target)[:, None], q]
    order = np.argsort(of_target, kind="stable")
    before = np.cumsum(here[order]) - here[order] / 2
    known = {"overlap": {"auc": float((before * there[order]).sum())}}
    for metric in ("macro_f1", "accuracy"):
        s = [float(metrics_of(weights.T @ said)[metric]) for weights in chain]
        drops = (s[0] - s[1], s[1] - s[2] + s[3] - s[4], s[2] - s[3], s[0] - s[4])
        known[metric] = dict(zip(CAUSES, drops, strict=True))
    return known


class Sample(NamedTuple):
    """Answers on drawn clips, and their feature vectors by `clip_id`."""

    predictions: pd.DataFrame
    features: pd.DataFrame


def sample(population: Population, found: Target, n: int, rng: np.random.Generator) -> Sample:
    """Draw clips artist by artist, with replacement, until there are n."""
    rows, codes, groups = np.array(list(_drawn(population, found, n, rng))).T
    names = np.asarray(population.genres, dtype=object)
    answers = population.answers[rows]
    predictions = pd.DataFrame(answers, columns=pd.Index(population.genres)).assign(
        clip_id=[f"{place:05d}" for place in range(n)],
        group=[f"artist {group:04d}" for group in groups],
        genre=names[codes],
        predicted=names[answers.argmax(axis=1)],
    )
    features = population.X.iloc[rows].set_axis(predictions["clip_id"].to_numpy(), axis=0)
    return Sample(predictions, features)


def _drawn(
    population: Population, found: Target, n: int, rng: np.random.Generator
) -> Iterator[tuple[int, int, int]]:
    members = pd.Series(range(len(population.groups))).groupby(population.groups).groups
    artists = [np.asarray(rows) for rows in members.values()]
    kept, shares = found.kept / found.kept.max(), found.shares / found.shares.max()
    heights = found.chances.cumsum(axis=1)
    taken = group = 0
    while taken < n:
        group += 1
        for row in artists[int(rng.integers(len(artists)))]:
            genre = int(np.searchsorted(heights[row], rng.random() * heights[row, -1]))
            if taken < n and rng.random() < kept[row] * shares[genre]:
                taken += 1
                yield int(row), genre, group
