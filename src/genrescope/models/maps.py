"""Log-mel spectrograms as a network reads them: checked, a few at a time, never all at once."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from genrescope.features.log_mels import LogMels
from genrescope.models.network import SMALLEST

Maps = npt.NDArray[np.floating[Any]] | LogMels

CHUNK_CLIPS = 64  # clips read at a time where no gradient is needed: 4 MiB of 128 x 128 maps


def checked_maps(X: Any) -> Maps:
    """View X as an array of maps, without reading what lies on disk."""
    maps: Maps = X if isinstance(X, LogMels) else np.asarray(X)
    if maps.dtype.kind not in "fiu":
        raise ValueError(f"X has values of type {maps.dtype}, decibels are numbers")
    if maps.ndim != 3:
        raise ValueError(
            f"X has {maps.ndim} dimensions, log-mel spectrograms have 3: (n, n_mels, frames)"
        )
    if not len(maps):
        raise ValueError("X has 0 sample(s), at least one is needed")
    if min(maps.shape[1:]) < SMALLEST:
        raise ValueError(
            f"X has maps of {maps.shape[1]} x {maps.shape[2]}, each side is at least {SMALLEST}"
        )
    return maps


def chunks(maps: Maps, size: int = CHUNK_CLIPS) -> Iterator[npt.NDArray[np.float32]]:
    """Read maps a few at a time.

    Raises
    ------
    ValueError
        Where a value is NaN or infinite.
    """
    for start in range(0, len(maps), size):
        part = np.asarray(maps[start : start + size], dtype=np.float32)
        if not np.isfinite(part).all():
            raise ValueError(f"X contains NaN or infinity in rows {start} to {start + len(part)}")
        yield part


def check_finite(maps: Maps) -> None:
    """Read maps once, a few at a time, and refuse NaN and infinity.

    Raises
    ------
    ValueError
        Naming the rows.
    """
    for _ in chunks(maps):
        pass


def standardisation(maps: Maps, how: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation to standardise maps by.

    Parameters
    ----------
    maps : array [shape=(n, n_mels, frames)]
        Read once, a few clips at a time.
    how : {"global", "band", "none"}
        One pair for all values, a pair per mel band, or 0 and 1.

    Returns
    -------
    mean, scale : torch.Tensor [shape=(n_mels, 1)]
        The scale is 1 where nothing varies.

    Raises
    ------
    ValueError
        Where a value is NaN or infinite.
    """
    n_mels = maps.shape[1]
    total, squares, count = np.zeros(n_mels), np.zeros(n_mels), 0
    for part in chunks(maps):
        values = part.astype(np.float64)
        total += values.sum(axis=(0, 2))
        squares += (values**2).sum(axis=(0, 2))
        count += values.shape[0] * values.shape[2]
    mean, power = total / count, squares / count
    if how == "global":
        mean, power = np.full(n_mels, mean.mean()), np.full(n_mels, power.mean())
    scale = np.sqrt(np.maximum(power - mean**2, 0.0))
    scale[scale < 1e-6] = 1.0
    if how == "none":
        mean, scale = np.zeros(n_mels), np.ones(n_mels)
    return (
        torch.tensor(mean, dtype=torch.float32)[:, None],
        torch.tensor(scale, dtype=torch.float32)[:, None],
    )


def logits_of(network: nn.Module, maps: Maps, device: torch.device) -> torch.Tensor:
    """Logits in double precision, on the CPU [shape=(n, n_classes)]."""
    network.eval()
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(part).to(device)).to("cpu", torch.float64)
            for part in chunks(maps)
        ]
    return torch.cat(parts)
