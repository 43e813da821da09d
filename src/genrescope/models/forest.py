"""A random forest on feature vectors."""

from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils._param_validation import Interval, StrOptions

from genrescope.errors import BundleError
from genrescope.models.estimator import GenreClassifier, Validation, class_weights, seed_of
from genrescope.models.place import trees_on_workers
from genrescope.parallel import cpu_count

if TYPE_CHECKING:
    from genrescope.models.bundle_info import BundleInfo


class ForestClassifier(GenreClassifier):
    """Bootstrapped decision trees that vote (Breiman 2001, "Random forests").

    Parameters
    ----------
    n_estimators : int
        Trees; 500 as in the paper. More never hurt, they only cost.
    max_depth : int, optional
        Deepest level of a tree. None, Breiman's choice: leaves are grown until pure.
    max_features : {"sqrt", "log2"}, int, float or None
        Features tried at each split; the square root of their number is the usual choice for
        classification.
    min_samples_leaf : int or float
        Clips a leaf must hold, as a count or a share.
    class_weight : {"balanced", "balanced_subsample"}, dict or None
        Weights of the classes. None: as frequent as they are.
    n_jobs : int, optional
        Threads in training; the usable cores where not given. It does not change the result, nor
        does a cluster, on whose workers the trees grow inside
        `genrescope.models.place.training_on`.
    random_state : int, RandomState or None
        Seed.

    Attributes
    ----------
    forest_ : sklearn.ensemble.RandomForestClassifier
        The forest itself, trained on the indices of `classes_`.
    classes_ : numpy.ndarray [shape=(n_classes,)]
    training_curve_ : None
        A forest is not trained in steps.

    Examples
    --------
    >>> X = [[90.0], [92.0], [140.0], [150.0]]
    >>> model = ForestClassifier(n_estimators=20).fit(X, ["slow", "slow", "fast", "fast"])
    >>> model.predict([[88.0], [160.0]])
    array(['slow', 'fast'], dtype='<U4')
    """

    kind: ClassVar[str] = "forest"
    input: ClassVar[Any] = "vectors"
    weights_file: ClassVar[str] = "forest.skops"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "max_depth": [Interval(Integral, 1, None, closed="left"), None],
        "max_features": [
            StrOptions({"sqrt", "log2"}),
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0.0, 1.0, closed="right"),
            None,
        ],
        "min_samples_leaf": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0.0, 1.0, closed="neither"),
        ],
        "class_weight": [StrOptions({"balanced", "balanced_subsample"}), dict, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_estimators: int = 500,
        *,
        max_depth: int | None = None,
        max_features: str | float | None = "sqrt",
        min_samples_leaf: float = 1,
        class_weight: Any = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.max_features = max_features
        self.min_samples_leaf = min_samples_leaf
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, validation: Validation = None) -> Self:
        """Grow the trees.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Feature vectors, finite.
        y : array-like [shape=(n,)]
            Genres.
        validation : tuple of (X, y), optional
            Checked and otherwise unused: a forest has nothing to stop early.

        Returns
        -------
        ForestClassifier
            Itself.

        Raises
        ------
        TrainingError
            Where all clips are of one class.
        ClusterError
            Where the trees were to grow on a cluster and it is lost.
        ValueError
            Where shapes or values are not as above.
        """
        self.check_params()
        X, codes = self._check_training_vectors(X, y)
        if validation is not None:
            self._check_validation_vectors(validation)
        weights = self.class_weight
        if isinstance(weights, dict):
            weights = dict(enumerate(class_weights(weights, self.classes_, codes).tolist()))
        forest = RandomForestClassifier(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth,
            max_features=self.max_features,
            min_samples_leaf=self.min_samples_leaf,
            class_weight=weights,
            n_jobs=cpu_count() if self.n_jobs is None else self.n_jobs,
            random_state=seed_of(self.random_state),
        )
        with trees_on_workers():
            self.forest_ = forest.fit(X, codes)
        _share_params(self.forest_)
        # Threads add the trees' votes up in whatever order they finish, and floating-point sums
        # depend on the order: one thread keeps predictions identical from run to run.
        self.forest_.n_jobs = 1
        self.training_curve_ = None
        return self

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Mean over the trees of the class shares in the leaf a clip falls into.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_classes)]
            In [0, 1], rows sum to 1, columns as `classes_`.
        """
        X = self._check_vectors(X)
        probabilities: npt.NDArray[np.float64] = self.forest_.predict_proba(X)
        return probabilities

    def save_weights(self, folder: Path) -> list[str]:
        """Write the forest as `forest.skops`; the same forest always gives the same bytes."""
        from genrescope.models.forest_file import write_forest

        write_forest(self.forest_, folder / self.weights_file)
        return [self.weights_file]

    @classmethod
    def load_weights(cls, folder: Path, info: "BundleInfo") -> Self:
        """Read `forest.skops` and check every node of every tree.

        Raises
        ------
        BundleError
            Where the file holds anything but a sound forest.
        """
        from genrescope.models.forest_file import read_forest

        model = cls(**info.params)._restore(info)
        model.forest_ = read_forest(
            folder / cls.weights_file,
            n_features=info.input_shape[0],
            n_classes=len(info.classes),
        )
        if len(model.forest_) != model.n_estimators:
            raise BundleError(
                f"holds {len(model.forest_)} trees, {model.n_estimators} in its description",
                path=folder / cls.weights_file,
            )
        return model


def _share_params(forest: RandomForestClassifier) -> None:
    """Have trees hold the forest's own parameters.

    Those grown in another process hold copies of them, and a file tells copies from the same
    object: the same forest would be written in other bytes.
    """
    shared = {name: getattr(forest, name) for name in forest.estimator_params}
    shared.pop("random_state")
    for tree in forest.estimators_:
        tree.set_params(**shared, splitter=forest.estimator_.splitter)
