"""Forests as `.skops` files: the same forest gives the same bytes, and reading trusts nothing."""

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from genrescope.errors import BundleError
from genrescope.models.tree_check import check_forest_tree

SCHEMA = "schema.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a ZIP file can bear
LARGEST_RATIO = 40  # bytes unpacked per byte packed; a forest has six, a few stumps nine
LARGEST_SCHEMA = 64 * 2**20  # bytes; a tree takes some seven thousand

# skops trusts some hundred types by default. A forest is made of these alone:
# (loader, module, class).
ALLOWED_NODES = {
    ("DictNode", "builtins", "dict"),
    ("JsonNode", "builtins", "str"),
    ("ListNode", "builtins", "list"),
    ("NdArrayNode", "numpy", "int64"),
    ("NdArrayNode", "numpy", "ndarray"),
    ("ObjectNode", "sklearn.ensemble._forest", "RandomForestClassifier"),
    ("ObjectNode", "sklearn.tree._classes", "DecisionTreeClassifier"),
    ("TreeNode", "sklearn.tree._tree", "Tree"),
    ("TupleNode", "builtins", "tuple"),
    ("TypeNode", "builtins", "str"),
    ("TypeNode", "builtins", "int"),
}


def write_forest(forest: RandomForestClassifier, path: Path) -> None:
    """Write a forest.

    Parameters
    ----------
    forest : sklearn.ensemble.RandomForestClassifier
        Fitted.
    path : pathlib.Path
        The `.skops` file; `skops.io.load` reads it too.
    """
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(forest))) as source:
        schema = json.loads(source.read(SCHEMA))
        files = _renumber(schema)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
            for old, new in files.items():
                _add(target, new, source.read(old))
            _add(target, SCHEMA, json.dumps(schema).encode())


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    target.writestr(entry, content, compresslevel=1)


def _renumber(schema: Any) -> dict[str, str]:
    """Replace memory addresses in the schema by counters; the new name of each array file."""
    numbers: dict[int, int] = {}
    files: dict[str, str] = {}
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if "__id__" in node:
                node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
            if isinstance(node.get("file"), str):
                node["file"] = files.setdefault(node["file"], f"{len(files) + 1}.npy")
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return files


def read_forest(path: Path, *, n_features: int, n_classes: int) -> RandomForestClassifier:
    """Read a forest, having checked its types, then every node of its trees.

    Nothing but the checked trees is taken from the file: the forest around them is made anew.

    Parameters
    ----------
    path : pathlib.Path
        The `.skops` file.
    n_features, n_classes : int
        What the bundle says.

    Returns
    -------
    sklearn.ensemble.RandomForestClassifier

    Raises
    ------
    BundleError
        Where the file holds other types, or trees that would lead out of their arrays.
    """
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_packing(archive, len(content), path)
            nodes = _nodes(json.loads(archive.read(SCHEMA)))
            _check_types(nodes, path)
            _check_sizes(archive, nodes, len(content), path)
        with warnings.catch_warnings():
            # Another scikit-learn's estimators are no concern: only checked arrays are kept.
            warnings.simplefilter("ignore")
            forest = skops.io.loads(content, trusted=["sklearn.tree._tree.Tree"])
    except BundleError:
        raise
    except Exception as error:
        # A doctored file can make these readers fail in any way; none of it is ours to tell apart.
        raise BundleError(
            f"is no forest that this version can read ({type(error).__name__}: {error})", path=path
        ) from error
    trees = _trees(forest, path)
    for number, tree in enumerate(trees):
        try:
            check_forest_tree(tree, n_features=n_features, n_classes=n_classes)
        except ValueError as error:
            raise BundleError(f"unsafe: in tree {number}, {error}", path=path) from error
    return _assemble(trees, n_features=n_features, n_classes=n_classes)


def _check_packing(archive: zipfile.ZipFile, packed: int, path: Path) -> None:
    entries = archive.infolist()
    for entry in entries:
        # Other methods than these two unpack in strides that no claimed size bounds.
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError("unsafe: it is packed by another method than a forest", path=path)
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > LARGEST_RATIO * packed or archive.getinfo(SCHEMA).file_size > LARGEST_SCHEMA:
        raise BundleError("unpacks to far more than a forest holds", path=path)


def _nodes(schema: Any) -> list[dict[str, Any]]:
    found, pending = [], [schema]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            found.append(part)
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)
    return found


def _check_types(nodes: list[dict[str, Any]], path: Path) -> None:
    for node in nodes:
        if "__loader__" in node or "__class__" in node:
            found = tuple(str(node.get(f"__{key}__")) for key in ("loader", "module", "class"))
            # The parts of Tree.__reduce__ bear no loader of their own.
            if found not in ALLOWED_NODES:
                raise BundleError(
                    f"holds {found[1]}.{found[2]}, which is no part of a forest", path=path
                )


def _check_sizes(
    archive: zipfile.ZipFile, nodes: list[dict[str, Any]], packed: int, path: Path
) -> None:
    """Refuse more than a forest holds, an array counted as often as it would be read."""
    read = [str(node["file"]) for node in nodes if "file" in node]
    if sum(archive.getinfo(name).file_size for name in [SCHEMA, *read]) > LARGEST_RATIO * packed:
        raise BundleError("unpacks to far more than a forest holds", path=path)


def _trees(forest: Any, path: Path) -> list[Tree]:
    estimators = getattr(forest, "estimators_", None)
    if type(forest) is not RandomForestClassifier or not isinstance(estimators, list):
        raise BundleError("holds something else than a forest", path=path)
    trees = [getattr(estimator, "tree_", None) for estimator in estimators]
    if not trees or any(type(tree) is not Tree for tree in trees):
        raise BundleError("holds a forest without sound trees", path=path)
    return trees


def _assemble(trees: list[Tree], *, n_features: int, n_classes: int) -> RandomForestClassifier:
    forest = RandomForestClassifier(n_estimators=len(trees), n_jobs=1)
    forest.estimator_ = DecisionTreeClassifier()
    forest.estimators_ = [DecisionTreeClassifier() for _ in trees]
    for estimator, tree in zip(forest.estimators_, trees, strict=True):
        estimator.tree_ = tree
    for estimator in (forest, *forest.estimators_):
        estimator.classes_ = np.arange(n_classes)
        estimator.n_classes_ = n_classes
        estimator.n_outputs_ = 1
        estimator.n_features_in_ = n_features
    return forest
