"""Networks as `.safetensors` files, checked name by name when read."""

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from genrescope.errors import BundleError


def write_network(network: nn.Module, path: Path) -> None:
    """Write weights and buffers; the same network gives the same bytes."""
    state = {name: values.contiguous() for name, values in network.state_dict().items()}
    path.write_bytes(safetensors.torch.save(state))


def read_network(network: nn.Module, path: Path) -> None:
    """Read weights and buffers into a network, if they are its own.

    Parameters
    ----------
    network : torch.nn.Module
        Best made on torch's `meta` device: it then takes no memory before the file has shown that
        it holds as much as the description says.
    path : pathlib.Path
        The `.safetensors` file.

    Raises
    ------
    BundleError
        Where names, shapes, types or values are not those of such a network.
    """
    try:
        state = safetensors.torch.load(path.read_bytes())
    except (
        safetensors.SafetensorError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        ValueError,
    ) as error:
        raise BundleError(f"is damaged ({error})", path=path) from error
    expected = network.state_dict()
    if odd := sorted(set(state) ^ set(expected)):
        raise BundleError(f"holds another network: {odd[0]} is extra or missing", path=path)
    for name, values in sorted(state.items()):
        wanted = expected[name]
        if values.shape != wanted.shape or values.dtype != wanted.dtype:
            raise BundleError(f"holds another network: {name} has another shape", path=path)
        if not torch.isfinite(values).all():
            raise BundleError(f"unsafe: {name} is not finite", path=path)
        # They are divided by, the variance after a small number is added to it.
        if (name == "scale" and (values <= 0).any()) or (
            name.endswith("running_var") and (values < 0).any()
        ):
            raise BundleError(f"unsafe: {name} is not positive", path=path)
    network.load_state_dict(state, assign=True)
