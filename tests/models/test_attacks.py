"""Bundles made to crash, fill or take over the process that loads them, all refused in a sentence.

One process with little memory and time loads them one after another, from Python and by the command
`predict`. Whoever makes such a bundle computes its digests anew, so they are right wherever that is
possible.
"""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from doctoring import (
    chain,
    doctor_arrays,
    doctor_booster,
    doctor_forest,
    doctor_header,
    doctor_network,
    edit,
    first_tree,
    repack,
    replace,
    setter,
    tree_of,
)

from genrescope.features.vector import feature_names
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.doubt import Calibration
from genrescope.models.statistics import FeatureStatistics
from genrescope.models.strangeness import deviations
from genrescope.settings import AudioSettings, FeatureSettings

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SOUND = HERE.parent / "data" / "tone.mp3"
SMALL = FeatureSettings(n_mels=16, n_mfcc=10, frames=16)
CANARY = "canary"
NODE = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "is_json": True}


class Touch:
    """Unpickled anywhere, it leaves a file in the working folder."""

    def __reduce__(self):
        return (os.system, (f"touch {CANARY}",))


PICKLE = pickle.dumps(Touch())


def info(**changes):
    """Change fields of `bundle.json`."""
    return lambda folder: edit(folder, lambda content: content.update(changes))


def nested(*keys, value):
    """Change a field inside fields of `bundle.json`."""

    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return lambda folder: edit(folder, change)


def text(old, new):
    """Change `bundle.json` as text."""

    def change(folder):
        path = folder / "bundle.json"
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new, 1))

    return change


def file(name, content):
    return lambda folder: replace(folder, name, content)


def listing(name):
    return nested("files", name, value="0" * 64)


def instead(name, make):
    """Something else than a file, by the file's name."""

    def change(folder):
        (folder / name).rename(folder.parent / f"{folder.name}-{name}")
        make(folder / name)

    return change


def link_back(path):
    path.symlink_to(path.parent.parent / f"{path.parent.name}-{path.name}")


def many_classes(folder):
    classes = [f"{k:07}" for k in range(300_000)]
    edit(folder, lambda content: content.update(classes=classes, genres=classes))


def forest(change):
    return lambda folder: doctor_forest(folder, change)


def put(field, index, value):
    def change(state):
        state["nodes"][field][index] = value

    return forest(change)


@forest
def deep_forest(state):
    left, right, _ = chain(5000)
    nodes = np.zeros(len(left), state["nodes"].dtype)
    nodes["left_child"], nodes["right_child"] = left, right
    nodes["n_node_samples"] = nodes["weighted_n_node_samples"] = 1
    values = np.full((len(left), 1, 3), 1 / 3)
    state.update(nodes=nodes, values=values, node_count=len(left), max_depth=5000)


def in_schema(change, **options):
    return lambda folder: repack(folder, lambda schema, files: change(schema, files), **options)


def number_in_tree(name, value):
    def change(schema, files):
        first_tree(schema)["content"]["content"][name].update(
            content=json.dumps(value), __id__=10**6
        )

    return in_schema(change)


def tree_argument(place, value):
    def change(schema, files):
        arguments = first_tree(schema)["__reduce__"]["args"]["content"]
        arguments[place].update(content=json.dumps(value), __id__=10**6)

    return in_schema(change)


def foreign(loader, module, name, **more):
    node = {"__loader__": loader, "__module__": module, "__class__": name, "__id__": 10**6, **more}
    return in_schema(lambda schema, files: schema["content"]["content"].update(oob_score=node))


def pickled_nodes(schema, files):
    files[first_tree(schema)["content"]["content"]["nodes"]["file"]] = pickled_array()


def pickled_array():
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    header += b" " * (117 - len(header)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + PICKLE


def vast_nodes(schema, files):
    name = first_tree(schema)["content"]["content"]["values"]["file"]
    files[name] = files[name].replace(b", 1, 3)", b"0000000000, 1, 3)", 1)


def one_array_many_times(schema, files):
    files["large.npy"] = b"\x93NUMPY" + b"0" * 10_000_000
    files["noise"] = np.random.default_rng(0).bytes(400_000)
    array = {"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode"}
    arrays = [
        array | {"type": "numpy", "file": "large.npy", "__id__": 10**7 + k} for k in range(500)
    ]
    schema["content"]["content"]["oob_score"] = {
        "__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": arrays,
    }  # fmt: skip


def many_nodes(schema, files):
    files["noise"] = np.random.default_rng(0).bytes(4_000_000)
    schema["content"]["content"]["oob_score"] = {
        "__class__": "list", "__module__": "builtins", "__loader__": "ListNode",
        "content": [NODE | {"content": "1"}] * 700_000,
    }  # fmt: skip


def lying_bzip2(folder):
    """Gigabytes in a stride of the unpacker, whatever size the entry claims."""
    repack(
        folder, lambda schema, files: files.update(bomb=bytes(2 * 10**7)), method=zipfile.ZIP_BZIP2
    )
    path = folder / "forest.skops"
    content = path.read_bytes().replace(
        (2 * 10**7).to_bytes(4, "little"), (100).to_bytes(4, "little")
    )
    replace(folder, "forest.skops", content)


def booster(change):
    return lambda folder: doctor_booster(folder, change)


@booster
def deep_booster(learner):
    left, right, parents = chain(5000)
    tree = tree_of(learner)
    tree.update(left_children=left, right_children=right, parents=parents)
    for name in ("base_weights", "loss_changes", "split_conditions", "sum_hessian"):
        tree[name] = [0.0] * len(left)
    for name in ("split_indices", "split_type", "default_left"):
        tree[name] = [0] * len(left)
    tree["tree_param"]["num_nodes"] = str(len(left))


@booster
def infinite_leaves(learner):
    for tree in learner["gradient_booster"]["model"]["trees"]:
        leaves = [child == -1 for child in tree["left_children"]]
        tree["split_conditions"] = [
            3.4e38 if leaf else value
            for leaf, value in zip(leaves, tree["split_conditions"], strict=True)
        ]


def bytes_of(name, old, new):
    def change(folder):
        content = (folder / name).read_bytes()
        assert old in content
        replace(folder, name, content.replace(old, new, 1))

    return change


def truncated(name):
    return lambda folder: replace(folder, name, (folder / name).read_bytes()[:-100])


def arrays(name, change):
    return lambda folder: doctor_arrays(folder, f"{name}.npz", change)


def pickled_arrays(folder):
    with zipfile.ZipFile(folder / "linear.npz", "w") as target:
        for name in ("mean", "scale", "weights", "intercepts"):
            target.writestr(f"{name}.npy", pickled_array())
    replace(folder, "linear.npz", (folder / "linear.npz").read_bytes())


def network(change):
    return lambda folder: doctor_network(folder, change)


def header(change, **options):
    return lambda folder: doctor_header(folder, change, **options)


def overlapping(content):
    content["hidden.bias"]["data_offsets"] = content["output.bias"]["data_offsets"]


def pickled_network(folder):
    torch.save(Touch(), folder / "cnn.safetensors")
    replace(folder, "cnn.safetensors", (folder / "cnn.safetensors").read_bytes())


def of_another_kind(folder):
    shutil.copy(folder / "linear.npz", folder / "svm.npz")
    replace(folder, "svm.npz", (folder / "svm.npz").read_bytes())


def statistics(change):
    def change_file(folder):
        content = json.loads((folder / "statistics.json").read_text())
        change(content)
        replace(folder, "statistics.json", json.dumps(content).encode())

    return change_file


OUTSIDE = r"unsafe: it lists the file .*, outside the bundle"
NO_FILE = "unsafe: it is a link or no ordinary file"
ATTACKS = {
    # bundle.json
    "a path to the parent": ("forest", listing("../x"), OUTSIDE),
    "an absolute path": ("forest", listing("/etc/passwd"), OUTSIDE),
    "a path out and in": ("forest", listing("a/../../x"), OUTSIDE),
    "a path with NUL": ("forest", listing("forest.skops\0.txt"), OUTSIDE),
    "a path with backslashes": ("forest", listing("..\\x"), OUTSIDE),
    "a path with a line end": ("forest", listing("forest.skops\n"), OUTSIDE),
    "a link": ("forest", instead("forest.skops", link_back), NO_FILE),
    "a link as description": ("forest", instead("bundle.json", link_back), NO_FILE),
    "a link to a device": (
        "forest", instead("README.md", lambda path: path.symlink_to("/dev/zero")), NO_FILE,
    ),
    "a folder": ("forest", instead("forest.skops", Path.mkdir), NO_FILE),
    "a pipe": ("forest", instead("forest.skops", os.mkfifo), NO_FILE),
    "a pipe as description": ("forest", instead("bundle.json", os.mkfifo), NO_FILE),
    "a pipe as card": ("forest", instead("README.md", os.mkfifo), NO_FILE),
    "a vast description": (
        "forest", lambda folder: os.truncate(folder / "bundle.json", 2**30), "too large",
    ),
    "a vast file": (
        "forest", lambda folder: os.truncate(folder / "README.md", 2**40), "too large to be part",
    ),
    "nested brackets": (
        "forest", text('"taxonomy": {', '"taxonomy": {"a":' + "[" * 10**6), "no JSON",
    ),
    "a key twice": ("forest", text('"kind"', '"kind": "cnn", "kind"'), "a key is there twice"),
    "NaN": ("forest", text('"metrics": [', '"metrics": [NaN, '), "NaN is no number"),
    "5,000 digits": ("forest", text('"metrics": [', '"metrics": [' + "9" * 5000 + ","), "no JSON"),
    "4,000 digits as shape": ("forest", info(input_shape=[10**4000], audio=None, features=None,
                              feature_names=None), "unsafe: in tree 0"),
    "10 MB as kind": ("forest", info(kind="x" * 10**7), "unknown kind"),
    "a billion trees": ("forest", nested("params", "n_estimators", value=10**9), "5 trees"),
    "a billion bands": (
        "cnn", info(input_shape=[10**9, 16], audio=None, features=None), "another shape",
    ),
    "bands beyond bounds": (
        "cnn", nested("features", "n_mels", value=10**6), "n_mels: Input should be less than",
    ),
    "300,000 genres": ("cnn", many_classes, "genres: .* at most 10000"),
    "a vast window": (
        "linear", nested("features", "n_fft", value=2**40), "n_fft: Input should be less",
    ),
    "settings dear together": (
        "linear", info(audio={"sample_rate": 48000, "clip_seconds": 60.0},
                       features={"n_fft": 65536, "hop_length": 32}), "too large to be analysed",
    ),
    "a million threads": (
        "boosting", nested("params", "n_jobs", value=10**6), "unsafe: its params",
    ),
    "a million threads inside": (
        "ensemble", nested("params", "members", "boosting", "n_jobs", value=10**6),
        "unsafe: its params",
    ),
    "a device": ("cnn", nested("params", "device", value="cuda:99"), "unsafe: its params"),
    "terminal commands in a genre": (
        "forest", nested("genres", 0, value="\x1b[2J\nRock"), "control character",
    ),
    "terminal commands in a key": ("forest", info(**{"\x1b[2J\n": 1}), "Extra inputs"),
    # forest
    "a child out of range": ("forest", put("left_child", 0, 10**9), "child out of range"),
    "a cycle": ("forest", put("right_child", 0, 0), "child out of range"),
    "a feature out of range": ("forest", put("feature", 0, 75), "looks at feature 75 of 75"),
    "a NaN threshold": ("forest", put("threshold", 0, np.nan), "not all finite"),
    "a branch of 5,000": ("forest", deep_forest, "deeper than 1000 levels"),
    "more nodes than there are": ("forest", number_in_tree("node_count", -5), "forest.skops: "),
    "nodes beyond the arrays": ("forest", number_in_tree("node_count", 9999), "claims 9999 nodes"),
    "a vast depth": ("forest", number_in_tree("max_depth", 10**9), "claims a depth of 1000000000"),
    "a million outputs": (
        "forest", tree_argument(2, 10**6), "no forest that this version can read",
    ),
    "outputs below zero": ("forest", tree_argument(2, -1), "no forest that this version can read"),
    "a function in a forest": (
        "forest", foreign("FunctionNode", "os", "system"), "holds os.system",
    ),
    "a call in a forest": (
        "forest", foreign("OperatorFuncNode", "operator", "methodcaller",
                          attrs=NODE | {"content": f'"touch {CANARY}"'}),
        "holds operator.methodcaller",
    ),
    "pickled nodes": ("forest", in_schema(pickled_nodes), "no forest that this version can read"),
    "an array of terabytes": (
        "forest", in_schema(vast_nodes), "no forest that this version can read",
    ),
    "a zip bomb": (
        "forest", in_schema(lambda schema, files: files.update(bomb=bytes(10**8)), method=8),
        "unpacks to far more",
    ),
    "a zip bomb that lies": ("forest", lying_bzip2, "packed by another method"),
    "one array 500 times": (
        "forest", in_schema(one_array_many_times, method=8), "unpacks to far more",
    ),
    "700,000 nodes": ("forest", in_schema(many_nodes, method=8), "unpacks to far more"),
    "a pickle as forest": ("forest", file("forest.skops", PICKLE), "no forest that this version"),
    # boosting
    "a booster's child": ("boosting", booster(setter("left_children", 0, 10**8)), "out of range"),
    "a booster's feature": ("boosting", booster(setter("split_indices", 0, 10**7)), "looks at"),
    "a booster's branch": ("boosting", deep_booster, "deeper than 1000 levels"),
    "leaves beyond numbers": ("boosting", infinite_leaves, "its answer is no number"),
    "half a booster": ("boosting", truncated("boosting.ubj"), "unsafe or damaged"),
    "a vast length": (
        "boosting", bytes_of("boosting.ubj", b"version[", b"version[$l#L" + b"\x7f" * 8),
        "unsafe or damaged",
    ),
    "a pickle as booster": ("boosting", file("boosting.ubj", PICKLE), "unsafe or damaged"),
    # arrays
    "NaN weights": ("linear", arrays("linear", lambda a: a["weights"].fill(np.nan)), "not finite"),
    "weights beyond numbers": (
        "linear", arrays("linear", lambda a: a["weights"].fill(1e308)), "out of all range",
    ),
    "weights of another shape": (
        "linear", arrays("linear", lambda a: a.update(weights=np.zeros((3, 74)))), "another shape",
    ),
    "a scale next to zero": (
        "svm", arrays("svm", lambda a: a["scale"].fill(5e-324)), "scale is not positive",
    ),
    "no support": (
        "svm", arrays("svm", lambda a: a.update(support=np.zeros((0, 75)))), "another shape",
    ),
    "a temperature below zero": (
        "ensemble", arrays("ensemble", lambda a: a.update(temperature=-1.0)), "not positive",
    ),
    "a member's NaN": (
        "ensemble", arrays("svm", lambda a: a["support"].fill(np.nan)), "not finite",
    ),
    "pickled arrays": ("linear", pickled_arrays, "no file of arrays"),
    "a pickle as arrays": ("linear", file("linear.npz", PICKLE), "no file of arrays"),
    "weights of another kind": ("ensemble", of_another_kind, "holds another model"),
    # network
    "a network's shape": (
        "cnn", network(lambda s: s.update({"output.bias": torch.zeros(99)})), "another shape",
    ),
    "a network's NaN": (
        "cnn", network(lambda s: s["output.bias"].fill_(float("nan"))), "not finite",
    ),
    "a network's infinity": (
        "cnn", network(lambda s: s["scale"].fill_(float("inf"))), "not finite",
    ),
    "a network beyond numbers": (
        "cnn", network(lambda s: s["hidden.weight"].fill_(3e38)), "its answer is no number",
    ),
    "one tensor more": (
        "cnn", network(lambda s: s.update(more=torch.zeros(1))), "extra or missing",
    ),
    "a header's length": ("cnn", header(lambda c: None, more=10**12), "is damaged"),
    "a header's offsets": ("cnn", header(overlapping), "is damaged"),
    "a header's shape": (
        "cnn", header(lambda c: c["output.bias"].update(shape=[2**62, 4])), "is damaged",
    ),
    "a pickle as network": ("cnn", pickled_network, "is damaged"),
    # statistics
    "statistics of nothing": (
        "forest", statistics(lambda c: c["quantiles"].pop()), "quantiles have shape",
    ),
    "statistics of another genre": (
        "forest", statistics(lambda c: c["genres"].__setitem__(2, "Zydeco")), "model's genres",
    ),
    # calibration
    "a calibration alone": (
        "forest",
        lambda folder: edit(folder, lambda content: content["files"].pop("statistics.json")),
        "calibration.npz without a statistics.json",
    ),
    "a calibration's NaN": (
        "forest", arrays("calibration", lambda a: a["scores"].fill(np.nan)), "scores is not finite",
    ),
    "falling scores": (
        "forest",
        arrays("calibration", lambda a: a.update(scores=a["scores"][::-1])),
        "negative, not finite or not rising",
    ),
    "scores above 1": (
        "forest", arrays("calibration", lambda a: a["scores"].fill(7.0)), "scores are above 1",
    ),
    "units of nothing": (
        "forest", arrays("calibration", lambda a: a["units"].fill(0.0)), "units is not positive",
    ),
    "a single recording": (
        "forest",
        arrays("calibration", lambda a: a.update(scores=a["scores"][:1], strangeness=np.ones(1))),
        "not of the same 2 recordings",
    ),
    "a pickle as calibration": ("forest", file("calibration.npz", PICKLE), "no file of arrays"),
    "changed without a digest": (
        "forest", lambda folder: (folder / "forest.skops").write_bytes(b""), "altered or truncated",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def honest(tmp_path_factory, maps):
    """A bundle of each kind that answers for sound."""
    folder = tmp_path_factory.mktemp("honest")
    rng = np.random.default_rng(0)
    names = list(feature_names(FeatureSettings()))
    X = pd.DataFrame(rng.normal(size=(60, len(names))), columns=names)
    y = np.repeat(["Blues-like", "Pop/Dance/RnB", "Rock/Metal"], 20)
    X["tempo"] += 3 * np.repeat([0, 1, 2], 20)
    models = {
        "linear": create_model("linear"),
        "svm": create_model("svm"),
        "forest": create_model("forest", n_estimators=5),
        "boosting": create_model("boosting", n_estimators=3),
        "ensemble": create_model(
            "ensemble", members={"linear": {}, "svm": {}, "boosting": {"n_estimators": 3}}
        ),
        "cnn": create_model("cnn", epochs=1, batch_size=12, n_jobs=1),
    }
    for kind, model in models.items():
        of_maps = kind == "cnn"
        model.fit(*(maps if of_maps else (X, y)))
        statistics = calibration = None
        if not of_maps:
            statistics = FeatureStatistics.from_clips(X, y)
            calibration = Calibration.from_clips(
                pd.DataFrame(model.predict_proba(X), columns=model.classes_),
                deviations(statistics, X), genres=y, recordings=np.arange(len(X)),
            )  # fmt: skip
        save_bundle(
            folder / kind, model, genres=sorted(set(y)), taxonomy={}, audio=AudioSettings(),
            features=SMALL if of_maps else FeatureSettings(), metrics=[{"n": 1}],
            statistics=statistics, calibration=calibration,
        )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def outcomes(honest, tmp_path_factory):
    """What came of every bundle, by name; the working folder where a canary would be."""
    folder = tmp_path_factory.mktemp("doctored")
    bundles = [honest / "forest", *(path for path in honest.iterdir())]
    for number, (kind, attack, _) in enumerate(ATTACKS.values()):
        bundle = folder / f"{number:02}"
        shutil.copytree(honest / kind, bundle)
        attack(bundle)
        bundles.append(bundle)
    done = subprocess.run(
        [sys.executable, HERE.parent / "tools" / "attacked.py", SOUND],
        input="\n".join(map(str, bundles)),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"crashed after {found[-1:]}: {done.stderr}"
    return found, folder


def test_honest_bundles_answer_in_the_same_memory(outcomes, honest):
    found, _ = outcomes
    answered = [one for one in found if Path(one["bundle"]).parent == honest]
    assert len(answered) == 6
    for one in answered:
        assert one["genre"] in ("Blues-like", "Pop/Dance/RnB", "Rock/Metal")
        assert one["exit"] == 0 and one["genre"] in one["out"]


@pytest.mark.parametrize("name", ATTACKS)
def test_a_doctored_bundle_is_refused_in_a_sentence(outcomes, name):
    found, folder = outcomes
    number = list(ATTACKS).index(name)
    (one,) = [one for one in found if one["bundle"] == str(folder / f"{number:02}")]
    sentence = ATTACKS[name][2]
    assert one.get("error") == "BundleError", one
    pytest.raises(ValueError, match=sentence).matches(ValueError(one["sentence"]))
    assert len(one["sentence"]) < 1500 and one["sentence"].isprintable()
    assert one["exit"] == 1 and not one["out"]
    assert one["said"] in (f"error: {one['sentence']}\n", f"failed: {one['sentence']}\n")


def test_none_ran_code(outcomes):
    _, folder = outcomes
    assert not list(folder.rglob(CANARY))


def test_the_canary_would_have_sung(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(PICKLE)
    assert (tmp_path / CANARY).exists()
