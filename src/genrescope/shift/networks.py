"""Adaptation of a convolutional network to unlabelled log-mel spectrograms."""

import copy
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from genrescope.models.maps import Maps, checked_maps, standardisation
from genrescope.shift.adaptation import Adaptation

if TYPE_CHECKING:
    from genrescope.models.cnn import CnnClassifier


class NetworkAdaptation(Adaptation):
    """No adaptation of a network, and the contract of all others.

    Spectrograms stay as they are, on disk where they lie there. What changes is the network: it
    is trained otherwise, or a copy of it is made that fits the target. Either is an ordinary
    network afterwards, with all there is to know about the target inside its weights.

    Examples
    --------
    >>> import numpy as np
    >>> maps = np.zeros((4, 8, 8), np.float32)
    >>> NetworkAdaptation().fit(maps, ["a", "b"] * 2, maps[:2]).transform_target(maps).shape
    (4, 8, 8)
    """

    target_: Maps

    def train(self, model: "CnnClassifier", X: Any, y: Any) -> "CnnClassifier":
        """Train a network on source clips and adapt it, as `Adaptation.train` says."""
        return self.refine(model.fit(X, y))

    def refine(self, model: "CnnClassifier") -> "CnnClassifier":
        """Adapt a trained network.

        Parameters
        ----------
        model : CnnClassifier
            Trained on the source; left as it is.

        Returns
        -------
        CnnClassifier
            A network for the target; the same one where nothing changes after training.
        """
        return model

    def _read(self, X: Any, *, at_least: int = 1) -> Maps:
        maps = checked_maps(X)
        if len(maps) < at_least:
            raise ValueError(f"X has {len(maps)} sample(s), at least {at_least} are needed")
        return maps

    def _learn(self, source: Maps, labels: npt.NDArray[Any], target: Maps) -> None:  # noqa: ARG002
        self.target_ = target


class BandStatistics(NetworkAdaptation):
    """The target's bands get the mean and deviation of the source's.

    Band-wise statistics matching: Mezza et al. 2021, "Unsupervised domain adaptation for acoustic
    scene classification using band-wise statistics matching". It undoes another level, another
    range or another tilt of the spectrum exactly, and happens inside the network: the numbers it
    standardises its input by are the only ones to change.

    Attributes
    ----------
    source_bands_, target_bands_ : tuple of torch.Tensor [shape=(n_mels, 1)]
        Mean and deviation by band, decibels.
    """

    def _learn(self, source: Maps, labels: npt.NDArray[Any], target: Maps) -> None:
        super()._learn(source, labels, target)
        self.source_bands_, self.target_bands_ = (
            standardisation(maps, "band") for maps in (source, target)
        )

    def refine(self, model: "CnnClassifier") -> "CnnClassifier":
        """A copy that standardises otherwise.

        `((x - m_t) s_s / s_t + m_s - mean) / scale`, with mean and deviation of source and target,
        is what the network is to see; it is written as `(x - mean') / scale'`.
        """
        adapted = copy.deepcopy(model)
        network = adapted.network_
        (mean, deviation), (target_mean, target_deviation) = self.source_bands_, self.target_bands_
        ratio = target_deviation / deviation
        network.mean = target_mean - ratio * (mean - network.mean)
        network.scale = network.scale * ratio
        return adapted


class DeepCoral(NetworkAdaptation):
    """Training in which the hidden values of source and target are made to vary alike.

    Sun and Saenko 2016, "Deep CORAL: Correlation alignment for deep domain adaptation". Unlike
    the others it needs the source at hand, and a training of its own for every target.

    Parameters
    ----------
    weight : float
        Of the CORAL loss beside the cross-entropy. The authors choose it so that both end at
        about the same size, which no target label is needed for; the default does so for stems
        of Western excerpts. It is large because the loss is divided by four times 256 squared.
    """

    def __init__(self, weight: float = 1000.0) -> None:
        self.weight = weight

    def train(self, model: "CnnClassifier", X: Any, y: Any) -> "CnnClassifier":
        """Train a network on source clips beside those of the target."""
        model.set_params(deep_coral=self.weight)
        return model.fit(X, y, unlabelled=self.target_)
