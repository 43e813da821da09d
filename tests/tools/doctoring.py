"""Altering what a bundle holds, with digests that fit again."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import skops.io
import xgboost as xgb
from sklearn.tree._tree import Tree

from genrescope.files import sha256_file
from genrescope.models.tree_check import NO_PARENT


def replace(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    edit(folder, lambda info: info["files"].update({name: sha256_file(folder / name)}))


def edit(folder: Path, change: Callable[[Any], Any]) -> None:
    """Change what `bundle.json` says."""
    info = json.loads((folder / "bundle.json").read_text())
    change(info)
    (folder / "bundle.json").write_text(json.dumps(info))


def doctor_booster(folder: Path, change: Callable[[Any], Any]) -> None:
    booster = xgb.Booster(model_file=folder / "boosting.ubj")
    content = json.loads(booster.save_raw("json"))
    change(content["learner"])
    doctored = xgb.Booster()
    doctored.load_model(bytearray(json.dumps(content).encode()))
    replace(folder, "boosting.ubj", bytes(doctored.save_raw("ubj")))


def tree_of(learner: Any) -> Any:
    return learner["gradient_booster"]["model"]["trees"][1]


def setter(array: str, index: int, value: Any) -> Callable[[Any], Any]:
    def change(learner: Any) -> None:
        tree_of(learner)[array][index] = value

    return change


def doctor_forest(folder: Path, change: Callable[[Any], Any]) -> None:
    """Change the nodes and values of one tree; they may become more or fewer."""
    forest = skops.io.load(folder / "forest.skops", trusted=["sklearn.tree._tree.Tree"])
    tree = forest.estimators_[3].tree_
    state = tree.__getstate__()
    state = state | {"nodes": state["nodes"].copy(), "values": state["values"].copy()}
    change(state)
    other = Tree(tree.n_features, tree.n_classes, tree.n_outputs)
    other.__setstate__(state)
    forest.estimators_[3].tree_ = other
    replace(folder, "forest.skops", skops.io.dumps(forest))


def chain(depth: int) -> tuple[list[int], list[int], list[int]]:
    """Left, right and parents of a tree of one long branch."""
    n_nodes = 2 * depth + 1
    left, right, parents = [-1] * n_nodes, [-1] * n_nodes, [NO_PARENT] * n_nodes
    for node in range(0, n_nodes - 1, 2):
        left[node], right[node] = node + 1, node + 2
        parents[node + 1] = parents[node + 2] = node
    return left, right, parents


def repack(
    folder: Path, change: Callable[[Any, dict[str, bytes]], Any], *, method: int = 0
) -> None:
    """Change the schema and the array files of `forest.skops`."""
    with zipfile.ZipFile(folder / "forest.skops") as source:
        files = {name: source.read(name) for name in source.namelist()}
    schema = json.loads(files.pop("schema.json"))
    change(schema, files)
    files["schema.json"] = json.dumps(schema).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name, content in files.items():
            target.writestr(name, content)
    replace(folder, "forest.skops", buffer.getvalue())


def first_tree(schema: Any) -> Any:
    """The node of the first tree in the schema of a forest."""
    trees = schema["content"]["content"]["estimators_"]["content"]
    return trees[0]["content"]["content"]["tree_"]


def doctor_arrays(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    with np.load(folder / name) as archive:
        arrays = {key: values.copy() for key, values in archive.items()}
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    replace(folder, name, buffer.getvalue())


def doctor_network(folder: Path, change: Callable[[Any], Any]) -> None:
    state = safetensors.torch.load_file(folder / "cnn.safetensors")
    change(state)
    replace(folder, "cnn.safetensors", safetensors.torch.save(state))


def doctor_header(folder: Path, change: Callable[[Any], Any], *, more: int = 0) -> None:
    """Change the header of `cnn.safetensors`, and the length it claims by so many bytes."""
    content = (folder / "cnn.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    claimed = (len(text) + more).to_bytes(8, "little")
    replace(folder, "cnn.safetensors", claimed + text + content[8 + length :])
