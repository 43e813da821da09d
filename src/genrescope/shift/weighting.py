"""Adaptation by weights: source clips that look like the target's count more."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genrescope.shift.adaptation import Adaptation, Matrix

FOLDS = 5


def domain_probabilities(source: Matrix, target: Matrix) -> Matrix:
    """Probability that each clip is of the target, by a classifier that has not seen the clip.

    A logistic regression on standardised vectors, in five folds, both corpora weighing alike.

    Parameters
    ----------
    source, target : numpy.ndarray [shape=(n, n_features)]

    Returns
    -------
    numpy.ndarray [shape=(n_source + n_target,)]
        Source clips first.

    Examples
    --------
    >>> low, high = np.linspace([0.0], [1.0], 20), np.linspace([5.0], [6.0], 20)
    >>> domain_probabilities(low, high).round().astype(int).tolist() == [0] * 20 + [1] * 20
    True
    """
    pooled = np.concatenate([source, target])
    origin = np.repeat([0, 1], [len(source), len(target)])
    folds = min(FOLDS, len(source), len(target))
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
    )
    splitter = StratifiedKFold(folds, shuffle=True, random_state=0)
    answers = cross_val_predict(model, pooled, origin, cv=splitter, method="predict_proba")
    return np.asarray(answers[:, 1], dtype=np.float64)


class Importance(Adaptation):
    """Weights of the source clips that make the source look like the target.

    The right weight is `p_target(x) / p_source(x)` (Shimodaira 2000, "Improving predictive
    inference under covariate shift"), which a classifier of the two corpora gives as
    `p(target | x) / p(source | x)` (Bickel, Brueckner and Scheffer 2009, "Discriminative learning
    under covariate shift"). Weights are clipped: where corpora hardly overlap a few clips would
    otherwise decide all.

    Parameters
    ----------
    largest : float
        Largest weight, in means of all weights.

    Examples
    --------
    >>> X = np.linspace(0.0, 1.0, 40)[:, np.newaxis]
    >>> weight = Importance().fit(X, np.zeros(40), X**3).sample_weight_
    >>> bool(weight[0] > weight[-1]), round(float(weight.mean()), 6)
    (True, 1.0)
    """

    def __init__(self, largest: float = 10.0) -> None:
        self.largest = largest

    def _learn(self, source: Matrix, labels: npt.NDArray[Any], target: Matrix) -> None:  # noqa: ARG002
        probability = np.clip(domain_probabilities(source, target)[: len(source)], 1e-6, 1 - 1e-6)
        ratio = probability / (1.0 - probability)
        ratio = np.minimum(ratio, self.largest * ratio.mean())
        self.sample_weight_ = ratio / ratio.mean()
