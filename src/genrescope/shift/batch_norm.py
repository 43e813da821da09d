"""Adaptive batch normalisation: a network's statistics, taken from the target."""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from genrescope.errors import ConfigError
from genrescope.models.device import pick_device, threads
from genrescope.models.maps import Maps, checked_maps, chunks
from genrescope.models.network import GenreNetwork
from genrescope.shift.adaptation import Matrix
from genrescope.shift.networks import NetworkAdaptation

if TYPE_CHECKING:
    from genrescope.models.cnn import CnnClassifier

BLOCKS = 3  # of the network, each with one batch norm


def adapt_batch_norm(
    model: "CnnClassifier", X: Any, *, blocks: int = BLOCKS, weights: npt.ArrayLike | None = None
) -> "CnnClassifier":
    """Give a network the batch-norm statistics of other clips.

    Li et al. 2018, "Adaptive batch normalization for practical domain adaptation" (AdaBN, 2016):
    a corpus recorded otherwise shifts and stretches what each layer sees; standardised by its own
    mean and variance, it looks like the source again. The statistics are exact, over all clips
    and one block after the other, each on what the blocks before it make of the target.

    Parameters
    ----------
    model : CnnClassifier
        Trained; left as it is.
    X : array-like [shape=(n, n_mels, frames)]
        Log-mel spectrograms of the target, decibels; read by batches, once per block.
    blocks : int
        How many of the three blocks, counted from the input, are adapted.
    weights : array [shape=(n,)], optional
        How much each clip counts; all alike where not given.

    Returns
    -------
    CnnClassifier
        A copy with other statistics, and the same weights everywhere else.

    Raises
    ------
    ConfigError
        Where the network has no so many blocks.
    ValueError
        Where the spectrograms are not of the network's size, hold NaN or infinity, or the weights
        are not one for each.

    Examples
    --------
    >>> from genrescope.models import create_model
    >>> X = np.random.default_rng(0).normal(-40, 10, (8, 8, 8)).astype(np.float32)
    >>> model = create_model("cnn", epochs=1).fit(X, ["a", "b"] * 4)
    >>> adapted = adapt_batch_norm(model, X + 12)
    >>> adapted is not model, adapted.predict(X).shape
    (True, (8,))
    """
    if not 1 <= blocks <= BLOCKS:
        raise ConfigError(f"blocks is {blocks}; it is from 1 to {BLOCKS}")
    maps = checked_maps(X)
    if maps.shape[1:] != model.input_shape_:
        raise ValueError(f"X has maps of {maps.shape[1:]}, the network takes {model.input_shape_}")
    counted = np.ones(len(maps)) if weights is None else np.asarray(weights, dtype=np.float64)
    if counted.shape != (len(maps),) or not (counted >= 0).all() or not counted.sum() > 0:
        raise ValueError(f"weights are one number from 0 on for each of {len(maps)} clips")
    adapted, device = copy.deepcopy(model), pick_device(model.device)
    network = adapted.network_.to(device).eval()
    with threads(model.n_jobs), torch.inference_mode():
        for depth in range(blocks):
            norm = network.blocks[depth].get_submodule("batch_norm")
            assert isinstance(norm, nn.BatchNorm2d)
            mean, variance = _statistics(network, depth, maps, counted, device)
            norm.get_buffer("running_mean").copy_(mean)
            norm.get_buffer("running_var").copy_(variance)
    adapted.network_.to("cpu")
    return adapted


def _statistics(
    network: GenreNetwork, depth: int, maps: Maps, weights: Matrix, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted mean and variance of each channel before a block's batch norm."""
    means, variances = [], []
    for part in chunks(maps):
        x = network.standardise(torch.from_numpy(part).to(device))[:, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for block in network.blocks[:depth]:
            x = block(x)
        x = network.blocks[depth].get_submodule("convolution")(x)
        variance, mean = torch.var_mean(x, dim=(2, 3), correction=0)
        means.append(mean.to("cpu", torch.float64))
        variances.append(variance.to("cpu", torch.float64))
    share = torch.from_numpy(weights / weights.sum())
    mean, inside = share @ torch.cat(means), share @ torch.cat(variances)
    between = share @ (torch.cat(means) - mean).square()
    return mean, inside + between


def genre_weights(genres: npt.ArrayLike, like: npt.ArrayLike) -> Matrix:
    """Weights by which each genre counts as much as it does in another corpus.

    Parameters
    ----------
    genres : array [shape=(n,)]
        Of the clips that are weighted.
    like : array [shape=(m,)]
        Genres of the other corpus.

    Returns
    -------
    numpy.ndarray [shape=(n,)]
        Sums to 1, unless a genre of the other corpus is missing.

    Examples
    --------
    >>> genre_weights(["pop", "pop", "pop", "rock"], ["pop", "rock"]).round(2).tolist()
    [0.17, 0.17, 0.17, 0.5]
    """
    own, wanted = np.asarray(genres), np.asarray(like)
    weights = np.zeros(len(own))
    for genre in np.unique(own):
        weights[own == genre] = (wanted == genre).mean() / (own == genre).sum()
    return weights


class AdaBn(NetworkAdaptation):
    """Batch-norm statistics of the target's clips, `adapt_batch_norm`.

    Parameters
    ----------
    blocks : int
        How many of the three blocks, counted from the input.
    balanced : bool
        Whether genres count as in the source. A target with other shares of the genres has other
        statistics for that reason alone, and plain AdaBN takes away what tells the genres
        apart. Its genres being unknown, those are taken that the network gives after plain AdaBN
        (compare Gong et al. 2022, "NOTE: Robust continual test-time adaptation against temporal
        correlation", who balance a memory of clips by predicted class).
    """

    def __init__(self, blocks: int = BLOCKS, balanced: bool = False) -> None:
        self.blocks = blocks
        self.balanced = balanced

    def _learn(self, source: Maps, labels: npt.NDArray[Any], target: Maps) -> None:
        super()._learn(source, labels, target)
        self.labels_ = labels

    def refine(self, model: "CnnClassifier") -> "CnnClassifier":
        """A copy with the target's statistics."""
        adapted = adapt_batch_norm(model, self.target_, blocks=self.blocks)
        if not self.balanced:
            return adapted
        weights = genre_weights(adapted.predict(self.target_), self.labels_)
        return adapt_batch_norm(model, self.target_, blocks=self.blocks, weights=weights)


class BalancedAdaBn(AdaBn):
    """`AdaBn` with genres that count as in the source."""

    def __init__(self, blocks: int = BLOCKS, balanced: bool = True) -> None:
        super().__init__(blocks, balanced)


class EarlyAdaBn(AdaBn):
    """`AdaBn` of the first block alone.

    What the recording does to the sound shows there; what later blocks see differs because of the
    music as well.
    """

    def __init__(self, blocks: int = 1, balanced: bool = False) -> None:
        super().__init__(blocks, balanced)
