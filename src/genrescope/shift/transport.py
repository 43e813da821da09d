"""Adaptation by optimal transport: source clips carried onto the target's."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from genrescope.errors import TrainingError
from genrescope.shift.adaptation import Matrix
from genrescope.shift.alignment import Standardise

TOLERANCE = 1e-3  # of the marginals, as a share of a clip's mass
ITERATIONS = 10_000
ABSORB = 1e50  # scalings beyond this move into the kernel's exponent


def sinkhorn(cost: npt.ArrayLike, *, regularisation: float) -> Matrix:
    """Transport plan between two sets of equally heavy points, smoothed by its entropy.

    Minimises `sum(plan * cost) - regularisation * entropy(plan)` by Sinkhorn's alternate scaling
    (Cuturi 2013, "Sinkhorn distances"). Large scalings are absorbed into the exponent of the
    kernel, so that a small regularisation does not underflow (Schmitzer 2019, "Stabilized sparse
    scaling algorithms for entropy regularized transport problems", algorithm 2).

    Parameters
    ----------
    cost : array [shape=(n, m)]
        Cost of carrying point i to point j.
    regularisation : float
        Above 0, in the unit of the cost.

    Returns
    -------
    numpy.ndarray [shape=(n, m)]
        Rows sum to 1/n and, within `TOLERANCE`, columns to 1/m.

    Raises
    ------
    TrainingError
        Where the scaling does not converge: the regularisation is too small for the cost.

    Examples
    --------
    >>> sinkhorn([[0.0, 1.0], [1.0, 0.0]], regularisation=0.05).round(3).tolist()
    [[0.5, 0.0], [0.0, 0.5]]
    """
    exponent = -np.asarray(cost, dtype=np.float64) / regularisation
    n, m = exponent.shape
    f = -np.log(n) - logsumexp(exponent, axis=1)
    g = -np.log(m) - logsumexp(exponent + f[:, np.newaxis], axis=0)
    kernel = np.exp(exponent + f[:, np.newaxis] + g)
    u, v = np.ones(n), np.ones(m)
    gap = np.inf
    for _ in range(ITERATIONS):
        u = 1.0 / (n * np.maximum(kernel @ v, 1e-300))
        sums = u @ kernel
        gap = float(np.abs(m * v * sums - 1.0).max())
        if gap < TOLERANCE:
            return np.asarray(u[:, np.newaxis] * kernel * v, dtype=np.float64)
        v = 1.0 / (m * np.maximum(sums, 1e-300))
        if max(u.max(), v.max()) > ABSORB:
            f, g = f + np.log(u), g + np.log(v)
            kernel = np.exp(exponent + f[:, np.newaxis] + g)
            u, v = np.ones(n), np.ones(m)
    raise TrainingError(
        f"the transport plan did not converge in {ITERATIONS} rounds (marginals are off by "
        f"{gap:.1e} of a clip); take a larger regularisation than {regularisation:g}"
    )


class OptimalTransport(Standardise):
    """Each source clip to the mean place of the target clips that the cheapest plan sends it to.

    After standardising, the plan is that of `sinkhorn` for squared distances, and the new place is
    the barycentre of its row (Courty et al. 2017, "Optimal transport for domain adaptation",
    equation 14). Clips that were not part of the plan move by as much as their nearest neighbour
    that was (Ferradans et al. 2014, "Regularized discrete optimal transport"). The plan assumes
    that both corpora hold the same shares of genres; where they do not, it carries clips across
    genres.

    Parameters
    ----------
    regularisation : float
        Share of the median squared distance. Smaller follows the target more closely, larger
        draws all source clips to the target's mean.

    Attributes
    ----------
    planned_ : numpy.ndarray [shape=(n_source, n_features)]
        The standardised source clips of the plan.
    moves_ : numpy.ndarray [shape=(n_source, n_features)]
        By how much each moves.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> found = OptimalTransport().fit(X, ["a", "a", "b"], 2 * X + 1)
    >>> found.transform_source(X).round(1).ravel().tolist()
    [-0.9, -0.5, 1.4]
    """

    def __init__(self, regularisation: float = 0.05) -> None:
        self.regularisation = regularisation

    def _learn(self, source: Matrix, labels: npt.NDArray[Any], target: Matrix) -> None:
        super()._learn(source, labels, target)
        self.planned_ = super()._map_source(source)
        goals = self._map_target(target)
        cost = cdist(self.planned_, goals, "sqeuclidean")
        plan = sinkhorn(cost, regularisation=self.regularisation * float(np.median(cost)))
        self.moves_ = plan @ goals / plan.sum(axis=1, keepdims=True) - self.planned_

    def _map_source(self, X: Matrix) -> Matrix:
        scaled = super()._map_source(X)
        nearest = cdist(scaled, self.planned_, "sqeuclidean").argmin(axis=1)
        moved: Matrix = scaled + self.moves_[nearest]
        return moved
