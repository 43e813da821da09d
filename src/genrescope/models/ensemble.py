"""Several kinds of models that vote, each made to mean what it says first."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from genrescope.errors import ConfigError
from genrescope.models import create_model, model_class
from genrescope.models.arrays_file import read_arrays, write_arrays
from genrescope.models.background import draw_background
from genrescope.models.calibration import fit_temperature
from genrescope.models.estimator import GenreClassifier, Validation, seed_of

if TYPE_CHECKING:
    from genrescope.models.bundle_info import BundleInfo

Floats = npt.NDArray[np.float64]

LEAST = 1e-4  # a probability below it counts as it: a tree that never saw a case says 0


class EnsembleClassifier(GenreClassifier):
    """A soft vote: the mean of the members' calibrated probabilities, calibrated as a whole.

    Members are sure of themselves on different scales, so each one's probabilities pass through
    a temperature of their own before they count alike. Their mean, rather than their product, is
    taken because a member's probability near 0 must not be a veto (Kittler et al. 1998, "On
    combining classifiers"). A mean of calibrated answers is less sure than it may be (Ranjan and
    Gneiting 2010, "Combining probability forecasts"), so it has a temperature too.

    All temperatures are fitted to the validation clips, which the study keeps apart by artist
    from what the members learned; without any, none is fitted and all are 1.

    Parameters
    ----------
    members : sequence of str, or dict
        Kinds of the members, all of vectors and each once; with a dict, the parameters of each.
        By default one of each family: a linear model, a kernel machine and trees. One member
        alone is that model, calibrated.
    n_jobs : int, optional
        Threads of the members that have such a parameter.
    random_state : int, RandomState or None
        Seed of the members that name none, and of the background.

    Attributes
    ----------
    members_ : dict of str to GenreClassifier
        Fitted, by kind, in the order of their names.
    temperatures_ : numpy.ndarray [shape=(n_members,)]
    temperature_ : float
        Of the vote.
    background_ : numpy.ndarray [shape=(n_background, n_features)]
        Training clips that stand for music in general when an answer is explained.
    classes_ : numpy.ndarray [shape=(n_classes,)]
    training_curve_ : None
        A member may have one.

    Examples
    --------
    >>> X = [[90.0], [92.0], [140.0], [150.0]] * 5
    >>> model = EnsembleClassifier({"linear": {"C": 10.0}, "svm": {}})
    >>> model.fit(X, ["slow", "slow", "fast", "fast"] * 5).predict([[88.0], [155.0]])
    array(['slow', 'fast'], dtype='<U4')
    """

    kind: ClassVar[str] = "ensemble"
    input: ClassVar[Any] = "vectors"
    weights_file: ClassVar[str] = "ensemble.npz"

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "members": [dict, list, tuple],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        members: Sequence[str] | Mapping[str, Mapping[str, Any]] = ("linear", "svm", "boosting"),
        *,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.members = members
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def weights_files(self) -> tuple[str, ...]:
        """The files its trained state is kept in: its own and those of its members."""
        files = [model.weights_files for model in self._create_members(0).values()]
        return (self.weights_file, *(name for names in files for name in names))

    def check_params(self) -> None:
        """Refuse parameters out of range, and members that cannot vote.

        Raises
        ------
        ConfigError
            Naming the parameter.
        """
        super().check_params()
        self._create_members(0)

    def _create_members(self, seed: int) -> dict[str, GenreClassifier]:
        if not self.members:
            raise ConfigError("members are none: an ensemble needs one or more")
        if len(set(map(str, self.members))) != len(self.members):
            raise ConfigError("members name a kind twice")
        members: Mapping[str, Any] = (
            self.members
            if isinstance(self.members, Mapping)
            else {str(kind): {} for kind in self.members}
        )
        created = {}
        # In the order of their names, which a bundle's description keeps whatever wrote it.
        for kind, params in sorted(members.items()):
            try:
                if not isinstance(params, Mapping):
                    raise ConfigError("its parameters are no mapping of names to values")
                if kind == self.kind or model_class(kind).input != self.input:
                    raise ConfigError(f"a member takes vectors and is no {self.kind} itself")
                model = create_model(kind, **({"random_state": seed} | dict(params)))
            except ConfigError as error:
                raise ConfigError(f"members.{kind}: {error.reason}") from error
            if "n_jobs" in model.get_params() and "n_jobs" not in params:
                model.set_params(n_jobs=self.n_jobs)
            created[kind] = model
        return created

    def fit(self, X: Any, y: Any, *, validation: Validation = None) -> Self:
        """Train the members, then fit the temperatures.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]
            Feature vectors, finite.
        y : array-like [shape=(n,)]
            Genres.
        validation : tuple of (X, y), optional
            Clips that calibrate, best of other artists; each member may use them in its own way
            too. Their genres must occur in `y`.

        Returns
        -------
        EnsembleClassifier
            Itself.

        Raises
        ------
        TrainingError
            Where all clips are of one class, or validation clips of an unknown one.
        ValueError
            Where shapes or values are not as above.
        """
        self.check_params()
        X, codes = self._check_training_vectors(X, y)
        seed = seed_of(self.random_state)
        held = None if validation is None else self._check_validation_vectors(validation)
        known = None if held is None else (held[0], self.classes_[held[1]])
        self.members_ = {
            kind: model.fit(X, self.classes_[codes], validation=known)
            for kind, model in self._create_members(seed).items()
        }
        self.temperatures_: Floats = np.ones(len(self.members_))
        self.temperature_ = 1.0
        if held is not None:
            said = [_logarithms(model.predict_proba(held[0])) for model in self.members_.values()]
            self.temperatures_ = np.array([fit_temperature(one, held[1]) for one in said])
            self.temperature_ = fit_temperature(_logarithms(self._mean(held[0])), held[1])
        self.background_ = draw_background(X, seed=seed)
        self.training_curve_ = None
        return self

    def _mean(self, X: npt.NDArray[np.float32]) -> Floats:
        votes = [
            softmax(_logarithms(model.predict_proba(X)) / temperature, axis=1)
            for model, temperature in zip(self.members_.values(), self.temperatures_, strict=True)
        ]
        mean: Floats = np.mean(votes, axis=0)
        return mean

    def predict_proba(self, X: Any) -> Floats:
        """Mean of the members' calibrated probabilities, calibrated.

        Parameters
        ----------
        X : array-like [shape=(n, n_features)]

        Returns
        -------
        numpy.ndarray [shape=(n, n_classes)]
            In [0, 1], rows sum to 1, columns as `classes_`.
        """
        X = self._check_vectors(X)
        probabilities: Floats = softmax(_logarithms(self._mean(X)) / self.temperature_, axis=1)
        return probabilities

    def save_weights(self, folder: Path) -> list[str]:
        """Write `ensemble.npz`, and each member's own files beside it."""
        write_arrays(
            folder / self.weights_file,
            temperatures=self.temperatures_,
            temperature=self.temperature_,
            background=self.background_,
        )
        of_members = [model.save_weights(folder) for model in self.members_.values()]
        return [self.weights_file, *(name for names in of_members for name in names)]

    @classmethod
    def load_weights(cls, folder: Path, info: "BundleInfo") -> Self:
        """Read `ensemble.npz`, and each member as from a bundle of its own.

        Raises
        ------
        BundleError
            Where a file holds anything but such a model.
        """
        model = cls(**info.params)._restore(info)
        untrained = model._create_members(0)
        arrays = read_arrays(
            folder / cls.weights_file,
            {
                "temperatures": (len(untrained),),
                "temperature": (),
                "background": ("clips", info.input_shape[0]),
            },
            positive=("temperatures", "temperature"),
        )
        model.temperatures_ = arrays["temperatures"]
        model.temperature_ = float(arrays["temperature"])
        model.background_ = arrays["background"]
        model.members_ = {
            kind: type(member).load_weights(folder, _of_member(info, member))
            for kind, member in untrained.items()
        }
        return model


def _logarithms(probabilities: Floats) -> Floats:
    found: Floats = np.log(np.maximum(probabilities, LEAST))
    return found


def _of_member(info: "BundleInfo", member: GenreClassifier) -> "BundleInfo":
    # The ensemble hands its members bare arrays, so they know no names of features.
    params = member.get_params()
    return info.model_copy(update={"kind": member.kind, "params": params, "feature_names": None})
