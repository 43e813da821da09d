"""Forests as `.skops` files: the same forest gives the same bytes, and reading trusts nothing.

skops writes them. They are read without it, tree by tree.
"""

import io
import itertools
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from genrescope.errors import BundleError
from genrescope.models.tree_check import check_forest_tree

SCHEMA = "schema.json"
STATE = ("max_depth", "node_count", "nodes", "values")  # of a tree
OF_A_FILE = ("protocol", "_skops_version")  # of a schema as a whole, not of its parts
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
    shell = RandomForestClassifier()
    vars(shell).update(vars(forest) | {"estimators_": []})
    numbers = _Numbers()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        schema = _add_part(target, shell, numbers)
        # Tree by tree: skops would hold three copies of a forest, which may be of gigabytes.
        trees = schema["content"]["content"]["estimators_"]["content"]
        for tree in forest.estimators_:
            part = _add_part(target, tree, numbers)
            trees.append({key: value for key, value in part.items() if key not in OF_A_FILE})
        _add(target, SCHEMA, json.dumps(schema).encode())


class _Numbers:
    """Counters in place of memory addresses, which differ from run to run."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._files = itertools.count(1)

    def replace(self, schema: Any) -> dict[str, str]:
        """Number the objects and the files of a schema; the new name of each file."""
        ids: dict[int, int] = {}
        files: dict[str, str] = {}
        for node in _nodes(schema):
            if "__id__" in node:
                address = node["__id__"]
                node["__id__"] = ids[address] = ids.get(address) or next(self._ids)
            if isinstance(node.get("file"), str):
                old = node["file"]
                node["file"] = files[old] = files.get(old) or f"{next(self._files)}.npy"
        return files


def _add_part(target: zipfile.ZipFile, part: Any, numbers: _Numbers) -> dict[str, Any]:
    """Add the arrays of a forest without trees, or of a tree; its schema."""
    import skops.io  # seconds and 200 MB: it imports every module of scikit-learn, and torch

    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(part))) as source:
        schema: dict[str, Any] = json.loads(source.read(SCHEMA))
        for old, new in numbers.replace(schema).items():
            _add(target, new, source.read(old))
    return schema


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    target.writestr(entry, content, compresslevel=1)


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
    trees = []
    try:
        with zipfile.ZipFile(path) as archive:
            size = path.stat().st_size
            _check_packing(archive, size, path)
            schema = json.loads(archive.read(SCHEMA))
            nodes = _nodes(schema)
            _check_types(nodes, path)
            _check_sizes(archive, nodes, size, path)
            del nodes
            for number, node in enumerate(_trees(schema, path)):
                tree = _tree(archive, node)
                try:
                    check_forest_tree(tree, n_features=n_features, n_classes=n_classes)
                except ValueError as error:
                    reason = f"unsafe: in tree {number}, {error}"
                    raise BundleError(reason, path=path) from error
                trees.append(tree)
    except BundleError:
        raise
    except Exception as error:
        # A doctored file can make these readers fail in any way; none of it is ours to tell apart.
        raise BundleError(
            f"is no forest that this version can read ({type(error).__name__}: {error})", path=path
        ) from error
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


def _trees(schema: Any, path: Path) -> list[Any]:
    """The nodes of the trees themselves in a forest's schema."""
    estimators = schema["content"]["content"]["estimators_"]["content"]
    if schema["__class__"] != RandomForestClassifier.__name__ or not isinstance(estimators, list):
        raise BundleError("holds something else than a forest", path=path)
    if not estimators:
        raise BundleError("holds a forest without sound trees", path=path)
    return [estimator["content"]["content"]["tree_"] for estimator in estimators]


def _tree(archive: zipfile.ZipFile, node: Any) -> Tree:
    """Make a tree of its arrays, without skops: that imports torch, and holds three copies."""
    if (node["__module__"], node["__class__"]) != ("sklearn.tree._tree", Tree.__name__):
        raise ValueError("a tree is of another kind")
    arguments = [_value(archive, one) for one in node["__reduce__"]["args"]["content"]]
    n_features, n_classes, n_outputs = arguments
    if n_outputs != 1 or np.shape(n_classes) != (1,):
        raise ValueError("a tree has more or less than one output")
    content = node["content"]["content"]
    state = {name: _value(archive, content[name]) for name in STATE}
    # scikit-learn takes the count on trust, and looks for so many nodes.
    if state["node_count"] != len(state["nodes"]):
        raise ValueError(f"a tree claims {state['node_count']} nodes, and has another number")
    tree = Tree(n_features, n_classes, 1)
    tree.__setstate__(state)
    return tree


def _value(archive: zipfile.ZipFile, node: Any) -> Any:
    """An array of a file, or a value of JSON."""
    if "file" in node:
        return np.load(io.BytesIO(archive.read(node["file"])), allow_pickle=False)
    return json.loads(node["content"])


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
