"""Training a network: batches, losses, and when to stop."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from genrescope.errors import TrainingError
from genrescope.models.augmentation import Augmentation
from genrescope.models.deep_coral import TargetClips, coral_loss
from genrescope.models.maps import Maps, logits_of
from genrescope.models.network import GenreNetwork
from genrescope.progress import progress


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
    augmentation: Augmentation
    deep_coral: float
    seed: int
    verbose: bool


@dataclass(frozen=True)
class Trained:
    """What training ends with."""

    curve: pd.DataFrame
    best_epoch: int


def train(
    network: GenreNetwork,
    clips: Clips,
    held: Clips | None,
    schedule: Schedule,
    *,
    unlabelled: Maps | None = None,
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
    epochs = _Epochs(network, clips, unlabelled, schedule, weights, device)
    patience = schedule.patience if held is not None else None
    rows: list[dict[str, float]] = []
    best_loss, best_epoch, best_state = math.inf, 0, None
    with _progress(schedule) as advance:
        for epoch in range(1, schedule.epochs + 1):
            row = {"epoch": epoch} | epochs.run()
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


class _Epochs:
    """Passes over the training clips, one after the other."""

    def __init__(
        self,
        network: GenreNetwork,
        clips: Clips,
        unlabelled: Maps | None,
        schedule: Schedule,
        weights: torch.Tensor,
        device: torch.device,
    ) -> None:
        self.network, self.clips, self.schedule = network, clips, schedule
        self.weights, self.device = weights, device
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay
        )
        self.order = np.random.default_rng(schedule.seed)
        # Generators of their own: what varies the clips does not change the order they come in.
        self.variation, draws = np.random.default_rng(schedule.seed).spawn(2)
        self.target = None if unlabelled is None else TargetClips(unlabelled, draws)
        self.one_hot = np.eye(len(weights), dtype=np.float32)

    def run(self) -> dict[str, float]:
        """Train on every clip once; losses and accuracy as means over the epoch."""
        self.network.train()
        loss_sum = weight_sum = coral_sum = 0.0
        correct = steps = 0
        shuffled = self.order.permutation(len(self.clips.codes))
        for start in range(0, len(shuffled), self.schedule.batch_size):
            # Sorted, so that a memory-mapped file is read forwards.
            batch = np.sort(shuffled[start : start + self.schedule.batch_size])
            maps, targets = self._read(batch)
            logits, coral = self._forward(maps)
            loss, weight = weighted_cross_entropy(logits, targets, self.weights)
            total = loss if coral is None else loss + self.schedule.deep_coral * coral
            self.optimiser.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            loss_sum += float(loss.detach()) * weight
            weight_sum += weight
            coral_sum += 0.0 if coral is None else float(coral.detach())
            codes = targets if targets.ndim == 1 else targets.argmax(dim=1)
            correct += int((logits.detach().argmax(dim=1) == codes).sum())
            steps += 1
        row = {"train_loss": loss_sum / weight_sum, "train_accuracy": correct / len(shuffled)}
        return row if self.target is None else row | {"coral_loss": coral_sum / steps}

    def _read(self, batch: npt.NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Spectrograms of a batch as they are to be learnt, and their genres."""
        augmentation = self.schedule.augmentation
        maps = np.asarray(self.clips.maps[batch], dtype=np.float32)
        maps = augmentation.vary(maps, self.variation)
        targets: npt.NDArray[Any] = self.clips.codes[batch]
        if augmentation.mixup:
            maps, targets = augmentation.mix(maps, self.one_hot[targets], self.variation)
        return torch.from_numpy(maps).to(self.device), torch.from_numpy(targets).to(self.device)

    def _forward(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Logits of source clips; the CORAL loss where there are target clips."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.schedule.bfloat16):
            if self.target is None:
                return self.network(maps).float(), None
            n = len(maps)
            strange = self.schedule.augmentation.vary(self.target.draw(n), self.variation)
            # In one batch: batch norm then learns statistics of both, those it predicts with.
            both = torch.cat([maps, torch.from_numpy(strange).to(self.device)])
            hidden = self.network.represent(both)
            logits = self.network.classify(hidden[:n])
        return logits.float(), coral_loss(hidden[:n].float(), hidden[n:].float())


def weighted_cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Cross-entropy of clips, each weighted by its genre or its share of several.

    Parameters
    ----------
    logits : torch.Tensor [shape=(n, n_classes)]
    targets : torch.Tensor [shape=(n,) or (n, n_classes)]
        Indices of the classes, or their probabilities.
    weights : torch.Tensor [shape=(n_classes,)]

    Returns
    -------
    loss : torch.Tensor
        Nats, the weighted mean.
    weight : float
        Of all clips together.

    Examples
    --------
    >>> logits, weights = torch.tensor([[2.0, 0.0], [0.0, 0.0]]), torch.tensor([1.0, 3.0])
    >>> hard, _ = weighted_cross_entropy(logits, torch.tensor([0, 1]), weights)
    >>> soft, weight = weighted_cross_entropy(logits, torch.eye(2), weights)
    >>> bool(torch.isclose(hard, soft)), weight
    (True, 4.0)
    """
    if targets.ndim == 1:
        loss = functional.cross_entropy(logits, targets, weight=weights)
        return loss, float(weights[targets].sum())
    weight = (targets @ weights).sum()
    loss = functional.cross_entropy(logits, targets, weight=weights, reduction="sum") / weight
    return loss, float(weight)


def _evaluate(
    network: nn.Module, held: Clips, weights: torch.Tensor, device: torch.device
) -> dict[str, float]:
    logits = logits_of(network, held.maps, device)
    codes = torch.from_numpy(held.codes)
    loss, _ = weighted_cross_entropy(logits, codes, weights.to("cpu", torch.float64))
    correct = (logits.argmax(dim=1) == codes).double().mean()
    return {"validation_loss": float(loss), "validation_accuracy": float(correct)}
