"""Shapley values of tree models: exact, over the trees themselves."""

import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from genrescope.parallel import Workers, at_most, map_processes

FloatArray = npt.NDArray[np.float64]
Vectors = npt.NDArray[np.float32]

TREES_AT_A_TIME = 25  # a worker holds no more of a forest, and a forest of 500 keeps 20 at work
PARALLEL_FROM_LEAVES = 10_000_000  # leaves x clips, some five seconds of work in one process


class Explained(NamedTuple):
    """Shapley values of some clips.

    Attributes
    ----------
    values : numpy.ndarray [shape=(n, n_features, n_classes)]
    baseline : numpy.ndarray [shape=(n_classes,)]
    errors : numpy.ndarray [shape=(n, n_features, n_classes)] or None
        Standard errors; None of values that are exact.
    """

    values: FloatArray
    baseline: FloatArray
    errors: FloatArray | None = None


def forest_shap(
    model: Any, parts: Sequence[Vectors], *, workers: Workers = 1
) -> Iterator[Explained]:
    """Shapley values of a forest, on the probability scale.

    They are the mean of those of its trees, some of which are explained at a time, by a worker
    that knows no other trees. Whoever does it, the same trees are added up in the same order.

    Parameters
    ----------
    model : ForestClassifier
    parts : sequence of numpy.ndarray [shape=(n, n_features)]
        One part of the clips after the other.
    workers : Workers
        As in `spread`.

    Yields
    ------
    Explained
        Of each part.
    """
    forest = model.forest_
    trees = forest.estimators_
    leaves = sum(tree.get_n_leaves() for tree in trees)
    long = leaves * sum(map(len, parts)) >= PARALLEL_FROM_LEAVES
    groves = [trees[k : k + TREES_AT_A_TIME] for k in range(0, len(trees), TREES_AT_A_TIME)]
    work = (_Work(_of_trees(forest, grove), part) for part in parts for grove in groves)
    n_items = len(parts) * len(groves)
    # Processes, not threads: shap's loop over the trees holds the interpreter's lock.
    found = map_processes(_explain, work, workers=spread(workers, n_items, long=long))
    for part in parts:
        values = np.zeros((*part.shape, len(model.classes_)))
        baseline = np.zeros(len(model.classes_))
        for grove in groves:
            of_grove = next(found)
            share = len(grove) / len(trees)
            values += of_grove.values * share
            baseline += of_grove.baseline * share
        yield Explained(values, baseline)


def spread(workers: Workers, n_items: int, *, long: bool) -> Workers:
    """Workers for some items of work.

    Parameters
    ----------
    workers : Workers
        Processes there may be; the usable cores where None.
    n_items : int
    long : bool
        Whether the work is long enough to pay for processes; where not, it stays in this one.

    Examples
    --------
    >>> spread(8, 3, long=True), spread(8, 3, long=False)
    (3, 1)
    """
    return at_most(workers, n_items) if long else 1


class _Work(NamedTuple):
    forest: Any
    vectors: Vectors


def _of_trees(forest: Any, trees: Sequence[Any]) -> Any:
    part = copy.copy(forest)
    part.estimators_ = trees
    return part


def _explain(work: _Work) -> Explained:
    with warnings.catch_warnings():
        # shap's plots, which it imports unasked, use what matplotlib is about to take away.
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        from shap import TreeExplainer

    explainer = TreeExplainer(work.forest, feature_perturbation="tree_path_dependent")
    baseline = np.asarray(explainer.expected_value, dtype=np.float64)
    if not len(work.vectors):
        return Explained(np.zeros((*work.vectors.shape, len(baseline))), baseline)
    # shap's own check of additivity would raise; ours measures, and reports what it found.
    values = explainer.shap_values(work.vectors, check_additivity=False)
    return Explained(np.asarray(values, dtype=np.float64), baseline)


def boosting_shap(model: Any, vectors: Vectors) -> Explained:
    """Shapley values of boosted trees, on the margin; over the rounds that were kept.

    Parameters
    ----------
    model : BoostingClassifier
    vectors : numpy.ndarray [shape=(n, n_features)]
    """
    from xgboost import DMatrix

    # The baseline is the same for every clip; a row of zeros has it even without clips.
    rows = np.vstack([vectors, np.zeros((1, vectors.shape[1]), np.float32)])
    contributions = model.booster_.predict(DMatrix(rows), pred_contribs=True, strict_shape=True)
    contributions = contributions.astype(np.float64).transpose(0, 2, 1)
    return Explained(contributions[:-1, :-1], contributions[-1, -1])
