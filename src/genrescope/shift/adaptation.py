"""What every unsupervised adaptation has in common, and their registry."""

import importlib
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_is_fitted

from genrescope.errors import ConfigError, TrainingError
from genrescope.settings import nearest

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
NETWORK_METHODS = {
    "none": "genrescope.shift.networks:NetworkAdaptation",
    "band_statistics": "genrescope.shift.networks:BandStatistics",
    "adabn": "genrescope.shift.batch_norm:AdaBn",
    "adabn_balanced": "genrescope.shift.batch_norm:BalancedAdaBn",
    "adabn_early": "genrescope.shift.batch_norm:EarlyAdaBn",
    "deep_coral": "genrescope.shift.networks:DeepCoral",
}
SELF_TRAINED = "+self_training"  # after the name of any method


class Adaptation(BaseEstimator):  # type: ignore[misc]
    """No adaptation, and the contract of all others.

    An adaptation learns from labelled source clips and unlabelled target clips. It changes the
    vectors of both, the weight of the source clips, the model, the probabilities of the target
    clips, or several of these. None is ever given a target label.

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
            Feature vectors, finite; of networks log-mel spectrograms [shape=(n_source, n_mels,
            frames)].
        y_source : array-like [shape=(n_source,)]
            Genres of the source clips.
        X_target : array-like [shape=(n_target, n_features)]
            The same of the target, without labels.

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
        source, target = (self._read(X, at_least=2) for X in (X_source, X_target))
        if source.shape[1:] != target.shape[1:]:
            raise TrainingError(
                f"the source has {_size(source)} features and the target {_size(target)}: an "
                "adaptation needs the same"
            )
        labels = np.asarray(y_source)
        if len(labels) != len(source):
            raise TrainingError(f"{len(labels)} labels for {len(source)} source clips")
        self.n_features_in_ = source.shape[1]
        self._shape = source.shape[1:]
        self.sample_weight_ = None
        self._learn(source, labels, target)
        return self

    def train(self, model: Any, X: Any, y: Any) -> Any:
        """Train a model on source clips.

        Parameters
        ----------
        model : GenreClassifier
            Not trained yet.
        X : array-like [shape=(n_source, ...)]
            As `transform_source` gives them.
        y : array-like [shape=(n_source,)]

        Returns
        -------
        GenreClassifier
            Trained, and adapted where it is the model that changes.
        """
        return model.fit(X, y)

    def transform_source(self, X: Any) -> Any:
        """Source clips as the model is to see them.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_out)]
            Spectrograms as they were given.
        """
        return self._map_source(self._checked(X))

    def transform_target(self, X: Any) -> Any:
        """Target clips as the model is to see them.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_out)]
            Spectrograms as they were given.
        """
        return self._map_target(self._checked(X))

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self, "n_features_in_")
        checked = self._read(X)
        if checked.shape[1:] != self._shape:
            learned = " x ".join(map(str, self._shape))
            raise TrainingError(f"{_size(checked)} features where the adaptation learned {learned}")
        return checked

    def _read(self, X: Any, *, at_least: int = 1) -> Any:
        """Clips as arrays that can be computed with."""
        return check_array(X, dtype=np.float64, ensure_min_samples=at_least)

    def _learn(self, source: Any, labels: npt.NDArray[Any], target: Any) -> None:
        """Fit on checked arrays."""

    def _map_source(self, X: Any) -> Any:
        return X

    def _map_target(self, X: Any) -> Any:
        return X


def _size(X: Any) -> str:
    return " x ".join(map(str, X.shape[1:]))


def methods_of(takes: str) -> dict[str, str]:
    """The adaptations of models that take `vectors` or `log_mels`, with where they are found.

    Examples
    --------
    >>> "coral" in methods_of("vectors"), "adabn" in methods_of("log_mels")
    (True, True)
    """
    return NETWORK_METHODS if takes == "log_mels" else METHODS


def create_adaptation(method: str, /, *, takes: str = "vectors", **params: Any) -> Adaptation:
    """Make an adaptation by name.

    Parameters
    ----------
    method : str
        A key of `METHODS`, or of `NETWORK_METHODS` for log-mels, with `SELF_TRAINED` behind it
        where the model is to be trained again with its own surest answers
        (`genrescope.shift.pseudo_labels`).
    takes : {"vectors", "log_mels"}
        What the model takes.
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
    plain, methods = method.removesuffix(SELF_TRAINED), methods_of(takes)
    if plain not in methods:
        of = " of networks" if takes == "log_mels" else ""
        raise ConfigError(f"there is no adaptation {plain!r}{of}: {nearest(plain, methods)}")
    module, name = methods[plain].split(":")
    kind: type[Adaptation] = getattr(importlib.import_module(module), name)
    known = kind().get_params()
    for given in params:
        if given not in known:
            hint = nearest(given, known) if known else "it has none"
            raise ConfigError(f"the adaptation {method} has no parameter {given!r}: {hint}")
    made = kind(**params)
    made.self_trains = plain != method
    return made
