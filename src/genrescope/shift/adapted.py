"""A genre model trained on one corpus and adapted to another."""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from genrescope.evaluation.cells import align_probabilities
from genrescope.features.log_mels import LogMels
from genrescope.models import create_model, model_class
from genrescope.shift.adaptation import Adaptation, Matrix, create_adaptation
from genrescope.shift.priors import Calibration, calibrate, target_priors, with_priors
from genrescope.shift.pseudo_labels import surest

FOLDS = 3  # of the clips that calibrate


class Clips(NamedTuple):
    """Labelled clips of one corpus as feature vectors or log-mel spectrograms.

    Attributes
    ----------
    X : numpy.ndarray [shape=(n, n_features)], or array or LogMels [shape=(n, n_mels, frames)]
    y : numpy.ndarray [shape=(n,)]
        Genres.
    groups : numpy.ndarray [shape=(n,)]
        What must not be split: artist or track of each clip.
    """

    X: Any
    y: npt.NDArray[Any]
    groups: npt.NDArray[Any]

    def rows(self, rows: Any) -> "Clips":
        """Some of the clips, by place or by mask; spectrograms on disk stay there."""
        X = self.X.rows(rows) if isinstance(self.X, LogMels) else self.X[rows]
        return Clips(X, self.y[rows], self.groups[rows])

    def joined(self, other: "Clips") -> "Clips":
        """These clips, then others."""
        on_disk = isinstance(self.X, LogMels) and isinstance(other.X, LogMels)
        X = LogMels.joined([self.X, other.X]) if on_disk else np.concatenate([self.X, other.X])
        y, groups = (np.concatenate(pair) for pair in zip(self[1:], other[1:], strict=True))
        return Clips(X, y, groups)


class AdaptedModel:
    """A model that has seen labelled source clips and unlabelled target clips.

    Parameters
    ----------
    method : str
        As `genrescope.shift.adaptation.create_adaptation` takes it for what the model takes.
    kind : str
        `forest`, `boosting`, `cnn`.
    params : mapping, optional
        Of the model.
    seed : int
        Of the model and of the draws by weight.

    Attributes
    ----------
    classes_ : numpy.ndarray [shape=(n_classes,)]
    adaptation_ : Adaptation
    model_ : GenreClassifier
        The trained model, for vectors as the adaptation gives them. An adapted network takes
        spectrograms as they are: it can be kept in a bundle, predict and be explained by itself.
    priors_ : numpy.ndarray [shape=(n_classes,)] or None
        Shares of the genres in the target as estimated, where the method estimates them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(0, 1, (30, 2)), rng.normal(5, 1, (30, 2))])
    >>> source = Clips(X, np.repeat(["slow", "fast"], 30), np.arange(60))
    >>> model = AdaptedModel("standardise", "forest", {"n_estimators": 20})
    >>> model.fit(source, 3 * X + 40).predict([[40.0, 40.0], [55.0, 55.0]]).tolist()
    ['slow', 'fast']
    """

    def __init__(
        self, method: str, kind: str, params: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> None:
        self.method = method
        self.kind = kind
        self.params = dict(params or {})
        self.seed = seed

    def fit(self, source: Clips, X_target: Any, *, like: "AdaptedModel | None" = None) -> Self:
        """Adapt and train.

        Parameters
        ----------
        source : Clips
        X_target : array-like [shape=(n_target, ...)]
        like : AdaptedModel, optional
            One of the same method and kind, fitted to the same clips with another seed: its
            adaptation and calibration, which know no seed, are taken over.

        Raises
        ------
        ConfigError
            Where the model cannot be adapted by this method.
        TrainingError
            Where the corpora do not fit each other or hold one genre only.
        """
        if like is None:
            adaptation = create_adaptation(self.method, takes=model_class(self.kind).input)
            adaptation.fit(source.X, source.y, X_target)
        else:
            adaptation = like.adaptation_
        self.adaptation_: Adaptation = adaptation
        aligned = source._replace(X=self.adaptation_.transform_source(source.X))
        self._train(aligned, self.adaptation_.sample_weight_)
        if self.adaptation_.self_trains:
            found = self.adaptation_.transform_target(X_target)
            answers = self.model_.predict_proba(found)
            labels = self.classes_[answers.argmax(axis=1)]
            strangers = Clips(found, labels, np.full(len(labels), ""))  # no groups in training
            self._train(aligned.joined(strangers.rows(surest(answers))), None)
        self.calibration_: Calibration | None = None
        self.priors_: Matrix | None = None
        if self.adaptation_.corrects_priors:
            known = like.calibration_ if like is not None else None
            self.calibration_ = known or self._calibrated(aligned)
            self.source_priors_ = (aligned.y[:, np.newaxis] == self.classes_).mean(axis=0)
            answers = self.calibration_.apply(self._answers(X_target))
            self.priors_ = target_priors(answers, self.source_priors_)
        return self

    def _train(self, aligned: Clips, weight: Matrix | None) -> None:
        if weight is not None:
            # The models take no weights; drawing clips by weight has the same expectation.
            n, rng = len(aligned.y), np.random.default_rng(self.seed)
            aligned = aligned.rows(np.sort(rng.choice(n, size=n, p=weight / weight.sum())))
        model = create_model(self.kind, **({"random_state": self.seed} | self.params))
        self.model_ = self.adaptation_.train(model, aligned.X, aligned.y)
        self.classes_ = self.model_.classes_

    def _calibrated(self, aligned: Clips) -> Calibration:
        answers = np.full((len(aligned.y), len(self.classes_)), np.nan)
        for train, held in source_folds(aligned, FOLDS):
            model = create_model(self.kind, **({"random_state": self.seed} | self.params))
            model.fit(aligned.X[train], aligned.y[train])
            answers[held] = align_probabilities(
                model.predict_proba(aligned.X[held]),
                model.classes_.tolist(),
                self.classes_.tolist(),
            )
        codes = np.searchsorted(self.classes_, aligned.y)
        return calibrate(answers, codes)

    def _answers(self, X: Any) -> Matrix:
        answers: Matrix = self.model_.predict_proba(self.adaptation_.transform_target(X))
        return answers

    def predict_proba(self, X: Any) -> Matrix:
        """Probability of each class for target clips.

        Parameters
        ----------
        X : array-like [shape=(n, ...)]
            Vectors or spectrograms of the target as they were measured.

        Returns
        -------
        numpy.ndarray [shape=(n, n_classes)]
        """
        answers = self._answers(X)
        if self.calibration_ is None or self.priors_ is None:
            return answers
        return with_priors(self.calibration_.apply(answers), self.source_priors_, self.priors_)

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Predict the most probable class of each target clip [shape=(n,)]."""
        winners: npt.NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return winners


def source_folds(clips: Clips, n_folds: int, *, seed: int = 0) -> Any:
    """Folds that keep groups apart and genres in proportion.

    Parameters
    ----------
    clips : Clips
    n_folds : int
        Fewer where a genre has fewer groups, two at least: a genre of one group is then held
        out once and missing from the training clips.
    seed : int

    Returns
    -------
    list of tuple of numpy.ndarray
        Places of the training clips and of the held-out clips.

    Examples
    --------
    >>> clips = Clips(np.zeros((6, 1)), np.array(list("ababab")), np.array([0, 1, 2, 3, 4, 5]))
    >>> [len(held) for _, held in source_folds(clips, 3)]
    [2, 2, 2]
    """
    fewest = min(len(set(clips.groups[clips.y == genre])) for genre in np.unique(clips.y))
    splitter = StratifiedGroupKFold(max(2, min(n_folds, fewest)), shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list(splitter.split(clips.y, clips.y, clips.groups))
