"""Adaptations that align the distribution of features: location, ranks, covariance, subspace."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri
from sklearn.decomposition import PCA
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from genrescope.shift.adaptation import Adaptation, Matrix


class Standardise(Adaptation):
    """Each corpus to mean 0 and variance 1 by its own statistics.

    The input side of per-domain normalisation (Li et al. 2018, "Adaptive batch normalization for
    practical domain adaptation"). It undoes any other gain or offset of a feature, and would undo
    a true difference of music just as well.

    Attributes
    ----------
    source_scaler_, target_scaler_ : sklearn.preprocessing.StandardScaler

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> found = Standardise().fit(X, ["a", "b", "b"], 10 * X + 3)
    >>> bool(np.allclose(found.transform_source(X), found.transform_target(10 * X + 3)))
    True
    """

    def _learn(self, source: Matrix, labels: npt.NDArray[Any], target: Matrix) -> None:  # noqa: ARG002
        self.source_scaler_ = StandardScaler().fit(source)
        self.target_scaler_ = StandardScaler().fit(target)

    def _map_source(self, X: Matrix) -> Matrix:
        scaled: Matrix = self.source_scaler_.transform(X)
        return scaled

    def _map_target(self, X: Matrix) -> Matrix:
        scaled: Matrix = self.target_scaler_.transform(X)
        return scaled


class Quantile(Adaptation):
    """Each feature to the normal scores of its ranks within its own corpus.

    Equal ranks get equal values, so any other rising curve between the two corpora is undone, not
    only gain and offset (Bolstad et al. 2003, "A comparison of normalization methods for high
    density oligonucleotide array data", whose reference distribution here is the normal one).
    Between ranks it interpolates, and beyond the corpus it keeps the outermost score.

    Parameters
    ----------
    n_quantiles : int
        Quantiles kept of each feature; at most the clips of the corpus.

    Attributes
    ----------
    source_ranks_, target_ranks_ : sklearn.preprocessing.QuantileTransformer

    Examples
    --------
    >>> X = np.arange(1.0, 6.0)[:, np.newaxis]
    >>> found = Quantile().fit(X, list("aabbb"), np.exp(X))
    >>> bool(np.allclose(found.transform_source(X), found.transform_target(np.exp(X))))
    True
    """

    def __init__(self, n_quantiles: int = 1000) -> None:
        self.n_quantiles = n_quantiles

    def _learn(self, source: Matrix, labels: npt.NDArray[Any], target: Matrix) -> None:  # noqa: ARG002
        self.source_ranks_, self.target_ranks_ = (
            QuantileTransformer(
                n_quantiles=min(self.n_quantiles, len(X)),
                output_distribution="normal",
                subsample=None,
            ).fit(X)
            for X in (source, target)
        )
        # Where it ends, the transformer puts the scores of ranks 1e-7 and 1 - 1e-7 (+-5.2), which
        # no corpus of this size has; half a rank from the end is where ranks end.
        self.outermost_ = tuple(float(-ndtri(0.5 / len(X))) for X in (source, target))

    def _map_source(self, X: Matrix) -> Matrix:
        bound = self.outermost_[0]
        return np.asarray(np.clip(self.source_ranks_.transform(X), -bound, bound))

    def _map_target(self, X: Matrix) -> Matrix:
        bound = self.outermost_[1]
        return np.asarray(np.clip(self.target_ranks_.transform(X), -bound, bound))


class Coral(Standardise):
    """Correlation alignment: standardise, then give the source the target's correlations.

    Source vectors become `x C_s^(-1/2) C_t^(1/2)`, C being the covariance with `shrinkage` times
    the identity added (Sun, Feng and Saenko 2016, "Return of frustratingly easy domain
    adaptation", algorithm 1).

    Parameters
    ----------
    shrinkage : float
        Above 0; 1 as in the paper. Without it the smallest axes, which are mostly noise, would
        be stretched the most.

    Attributes
    ----------
    recolour_ : numpy.ndarray [shape=(n_features, n_features)]
        The matrix that source vectors are multiplied by, after standardising.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(500, 2))
    >>> turned = X @ [[1.0, 0.9], [0.0, 0.4]]
    >>> found = Coral(shrinkage=1e-3).fit(X, np.zeros(500), turned)
    >>> pair = found.transform_source(X), found.transform_target(turned)
    >>> [round(float(np.corrcoef(Z.T)[0, 1]), 1) for Z in pair]
    [0.9, 0.9]
    """

    def __init__(self, shrinkage: float = 1.0) -> None:
        self.shrinkage = shrinkage

    def _learn(self, source: Matrix, labels: npt.NDArray[Any], target: Matrix) -> None:
        super()._learn(source, labels, target)
        whiten = self._root(super()._map_source(source), -0.5)
        self.recolour_ = whiten @ self._root(self._map_target(target), 0.5)

    def _root(self, X: Matrix, exponent: float) -> Matrix:
        added = self.shrinkage * np.eye(X.shape[1])
        values, vectors = np.linalg.eigh(X.T @ X / len(X) + added)
        return np.asarray((vectors * values**exponent) @ vectors.T, dtype=np.float64)

    def _map_source(self, X: Matrix) -> Matrix:
        mapped: Matrix = super()._map_source(X) @ self.recolour_
        return mapped


class Subspace(Standardise):
    """Subspace alignment: the source's principal axes turned onto the target's.

    After standardising, source vectors become `x P_s P_s' P_t` and target vectors `x P_t`, P
    being the first principal axes of each corpus (Fernando et al. 2013, "Unsupervised visual domain
    adaptation using subspace alignment", equations 1 to 4).

    Parameters
    ----------
    n_components : int
        Principal axes; at most what clips and features allow. 20 hold some 90% of the variance
        of 57 features.

    Attributes
    ----------
    source_axes_, target_axes_ : numpy.ndarray [shape=(n_features, n_components)]

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> found = Subspace(n_components=2).fit(X, np.zeros(50), X)
    >>> bool(np.allclose(found.transform_source(X), found.transform_target(X)))
    True
    """

    def __init__(self, n_components: int = 20) -> None:
        self.n_components = n_components

    def _learn(self, source: Matrix, labels: npt.NDArray[Any], target: Matrix) -> None:
        super()._learn(source, labels, target)
        scaled = super()._map_source(source), super()._map_target(target)
        n_components = min(self.n_components, len(source), len(target), source.shape[1])
        self.source_axes_, self.target_axes_ = (
            PCA(n_components, svd_solver="full").fit(X).components_.T for X in scaled
        )

    def _map_source(self, X: Matrix) -> Matrix:
        turned = self.source_axes_ @ (self.source_axes_.T @ self.target_axes_)
        mapped: Matrix = super()._map_source(X) @ turned
        return mapped

    def _map_target(self, X: Matrix) -> Matrix:
        mapped: Matrix = super()._map_target(X) @ self.target_axes_
        return mapped
