"""What every unsupervised adaptation of feature vectors has in common, and their registry."""

import importlib
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted

from genrescope.config import nearest
from genrescope.errors import ConfigError, TrainingError

Matrix = npt.NDArray[np.float64]

METHODS = {
    "none": "genrescope.shift.adaptation:Adaptation",
    "standardise": "genrescope.shift.alignment:Standardise",
    "quantile": "genrescope.shift.alignment:Quantile",
    "coral": "genrescope.shift.alignment:Coral",
    "subspace": "genrescope.shift.alignment:Subspace",
    "optimal_transport": "genrescope.shift.transport:OptimalTransport",
    "importance": "genrescope.shift.weighting:Importance",
    "prior_correction": "genrescope.shift.priors:PriorCorrection",
}
SELF_TRAINED = "+self_training"  # after the name of any method


class Adaptation(BaseEstimator):  # type: ignore[misc]
    """No adaptation, and the contract of all others.

    An adaptation learns from labelled source vectors and unlabelled target vectors. It changes
    the vectors of both, the weight of the source clips, the probabilities of the target clips, or
    several of these. None is ever given a target label.

    Attributes
    ----------
    corrects_priors : bool
        Whether the probabilities of target clips are to be corrected for other genre shares.
    self_trains : bool
        Whether the model is to be trained again with its own answers for target clips.
    sample_weight_ : numpy.ndarray [shape=(n_source,)] or None
        Weights of the source clips in training, mean 1; None where all count alike.
    n_features_in_ : int

    Examples
    --------
    >>> X_source, X_target = [[0.0], [1.0]], [[10.0], [12.0]]
    >>> same = Adaptation().fit(X_source, ["a", "b"], X_target)
    >>> same.transform_target(X_target).tolist(), same.sample_weight_
    ([[10.0], [12.0]], None)
    """

    corrects_priors: ClassVar[bool] = False
    self_trains: bool = False

    sample_weight_: Matrix | None
    n_features_in_: int

    def fit(self, X_source: Any, y_source: Any, X_target: Any) -> Self:
        """Learn how the corpora differ.

        Parameters
        ----------
        X_source : array-like [shape=(n_source, n_features)]
            Feature vectors, finite.
        y_source : array-like [shape=(n_source,)]
            Genres of the source clips.
        X_target : array-like [shape=(n_target, n_features)]
            Feature vectors without labels.

        Returns
        -------
        Adaptation
            Itself.

        Raises
        ------
        TrainingError
            Where the two corpora have other features, or the labels do not fit the vectors.
        ValueError
            Where values are missing or infinite, or a corpus has fewer than two clips.
        """
        source, target = (
            check_array(X, dtype=np.float64, ensure_min_samples=2) for X in (X_source, X_target)
        )
        if source.shape[1] != target.shape[1]:
            raise TrainingError(
                f"the source has {source.shape[1]} features and the target {target.shape[1]}: an "
                "adaptation needs the same"
            )
        labels = np.asarray(y_source)
        if len(labels) != len(source):
            raise TrainingError(f"{len(labels)} labels for {len(source)} source clips")
        self.n_features_in_ = source.shape[1]
        self.sample_weight_ = None
        self._learn(source, labels, target)
        return self

    def transform_source(self, X: Any) -> Matrix:
        """Source vectors as the model is to see them.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_out)]
        """
        return self._map_source(self._checked(X))

    def transform_target(self, X: Any) -> Matrix:
        """Target vectors as the model is to see them.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_out)]
        """
        return self._map_target(self._checked(X))

    def _checked(self, X: Any) -> Matrix:
        check_is_fitted(self, "n_features_in_")
        checked: Matrix = check_array(X, dtype=np.float64)
        if checked.shape[1] != self.n_features_in_:
            raise TrainingError(
                f"{checked.shape[1]} features where the adaptation learned {self.n_features_in_}"
            )
        return checked

    def _learn(self, source: Matrix, labels: npt.NDArray[Any], target: Matrix) -> None:
        """Fit on checked arrays."""

    def _map_source(self, X: Matrix) -> Matrix:
        return X

    def _map_target(self, X: Matrix) -> Matrix:
        return X


def create_adaptation(method: str, /, **params: Any) -> Adaptation:
    """Make an adaptation by name.

    Parameters
    ----------
    method : str
        A key of `METHODS`, with `SELF_TRAINED` behind it where the model is to be trained again
        with its own surest answers (`genrescope.shift.pseudo_labels`).
    **params
        Of the adaptation; its defaults where not given.

    Raises
    ------
    ConfigError
        Where there is no such method or parameter; the nearest known one is named.

    Examples
    --------
    >>> create_adaptation("coral")
    Coral()
    >>> create_adaptation("coral+self_training").self_trains
    True
    """
    plain = method.removesuffix(SELF_TRAINED)
    if plain not in METHODS:
        raise ConfigError(f"there is no adaptation {plain!r}: {nearest(plain, METHODS)}")
    module, name = METHODS[plain].split(":")
    kind: type[Adaptation] = getattr(importlib.import_module(module), name)
    known = kind().get_params()
    for given in params:
        if given not in known:
            hint = nearest(given, known) if known else "it has none"
            raise ConfigError(f"the adaptation {method} has no parameter {given!r}: {hint}")
    made = kind(**params)
    made.self_trains = plain != method
    return made
