"""Shapley values of tree models: exact, over the trees themselves."""

import warnings
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.parallel import Workers, at_most, map_processes, process_count

FloatArray = npt.NDArray[np.float64]

CHUNKS_PER_WORKER = 3  # few: each takes the forest along and prepares it anew
PARALLEL_FROM_LEAVES = 10_000_000  # leaves x clips, some five seconds of work in one process


def forest_shap(
    model: Any, X: pd.DataFrame, *, workers: Workers = 1
) -> tuple[FloatArray, FloatArray]:
    """Shapley values of a forest, on the probability scale.

    Parameters
    ----------
    model : ForestClassifier
    X : DataFrame [shape=(n, n_features)]
    workers : Workers
        Processes, where the work is long enough to pay for them; the usable cores where None.

    Returns
    -------
    values : numpy.ndarray [shape=(n, n_features, n_classes)]
    baseline : numpy.ndarray [shape=(n_classes,)]
    """
    forest = model.forest_
    vectors = X.to_numpy(dtype=np.float32)
    leaves = sum(tree.get_n_leaves() for tree in forest.estimators_)
    if leaves * len(vectors) < PARALLEL_FROM_LEAVES:
        workers = 1
    n_chunks = 1 if workers == 1 else min(process_count(workers) * CHUNKS_PER_WORKER, len(vectors))
    chunks = np.array_split(vectors, n_chunks) if len(vectors) else []
    # Processes, not threads: shap's loop over the trees holds the interpreter's lock.
    explained = map_processes(
        partial(_explain_chunk, forest), chunks, workers=at_most(workers, len(chunks))
    )
    none = np.zeros((0, X.shape[1], len(model.classes_)))
    baseline = np.asarray(_explainer(forest).expected_value, dtype=np.float64)
    return np.concatenate([none, *explained]), baseline


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


def boosting_shap(model: Any, X: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Shapley values of boosted trees, on the margin; over the rounds that were kept.

    Parameters
    ----------
    model : BoostingClassifier
    X : DataFrame [shape=(n, n_features)]

    Returns
    -------
    values : numpy.ndarray [shape=(n, n_features, n_classes)]
    baseline : numpy.ndarray [shape=(n_classes,)]
    """
    from xgboost import DMatrix

    # The baseline is the same for every clip; a row of zeros has it even without clips.
    vectors = np.vstack([X.to_numpy(dtype=np.float32), np.zeros((1, X.shape[1]), np.float32)])
    contributions = model.booster_.predict(DMatrix(vectors), pred_contribs=True, strict_shape=True)
    contributions = contributions.astype(np.float64).transpose(0, 2, 1)
    return contributions[:-1, :-1], contributions[-1, -1]
