"""Training a network: the loop, its statistics, and surroundings in which it is reproducible."""

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import torch.utils.deterministic
from torch import nn
from torch.nn import functional

from genrescope.errors import TrainingError
from genrescope.features.log_mels import LogMels
from genrescope.models.network import SMALLEST
from genrescope.parallel import cpu_count
from genrescope.progress import progress

Maps = npt.NDArray[np.floating[Any]] | LogMels
State = dict[str, torch.Tensor]

CHUNK_CLIPS = 64  # clips read at a time where no gradient is needed: 4 MiB of 128 x 128 maps


@dataclass(frozen=True)
class Clips:
    """Labelled maps; the array may be memory-mapped and is read by batches."""

    maps: Maps
    codes: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Schedule:
    """How a network is trained."""

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    patience: int | None
    bfloat16: bool
    seed: int
    verbose: bool


@dataclass(frozen=True)
class Trained:
    """What training ends with."""

    curve: pd.DataFrame
    best_epoch: int


def pick_device(name: str) -> torch.device:
    """`auto` is the first CUDA device where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


@contextlib.contextmanager
def threads(n_jobs: int | None) -> Iterator[None]:
    """Set torch's threads inside the block, and put the old number back."""
    before = torch.get_num_threads()
    # Never more than torch was given: a worker process may have been limited to one.
    torch.set_num_threads(min(before, cpu_count()) if n_jobs is None or n_jobs < 1 else n_jobs)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fills_memory() -> bool:
    return bool(torch.utils.deterministic.fill_uninitialized_memory)  # type: ignore[attr-defined]


def _fill_memory(value: bool) -> None:
    torch.utils.deterministic.fill_uninitialized_memory = value  # type: ignore[attr-defined]


@contextlib.contextmanager
def reproducible(seed: int, device: torch.device) -> Iterator[None]:
    """Seeded, deterministic torch inside the block; the caller's generators and flags after it."""
    if device.type == "cuda":
        # cuBLAS reads this once, when the process first multiplies matrices on the device.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    devices = [device] if device.type == "cuda" else []
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    fill = _fills_memory()
    benchmark = torch.backends.cudnn.benchmark
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        try:
            # CUDA has no deterministic form of some steps: there torch warns instead of stopping.
            torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
            # Filling fresh memory guards against reading it too early, which nothing here does.
            _fill_memory(False)
            torch.backends.cudnn.benchmark = False
            yield
        finally:
            torch.use_deterministic_algorithms(before, warn_only=warn_only)
            _fill_memory(fill)
            torch.backends.cudnn.benchmark = benchmark


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


def train(
    network: nn.Module,
    clips: Clips,
    held: Clips | None,
    schedule: Schedule,
    *,
    weights: torch.Tensor,
    device: torch.device,
) -> Trained:
    """Train a network in place with AdamW and cross-entropy.

    With `held` clips and a patience the network ends with the weights of the epoch of the lowest
    loss on them, and training stops once `patience` epochs brought none lower.

    Raises
    ------
    TrainingError
        Where the loss is no longer a number.
    """
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
    )
    order = np.random.default_rng(schedule.seed)
    patience = schedule.patience if held is not None else None
    rows: list[dict[str, float]] = []
    best_loss, best_epoch, best_state = math.inf, 0, None
    with _progress(schedule) as advance:
        for epoch in range(1, schedule.epochs + 1):
            row = {"epoch": epoch} | _train_epoch(
                network, clips, optimiser, schedule, order=order, weights=weights, device=device
            )
            if held is not None:
                row |= _evaluate(network, held, weights, device)
            rows.append(row)
            advance()
            if not math.isfinite(row["train_loss"]):
                raise TrainingError(
                    f"the loss is no longer a number in epoch {epoch}: lower learning_rate "
                    f"({schedule.learning_rate:g})"
                )
            if patience is None:
                best_epoch = epoch
            elif row["validation_loss"] < best_loss:
                best_loss, best_epoch = row["validation_loss"], epoch
                best_state = {name: v.detach().clone() for name, v in network.state_dict().items()}
            elif epoch - best_epoch >= patience:
                break
    if best_state is not None:
        network.load_state_dict(best_state)
    return Trained(pd.DataFrame(rows).astype({"epoch": int}), best_epoch)


@contextlib.contextmanager
def _progress(schedule: Schedule) -> Iterator[Any]:
    if not schedule.verbose:
        yield lambda: None
        return
    with progress(schedule.epochs, "training the cnn", unit="epochs") as bar:
        yield bar.advance


def _train_epoch(
    network: nn.Module,
    clips: Clips,
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
    *,
    order: np.random.Generator,
    weights: torch.Tensor,
    device: torch.device,
) -> dict[str, float]:
    network.train()
    loss_sum = weight_sum = 0.0
    correct = 0
    shuffled = order.permutation(len(clips.codes))
    for start in range(0, len(shuffled), schedule.batch_size):
        # Sorted, so that a memory-mapped file is read forwards.
        batch = np.sort(shuffled[start : start + schedule.batch_size])
        maps = torch.from_numpy(np.asarray(clips.maps[batch], dtype=np.float32)).to(device)
        codes = torch.from_numpy(clips.codes[batch]).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=schedule.bfloat16):
            logits = network(maps)
        loss = functional.cross_entropy(logits.float(), codes, weight=weights)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        weight = float(weights[codes].sum())
        loss_sum += float(loss.detach()) * weight
        weight_sum += weight
        correct += int((logits.detach().argmax(dim=1) == codes).sum())
    return {"train_loss": loss_sum / weight_sum, "train_accuracy": correct / len(shuffled)}


def _evaluate(
    network: nn.Module, held: Clips, weights: torch.Tensor, device: torch.device
) -> dict[str, float]:
    logits = logits_of(network, held.maps, device)
    codes = torch.from_numpy(held.codes)
    loss = functional.cross_entropy(logits, codes, weight=weights.to("cpu", torch.float64))
    correct = (logits.argmax(dim=1) == codes).double().mean()
    return {"validation_loss": float(loss), "validation_accuracy": float(correct)}
