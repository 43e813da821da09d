"""Shapley values: how much each audio feature moved a tree model's answer, clip by clip."""

import warnings
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.explanations.families import FAMILIES, family_of
from genrescope.parallel import cpu_count, map_processes

FloatArray = npt.NDArray[np.float64]

CHUNKS_PER_WORKER = 3  # few: each takes the forest along and prepares it anew
PARALLEL_FROM_LEAVES = 10_000_000  # leaves x clips, some five seconds of work in one process


@dataclass(frozen=True)
class ShapValues:
    """Shapley values of a model's answers to some clips.

    For each clip and class the values of the features and the baseline add up to the model's
    answer, on the scale named by `scale`.

    Attributes
    ----------
    values : numpy.ndarray [shape=(n, n_features, n_classes)]
        Signed: above 0 the feature speaks for the class.
    baseline : numpy.ndarray [shape=(n_classes,)]
        The model's mean answer, before any feature is known.
    data : DataFrame [shape=(n, n_features)]
        The explained feature vectors, by `clip_id`.
    classes : tuple of str
        The model's classes.
    answers : numpy.ndarray [shape=(n, n_classes)]
        The model's own answers.
    scale : str
        `margin`: log-odds before the softmax (boosting); `probability`: in [0, 1] (forest).
    """

    values: FloatArray
    baseline: FloatArray
    data: pd.DataFrame
    classes: tuple[str, ...]
    answers: FloatArray
    scale: Literal["margin", "probability"]

    @property
    def residual(self) -> float:
        """Largest gap, over clips and classes, between values plus baseline and the answers.

        Rounding alone where all is well.
        """
        gaps = np.abs(self.values.sum(axis=1) + self.baseline - self.answers)
        return float(gaps.max(initial=0.0))

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        return [str(name) for name in self.data.columns]

    def per_class(self) -> pd.DataFrame:
        """Mean absolute value of each feature for each class, over the clips.

        Returns
        -------
        DataFrame [shape=(n_features, n_classes)]
            Rows are features in the model's order, columns classes.
        """
        return pd.DataFrame(
            np.abs(self.values).mean(axis=0),
            index=pd.Index(self.features, name="feature"),
            columns=pd.Index(self.classes),
        )

    def families(self) -> pd.DataFrame:
        """Mean absolute contribution of each musical family for each class, over the clips.

        The values of a family's features are summed clip by clip, signs and all, so that with the
        baseline the families add up to the answer as the features do.

        Returns
        -------
        DataFrame [shape=(n_families, n_classes)]
        """
        names = pd.Index(self.features, name="feature")
        families = pd.Index([family_of(name) for name in names])
        present = [family for family in FAMILIES if family in families]
        sums = [
            np.abs(self.values[:, families == name].sum(axis=1)).mean(axis=0) for name in present
        ]
        return pd.DataFrame(
            sums, index=pd.Index(present, name="family"), columns=pd.Index(self.classes)
        )

    def top(self, n: int = 10) -> pd.DataFrame:
        """Give the features that matter most: mean absolute value over clips, then over classes.

        Parameters
        ----------
        n : int
            How many at most.

        Returns
        -------
        DataFrame [shape=(n, 2)]
            Columns `feature`, `mean_abs_shap`, largest first; equals in the model's order.
        """
        ranking = self.per_class().mean(axis=1).sort_values(ascending=False, kind="stable")
        return ranking.head(n).rename("mean_abs_shap").reset_index()

    def frame(self) -> pd.DataFrame:
        """Every value in a row of its own.

        Returns
        -------
        DataFrame [shape=(n * n_features * n_classes, 6)]
            Columns `clip_id`, `genre`, `feature`, `value` (of the feature), `shap`, `baseline`
            (of the class).
        """
        n, n_features, n_classes = self.values.shape
        shape = (n, n_classes, n_features)
        classes = np.asarray(self.classes, dtype=object)
        clips = self.data.index.to_numpy(dtype=object)

        def spread(values: Any) -> Any:
            return np.broadcast_to(values, shape).ravel()

        return pd.DataFrame(
            {
                "clip_id": pd.Series(spread(clips[:, None, None]), dtype="str"),
                "genre": pd.Series(spread(classes[None, :, None]), dtype="str"),
                "feature": pd.Series(spread(np.asarray(self.features, dtype=object)), dtype="str"),
                "value": spread(self.data.to_numpy(dtype=np.float64)[:, None, :]),
                "shap": self.values.transpose(0, 2, 1).ravel(),
                "baseline": spread(self.baseline[None, :, None]),
            }
        )


def shap_values(model: Any, X: pd.DataFrame, *, workers: int | None = 1) -> ShapValues:
    """Explain a forest's or a boosted model's answers by exact Shapley values over its trees.

    Tree SHAP (Lundberg et al. 2020, "From local explanations to global understanding with
    explainable AI for trees"), with the path-dependent expectation: what a tree says where a
    feature is unknown follows the training clips in its nodes, so no background set is chosen.

    Parameters
    ----------
    model : ForestClassifier or BoostingClassifier
        Fitted. The forest is explained on the probability scale, boosting on the margin, over
        the rounds that early stopping kept. Both have values for every class, also where there
        are two classes only.
    X : DataFrame [shape=(n, n_features)]
        Feature vectors by `clip_id`, columns as in training.
    workers : int, optional
        Processes for the forest; None takes the usable cores where the work is long enough to
        pay for them. More than one needs a script's `if __name__ == "__main__":`. The values do
        not depend on it.

    Returns
    -------
    ShapValues

    Raises
    ------
    ValueError
        Where the model is of another kind or the columns are not those it was trained on.

    Examples
    --------
    >>> from genrescope.models import create_model
    >>> X = pd.DataFrame({"tempo": [90.0, 91.0, 120.0, 121.0] * 5, "noise": [0.0, 1.0] * 10})
    >>> genres = ["slow", "slow", "fast", "fast"] * 5
    >>> model = create_model("boosting", n_estimators=5).fit(X, genres)
    >>> values = shap_values(model, X)
    >>> values.values.shape, values.classes, values.residual < 1e-5
    ((20, 2, 2), ('fast', 'slow'), True)
    >>> values.top(1)["feature"].item()
    'tempo'
    """
    kind = getattr(model, "kind", type(model).__name__)
    if kind not in ("forest", "boosting"):
        raise ValueError(f"Shapley values are for forest and boosting, not for {kind}")
    names = getattr(model, "feature_names_in_", None)
    if names is not None and list(names) != list(X.columns):
        raise ValueError("the feature columns are not those the model was trained on")
    if kind == "forest":
        return _forest(model, X, workers)
    return _boosting(model, X)


def _forest(model: Any, X: pd.DataFrame, workers: int | None) -> ShapValues:
    forest = model.forest_
    vectors = X.to_numpy(dtype=np.float32)
    if workers is None:
        leaves = sum(tree.get_n_leaves() for tree in forest.estimators_)
        workers = cpu_count() if leaves * len(vectors) >= PARALLEL_FROM_LEAVES else 1
    n_chunks = 1 if workers == 1 else min(workers * CHUNKS_PER_WORKER, len(vectors))
    chunks = np.array_split(vectors, n_chunks) if len(vectors) else []
    # Processes, not threads: shap's loop over the trees holds the interpreter's lock.
    explained = map_processes(
        partial(_explain_chunk, forest), chunks, workers=min(workers, len(chunks))
    )
    none = np.zeros((0, X.shape[1], len(model.classes_)))
    return ShapValues(
        np.concatenate([none, *explained]),
        np.asarray(_explainer(forest).expected_value, dtype=np.float64),
        X,
        tuple(str(name) for name in model.classes_),
        _answers(model, X) if len(X) else none[:, 0],
        "probability",
    )


def _answers(model: Any, X: pd.DataFrame) -> FloatArray:
    # scikit-learn warns of names that the model was not trained with.
    named = hasattr(model, "feature_names_in_")
    probabilities: FloatArray = model.predict_proba(X if named else X.to_numpy())
    return probabilities


def _explainer(forest: Any) -> Any:
    with warnings.catch_warnings():
        # shap's plots, which it imports unasked, use what matplotlib is about to take away.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        from shap import TreeExplainer

    return TreeExplainer(forest, feature_perturbation="tree_path_dependent")


def _explain_chunk(forest: Any, vectors: npt.NDArray[np.float32]) -> FloatArray:
    # shap's own check of additivity would raise; ours measures, and reports what it found.
    values = _explainer(forest).shap_values(vectors, check_additivity=False)
    return np.asarray(values, dtype=np.float64)


def _boosting(model: Any, X: pd.DataFrame) -> ShapValues:
    from xgboost import DMatrix

    booster = model.booster_
    # The baseline is the same for every clip; a row of zeros has it even without clips.
    vectors = np.vstack([X.to_numpy(dtype=np.float32), np.zeros((1, X.shape[1]), np.float32)])
    data = DMatrix(vectors)
    contributions = booster.predict(data, pred_contribs=True, strict_shape=True)
    contributions = contributions.astype(np.float64).transpose(0, 2, 1)
    answers = booster.predict(data, output_margin=True, strict_shape=True)
    return ShapValues(
        contributions[:-1, :-1],
        contributions[-1, -1],
        X,
        tuple(str(name) for name in model.classes_),
        answers[:-1].astype(np.float64),
        "margin",
    )
