"""Shapley values: how much each audio feature moved a model's answer, clip by clip."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from genrescope.explanations.permutation_shap import N_ORDERS, permutation_shap
from genrescope.explanations.shap_summary import ShapSummary
from genrescope.explanations.tree_shap import Explained, Vectors, boosting_shap, forest_shap, spread
from genrescope.parallel import Workers, map_processes

FloatArray = npt.NDArray[np.float64]

Scale = Literal["margin", "probability"]
CLIPS_AT_A_TIME = 1024  # of values held: 2.5 MB with 75 features and 4 classes
SAMPLED_AT_A_TIME = 8  # clips that a worker estimates the values of
PARALLEL_FROM_EVALUATIONS = 2_000_000  # some five seconds of work in one process

METHODS = {
    "linear": "linear_shap",
    "svm": "permutation_shap",
    "forest": "tree_shap",
    "boosting": "tree_shap",
    "ensemble": "permutation_shap",
}
SCALES: dict[str, Scale] = {
    "linear": "margin",
    "svm": "margin",
    "forest": "probability",
    "boosting": "margin",
    "ensemble": "probability",
}


@dataclass(frozen=True)
class ShapValues:
    """Shapley values of a model's answers to some clips.

    For each clip and class the values of the features and the baseline add up to the model's
    answer, on the scale named by `scale`.

    Attributes
    ----------
    values : numpy.ndarray [shape=(n, n_features, n_classes)]
        Signed: above 0 the feature speaks for the class.
    baseline : numpy.ndarray [shape=(n_classes,) or (n, n_classes)]
        The model's mean answer, before any feature is known; for each clip by itself where
        several models answered.
    data : DataFrame [shape=(n, n_features)]
        The explained feature vectors, by `clip_id`.
    classes : tuple of str
        The model's classes.
    answers : numpy.ndarray [shape=(n, n_classes)]
        The model's own answers.
    scale : str
        `margin`: log-odds before the softmax; `probability`: in [0, 1].
    errors : numpy.ndarray [shape=(n, n_features, n_classes)] or None
        Standard errors of values that are estimated; None of values that are exact.
    """

    values: FloatArray
    baseline: FloatArray
    data: pd.DataFrame
    classes: tuple[str, ...]
    answers: FloatArray
    scale: Scale
    errors: FloatArray | None = None

    @classmethod
    def joined(cls, parts: "Sequence[ShapValues]") -> "ShapValues":
        """Values of several models trained alike, such as those of the folds of a corpus.

        Parameters
        ----------
        parts : sequence of ShapValues
            One or more.

        Raises
        ------
        ValueError
            Where features, classes or scale differ.
        """
        first = parts[0]
        same = (first.features, first.classes, first.scale)
        if any((part.features, part.classes, part.scale) != same for part in parts):
            raise ValueError("explanations of other features, classes or scales cannot be joined")
        errors = [part.errors for part in parts if part.errors is not None]
        return cls(
            np.concatenate([part.values for part in parts]),  # noqa: PD011
            np.concatenate([np.broadcast_to(part.baseline, part.answers.shape) for part in parts]),
            pd.concat([part.data for part in parts]),
            first.classes,
            np.concatenate([part.answers for part in parts]),
            first.scale,
            np.concatenate(errors) if len(errors) == len(parts) else None,
        )

    @property
    def sampling_error(self) -> float | None:
        """Root mean square of the standard errors over that of the values; None where exact."""
        return self._summary.sampling_error

    @property
    def residual(self) -> float:
        """Largest gap, over clips and classes, between values plus baseline and the answers.

        Rounding alone where all is well, also where the values are estimated.
        """
        return self._summary.residual

    @property
    def features(self) -> list[str]:
        """Names of the features."""
        return [str(name) for name in self.data.columns]

    @property
    def _summary(self) -> ShapSummary:
        summary = ShapSummary(self.features, self.classes)
        summary.add(self)
        return summary

    def per_class(self) -> pd.DataFrame:
        """Mean absolute value of each feature for each class: `ShapSummary.per_class`."""
        return self._summary.per_class()

    def families(self) -> pd.DataFrame:
        """Mean absolute value of each musical family for each class: `ShapSummary.families`."""
        return self._summary.families()

    def top(self, n: int = 10) -> pd.DataFrame:
        """The features that matter most: `ShapSummary.top`."""
        return self._summary.top(n)

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
                "baseline": spread(np.broadcast_to(self.baseline, (n, n_classes))[:, :, None]),
            }
        )


def shap_values(model: Any, X: pd.DataFrame, *, workers: Workers = 1) -> ShapValues:
    """Explain a model's answers to feature vectors by Shapley values.

    Each kind of model has the method that is exact for it, where there is one (`METHODS`):

    `tree_shap`
        Forest and boosting: over the trees (Lundberg et al. 2020, "From local explanations to
        global understanding with explainable AI for trees"), with the path-dependent expectation:
        what a tree says where a feature is unknown follows the training clips in its nodes.
    `linear_shap`
        A linear model: `weight * (value - mean)`, exact where an unknown feature is replaced by
        its values in the training clips independently of the others (Štrumbelj and Kononenko
        2014, "Explaining prediction models and individual predictions with feature
        contributions").
    `permutation_shap`
        Any other: estimated from 5 random orders of the features and their reverses, with 32
        training clips as background, 750 evaluations per background clip for 75 features.

    Parameters
    ----------
    model : GenreClassifier
        Fitted, of a kind that takes vectors. A forest and an ensemble are explained on the
        probability scale; the others on the margin, boosting over the rounds that early stopping
        kept. All have values for every class, also where there are two classes only.
    X : DataFrame [shape=(n, n_features)]
        Feature vectors by `clip_id`, columns as in training.
    workers : Workers
        Processes for a forest and for values that are estimated, where the work is long enough
        to pay for them; the usable cores where None. More than one needs a script's
        `if __name__ == "__main__":`. The values do not depend on it.

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
    parts = list(shap_parts(model, X, workers=workers))
    first = parts[0]
    errors = [part.errors for part in parts if part.errors is not None]
    return ShapValues(
        np.concatenate([part.values for part in parts]),  # noqa: PD011
        first.baseline,
        X,
        first.classes,
        np.concatenate([part.answers for part in parts]),
        first.scale,
        np.concatenate(errors) if errors else None,
    )


def shap_parts(model: Any, X: pd.DataFrame, *, workers: Workers = 1) -> Iterator[ShapValues]:
    """Explain a model's answers as `shap_values` does, some clips at a time.

    Parameters
    ----------
    model, X, workers
        As in `shap_values`.

    Yields
    ------
    ShapValues
        Of at most 1,024 clips each, in the order of `X`; of no clips where it has none. Together
        they hold what `shap_values` gives, to the last bit.

    Raises
    ------
    ValueError
        As in `shap_values`.
    """
    kind = getattr(model, "kind", type(model).__name__)
    if kind not in METHODS:
        raise ValueError(f"Shapley values are for {', '.join(METHODS)}, not for {kind}")
    names = getattr(model, "feature_names_in_", None)
    if names is not None and list(names) != list(X.columns):
        raise ValueError("the feature columns are not those the model was trained on")
    scale, classes = SCALES[kind], tuple(str(name) for name in model.classes_)
    answers = _answers(model, X, scale) if len(X) else np.zeros((0, len(classes)))
    data = [X.iloc[k : k + CLIPS_AT_A_TIME] for k in range(0, max(len(X), 1), CLIPS_AT_A_TIME)]
    first = 0
    for rows, found in zip(data, _explained(model, data, workers), strict=True):
        last = first + len(rows)
        yield ShapValues(
            found.values, found.baseline, rows, classes, answers[first:last], scale, found.errors
        )
        first = last


def _explained(model: Any, data: Sequence[pd.DataFrame], workers: Workers) -> Iterator[Explained]:
    parts = [rows.to_numpy(dtype=np.float32) for rows in data]
    if model.kind == "forest":
        yield from forest_shap(model, parts, workers=workers)
    elif model.kind == "boosting":
        yield from (boosting_shap(model, part) for part in parts)
    elif model.kind == "linear":
        yield from (_linear(model, part) for part in parts)
    else:
        yield from _sampled(model, data, workers)


def _answers(model: Any, X: pd.DataFrame, scale: Scale) -> FloatArray:
    # scikit-learn warns of names that the model was not trained with.
    known: Any = X if hasattr(model, "feature_names_in_") else X.to_numpy()
    answers: FloatArray = model.margins(known) if scale == "margin" else model.predict_proba(known)
    return answers


def _linear(model: Any, vectors: Vectors) -> Explained:
    deviations = (vectors - model.mean_) / model.scale_
    return Explained(deviations[:, :, np.newaxis] * model.weights_.T, model.intercepts_)


def _sampled(model: Any, data: Sequence[pd.DataFrame], workers: Workers) -> Iterator[Explained]:
    of_part = [range(0, max(len(rows), 1), SAMPLED_AT_A_TIME) for rows in data]
    items = (
        rows.iloc[k : k + SAMPLED_AT_A_TIME]
        for rows, starts in zip(data, of_part, strict=True)
        for k in starts
    )
    evaluations = 2 * N_ORDERS * data[0].shape[1] * len(model.background_)
    long = evaluations * sum(map(len, data)) >= PARALLEL_FROM_EVALUATIONS
    workers = spread(workers, sum(map(len, of_part)), long=long)
    found = map_processes(partial(_sample, model), items, workers=workers)
    for starts in of_part:
        chunks = [next(found) for _ in starts]
        yield Explained(
            np.concatenate([chunk[0] for chunk in chunks]),
            chunks[0].baseline,
            np.concatenate([chunk[2] for chunk in chunks]),
        )


def _sample(model: Any, X: pd.DataFrame) -> Explained:
    columns = list(X.columns)

    def answer(vectors: FloatArray) -> FloatArray:
        return _answers(model, pd.DataFrame(vectors, columns=columns), SCALES[model.kind])

    # One thread, in this process or another: rounding may depend on how many there are.
    with threadpool_limits(1):
        found = permutation_shap(answer, X.to_numpy(dtype=np.float64), model.background_)
    return Explained(*found)
