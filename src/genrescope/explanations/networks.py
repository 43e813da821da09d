"""What the methods that explain a network share: its inputs, its targets, and leaving no trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

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
    inputs = np.asarray(log_mels, dtype=np.float32)
    if inputs.ndim != 3:
        raise ValueError(f"spectrograms have three dimensions (clip, mel, time), not {inputs.ndim}")
    shape = getattr(model, "input_shape_", inputs.shape[1:])
    if inputs.shape[1:] != tuple(shape):
        raise ValueError(f"spectrograms are {inputs.shape[1:]}, the model was trained on {shape}")
    return inputs


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
    classes = [str(name) for name in model.classes_]
    names = [target] * n if isinstance(target, str) else [str(name) for name in target]
    if len(names) != n:
        raise ValueError(f"{len(names)} targets for {n} clips")
    strange = sorted(set(names) - set(classes))
    if strange:
        raise ValueError(f"{', '.join(strange)}: not among the model's {', '.join(classes)}")
    return np.array([classes.index(name) for name in names], dtype=np.int64)


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
