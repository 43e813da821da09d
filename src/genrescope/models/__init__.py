"""Genre classifiers: scikit-learn estimators, the bundles they are kept in, and prediction.

`create_model` makes an estimator by name; `genrescope.models.bundle` saves and loads it;
`genrescope.models.predictor` answers for sound files. A model is one file and one line below.
"""

import importlib
import inspect
from typing import TYPE_CHECKING, Any

from genrescope.errors import ConfigError
from genrescope.settings import nearest

if TYPE_CHECKING:
    from genrescope.models.estimator import GenreClassifier

MODELS = {
    "linear": "genrescope.models.linear:LinearClassifier",
    "svm": "genrescope.models.svm:SvmClassifier",
    "forest": "genrescope.models.forest:ForestClassifier",
    "boosting": "genrescope.models.boosting:BoostingClassifier",
    "ensemble": "genrescope.models.ensemble:EnsembleClassifier",
    "cnn": "genrescope.models.cnn:CnnClassifier",
}

CNN_LIBRARIES = ("torch", "safetensors")


def model_class(kind: str) -> "type[GenreClassifier]":
    """The estimator class of a kind of model, imported at this moment.

    Raises
    ------
    ConfigError
        Where there is no such kind, or a library it needs is not installed.

    Examples
    --------
    >>> model_class("forest").input
    'vectors'
    """
    if kind not in MODELS:
        raise ConfigError(f"there is no model {kind!r}: {nearest(kind, MODELS)}")
    module, name = MODELS[kind].split(":")
    try:
        loaded: type[GenreClassifier] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        if (error.name or "").split(".")[0] in CNN_LIBRARIES:
            raise ConfigError(
                f"the {kind} needs the extra: pip install 'genrescope[cnn]'"
            ) from error
        raise
    return loaded


def create_model(kind: str, /, **params: Any) -> "GenreClassifier":
    """Make an untrained model.

    Parameters
    ----------
    kind : str
        A key of `MODELS`: `linear`, `svm`, `forest`, `boosting`,
        `ensemble`, `cnn`.
    **params
        Parameters of the estimator; its defaults where not given.

    Returns
    -------
    GenreClassifier
        A scikit-learn classifier. Its attribute `input` says what it takes: `vectors`
        [shape=(n, n_features)] or `log_mels` [shape=(n, n_mels, frames)].

    Raises
    ------
    ConfigError
        Where the kind or a parameter is not known (the nearest known one is named), a value is
        out of range, or a library is not installed.

    Examples
    --------
    >>> model = create_model("forest", n_estimators=10)
    >>> model.fit([[0.0], [0.1], [1.0], [1.1]], ["Blues", "Blues", "Rock", "Rock"])
    ForestClassifier(n_estimators=10)
    >>> model.predict([[1.2]])
    array(['Rock'], dtype='<U5')
    """
    estimator = model_class(kind)
    known = list(inspect.signature(estimator).parameters)
    for name in params:
        if name not in known:
            raise ConfigError(f"the {kind} has no parameter {name!r}: {nearest(name, known)}")
    model = estimator(**params)
    model.check_params()
    return model
