"""Multinomial logistic regression on standardised feature vectors."""

from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import Interval, StrOptions

from genrescope.models.arrays_file import read_arrays, write_arrays
from genrescope.models.estimator import GenreClassifier, Validation, class_weights

if TYPE_CHECKING:
    from genrescope.models.bundle_info import BundleInfo

Floats = npt.NDArray[np.float64]


class LinearClassifier(GenreClassifier):
    """Logistic regression over standardised features, one weight a feature and class.

    The weights are those of least cross-entropy with an L2 penalty (Hastie, Tibshirani and
    Friedman 2009, "The elements of statistical learning", section 4.4). The probabilities are the
    fit's own; with balanced weights they are those of genres that are equally frequent. The weaker
    the penalty, the surer they are of artists the model has not heard; an `EnsembleClassifier` with
    this one member calibrates them.

    Parameters
    ----------
    C : float
        Inverse strength of the penalty, against the summed loss of the clips, so that more clips
        weaken it. The default is what folds of other artists choose for some hundred clips
        (`benchmarks/model_choice.py`); clips of one artist are alike, and a penalty for as many
        independent ones is too weak.
    class_weight : {"balanced"}, dict or None
        Weights of the classes. None: as frequent as they are.
    max_iter : int
        Steps of the solver (L-BFGS) at most; some dozens are the rule.
    random_state : int, RandomState or None
        Unused, as nothing is drawn; there because every kind of model takes a seed.

    Attributes
    ----------
    mean_, scale_ : numpy.ndarray [shape=(n_features,)]
        Of the training clips; the scale of a feature that does not vary is 1.
    weights_ : numpy.ndarray [shape=(n_classes, n_features)]
        Of the standardised features; over the classes they sum to 0.
    intercepts_ : numpy.ndarray [shape=(n_classes,)]
    n_iter_ : int
        Steps the solver took; a bundle does not keep it.
    classes_ : numpy.ndarray [shape=(n_classes,)]
    training_curve_ : None
        The fit is one convex problem.

    Examples
    --------
    >>> X = [[90.0], [92.0], [140.0], [150.0]]
    >>> model = LinearClassifier().fit(X, ["slow", "slow", "fast", "fast"])
    >>> model.predict([[88.0], [160.0]])
    array(['slow', 'fast'], dtype='<U4')
    """

    kind: ClassVar[str] = "linear"
    input: ClassVar[Any] = "vectors"
    weights_file: ClassVar[str] = "linear.npz"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        C: float = 0.01,
        *,
        class_weight: Any = "balanced",
        max_iter: int = 1000,
        random_state: Any = 0,
    ) -> None:
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, validation: Validation = None) -> Self:
        """Find the weights.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Feature vectors, finite.
        y : array-like [shape=(n,)]
            Genres.
        validation : tuple of (X, y), optional
            Checked and otherwise unused: nothing is stopped early or calibrated.

        Returns
        -------
        LinearClassifier
            Itself.

        Raises
        ------
        TrainingError
            Where all clips are of one class.
        ValueError
            Where shapes or values are not as above.
        """
        self.check_params()
        X, codes = self._check_training_vectors(X, y)
        if validation is not None:
            self._check_validation_vectors(validation)
        scaler = StandardScaler().fit(X)
        self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        weights = class_weights(self.class_weight, self.classes_, codes)
        fitted = LogisticRegression(
            C=self.C,
            class_weight=dict(enumerate(weights.tolist())),
            max_iter=self.max_iter,
        ).fit((X - self.mean_) / self.scale_, codes)
        coefficients, intercepts = fitted.coef_, fitted.intercept_
        if len(self.classes_) == 2:
            # Of two classes scikit-learn keeps the difference; halves of it are the same model.
            coefficients = np.concatenate([-coefficients, coefficients]) / 2
            intercepts = np.concatenate([-intercepts, intercepts]) / 2
        self.weights_: Floats = coefficients
        self.intercepts_: Floats = intercepts
        self.n_iter_ = int(fitted.n_iter_.max())
        self.training_curve_ = None
        return self

    def margins(self, X: Any) -> Floats:
        """Log-odds before the softmax [shape=(n, n_classes)]; over the classes they sum to 0."""
        standardised = (self._check_vectors(X) - self.mean_) / self.scale_
        found: Floats = standardised @ self.weights_.T + self.intercepts_
        return found

    def predict_proba(self, X: Any) -> Floats:
        """Softmax of the weighted sums.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_classes)]
            In [0, 1], rows sum to 1, columns as `classes_`.
        """
        probabilities: Floats = softmax(self.margins(X), axis=1)
        return probabilities

    def save_weights(self, folder: Path) -> list[str]:
        """Write `linear.npz`; the same model always gives the same bytes."""
        write_arrays(
            folder / self.weights_file,
            mean=self.mean_,
            scale=self.scale_,
            weights=self.weights_,
            intercepts=self.intercepts_,
        )
        return [self.weights_file]

    @classmethod
    def load_weights(cls, folder: Path, info: "BundleInfo") -> Self:
        """Read `linear.npz` and check every array.

        Raises
        ------
        BundleError
            Where they are not those of such a model.
        """
        n_classes, n_features = len(info.classes), info.input_shape[0]
        arrays = read_arrays(
            folder / cls.weights_file,
            {
                "mean": (n_features,),
                "scale": (n_features,),
                "weights": (n_classes, n_features),
                "intercepts": (n_classes,),
            },
            positive=("scale",),
        )
        model = cls(**info.params)._restore(info)
        model.mean_, model.scale_ = arrays["mean"], arrays["scale"]
        model.weights_, model.intercepts_ = arrays["weights"], arrays["intercepts"]
        return model
