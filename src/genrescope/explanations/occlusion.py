"""Occlusion: what the network's answer loses when a patch of the spectrogram is taken away."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from genrescope.explanations.networks import (
    Maps,
    checked_inputs,
    evaluating,
    network_of,
    target_indices,
)

PATCH = 16  # mel bands and frames
STEP = 8
PATCHES_AT_A_TIME = 64


def occlusion(
    model: Any,
    log_mels: npt.ArrayLike,
    *,
    target: str | Sequence[str] | None = None,
    patch: int = PATCH,
    step: int = STEP,
) -> Maps:
    """Map how much of a genre's log-odds each part of a clip's spectrogram carries.

    Patches are filled, one after the other, with the mean level of the training clips, and the
    drop of `log p / (1 - p)` is noted: Zeiler & Fergus 2014, "Visualizing and understanding
    convolutional networks". A place has the mean drop of the patches that cover it. The mean level
    is used and not silence, which would be an event of its own.

    Parameters
    ----------
    model : CnnClassifier
        Fitted. It is left as it was.
    log_mels : array [shape=(n, n_mels, frames)]
        Log-mel spectrograms in dB.
    target : str or sequence of str, optional
        The genre to ask about, one for all clips or one per clip; the predicted genre of each
        clip where not given.
    patch, step : int
        Side of the square patches and their distance, in mel bands and frames.

    Returns
    -------
    numpy.ndarray [shape=(n, n_mels, frames)]
        float32, in units of log-odds: above 0 the place speaks for the genre, below against it.

    Raises
    ------
    ValueError
        Where the model is of another kind, a target is no genre of the model, there are not as
        many targets as clips, or the spectrograms are not of the shape trained on.

    Examples
    --------
    >>> from genrescope.models import create_model
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(-40, 10, size=(16, 16, 16)).astype(np.float32)
    >>> X[8:, :8] += 30
    >>> model = create_model("cnn", epochs=2, batch_size=8).fit(X, ["high"] * 8 + ["low"] * 8)
    >>> occlusion(model, X[:2], target="low", patch=4, step=4).shape
    (2, 16, 16)
    """
    network, inputs = network_of(model), checked_inputs(model, log_mels)
    targets = target_indices(target, model, len(inputs))
    device = network.get_buffer("mean").device
    maps = np.zeros(inputs.shape, dtype=np.float32)
    with evaluating(network), torch.inference_mode():
        for n, spectrogram in enumerate(torch.from_numpy(inputs).to(device)):
            wanted = None if targets is None else int(targets[n])
            maps[n] = _occlude(network, spectrogram, wanted, patch, step)
    return maps


def _occlude(
    network: nn.Module, spectrogram: Tensor, target: int | None, patch: int, step: int
) -> npt.NDArray[np.float64]:
    whole = network(spectrogram[None])
    wanted = int(whole.argmax()) if target is None else target
    before = float(log_odds(whole, wanted))
    level = network.get_buffer("mean").expand(spectrogram.shape)
    drops = np.zeros(spectrogram.shape)
    covers = np.zeros(spectrogram.shape)
    corners = list(_corners(spectrogram.shape, patch, step))
    for first in range(0, len(corners), PATCHES_AT_A_TIME):
        part = corners[first : first + PATCHES_AT_A_TIME]
        covered = spectrogram.repeat(len(part), 1, 1)
        for one, (band, frame) in zip(covered, part, strict=True):
            place = (slice(band, band + patch), slice(frame, frame + patch))
            one[place] = level[place]
        after = log_odds(network(covered), wanted).cpu().numpy()
        for drop, (band, frame) in zip(before - after, part, strict=True):
            place = (slice(band, band + patch), slice(frame, frame + patch))
            drops[place] += drop
            covers[place] += 1
    return drops / covers


def _corners(shape: Sequence[int], patch: int, step: int) -> Iterator[tuple[int, int]]:
    """Upper left corners of patches that cover everything, the last ones flush with the edge."""
    bands, frames = (sorted({*range(0, max(1, n - patch), step), max(0, n - patch)}) for n in shape)
    for band in bands:
        for frame in frames:
            yield band, frame


def log_odds(logits: Tensor, target: int) -> Tensor:
    """Logarithm of the target's probability over that of all other classes.

    Parameters
    ----------
    logits : torch.Tensor [shape=(n, n_classes)]
    target : int
        Column of the class.

    Returns
    -------
    torch.Tensor [shape=(n,)]

    Examples
    --------
    >>> log_odds(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 0)
    tensor([0., 1.])
    """
    others = torch.cat([logits[:, :target], logits[:, target + 1 :]], dim=1)
    return logits[:, target] - torch.logsumexp(others, dim=1)
