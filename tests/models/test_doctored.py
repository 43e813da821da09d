"""Weights altered by someone who computes the digests anew: refused before they can crash."""

import io
import json
import zipfile

import numpy as np
import pytest
import skops.io
import torch
import xgboost as xgb
from doctoring import (
    doctor_arrays,
    doctor_booster,
    doctor_forest,
    doctor_network,
    replace,
    setter,
)
from sklearn.linear_model import LogisticRegression

from genrescope.errors import BundleError
from genrescope.models.bundle import load_bundle
from genrescope.models.bundle_info import LARGEST_DESCRIPTION
from genrescope.models.statistics import FeatureStatistics
from genrescope.models.tree_check import check_nodes
from genrescope.models.ubjson import read_ubjson


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (setter("left_children", 0, 10**8), "tree 1: node 0 has a child out of range"),
        (setter("right_children", 0, -7), "tree 1: node 0 has a child out of range"),
        (setter("left_children", 2, 0), "tree 1: node 2 has a child out of range"),
        (setter("left_children", 0, 2), "tree 1: its nodes do not form one tree"),
        (setter("split_indices", 0, 10**7), "tree 1: node 0 looks at feature 10000000 of 6"),
        (setter("split_indices", 0, 6), "tree 1: node 0 looks at feature 6 of 6"),
        (setter("parents", 1, 2), "tree 1: its parents do not fit"),
        (
            lambda x: x["gradient_booster"]["model"]["tree_info"].__setitem__(0, 9),
            "not in the order of the classes",
        ),
        (
            lambda x: x["gradient_booster"]["model"]["iteration_indptr"].__setitem__(1, 99),
            "do not hold one tree per class",
        ),
        (lambda x: x["attributes"].update(note="hi"), "attributes"),
        (lambda x: x["feature_names"].extend("abcdef"), "attributes"),
    ],
)
def test_doctored_boosting_is_refused(save, change, sentence):
    folder = save("boosting")
    doctor_booster(folder, change)
    with pytest.raises(BundleError, match=f"unsafe or damaged: .*{sentence}"):
        load_bundle(folder)


@pytest.mark.parametrize(
    "params",
    [
        {"objective": "multi:softprob", "num_class": 4},
        {"objective": "multi:softmax", "num_class": 3},
        {"objective": "reg:squarederror"},
        {"objective": "multi:softprob", "num_class": 3, "booster": "gblinear"},
        {"objective": "multi:softprob", "num_class": 3, "booster": "dart"},
        {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2},
        {"objective": "multi:softprob", "num_class": 3, "multi_strategy": "multi_output_tree"},
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_another_xgboost_model_is_refused(save, vectors, params):
    X, y = vectors
    data = xgb.DMatrix(X.to_numpy(), np.unique(y, return_inverse=True)[1])
    booster = xgb.train(params | {"nthread": 1}, data, 3)
    folder = save("boosting")
    replace(folder, "boosting.ubj", bytes(booster.save_raw("ubj")))
    with pytest.raises(BundleError, match="unsafe or damaged"):
        load_bundle(folder)


def test_no_flipped_byte_of_a_booster_crashes(save, vectors):
    """xgboost's own reader crashes on some eight per cent of these."""
    folder = save("boosting")
    whole = (folder / "boosting.ubj").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.integers(0, len(whole), 150):
        content = bytearray(whole)
        content[position] ^= 1 << int(rng.integers(8))
        replace(folder, "boosting.ubj", bytes(content))
        try:
            model = load_bundle(folder).model
        except BundleError:
            refused += 1
        else:
            assert model.predict_proba(vectors[0][:1]).shape == (1, 3)
    assert refused > 50


def node(field, index, value):
    def change(state):
        state["nodes"][field][index] = value

    return change


def values(index, value):
    def change(state):
        state["values"][index] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (node("left_child", 0, 10**9), "node 0 has a child out of range"),
        (node("right_child", 0, -9), "node 0 has a child out of range"),
        (node("right_child", 0, 0), "node 0 has a child out of range"),
        (node("left_child", 0, 2), "its nodes do not form one tree"),
        (node("left_child", 0, -1), "node 0 has a child out of range"),
        (node("feature", 0, 6), "node 0 looks at feature 6 of 6"),
        (node("feature", 0, -2), "node 0 looks at feature -2 of 6"),
        (node("threshold", 0, np.nan), "thresholds are not all finite"),
        (node("weighted_n_node_samples", 0, -1.0), "impossible numbers of clips"),
        (values(-1, np.nan), "do not sum to 1"),
        (values(-1, 5.0), "do not sum to 1"),
    ],
)
def test_doctored_forests_are_refused(save, change, sentence):
    folder = save("forest")
    doctor_forest(folder, change)
    with pytest.raises(BundleError, match=f"unsafe: in tree 3, .*{sentence}"):
        load_bundle(folder)


def test_other_models_in_a_skops_file_are_refused(save):
    folder = save("forest")
    other = LogisticRegression().fit([[0.0], [1.0]], ["a", "b"])
    replace(folder, "forest.skops", skops.io.dumps(other))
    with pytest.raises(BundleError, match=r"holds sklearn\.linear_model.* which is no part"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("loader", "module", "name"),
    [
        ("FunctionNode", "os", "system"),
        ("TypeNode", "os", "system"),
        ("TypeNode", "builtins", "eval"),
        ("ObjectNode", "subprocess", "Popen"),
        ("ReduceNode", "builtins", "str"),
        ("MethodNode", "builtins", "str"),
        ("ObjectNode", "builtins", "str"),
    ],
)
def test_types_that_are_no_part_of_a_forest_are_never_built(save, loader, module, name):
    folder = save("forest")
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(folder / "forest.skops") as source,
        zipfile.ZipFile(buffer, "w") as target,
    ):
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "schema.json":
                schema = json.loads(content)
                schema["content"]["content"]["oob_score"] = {
                    "__class__": name,
                    "__module__": module,
                    "__loader__": loader,
                    "content": "x",
                    "__id__": 10**6,
                }
                content = json.dumps(schema).encode()
            target.writestr(entry, content)
    replace(folder, "forest.skops", buffer.getvalue())
    with pytest.raises(BundleError, match=rf"holds {module}\.{name}, which is no part of a forest"):
        load_bundle(folder)


def test_a_zip_bomb_is_not_unpacked(save):
    folder = save("forest")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("schema.json", b"0" * 50_000_000)
    replace(folder, "forest.skops", buffer.getvalue())
    with pytest.raises(BundleError, match="unpacks to far more"):
        load_bundle(folder)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04N.", b"not a zip"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("linear", "linear.npz"),
        ("svm", "svm.npz"),
        ("ensemble", "ensemble.npz"),
        ("ensemble", "linear.npz"),
        ("ensemble", "svm.npz"),
        ("ensemble", "boosting.ubj"),
        ("ensemble", "forest.skops"),
        ("forest", "forest.skops"),
        ("boosting", "boosting.ubj"),
        ("cnn", "cnn.safetensors"),
    ],
)
def test_other_content_is_refused(save, kind, name, content):
    folder = save(kind)
    replace(folder, name, content)
    with pytest.raises(BundleError):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda s: s.pop("output.bias"), "output.bias is extra or missing"),
        (lambda s: s.update(more=torch.zeros(1)), "more is extra or missing"),
        (lambda s: s.update({"output.bias": torch.zeros(99)}), "output.bias has another shape"),
        (lambda s: s.update({"output.bias": torch.zeros(3).double()}), "another shape"),
        (lambda s: s["output.bias"].fill_(float("nan")), "output.bias is not finite"),
        (lambda s: s["scale"].zero_(), "scale is not positive"),
        (lambda s: s["block1.batch_norm.running_var"].fill_(-1), "running_var is not positive"),
    ],
)
def test_doctored_networks_are_refused(save, change, sentence):
    folder = save("cnn")
    doctor_network(folder, change)
    with pytest.raises(BundleError, match=sentence):
        load_bundle(folder)


def fill(name, value):
    return lambda arrays: arrays[name].__setitem__(..., value)


def put(name, values):
    return lambda arrays: arrays.update({name: values})


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("linear", lambda a: a.pop("weights"), "weights is extra or missing"),
        ("linear", put("more", np.zeros(1)), "more is extra or missing"),
        ("linear", put("weights", np.zeros((4, 6))), "weights has another shape"),
        ("linear", put("weights", np.zeros((3, 7))), "weights has another shape"),
        ("linear", put("intercepts", np.zeros((3, 1))), "intercepts has another shape"),
        ("linear", put("mean", np.zeros(6, np.float32)), "not of rows of double precision"),
        ("linear", put("weights", np.zeros((6, 3)).T), "not of rows of double precision"),
        ("linear", put("mean", np.array(["a"] * 6)), "not of rows of double precision"),
        ("linear", put("mean", np.array([None] * 6)), "not of rows of double precision"),
        ("linear", fill("weights", np.nan), "unsafe: weights is not finite"),
        ("linear", fill("scale", 0.0), "unsafe: scale is not positive"),
        ("svm", lambda a: a.pop("background"), "background is extra or missing"),
        ("svm", put("support", np.zeros((5, 6))), "weights has another shape"),
        ("svm", put("support", np.zeros((0, 6))), "support has another shape"),
        ("svm", put("weights", np.zeros((4, 9))), "weights has another shape"),
        ("svm", put("background", np.zeros((2, 5))), "background has another shape"),
        ("svm", put("gamma", np.ones(1)), "gamma has another shape"),
        ("svm", fill("gamma", np.inf), "unsafe: gamma is not finite"),
        ("svm", fill("gamma", -1.0), "unsafe: gamma is not positive"),
        ("svm", fill("temperature", 0.0), "unsafe: temperature is not positive"),
        ("svm", fill("scale", -1.0), "unsafe: scale is not positive"),
        ("svm", fill("support", np.inf), "unsafe: support is not finite"),
        ("ensemble", put("temperatures", np.ones(3)), "temperatures has another shape"),
        ("ensemble", fill("temperatures", 0.0), "unsafe: temperatures is not positive"),
        ("ensemble", fill("temperature", -1.0), "unsafe: temperature is not positive"),
        ("ensemble", put("background", np.zeros((2, 5))), "background has another shape"),
    ],
)
def test_doctored_arrays_are_refused(save, kind, change, sentence):
    folder = save(kind)
    doctor_arrays(folder, f"{kind}.npz", change)
    with pytest.raises(BundleError, match=sentence) as caught:
        load_bundle(folder)
    assert caught.value.path == str(folder / f"{kind}.npz")


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("linear", fill("weights", np.nan), "linear.npz: unsafe: weights is not finite"),
        ("svm", put("support", np.zeros((5, 6))), "svm.npz: .*weights has another shape"),
    ],
)
def test_doctored_members_are_refused(save, kind, change, sentence):
    folder = save("ensemble")
    doctor_arrays(folder, f"{kind}.npz", change)
    with pytest.raises(BundleError, match=sentence):
        load_bundle(folder)


def test_doctored_trees_of_members_are_refused(save):
    folder = save("ensemble")
    doctor_forest(folder, node("left_child", 0, 10**9))
    with pytest.raises(BundleError, match=r"forest\.skops: unsafe: in tree 3"):
        load_bundle(folder)
    folder = save("ensemble")
    doctor_booster(folder, setter("left_children", 0, 10**8))
    with pytest.raises(BundleError, match=r"boosting\.ubj: unsafe or damaged: .*tree 1"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"linear": {}}, "lists the file 'boosting.ubj'"),
        ({"linear": {}, "cnn": {}}, "members.cnn: a member takes vectors"),
        ({"ensemble": {}}, "members.ensemble: a member takes vectors"),
        ({"linear": 5}, "members.linear: its parameters are no mapping"),
        ({"linear": {"C": -1}}, "members.linear: The 'C' parameter"),
        ({}, "members are none"),
        ([], "members are none"),
        (["linear", "svm"], "lists the file 'boosting.ubj'"),
        ("linear", "'members' parameter"),
    ],
)
def test_a_description_of_other_members_is_refused(save, members, sentence):
    folder = save("ensemble")
    info = json.loads((folder / "bundle.json").read_text())
    info["params"]["members"] = members
    (folder / "bundle.json").write_text(json.dumps(info))
    with pytest.raises(BundleError, match=sentence):
        load_bundle(folder)


def test_compressed_arrays_are_not_unpacked(save):
    folder = save("linear")
    buffer = io.BytesIO()
    with np.load(folder / "linear.npz") as arrays:
        np.savez_compressed(buffer, **arrays)
    replace(folder, "linear.npz", buffer.getvalue())
    with pytest.raises(BundleError, match="is compressed"):
        load_bundle(folder)


def test_an_array_that_claims_to_be_larger_than_its_file_is_not_allocated(save):
    folder = save("linear")
    whole = (folder / "linear.npz").read_bytes()
    header = b"'shape': (3, 6), }" + b" " * 12
    claimed = b"'shape': (%d, 6), }" % 10**12
    with zipfile.ZipFile(io.BytesIO(whole)) as source:
        content = {name: source.read(name) for name in source.namelist()}
    assert header in content["weights.npy"]
    content["weights.npy"] = content["weights.npy"].replace(header, claimed.ljust(len(header)))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, values in content.items():
            target.writestr(name, values)
    replace(folder, "linear.npz", buffer.getvalue())
    with pytest.raises(BundleError, match="another size than it claims"):
        load_bundle(folder)


@pytest.mark.parametrize("kind", ["linear", "svm"])
def test_no_flipped_byte_of_arrays_crashes(save, vectors, kind):
    folder = save(kind)
    whole = (folder / f"{kind}.npz").read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.integers(0, len(whole), 100):
        content = bytearray(whole)
        content[position] ^= 1 << int(rng.integers(8))
        replace(folder, f"{kind}.npz", bytes(content))
        try:
            model = load_bundle(folder).model
        except BundleError:
            refused += 1
        else:
            assert model.predict_proba(vectors[0][:1]).shape == (1, 3)
    assert refused > 50


def set_quantile(level, value):
    def change(content):
        content["quantiles"][1][2][level] = value

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["quantiles"][1][2].pop(), "not equally many for each feature"),
        (lambda c: c["quantiles"][1].pop(), "not equally many for each feature"),
        (lambda c: c["quantiles"].pop(), "quantiles have shape"),
        (lambda c: c["counts"].append(1), "do not fit 3 genres"),
        (set_quantile(4, float("nan")), "NaN is no number"),
        (set_quantile(20, float("inf")), "Infinity is no number"),
        (set_quantile(20, 10**4000), "not all finite"),
        (set_quantile(20, -100.0), "quantiles decrease"),
        (set_quantile(0, "0"), "no list of numbers"),
        (lambda c: c.update(more=1), "more is extra or missing"),
        (lambda c: c["genres"].reverse(), "not sorted"),
        (lambda c: c["genres"].__setitem__(2, "Zydeco"), "not of the model's genres"),
        (lambda c: c["features"].reverse(), "not of the model's features"),
    ],
)
def test_doctored_statistics_are_refused(save, vectors, change, sentence):
    folder = save("forest", statistics=FeatureStatistics.from_clips(*vectors))
    content = json.loads((folder / "statistics.json").read_text())
    change(content)
    replace(folder, "statistics.json", json.dumps(content).encode())
    with pytest.raises(BundleError, match=rf"statistics\.json: .*{sentence}") as caught:
        load_bundle(folder)
    assert caught.value.path == str(folder / "statistics.json")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "no feature statistics"),
        (b" " * (LARGEST_DESCRIPTION + 1), "too large"),
    ],
)
def test_other_content_than_statistics_is_refused(save, vectors, content, sentence):
    folder = save("forest", statistics=FeatureStatistics.from_clips(*vectors))
    replace(folder, "statistics.json", content)
    with pytest.raises(BundleError, match=rf"statistics\.json: .*{sentence}"):
        load_bundle(folder)


def test_a_file_more_than_statistics_is_refused(save, vectors):
    folder = save("forest", statistics=FeatureStatistics.from_clips(*vectors))
    replace(folder, "more.json", b"{}")
    with pytest.raises(BundleError, match=r"lists the file 'more\.json'"):
        load_bundle(folder)


def test_a_lone_leaf_is_a_tree():
    leaf = np.array([-1])
    check_nodes(leaf, leaf, np.array([-2]), n_features=1)
    with pytest.raises(ValueError, match="empty or of different lengths"):
        check_nodes(leaf[:0], leaf[:0], leaf[:0], n_features=1)


def number(count):
    return b"L" + count.to_bytes(8, "big", signed=True)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "breaks off"),
        (b"{", "breaks off"),
        (b"[" * 50, "nested too deep"),
        (b"S" + number(2**62), "beyond the file"),
        (b"S" + number(-1), "beyond the file"),
        (b"[$d#" + number(3) + b"1234", "breaks off"),
        (b"[$S#" + number(1), "begins no array of numbers"),
        (b"[#" + number(9), "beyond the file|breaks off"),
        (b"Q", "marks no known type"),
        (b"i\x01i", "1 bytes follow"),
        (b"{" + (number(1) + b"ai\x01") * 2 + b"}", "'a' is there twice"),
    ],
)
def test_damaged_binary_json_is_refused(content, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_ubjson(content)


def test_binary_json_reads_as_xgboost_writes_it(trained):
    booster = trained["boosting"].booster_
    ours = read_ubjson(bytes(booster.save_raw("ubj")))
    theirs = json.loads(booster.save_raw("json"))
    assert ours["version"] == theirs["version"]
    for one, two in zip(
        ours["learner"]["gradient_booster"]["model"]["trees"],
        theirs["learner"]["gradient_booster"]["model"]["trees"],
        strict=True,
    ):
        assert set(one) == set(two)
        assert one["left_children"].tolist() == two["left_children"]
        np.testing.assert_allclose(one["split_conditions"], two["split_conditions"], rtol=1e-7)
