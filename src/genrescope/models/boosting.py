"""Gradient-boosted trees on feature vectors."""

import sys
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xgboost as xgb
from scipy.special import softmax
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_consistent_length, column_or_1d

from genrescope.errors import BundleError
from genrescope.features.vector_files import VectorFiles
from genrescope.models.boosting_data import Table, on_disk, on_workers
from genrescope.models.estimator import Codes, GenreClassifier, Validation, seed_of
from genrescope.models.place import cluster, cluster_errors, fits
from genrescope.parallel import RemoteWorkers, cpu_count

if TYPE_CHECKING:
    from genrescope.models.bundle_info import BundleInfo

METRIC = "mlogloss"
MANY_CLIPS = 5000
Held: TypeAlias = tuple[Table, Codes] | None
History: TypeAlias = dict[str, dict[str, list[float]]]


class BoostingClassifier(GenreClassifier):
    """Boosted trees by xgboost (Chen and Guestrin 2016, "XGBoost") under a softmax.

    Parameters
    ----------
    n_estimators : int
        Rounds, a tree per class each; 500 as in the paper.
    learning_rate : float
        Share of each tree that is kept. 0.05: small enough for 500 rounds not to overfit at
        once, large enough for them to converge.
    max_depth : int
        Deepest level of a tree. 4: interactions of up to four features, which is what some
        hundred clips can support; xgboost's own default of 6 suits thousands.
    subsample : float
        Share of the clips each round sees; 0.8, a usual choice (Friedman 2002).
    colsample_bytree : float
        Share of the features each tree sees. 0.5, because many of the features repeat each other.
    min_child_weight : float
        Least sum of second derivatives in a leaf; xgboost's default.
    reg_lambda : float
        L2 penalty on leaf values; xgboost's default.
    reg_alpha : float
        L1 penalty on leaf values; none, as by default.
    early_stopping_rounds : int, optional
        Stop after so many rounds without a lower validation loss, and keep the best. None trains
        every round, as the paper does. Without validation clips it has no effect.
    n_jobs : int, optional
        Threads. Where not given one for less than 5,000 clips, else the usable cores: on small
        tables threads gain little, and lose much where other programs want the cores. They do
        not change the result.
    random_state : int, RandomState or None
        Seed of both samplings.

    Attributes
    ----------
    booster_ : xgboost.Booster
        With the rounds that are kept; `multi:softprob` on the indices of `classes_`, with two
        classes as well.
    classes_ : numpy.ndarray [shape=(n_classes,)]
    training_curve_ : DataFrame
        `round`, `train_loss` and, with validation clips, `validation_loss` (mean logarithmic
        loss, nats), for every round that was trained.
    best_round_ : int
        Rounds kept.

    Examples
    --------
    >>> X = [[90.0], [92.0], [140.0], [150.0]] * 5
    >>> model = BoostingClassifier(n_estimators=20).fit(X, ["slow", "slow", "fast", "fast"] * 5)
    >>> model.predict([[88.0], [160.0]])
    array(['slow', 'fast'], dtype='<U4')
    """

    kind: ClassVar[str] = "boosting"
    input: ClassVar[Any] = "vectors"
    weights_file: ClassVar[str] = "boosting.ubj"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0.0, 1.0, closed="right")],
        "max_depth": [Interval(Integral, 1, 20, closed="both")],
        "subsample": [Interval(Real, 0.0, 1.0, closed="right")],
        "colsample_bytree": [Interval(Real, 0.0, 1.0, closed="right")],
        "min_child_weight": [Interval(Real, 0.0, None, closed="left")],
        "reg_lambda": [Interval(Real, 0.0, None, closed="left")],
        "reg_alpha": [Interval(Real, 0.0, None, closed="left")],
        "early_stopping_rounds": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_estimators: int = 500,
        *,
        learning_rate: float = 0.05,
        max_depth: int = 4,
        subsample: float = 0.8,
        colsample_bytree: float = 0.5,
        min_child_weight: float = 1.0,
        reg_lambda: float = 1.0,
        reg_alpha: float = 0.0,
        early_stopping_rounds: int | None = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.n_estimators = n_estimators
        self.learning_rate = learning_rate
        self.max_depth = max_depth
        self.subsample = subsample
        self.colsample_bytree = colsample_bytree
        self.min_child_weight = min_child_weight
        self.reg_lambda = reg_lambda
        self.reg_alpha = reg_alpha
        self.early_stopping_rounds = early_stopping_rounds
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, validation: Validation = None) -> Self:
        """Boost.

        A table that does not fit one process (`genrescope.models.place.fits`) is trained on by the
        workers of a cluster inside `genrescope.models.place.training_on`, elsewhere from disk. From
        disk the trees are the same; workers find other bins and draw other clips: docs/models.md.

        Parameters
        ----------
        X : array-like or VectorFiles [shape=(n, n_features)]
            Feature vectors, finite. A memory-mapped array of 32-bit floats and `VectorFiles` are
            never held whole where they do not fit.
        y : array-like [shape=(n,)]
            Genres.
        validation : tuple of (X, y), optional
            Clips whose loss is followed, and decides where to stop if `early_stopping_rounds`
            is set. Their genres must occur in `y`.

        Returns
        -------
        BoostingClassifier
            Itself.

        Raises
        ------
        TrainingError
            Where all clips are of one class, or validation clips of an unknown one.
        ClusterError
            Where the workers of a cluster were to train, and it is lost.
        CorpusError
            Where a file of a table cannot be read.
        ValueError
            Where shapes or values are not as above.
        """
        self.check_params()
        X, codes = self._check_table(X, y)
        held = None
        if validation is not None:
            held = self._check_held_table(*validation)
        where = cluster()
        if isinstance(X, VectorFiles) and fits(X.nbytes):
            X = X.read()
        if fits(X.nbytes):
            booster, history = self._train(xgb.QuantileDMatrix, X, codes, held)
        elif where is not None:
            print(f"boosting: {_too_large(X)} is trained on the workers", file=sys.stderr)
            booster, history = self._train_on_workers(where, X, codes, held)
        else:
            print(f"boosting: {_too_large(X)} is trained from disk", file=sys.stderr)
            with on_disk() as matrix:
                booster, history = self._train(matrix, X, codes, held)
        return self._keep(booster, history)

    def _train(self, matrix: Any, X: Table, codes: Codes, held: Held) -> tuple[Any, History]:
        threads = self._threads(len(codes))
        data = matrix(X, codes, nthread=threads)
        watched = [(data, "train")]
        if held is not None:
            watched.append((matrix(*held, ref=data, nthread=threads), "validation"))
        history: History = {}
        booster = xgb.train(
            self._native_params() | {"nthread": threads},
            data,
            self.n_estimators,
            evals=watched,
            evals_result=history,
            callbacks=self._stopping(held),
            verbose_eval=False,
        )
        return booster, history

    def _train_on_workers(
        self, workers: RemoteWorkers, X: Table, codes: Codes, held: Held
    ) -> tuple[Any, History]:
        from xgboost import dask as of_cluster

        with cluster_errors(workers, "train the boosted trees"), workers.client.as_current():
            matrix = on_workers(workers.client)
            data = matrix(X, codes)
            watched = [(data, "train")]
            if held is not None:
                watched.append((matrix(*held, ref=data), "validation"))
            found = of_cluster.train(
                workers.client,
                self._native_params(),
                data,
                self.n_estimators,
                evals=watched,
                callbacks=self._stopping(held),
                verbose_eval=False,
            )
        return found["booster"], found["history"]

    def _stopping(self, held: Held) -> list[Any]:
        if held is None or self.early_stopping_rounds is None:
            return []
        return [
            xgb.callback.EarlyStopping(
                rounds=self.early_stopping_rounds, metric_name=METRIC, data_name="validation"
            )
        ]

    def _keep(self, booster: Any, history: History) -> Self:
        if self.early_stopping_rounds is not None and "validation" in history:
            booster = booster[: booster.best_iteration + 1]
            booster.set_attr(best_iteration=None, best_score=None)
        self.booster_ = booster
        self.best_round_ = int(booster.num_boosted_rounds())
        self.training_curve_ = pd.DataFrame(
            {f"{name}_loss": losses[METRIC] for name, losses in history.items()}
        )
        self.training_curve_.insert(0, "round", np.arange(1, len(self.training_curve_) + 1))
        return self

    def _check_table(self, X: Any, y: Any) -> tuple[Table, Codes]:
        if not isinstance(X, VectorFiles):
            return self._check_training_vectors(X, y)
        check_consistent_length(X, y)
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        return X, self._encode(column_or_1d(y))

    def _check_held_table(self, X: Any, y: Any) -> tuple[Table, Codes]:
        if not isinstance(X, VectorFiles):
            return self._check_validation_vectors((X, y))
        check_consistent_length(X, y)
        if X.columns != list(getattr(self, "feature_names_in_", [])):
            raise ValueError("the validation clips have other features than the training clips")
        return X, self._encode_validation(y)

    def _threads(self, n_clips: int) -> int:
        if self.n_jobs is None:
            return 1 if n_clips < MANY_CLIPS else cpu_count()
        return cpu_count() if self.n_jobs < 1 else self.n_jobs

    def _native_params(self) -> dict[str, Any]:
        return {
            "objective": "multi:softprob",
            "num_class": len(self.classes_),
            "eval_metric": METRIC,
            "tree_method": "hist",
            "eta": self.learning_rate,
            "max_depth": self.max_depth,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample_bytree,
            "min_child_weight": self.min_child_weight,
            "reg_lambda": self.reg_lambda,
            "reg_alpha": self.reg_alpha,
            "seed": seed_of(self.random_state) % 2**31,
        }

    def margins(self, X: Any) -> npt.NDArray[np.float64]:
        """Sum of the trees, log-odds before the softmax [shape=(n, n_classes)]."""
        X = self._check_vectors(X)
        found: npt.NDArray[np.float64] = self.booster_.predict(
            xgb.DMatrix(X), output_margin=True
        ).astype(np.float64)
        return found

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Softmax of the sum of the trees.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_classes)]
            In [0, 1], rows sum to 1, columns as `classes_`.
        """
        # xgboost's own softmax is in single precision: its rows sum to 1 within 1e-7 only.
        probabilities: npt.NDArray[np.float64] = softmax(self.margins(X), axis=1)
        return probabilities

    def save_weights(self, folder: Path) -> list[str]:
        """Write the trees as `boosting.ubj`, xgboost's own format."""
        (folder / self.weights_file).write_bytes(self.booster_.save_raw("ubj"))
        return [self.weights_file]

    @classmethod
    def load_weights(cls, folder: Path, info: "BundleInfo") -> Self:
        """Read `boosting.ubj` and check every node of every tree before xgboost sees it.

        Raises
        ------
        BundleError
            Where the file holds anything but sound trees.
        """
        from genrescope.models.tree_check import check_booster
        from genrescope.models.ubjson import read_ubjson

        path = folder / cls.weights_file
        content = path.read_bytes()
        try:
            check_booster(
                read_ubjson(content),
                n_features=info.input_shape[0],
                n_classes=len(info.classes),
            )
        except (ValueError, TypeError) as error:
            raise BundleError(f"unsafe or damaged: {error}", path=path) from error
        model = cls(**info.params)._restore(info)
        model.booster_ = xgb.Booster({"nthread": model._threads(0)})
        try:
            model.booster_.load_model(bytearray(content))
        except xgb.core.XGBoostError as error:
            reason = str(error).splitlines()[0]
            raise BundleError(f"xgboost cannot read it ({reason})", path=path) from error
        model.best_round_ = int(model.booster_.num_boosted_rounds())
        return model


def _too_large(X: Table) -> str:
    return f"a table of {X.nbytes / 2**20:,.0f} MB, too large for the memory of one process,"
