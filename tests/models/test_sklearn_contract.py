"""scikit-learn's own checks; for the network those that do not feed it two-dimensional data."""

import os

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks as checks
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from genrescope.models.boosting import BoostingClassifier
from genrescope.models.cnn import CnnClassifier
from genrescope.models.ensemble import EnsembleClassifier
from genrescope.models.forest import ForestClassifier
from genrescope.models.linear import LinearClassifier
from genrescope.models.svm import SvmClassifier

SMALL = [
    LinearClassifier(),
    SvmClassifier(),
    EnsembleClassifier({"linear": {}, "svm": {}}),
    ForestClassifier(n_estimators=10),
    BoostingClassifier(n_estimators=15),
]


@parametrize_with_checks(SMALL)
def test_sklearn_checks(estimator, check):
    # The one check that skips itself asks for scipy's experimental array interface.
    if "array_api" in str(check) and not os.environ.get("SCIPY_ARRAY_API"):
        return
    check(estimator)


@pytest.mark.parametrize(
    "check",
    [
        checks.check_do_not_raise_errors_in_init_or_set_params,
        checks.check_estimator_cloneable,
        checks.check_estimator_repr,
        checks.check_estimator_tags_renamed,
        checks.check_get_params_invariance,
        checks.check_mixin_order,
        checks.check_no_attributes_set_in_init,
        checks.check_parameters_default_constructible,
        checks.check_set_params,
        checks.check_valid_tag_types,
    ],
    ids=lambda check: check.__name__,
)
def test_sklearn_checks_without_data(check):
    check("CnnClassifier", CnnClassifier())


def test_the_network_says_what_it_takes():
    tags = get_tags(CnnClassifier())
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.two_d_array
    assert tags.estimator_type == "classifier"


def test_the_network_refuses_before_it_is_trained(maps):
    with pytest.raises(NotFittedError):
        CnnClassifier().predict(maps[0])


def test_a_clone_of_a_trained_network_is_untrained_and_trains_alike(trained, maps):
    again = clone(trained["cnn"])
    assert not hasattr(again, "network_")
    again.fit(*maps)
    assert np.array_equal(again.predict_proba(maps[0]), trained["cnn"].predict_proba(maps[0]))


def test_fitting_the_network_changes_neither_data_nor_parameters(maps):
    X, y = maps[0].copy(), maps[1].copy()
    model = CnnClassifier(epochs=1, class_weight={"Rock/Metal": 2.0})
    before = repr(model.get_params())
    assert model.fit(X, y) is model
    assert repr(model.get_params()) == before
    assert np.array_equal(X, maps[0]) and np.array_equal(y, maps[1])
