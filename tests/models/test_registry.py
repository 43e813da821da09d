import subprocess
import sys

import pytest

from genrescope.errors import ConfigError
from genrescope.models import MODELS, create_model, model_class


@pytest.mark.parametrize("kind", MODELS)
def test_every_kind_names_itself(kind):
    model = create_model(kind)
    assert model.kind == kind
    assert model.input == ("log_mels" if kind == "cnn" else "vectors")
    assert model.get_params()["random_state"] == 0


@pytest.mark.parametrize(
    ("kind", "params", "sentence"),
    [
        ("forrest", {}, "there is no model 'forrest': did you mean forest?"),
        ("forest", {"n_estimator": 5}, "the forest has no parameter 'n_estimator': did you mean"),
        ("boosting", {"eta": 5}, "the boosting has no parameter 'eta': known are"),
        ("forest", {"n_estimators": "many"}, "'n_estimators' parameter of ForestClassifier"),
        ("boosting", {"subsample": 2.0}, "'subsample' parameter of BoostingClassifier"),
        ("cnn", {"epochs": 0}, "'epochs' parameter of CnnClassifier"),
        ("cnn", {"device": "abacus"}, "device is 'abacus'; it is one of auto, cpu"),
        ("cnn", {"device": "cuda:99"}, "device is 'cuda:99', but there are"),
        ("cnn", {"device": "meta"}, "device is 'meta'; networks run on cpu or cuda"),
    ],
)
def test_what_is_not_known_is_refused_with_the_nearest(kind, params, sentence):
    with pytest.raises(ConfigError) as caught:
        create_model(kind, **params)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("library", ["torch", "safetensors"])
def test_without_the_extra_the_cnn_says_what_to_install(monkeypatch, library):
    for name in list(sys.modules):
        if name.startswith(("genrescope.models.cnn", "genrescope.models.net")):
            monkeypatch.delitem(sys.modules, name)
    for name in ("training", "maps", "deep_coral", "device"):
        monkeypatch.delitem(sys.modules, f"genrescope.models.{name}", raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=r"pip install 'genrescope\[cnn\]'"):
        model_class("cnn")


def test_importing_the_room_imports_no_heavy_library():
    code = (
        "import sys, genrescope.models; "
        "print(sorted({'torch', 'sklearn', 'xgboost', 'pandas', 'skops'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
