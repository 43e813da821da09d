"""What all genre classifiers share: labels, parameters, seeds, and the contract of their files."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from genrescope.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    import pandas as pd

    from genrescope.models.bundle_info import BundleInfo

Codes = npt.NDArray[np.int64]
Validation = tuple[Any, Any] | None


class GenreClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A scikit-learn classifier that can be kept in a bundle.

    Attributes
    ----------
    kind : str
        The name in `genrescope.models.MODELS`.
    input : str
        `vectors` or `log_mels`.
    weights_file : str
        The file its trained state is kept in; with other models inside it, the first of
        `weights_files`.
    classes_ : numpy.ndarray [shape=(n_classes,)]
        The genres, sorted: the columns of `predict_proba`.
    training_curve_ : DataFrame or None
        A row per round or epoch, where training goes in such steps.
    """

    kind: ClassVar[str]
    input: ClassVar[Literal["vectors", "log_mels"]]
    weights_file: ClassVar[str]

    classes_: npt.NDArray[Any]
    training_curve_: "pd.DataFrame | None"

    def fit(self, X: Any, y: Any, *, validation: Validation = None) -> Self:
        """Train on labelled clips."""
        raise NotImplementedError

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probability of each class for each clip."""
        raise NotImplementedError

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the most probable class of each clip.

        Parameters
        ----------
        X : array-like
            As in `fit`.

        Returns
        -------
        numpy.ndarray [shape=(n,)]
            Of two equally probable classes the first in the alphabet.
        """
        check_is_fitted(self)
        winners: npt.NDArray[Any] = self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        return winners

    @property
    def weights_files(self) -> tuple[str, ...]:
        """The files its trained state is kept in."""
        return (self.weights_file,)

    def save_weights(self, folder: Path) -> list[str]:
        """Write the trained state into a folder; the names of the files written."""
        raise NotImplementedError

    @classmethod
    def load_weights(cls, folder: Path, info: "BundleInfo") -> Self:
        """Read what `save_weights` wrote, after checking that it can do no harm."""
        raise NotImplementedError

    def check_params(self) -> None:
        """Refuse parameters out of range.

        Raises
        ------
        ConfigError
            Naming the first such parameter, its value and what it may be.
        """
        try:
            self._validate_params()
        except InvalidParameterError as error:
            raise ConfigError(str(error)) from error

    def _encode(self, y: Any) -> Codes:
        """Learn the classes; the labels as their indices."""
        check_classification_targets(y)
        try:
            classes, codes = np.unique(np.asarray(y), return_inverse=True)
        except TypeError as error:
            raise TrainingError("some labels are missing, or not all of one type") from error
        if len(classes) < 2:
            raise TrainingError(
                f"every clip is labelled {classes[0]!s}: a classifier needs more than one class"
            )
        if all(isinstance(label, str) for label in classes):
            classes = classes.astype(np.str_)
        self.classes_ = classes
        return np.asarray(codes, dtype=np.int64)

    def _encode_validation(self, y: Any) -> Codes:
        labels = column_or_1d(y)
        known = {label: code for code, label in enumerate(self.classes_.tolist())}
        unknown = sorted({str(label) for label in labels if label not in known})
        if unknown:
            raise TrainingError(
                f"the validation clips have classes that the training clips lack: "
                f"{', '.join(unknown)}"
            )
        return np.array([known[label] for label in labels], dtype=np.int64)

    def _check_training_vectors(self, X: Any, y: Any) -> tuple[npt.NDArray[np.float32], Codes]:
        X, y = validate_data(self, X, y, dtype=np.float32)
        return X, self._encode(y)

    def _check_validation_vectors(
        self, validation: tuple[Any, Any]
    ) -> tuple[npt.NDArray[np.float32], Codes]:
        X, y = validate_data(self, *validation, dtype=np.float32, reset=False)
        return X, self._encode_validation(y)

    def _check_vectors(self, X: Any) -> npt.NDArray[np.float32]:
        check_is_fitted(self)
        checked: npt.NDArray[np.float32] = validate_data(self, X, dtype=np.float32, reset=False)
        return checked

    def _restore(self, info: "BundleInfo") -> Self:
        """Set what a bundle knows of any trained model."""
        self.classes_ = np.array(info.classes, dtype=np.str_)
        self.n_features_in_ = info.input_shape[0]
        if info.feature_names is not None:
            self.feature_names_in_ = np.array(info.feature_names, dtype=object)
        self.training_curve_ = None
        return self


def seed_of(random_state: Any) -> int:
    """An integer seed from whatever scikit-learn accepts as `random_state`.

    Examples
    --------
    >>> seed_of(7)
    7
    """
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def class_weights(weights: Any, classes: npt.NDArray[Any], codes: Codes) -> npt.NDArray[np.float64]:
    """Weight of each class.

    Parameters
    ----------
    weights : {"balanced"}, mapping or None
        `balanced`: inversely proportional to the class's count, with the mean over clips 1
        (King and Zeng 2001, as in scikit-learn); a mapping gives the weights itself, 1 where
        it names no weight.
    classes : numpy.ndarray [shape=(n_classes,)]
    codes : numpy.ndarray [shape=(n,)]
        Index of each clip's class.

    Returns
    -------
    numpy.ndarray [shape=(n_classes,)]

    Raises
    ------
    ConfigError
        Where the mapping names a class that the clips do not have.

    Examples
    --------
    >>> class_weights("balanced", np.array(["a", "b"]), np.array([0, 0, 0, 1])).round(2)
    array([0.67, 2.  ])
    """
    if weights is None:
        return np.ones(len(classes))
    if isinstance(weights, Mapping):
        names = classes.tolist()
        unknown = [name for name in weights if name not in names]
        if unknown:
            raise ConfigError(f"class_weight names {unknown[0]!r}, which no training clip has")
        return np.array([float(weights.get(name, 1.0)) for name in names])
    counts = np.bincount(codes, minlength=len(classes))
    return len(codes) / (len(classes) * counts.astype(np.float64))
