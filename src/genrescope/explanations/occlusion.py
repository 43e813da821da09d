"""Occlusion: what the network's answer loses when a patch of the spectrogram is taken away."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from genrescope.explanations.networks import (
    Maps,
    against_index,
    checked_inputs,
    evaluating,
    log_odds,
    network_of,
    target_indices,
)
from genrescope.models.device import threads
from genrescope.models.network import SMALLEST, GenreNetwork

PATCH = 16  # mel bands and frames
STEP = 8
PATCHES_AT_A_TIME = 64


def occlusion(
    model: Any,
    log_mels: npt.ArrayLike,
    *,
    target: str | Sequence[str] | None = None,
    against: str | None = None,
    patch: int = PATCH,
    step: int = STEP,
) -> Maps:
    """Map how much of a genre's log-odds each part of a clip's spectrogram carries.

    Patches are filled, one after the other, with the mean level of the training clips, and the
    drop of `log p / (1 - p)` is noted: Zeiler & Fergus 2014, "Visualizing and understanding
    convolutional networks". A place has the mean drop of the patches that cover it. The mean level
    is used and not silence, which would be an event of its own. A filled patch can still pass for
    something that the network knows, the more easily the larger its share of the picture is.

    Parameters
    ----------
    model : CnnClassifier
        Fitted. It is left as it was.
    log_mels : array [shape=(n, n_mels, frames)]
        Log-mel spectrograms in dB.
    target : str or sequence of str, optional
        The genre to ask about, one for all clips or one per clip; the predicted genre of each
        clip where not given.
    against : str, optional
        Ask why the target rather than this genre: the drop is that of `log p / p_against`.
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

    Notes
    -----
    In the study's network a patch reaches few places of the last layer, and the answer depends on
    their mean alone. So only a cutting about each patch is convolved again, with the same result.

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
    other = against_index(against, target, model)
    device = network.get_buffer("mean").device
    maps = np.zeros(inputs.shape, dtype=np.float32)
    corners = list(_corners(inputs.shape[1:], patch, step))
    # One thread: the cuttings are small, and where other work runs threads wait for each other.
    with evaluating(network), torch.inference_mode(), threads(1):
        for n, spectrogram in enumerate(torch.from_numpy(inputs).to(device)):
            whole = network(spectrogram[None])
            wanted = int(whole.argmax()) if targets is None else int(targets[n])
            after = _occluded(network, spectrogram, corners, patch)
            drops = log_odds(whole, wanted, other) - log_odds(after, wanted, other)
            maps[n] = _spread(drops.cpu().numpy(), corners, patch, inputs.shape[1:])
    return maps


def _corners(shape: Sequence[int], patch: int, step: int) -> Iterator[tuple[int, int]]:
    """Upper left corners of patches that cover everything, the last ones flush with the edge."""
    bands, frames = (sorted({*range(0, max(1, n - patch), step), max(0, n - patch)}) for n in shape)
    for band in bands:
        for frame in frames:
            yield band, frame


def _spread(
    drops: npt.NDArray[np.floating],
    corners: Sequence[tuple[int, int]],
    patch: int,
    shape: Sequence[int],
) -> npt.NDArray[np.float64]:
    """Mean drop of the patches that cover each place."""
    total, covers = np.zeros(shape), np.zeros(shape)
    for drop, (band, frame) in zip(drops, corners, strict=True):
        place = (slice(band, band + patch), slice(frame, frame + patch))
        total[place] += drop
        covers[place] += 1
    return total / covers


def _occluded(
    network: nn.Module, spectrogram: Tensor, corners: Sequence[tuple[int, int]], patch: int
) -> Tensor:
    """Logits of the spectrogram without each patch [shape=(n_corners, n_classes)]."""
    if isinstance(network, GenreNetwork):
        return _by_cuttings(network, spectrogram, corners, patch)
    level = network.get_buffer("mean").expand(spectrogram.shape)
    found = []
    for first in range(0, len(corners), PATCHES_AT_A_TIME):
        part = corners[first : first + PATCHES_AT_A_TIME]
        covered = spectrogram.repeat(len(part), 1, 1)
        for one, (band, frame) in zip(covered, part, strict=True):
            place = (slice(band, band + patch), slice(frame, frame + patch))
            one[place] = level[place]
        found.append(network(covered))
    return torch.cat(found)


class _Reach(NamedTuple):
    """What a patch reaches along one axis, in places of the last layer (8 rows or columns each)."""

    first: int  # place at which the cutting begins
    last: int  # and ends, exclusive
    inner: tuple[int, int]  # places of the cutting that do not feel its edges

    @classmethod
    def of(cls, corner: int, patch: int, size: int) -> "_Reach":
        places = size // SMALLEST
        first = max(0, corner // SMALLEST - 2)
        last = min(places, (min(corner + patch, size) - 1) // SMALLEST + 3)
        # A place depends on one neighbour to each side; beyond the true edge there is none.
        inner = (int(first > 0), last - first - int(last < places))
        return cls(first, last, inner)

    def samples(self, size: int) -> slice:
        """Rows or columns of the cutting; the last one takes the remainder with it."""
        whole = self.last == size // SMALLEST
        return slice(self.first * SMALLEST, size if whole else self.last * SMALLEST)


def _by_cuttings(
    network: GenreNetwork, spectrogram: Tensor, corners: Sequence[tuple[int, int]], patch: int
) -> Tensor:
    height, width = spectrogram.shape
    standardised = network.standardise(spectrogram)
    whole = network.convolve(standardised[None])[0]
    n_places = whole.shape[1] * whole.shape[2]
    pooled = whole.sum(dim=(1, 2)).repeat(len(corners), 1)
    alike: dict[tuple[Any, ...], list[tuple[int, _Reach, _Reach]]] = defaultdict(list)
    for n, (band, frame) in enumerate(corners):
        down, along = _Reach.of(band, patch, height), _Reach.of(frame, patch, width)
        shape = standardised[down.samples(height), along.samples(width)].shape
        alike[(*shape, down.inner, along.inner)].append((n, down, along))
    for (*_, rows, columns), group in alike.items():
        for start in range(0, len(group), PATCHES_AT_A_TIME):
            part = group[start : start + PATCHES_AT_A_TIME]
            cuttings = []
            for n, down, along in part:
                band, frame = corners[n]
                cutting = standardised[down.samples(height), along.samples(width)].clone()
                top, left = band - down.first * SMALLEST, frame - along.first * SMALLEST
                cutting[top : top + patch, left : left + patch] = 0  # the mean level
                cuttings.append(cutting)
            seen = network.convolve(torch.stack(cuttings))[:, :, slice(*rows), slice(*columns)]
            for (n, down, along), after in zip(part, seen, strict=True):
                before = whole[:, down.first : down.last, along.first : along.last]
                inner = before[:, slice(*rows), slice(*columns)]
                pooled[n] += (after - inner).sum(dim=(1, 2))
    return network.decide(pooled / n_places)
