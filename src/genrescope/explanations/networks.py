"""What the methods that explain a network share: its inputs, its targets, and leaving no trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Maps = npt.NDArray[np.float32]


def network_of(model: Any) -> nn.Module:
    """The torch module inside a fitted model.

    Raises
    ------
    ValueError
        Where the model has none.
    """
    network = getattr(model, "network_", None)
    if not isinstance(network, nn.Module):
        kind = getattr(model, "kind", type(model).__name__)
        raise ValueError(f"maps of a spectrogram are for the cnn, not for {kind}")
    return network


def checked_inputs(model: Any, log_mels: npt.ArrayLike) -> Maps:
    """Spectrograms as float32, if they are of the shape the model was trained on.

    Raises
    ------
    ValueError
        Where they are not.
    """
    # torch takes neither read-only arrays, such as memory maps, nor reversed ones.
    inputs = np.require(log_mels, dtype=np.float32, requirements=["C", "W"])
    if inputs.ndim != 3:
        raise ValueError(f"spectrograms have three dimensions (clip, mel, time), not {inputs.ndim}")
    shape = getattr(model, "input_shape_", inputs.shape[1:])
    if inputs.shape[1:] != tuple(shape):
        raise ValueError(f"spectrograms are {inputs.shape[1:]}, the model was trained on {shape}")
    return inputs


def against_index(
    against: str | None, target: str | Sequence[str] | None, model: Any
) -> int | None:
    """Column of the genre that a target is held against; None where none is named.

    Raises
    ------
    ValueError
        Where it is no genre of the model, there is no one target, or it is the target itself.
    """
    if against is None:
        return None
    if not isinstance(target, str):
        raise ValueError(f"what is held against {against}? name one target")
    if target == against:
        raise ValueError(f"{target} cannot be held against itself")
    return _columns([against], model)[0]


def target_indices(
    target: str | Sequence[str] | None, model: Any, n: int
) -> npt.NDArray[np.int64] | None:
    """Columns of the genres asked about, one per clip; None where none is named.

    Raises
    ------
    ValueError
        Where a target is no genre of the model, or there are not as many targets as clips.
    """
    if target is None:
        return None
    names = [target] * n if isinstance(target, str) else [str(name) for name in target]
    if len(names) != n:
        raise ValueError(f"{len(names)} targets for {n} clips")
    return np.array(_columns(names, model), dtype=np.int64)


def _columns(names: Sequence[str], model: Any) -> list[int]:
    classes = [str(name) for name in model.classes_]
    strange = sorted(set(names) - set(classes))
    if strange:
        raise ValueError(f"{', '.join(strange)}: not among the model's {', '.join(classes)}")
    return [classes.index(name) for name in names]


def log_odds(logits: Tensor, target: int, against: int | None = None) -> Tensor:
    """Logarithm of the target's probability over that of all other classes, or of one of them.

    Parameters
    ----------
    logits : torch.Tensor [shape=(n, n_classes)]
    target : int
        Column of the class.
    against : int, optional
        Column of the class it is held against; all others where not given.

    Returns
    -------
    torch.Tensor [shape=(n,)]

    Examples
    --------
    >>> log_odds(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 0)
    tensor([0., 1.])
    >>> log_odds(torch.tensor([[3.0, 1.0, 0.5]]), 0, against=2)
    tensor([2.5000])
    """
    if against is not None:
        return logits[:, target] - logits[:, against]
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - torch.logsumexp(others, dim=1)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode inside the block, each module's own mode after it, also after an error."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
