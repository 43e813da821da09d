"""Grad-CAM: which places of a spectrogram speak for a genre in the eyes of the network."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from genrescope.explanations.networks import (
    against_index,
    checked_inputs,
    evaluating,
    network_of,
    target_indices,
)

BATCH_CLIPS = 32
LAYER = "block3"  # the last convolution block of models.network.GenreNetwork


def grad_cam(
    model: Any,
    log_mels: npt.ArrayLike,
    *,
    target: str | Sequence[str] | None = None,
    against: str | None = None,
    layer: nn.Module | None = None,
    batch_size: int = BATCH_CLIPS,
) -> npt.NDArray[np.float32]:
    """Map where a clip's spectrogram speaks for a genre.

    `alpha_k = mean over positions of d logit / d A_k`; `map = ReLU(sum_k alpha_k A_k)`, with A
    the layer's activation and the logit before the softmax: Selvaraju et al. 2017, "Grad-CAM:
    visual explanations from deep networks via gradient-based localization", equations 1 and 2.
    The map is brought to the input's size by bilinear interpolation and is not rescaled, so maps
    of several clips can be compared and a map without evidence is 0 everywhere.

    Parameters
    ----------
    model : CnnClassifier
        Fitted. It is left as it was: no hook, no gradient, no change of training mode, also
        where the call fails.
    log_mels : array [shape=(n, 128, 128)]
        Log-mel spectrograms in dB, (mel band, time).
    target : str or sequence of str, optional
        The genre to ask about, one for all clips or one per clip; the predicted genre of each
        clip where not given.
    against : str, optional
        Ask why the target rather than this genre: the logit becomes a difference of logits.
    layer : torch.nn.Module, optional
        Where the activation is read. Where not given, the output of the last convolution block
        (batch normalisation, pooling and ReLU done), 16 x 16 places of 128 channels: what the
        global average sees, so every place counts alike.
    batch_size : int
        Clips at a time.

    Returns
    -------
    numpy.ndarray [shape=(n, 128, 128)]
        float32, at least 0, in units of the logit: to first order, what the place of the layer
        adds to it (exactly that, where a global average and a linear layer follow).

    Raises
    ------
    ValueError
        Where the model is of another kind, a target is no genre of the model, there are not as
        many targets as clips, or the spectrograms are not of the shape trained on.

    See Also
    --------
    is_empty : Which maps hold no evidence.

    Examples
    --------
    >>> from genrescope.models import create_model
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(-40, 10, size=(16, 16, 16)).astype(np.float32)
    >>> X[8:, :8] += 30
    >>> model = create_model("cnn", epochs=2, batch_size=8).fit(X, ["high"] * 8 + ["low"] * 8)
    >>> maps = grad_cam(model, X[:3], target="high")
    >>> maps.shape, bool(maps.min() >= 0)
    ((3, 16, 16), True)
    """
    network, inputs = network_of(model), checked_inputs(model, log_mels)
    targets = target_indices(target, model, len(inputs))
    other = against_index(against, target, model)
    if layer is None:
        layer = network.get_submodule(LAYER)
    device = next(network.parameters()).device
    maps = np.zeros(inputs.shape, dtype=np.float32)
    for start in range(0, len(inputs), batch_size):
        batch = slice(start, start + batch_size)
        tensor = torch.from_numpy(np.ascontiguousarray(inputs[batch])).to(device)
        wanted = None if targets is None else torch.from_numpy(targets[batch]).to(device)
        maps[batch] = class_activation(network, layer, tensor, wanted, other).cpu().numpy()
    return maps


def class_activation(
    network: nn.Module,
    layer: nn.Module,
    inputs: Tensor,
    targets: Tensor | None = None,
    against: int | None = None,
) -> Tensor:
    """Grad-CAM of any network with one convolutional layer of interest.

    Parameters
    ----------
    network : torch.nn.Module
        Gives logits [shape=(n, n_classes)].
    layer : torch.nn.Module
        A module inside the network that gives an activation [shape=(n, channels, height, width)],
        called once per pass.
    inputs : torch.Tensor [shape=(n, ..., height, width)]
        What the network takes.
    targets : torch.Tensor, optional [shape=(n,)]
        Class indices; each input's largest logit where not given.
    against : int, optional
        Class whose logit is taken away from the target's.

    Returns
    -------
    torch.Tensor [shape=(n, height, width)]
        At least 0, the size of the inputs.

    Raises
    ------
    ValueError
        Where the layer takes no part in the network's answer.

    Examples
    --------
    A network whose one logit is the sum over the right half, twice:

    >>> class Right(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Identity()
    ...     def forward(self, x):
    ...         return 2 * self.layer(x)[..., 2:].sum(dim=(1, 2, 3))[:, None]
    >>> network = Right()
    >>> class_activation(network, network.layer, torch.eye(4)[None, None])[0].diagonal()
    tensor([1., 1., 1., 1.])
    """
    captured: list[Tensor] = []

    def capture(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        # A leaf of its own: gradients stop here, and frozen weights do not matter. The network
        # goes on with a copy, which an in-place operation after the layer may overwrite.
        activation = output.detach().requires_grad_()
        captured.append(activation)
        return activation.clone()

    with evaluating(network), torch.enable_grad(), _hooked(layer, capture):
        logits = network(inputs)
        if len(captured) != 1:
            raise ValueError(f"the layer was called {len(captured)} times in a pass, not once")
        activation = captured[0]
        if targets is None:
            targets = logits.argmax(dim=1)
        chosen = logits.gather(1, targets[:, None]).sum()
        if against is not None:
            chosen = chosen - logits[:, against].sum()
        gradient = None
        if chosen.requires_grad:
            (gradient,) = torch.autograd.grad(chosen, activation, allow_unused=True)
    if gradient is None:
        raise ValueError("the network's answer does not depend on the layer")
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    maps = functional.relu((weights * activation.detach()).sum(dim=1, keepdim=True))
    size = (int(inputs.shape[-2]), int(inputs.shape[-1]))
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)[:, 0]


@contextmanager
def _hooked(layer: nn.Module, capture: Any) -> Iterator[None]:
    handle = layer.register_forward_hook(capture)
    try:
        yield
    finally:
        handle.remove()


def is_empty(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Which maps hold no evidence for their genre at all.

    Parameters
    ----------
    maps : numpy.ndarray [shape=(n, height, width)]
        From `grad_cam`.

    Returns
    -------
    numpy.ndarray of bool [shape=(n,)]

    Examples
    --------
    >>> is_empty(np.stack([np.zeros((2, 2)), np.eye(2)])).tolist()
    [True, False]
    """
    return np.asarray(maps.max(axis=(1, 2), initial=0) == 0)
