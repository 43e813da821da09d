"""Checks that a tree read from a file cannot lead a predictor out of its arrays.

scikit-learn and xgboost follow child and feature indices without looking: an index out of range
reads foreign memory or crashes the process, a child that points back never ends. What is checked
here is enough for every walk from the root to end in a leaf, inside the arrays.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

LEAF = -1  # the child of a leaf, for scikit-learn and for xgboost
NO_PARENT = 2**31 - 1  # xgboost's parent of the root
DEEPEST = 1000  # levels; Shapley values recurse along them, on the stack of the process


def check_nodes(left: Array, right: Array, feature: Array, *, n_features: int) -> int:
    """Refuse a tree whose nodes are not one binary tree with parents before children.

    Parameters
    ----------
    left, right : numpy.ndarray [shape=(n_nodes,)]
        Index of each child, -1 for both in a leaf. Node 0 is the root.
    feature : numpy.ndarray [shape=(n_nodes,)]
        What each inner node looks at; leaves are not looked at.
    n_features : int

    Returns
    -------
    int
        Depth of the tree: 0 for a leaf alone.

    Raises
    ------
    ValueError
        Saying what is wrong with which node, or that the tree is deeper than 1,000 levels.

    Examples
    --------
    >>> stump = np.array([1, -1, -1]), np.array([2, -1, -1])
    >>> check_nodes(*stump, np.array([0, -2, -2]), n_features=1)
    1
    >>> check_nodes(*stump, np.array([7, -2, -2]), n_features=1)
    Traceback (most recent call last):
    ValueError: node 0 looks at feature 7 of 1
    """
    n_nodes = len(left)
    if not n_nodes or len(right) != n_nodes or len(feature) != n_nodes:
        raise ValueError("its arrays of nodes are empty or of different lengths")
    left, right = left.astype(np.int64), right.astype(np.int64)
    inner = np.flatnonzero((left != LEAF) | (right != LEAF))
    for children in (left[inner], right[inner]):
        wrong = inner[(children <= inner) | (children >= n_nodes)]
        if len(wrong):
            raise ValueError(f"node {wrong[0]} has a child out of range")
    every_child = np.sort(np.concatenate([left[inner], right[inner]]))
    if not np.array_equal(every_child, np.arange(1, n_nodes)):
        raise ValueError("its nodes do not form one tree")
    looked_at = feature[inner].astype(np.int64)
    wrong = np.flatnonzero((looked_at < 0) | (looked_at >= n_features))
    if len(wrong):
        raise ValueError(
            f"node {inner[wrong[0]]} looks at feature {looked_at[wrong[0]]} of {n_features}"
        )
    depth, level = 0, np.zeros(1, np.int64)
    while len(level := level[left[level] != LEAF]):
        level = np.concatenate([left[level], right[level]])
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"it is deeper than {DEEPEST} levels")
    return depth


def _check_finite(values: Array, what: str) -> None:
    if not np.isfinite(values).all():
        raise ValueError(f"{what} are not all finite")


def check_forest_tree(tree: Any, *, n_features: int, n_classes: int) -> None:
    """Check a scikit-learn `Tree` of a classifier with one output.

    Parameters
    ----------
    tree : sklearn.tree._tree.Tree
    n_features, n_classes : int
        What the bundle says.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    if (tree.n_features, tree.n_outputs) != (n_features, 1):
        raise ValueError(f"it takes {tree.n_features} features, the bundle says {n_features}")
    if list(tree.n_classes) != [n_classes] or tree.max_n_classes != n_classes:
        raise ValueError(f"it does not tell {n_classes} classes apart")
    state = tree.__getstate__()
    nodes, values = state["nodes"], state["values"]
    if values.shape != (len(nodes), 1, n_classes) or tree.node_count != len(nodes):
        raise ValueError("its values have another shape than its nodes")
    depth = check_nodes(
        nodes["left_child"], nodes["right_child"], nodes["feature"], n_features=n_features
    )
    # What explains a forest makes room for paths of the depth a tree claims.
    if tree.max_depth != depth:
        raise ValueError(f"it claims a depth of {tree.max_depth} and has {depth}")
    _check_finite(nodes["threshold"], "its thresholds")
    for weights in (nodes["n_node_samples"], nodes["weighted_n_node_samples"]):
        if not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError("its nodes have impossible numbers of clips")
    shares = values[:, 0, :]
    if not ((shares >= 0).all() and np.allclose(shares.sum(axis=1), 1.0, rtol=0, atol=1e-6)):
        raise ValueError("the class shares in its leaves do not sum to 1")


MODEL_KEYS = {"cats", "gbtree_model_param", "iteration_indptr", "tree_info", "trees"}
LEARNER_KEYS = {
    "attributes",
    "feature_names",
    "feature_types",
    "gradient_booster",
    "learner_model_param",
    "objective",
}
NODE_ARRAYS = {
    "base_weights",
    "default_left",
    "left_children",
    "loss_changes",
    "parents",
    "right_children",
    "split_conditions",
    "split_indices",
    "split_type",
    "sum_hessian",
}
INDEX_ARRAYS = ("left_children", "parents", "right_children", "split_indices")
CATEGORY_ARRAYS = {"categories", "categories_nodes", "categories_segments", "categories_sizes"}


def check_booster(model: Any, *, n_features: int, n_classes: int) -> None:
    """Check the content of an xgboost model of numeric features, one softmax, one tree a class.

    Parameters
    ----------
    model : object
        As `genrescope.models.ubjson.read_ubjson` gives it.
    n_features, n_classes : int
        What the bundle says.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    learner = _fields(model, {"learner", "version"}, "the model")["learner"]
    version = model["version"]
    if not isinstance(version, list) or [type(part) for part in version] != [int, int, int]:
        raise ValueError("its version is not three whole numbers")
    _fields(learner, LEARNER_KEYS, "the learner")
    if learner["attributes"] or len(learner["feature_names"]) or len(learner["feature_types"]):
        raise ValueError("it has attributes that genrescope does not write")
    params = learner["learner_model_param"]
    _fields(
        params,
        {"base_score", "boost_from_average", "num_class", "num_feature", "num_target"},
        "the learner's parameters",
    )
    wanted = {"num_class": n_classes, "num_feature": n_features, "num_target": 1}
    for name, number in wanted.items():
        if params[name] != str(number):
            raise ValueError(f"its {name} is {params[name]}, the bundle says {number}")
    _check_base_score(params["base_score"], n_classes)
    objective = {
        "name": "multi:softprob",
        "softmax_multiclass_param": {"num_class": str(n_classes)},
    }
    if learner["objective"] != objective:
        raise ValueError("its objective is another than genrescope trains with")
    booster = _fields(learner["gradient_booster"], {"model", "name"}, "the booster")
    if booster["name"] != "gbtree":
        raise ValueError(f"its booster is {booster['name']!r}, not gbtree")
    _check_rounds(_fields(booster["model"], MODEL_KEYS, "the trees"), n_classes)
    for number, tree in enumerate(booster["model"]["trees"]):
        try:
            _check_booster_tree(tree, number, n_features)
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from error


def _fields(found: Any, keys: set[str], what: str) -> dict[str, Any]:
    if not isinstance(found, dict) or set(found) != keys:
        raise ValueError(f"{what} has other fields than xgboost writes")
    return found


def _check_base_score(text: Any, n_classes: int) -> None:
    if not isinstance(text, str):
        raise ValueError("its base score is no text")
    scores = np.array([float(part) for part in text.strip("[]").split(",")])
    if len(scores) not in (1, n_classes):
        raise ValueError("its base score has another number of classes")
    _check_finite(scores, "its base scores")


def _check_rounds(model: dict[str, Any], n_classes: int) -> None:
    trees = model["trees"]
    if not isinstance(trees, list) or not trees or len(trees) % n_classes:
        raise ValueError("it has no whole number of rounds")
    if model["gbtree_model_param"] != {"num_parallel_tree": "1", "num_trees": str(len(trees))}:
        raise ValueError(f"it does not have the {len(trees)} trees it claims")
    # Prediction adds each tree to the class that tree_info names, and finds rounds by the pointers.
    if list(model["tree_info"]) != [number % n_classes for number in range(len(trees))]:
        raise ValueError("its trees are not in the order of the classes")
    if list(model["iteration_indptr"]) != list(range(0, len(trees) + 1, n_classes)):
        raise ValueError("its rounds do not hold one tree per class")
    categories = _fields(model["cats"], {"enc", "feature_segments", "sorted_idx"}, "the categories")
    if any(len(part) for part in categories.values()):
        raise ValueError("it has categories, which genrescope does not train on")


def _check_booster_tree(tree: Any, number: int, n_features: int) -> None:
    _fields(tree, NODE_ARRAYS | CATEGORY_ARRAYS | {"id", "tree_param"}, "it")
    arrays = {name: _number_array(tree[name], name) for name in NODE_ARRAYS}
    for name in INDEX_ARRAYS:
        if arrays[name].dtype.kind != "i":
            raise ValueError(f"its {name} are no whole numbers")
    n_nodes = len(arrays["left_children"])
    param = {
        "num_deleted": "0",
        "num_feature": str(n_features),
        "num_nodes": str(n_nodes),
        "size_leaf_vector": "1",
    }
    if tree["tree_param"] != param or tree["id"] != number:
        raise ValueError("its description does not fit its nodes")
    if any(len(tree[name]) for name in CATEGORY_ARRAYS) or arrays["split_type"].any():
        raise ValueError("it splits on categories, which genrescope does not train on")
    if any(len(values) != n_nodes for values in arrays.values()):
        raise ValueError("its arrays of nodes have different lengths")
    left, right = arrays["left_children"], arrays["right_children"]
    check_nodes(left, right, arrays["split_indices"], n_features=n_features)
    inner = np.flatnonzero(left != LEAF)
    parents = np.full(n_nodes, NO_PARENT, np.int64)
    parents[left[inner]] = parents[right[inner]] = inner
    if not np.array_equal(arrays["parents"], parents):
        raise ValueError("its parents do not fit its children")
    for name in ("base_weights", "loss_changes", "split_conditions", "sum_hessian"):
        _check_finite(arrays[name], f"its {name}")


def _number_array(values: Any, name: str) -> Array:
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iufb":
        raise ValueError(f"its {name} is no array of numbers")
    return array
