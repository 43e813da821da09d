"""A support vector machine with a Gaussian kernel on standardised feature vectors."""

from itertools import combinations
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions

from genrescope.models.arrays_file import read_arrays, write_arrays
from genrescope.models.background import draw_background
from genrescope.models.calibration import fit_temperature
from genrescope.models.estimator import (
    Codes,
    GenreClassifier,
    Validation,
    class_weights,
    seed_of,
)

if TYPE_CHECKING:
    from genrescope.models.bundle_info import BundleInfo

Floats = npt.NDArray[np.float64]

FOLDS = 5  # of the training clips, where no validation clips calibrate
KERNEL_VALUES = 2**22  # computed at a time, 32 MiB


class Machine(NamedTuple):
    """What decides: standardisation, support vectors, and their weight for each class.

    Attributes
    ----------
    mean, scale : numpy.ndarray [shape=(n_features,)]
    support : numpy.ndarray [shape=(n_support, n_features)]
        Standardised.
    weights : numpy.ndarray [shape=(n_classes, n_support)]
    intercepts : numpy.ndarray [shape=(n_classes,)]
    gamma : float
        Inverse width of the kernel, `exp(-gamma * squared distance)`.
    """

    mean: Floats
    scale: Floats
    support: Floats
    weights: Floats
    intercepts: Floats
    gamma: float

    def scores(self, X: npt.NDArray[Any]) -> Floats:
        """Mean margin of each class over the others [shape=(n, n_classes)]."""
        found = np.empty((len(X), len(self.weights)))
        for rows in gen_batches(len(X), max(1, KERNEL_VALUES // len(self.support))):
            standardised = (X[rows] - self.mean) / self.scale
            kernel = rbf_kernel(standardised, self.support, gamma=self.gamma)
            found[rows] = kernel @ self.weights.T + self.intercepts
        return found


class SvmClassifier(GenreClassifier):
    """One margin for each pair of classes (Cortes and Vapnik 1995), made into probabilities.

    A class scores the mean of its margins over the other classes; unlike votes of the pairs
    (Hsu and Lin 2002, "A comparison of methods for multiclass support vector machines") these
    do not tie. Probabilities are the softmax of the scores at one temperature, fitted to clips
    the machine has not learned from. One number, rather than Platt's two for each pair as in
    libsvm, because some dozen validation clips must be enough, perhaps without every class.

    Validation clips are the right ones to calibrate on: the study keeps their artists apart from
    those of the training clips, so that they are as strange to the machine as the music it will
    hear. Without any, the training clips are predicted in five folds; artists are not known here
    and may be on both sides of a fold, so the probabilities are then too sure.

    Parameters
    ----------
    C : float
        Penalty on clips inside the margin or beyond it; scikit-learn's default of 1.
    gamma : {"scale"} or float
        Inverse width of the kernel over standardised features. `scale`, scikit-learn's default:
        1 over the number of features that vary.
    class_weight : {"balanced"}, dict or None
        Weights of the classes. None: as frequent as they are.
    random_state : int, RandomState or None
        Seed of the folds and of the background; the margins themselves know no chance.

    Attributes
    ----------
    machine_ : Machine
    temperature_ : float
        1 where neither validation clips nor two clips of every class could calibrate.
    background_ : numpy.ndarray [shape=(n_background, n_features)]
        Training clips that stand for music in general when an answer is explained.
    classes_ : numpy.ndarray [shape=(n_classes,)]
    training_curve_ : None
        The fit is one convex problem for each pair.

    Examples
    --------
    >>> X = [[90.0], [92.0], [140.0], [150.0]] * 5
    >>> model = SvmClassifier().fit(X, ["slow", "slow", "fast", "fast"] * 5)
    >>> model.predict([[88.0], [155.0]])
    array(['slow', 'fast'], dtype='<U4')
    """

    kind: ClassVar[str] = "svm"
    input: ClassVar[Any] = "vectors"
    weights_file: ClassVar[str] = "svm.npz"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "C": [Interval(Real, 0.0, None, closed="neither")],
        "gamma": [StrOptions({"scale"}), Interval(Real, 0.0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        C: float = 1.0,
        *,
        gamma: str | float = "scale",
        class_weight: Any = None,
        random_state: Any = 0,
    ) -> None:
        self.C = C
        self.gamma = gamma
        self.class_weight = class_weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, validation: Validation = None) -> Self:
        """Find the margins, then the temperature.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Feature vectors, finite.
        y : array-like [shape=(n,)]
            Genres.
        validation : tuple of (X, y), optional
            Clips that calibrate, best of other artists. Their genres must occur in `y`.

        Returns
        -------
        SvmClassifier
            Itself.

        Raises
        ------
        TrainingError
            Where all clips are of one class, or validation clips of an unknown one.
        ValueError
            Where shapes or values are not as above.
        """
        self.check_params()
        X, codes = self._check_training_vectors(X, y)
        seed = seed_of(self.random_state)
        weights = class_weights(self.class_weight, self.classes_, codes)
        self.machine_ = self._train(X, codes, weights)
        if validation is not None:
            X_held, codes_held = self._check_validation_vectors(validation)
            self.temperature_ = fit_temperature(self.machine_.scores(X_held), codes_held)
        else:
            self.temperature_ = self._temperature_of_folds(X, codes, weights, seed)
        self.background_ = draw_background(X, seed=seed)
        self.training_curve_ = None
        return self

    def _train(self, X: npt.NDArray[Any], codes: Codes, weights: Floats) -> Machine:
        scaler = StandardScaler().fit(X)
        standardised = (X - scaler.mean_) / scaler.scale_
        spread = float(standardised.var())
        gamma = self.gamma
        if isinstance(gamma, str):
            gamma = 1 / (X.shape[1] * spread) if spread else 1.0
        machine = SVC(C=self.C, gamma=gamma, class_weight=dict(enumerate(weights.tolist())))
        machine.fit(standardised, codes)
        of_classes, intercepts = _sum_of_pairs(machine, len(self.classes_))
        return Machine(
            scaler.mean_,
            scaler.scale_,
            machine.support_vectors_,
            of_classes,
            intercepts,
            float(gamma),
        )

    def _temperature_of_folds(
        self, X: npt.NDArray[Any], codes: Codes, weights: Floats, seed: int
    ) -> float:
        n_folds = min(FOLDS, int(np.bincount(codes).min()))
        if n_folds < 2:
            return 1.0
        scores = np.empty((len(X), len(self.classes_)))
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed % 2**32)
        for train, held in folds.split(X, codes):
            scores[held] = self._train(X[train], codes[train], weights).scores(X[held])
        return fit_temperature(scores, codes)

    def margins(self, X: Any) -> Floats:
        """Log-odds before the softmax [shape=(n, n_classes)]; over the classes they sum to 0."""
        X = self._check_vectors(X)
        found: Floats = self.machine_.scores(X) / self.temperature_
        return found

    def predict_proba(self, X: Any) -> Floats:
        """Softmax of the calibrated margins.

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
        """Write `svm.npz`; the same model always gives the same bytes."""
        write_arrays(
            folder / self.weights_file,
            **self.machine_._asdict(),
            temperature=self.temperature_,
            background=self.background_,
        )
        return [self.weights_file]

    @classmethod
    def load_weights(cls, folder: Path, info: "BundleInfo") -> Self:
        """Read `svm.npz` and check every array.

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
                "support": ("support vectors", n_features),
                "weights": (n_classes, "support vectors"),
                "intercepts": (n_classes,),
                "gamma": (),
                "temperature": (),
                "background": ("clips", n_features),
            },
            positive=("scale", "gamma", "temperature"),
        )
        model = cls(**info.params)._restore(info)
        model.temperature_ = float(arrays.pop("temperature"))
        model.background_ = arrays.pop("background")
        gamma = float(arrays.pop("gamma"))
        model.machine_ = Machine(**arrays, gamma=gamma)
        return model


def _sum_of_pairs(machine: SVC, n_classes: int) -> tuple[Floats, Floats]:
    """Weights and intercepts of each class's mean margin over the others.

    libsvm keeps a margin for each pair of classes, in the order of `combinations`, above 0 for the
    first of the two. The weights of a class's support vectors in its pairs are in the column of
    these vectors, one row for each other class.
    """
    # Of two classes alone, scikit-learn turns the sign of the one pair around.
    sign = -1.0 if n_classes == 2 else 1.0
    dual, offsets = sign * machine.dual_coef_, sign * machine.intercept_
    ends = np.cumsum(machine.n_support_)
    own = [slice(end - count, end) for end, count in zip(ends, machine.n_support_, strict=True)]
    weights = np.zeros((n_classes, int(ends[-1])))
    intercepts = np.zeros(n_classes)
    for (first, second), offset in zip(combinations(range(n_classes), 2), offsets, strict=True):
        for rows, row in ((own[first], second - 1), (own[second], first)):
            weights[first, rows] += dual[row, rows]
            weights[second, rows] -= dual[row, rows]
        intercepts[first] += offset
        intercepts[second] -= offset
    return weights / (n_classes - 1), intercepts / (n_classes - 1)
