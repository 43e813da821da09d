"""Whether a map is true of the model: what happens to the answer without what it points at."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor, nn

from genrescope.explanations.listening import mask_of
from genrescope.explanations.networks import (
    Maps,
    checked_inputs,
    evaluating,
    network_of,
    target_indices,
)

STEPS = 20  # parts of 5% of the spectrogram
MEASURES = [
    "deletion",
    "insertion",
    "area",
    "increase",
    "drop",
    "gain",
    "fidelity",
    "kept_answer",
    "sparseness",
    "complexity",
]


class Curves(NamedTuple):
    """Probability of the explained genre while the map's places are taken away or put in.

    Attributes
    ----------
    share : numpy.ndarray [shape=(steps + 1,)]
        Of the spectrogram's places, strongest first, from 0 to 1.
    deletion, insertion : numpy.ndarray [shape=(n, steps + 1)]
        Taking them from the clip, and putting them into the mean level of the training clips.
    """

    share: npt.NDArray[np.float64]
    deletion: npt.NDArray[np.float64]
    insertion: npt.NDArray[np.float64]


def deletion_insertion(
    model: Any,
    log_mels: npt.ArrayLike,
    maps: Maps,
    *,
    target: str | Sequence[str] | None = None,
    steps: int = STEPS,
    seed: int = 0,
) -> Curves:
    """Follow a genre's probability while a map's places are taken away, or put in.

    Petsiuk et al. 2018, "RISE: randomized input sampling for explanation of black-box models",
    with the mean level of the training clips in place of black or blur.

    Parameters
    ----------
    model : CnnClassifier
        Fitted. It is left as it was.
    log_mels : array [shape=(n, n_mels, frames)]
        Log-mel spectrograms in dB.
    maps : numpy.ndarray [shape=(n, n_mels, frames)]
        One per clip; the largest values go first, equal ones in random order.
    target : str or sequence of str, optional
        The genre explained; the predicted genre of each clip where not given.
    steps : int
        Parts the spectrogram is divided into.
    seed : int
        Of the random order.

    Returns
    -------
    Curves

    Raises
    ------
    ValueError
        Where the model, the shapes or the targets do not fit.
    """
    network, inputs = network_of(model), checked_inputs(model, log_mels)
    _check_shapes(maps, inputs)
    targets = target_indices(target, model, len(inputs))
    shares = np.linspace(0, 1, steps + 1)
    deletion, insertion = (np.zeros((len(inputs), steps + 1)) for _ in range(2))
    rng = np.random.default_rng(seed)
    with evaluating(network), torch.inference_mode():
        level = network.get_buffer("mean")
        for n, spectrogram in enumerate(torch.from_numpy(inputs).to(level.device)):
            order = np.lexsort((rng.random(maps[n].size), -maps[n].ravel()))
            places = np.empty(len(order), dtype=np.float32)
            places[order] = (np.arange(len(order)) + 0.5) / len(order)
            rank = torch.from_numpy(places.reshape(spectrogram.shape)).to(level.device)
            gone = rank < torch.from_numpy(shares[:, np.newaxis, np.newaxis]).to(level.device)
            fill = level.expand(spectrogram.shape)
            for curve, pictures in (
                (deletion, torch.where(gone, fill, spectrogram)),
                (insertion, torch.where(gone, spectrogram, fill)),
            ):
                answers = torch.softmax(network(pictures), dim=1)
                if targets is None:
                    # Nothing is deleted from the first picture: its answer is the clip's own.
                    whole = answers[0] if curve is deletion else network(spectrogram[None])[0]
                    curve[n] = answers[:, int(whole.argmax())].cpu().numpy()
                else:
                    curve[n] = answers[:, targets[n]].cpu().numpy()
    return Curves(shares, deletion, insertion)


def faithfulness(
    model: Any,
    log_mels: npt.ArrayLike,
    maps: Maps,
    *,
    target: str | Sequence[str] | None = None,
    curves: Curves | None = None,
) -> pd.DataFrame:
    """Measure each map against the network it explains.

    With p the genre's probability on the whole clip, p_in on what the map's mask keeps and p_out
    on what it leaves out, the rest being at the mean level of the training clips:

    Parameters
    ----------
    model, log_mels, maps, target
        As in `deletion_insertion`.
    curves : Curves, optional
        What `deletion_insertion` gave for them; followed anew where not given.

    Returns
    -------
    DataFrame [shape=(n, 10)]
        `deletion`, `insertion`: area under each curve, in [0, 1]; a good map has little of the
        first and much of the second. `area`: insertion less deletion. `increase` (AI): whether
        `p_in > p`. `drop` (AD): `max(0, p - p_in) / p`. `gain` (AG): `max(0, p_in - p) / (1 - p)`.
        `fidelity` (FF): `p - p_out`. `kept_answer` (Fid-In): whether the answer stays the same on
        what is kept. `sparseness`: Gini coefficient of the map's absolute values, 0 where all are
        alike. `complexity`: their entropy in nats; NaN of an empty map.

    Notes
    -----
    AI and AD: Chattopadhay et al. 2018, "Grad-CAM++". AG: Zhang et al. 2024, "Opti-CAM". FF and
    Fid-In: Parekh et al. 2022, "Listen to interpret", and Paissan et al. 2024, "Listenable maps
    for audio classifiers", where silence stands for our mean level. Sparseness: Chalasani et al.
    2020, "Concise explanations of neural networks". Complexity: Bhatt et al. 2020, "Evaluating
    and aggregating feature-based model explanations".

    Examples
    --------
    >>> from genrescope.models import create_model
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(-40, 10, size=(16, 16, 16)).astype(np.float32)
    >>> X[8:, :8] += 30
    >>> model = create_model("cnn", epochs=4, batch_size=8).fit(X, ["high"] * 8 + ["low"] * 8)
    >>> table = faithfulness(model, X[:2], np.ones((2, 16, 16), np.float32))
    >>> table["sparseness"].tolist(), table["drop"].tolist()
    ([0.0, 0.0], [0.0, 0.0])
    """
    network, inputs = network_of(model), checked_inputs(model, log_mels)
    _check_shapes(maps, inputs)
    targets = target_indices(target, model, len(inputs))
    if curves is None:
        curves = deletion_insertion(model, inputs, maps, target=target)
    areas = {
        "deletion": np.trapezoid(curves.deletion, curves.share, axis=1),
        "insertion": np.trapezoid(curves.insertion, curves.share, axis=1),
    }
    with evaluating(network), torch.inference_mode():
        masks = np.stack([mask_of(values) for values in maps]) if len(maps) else maps
        rows = [
            _masked(network, *pair, None if targets is None else int(targets[n]))
            for n, pair in enumerate(zip(inputs, masks, strict=True))
        ]
    masked = pd.DataFrame(rows, columns=pd.Index(MEASURES[3:8]))
    shape = pd.DataFrame({"sparseness": sparseness(maps), "complexity": complexity(maps)})
    areas["area"] = areas["insertion"] - areas["deletion"]
    return pd.concat([pd.DataFrame(areas), masked, shape], axis=1)


def _check_shapes(maps: Maps, inputs: Maps) -> None:
    if maps.shape != inputs.shape:
        raise ValueError(f"the maps have shape {maps.shape}, the spectrograms {inputs.shape}")


def _masked(
    network: nn.Module,
    spectrogram: npt.NDArray[np.float32],
    mask: npt.NDArray[np.float32],
    target: int | None,
) -> tuple[float, ...]:
    level = network.get_buffer("mean")
    x, share = (torch.from_numpy(values).to(level.device) for values in (spectrogram, mask))
    kept, left_out = level + share * (x - level), level + (1 - share) * (x - level)
    answers: Tensor = torch.softmax(network(torch.stack([x, kept, left_out])).double(), dim=1)
    wanted = int(answers[0].argmax()) if target is None else target
    p, p_in, p_out = (float(value) for value in answers[:, wanted])
    return (
        float(p_in > p),
        max(0.0, p - p_in) / p if p > 0 else 0.0,
        max(0.0, p_in - p) / (1 - p) if p < 1 else 0.0,
        p - p_out,
        float(answers[1].argmax() == answers[0].argmax()),
    )


def sparseness(maps: Maps) -> npt.NDArray[np.float64]:
    """Gini coefficient of each map's absolute values.

    Parameters
    ----------
    maps : numpy.ndarray [shape=(n, height, width)]

    Returns
    -------
    numpy.ndarray [shape=(n,)]
        0 where all places are alike, near 1 where one place holds all; 0 of an empty map.

    Examples
    --------
    >>> one = np.zeros((1, 10, 10))
    >>> one[0, 3, 3] = 2.0
    >>> sparseness(one), sparseness(np.ones((1, 10, 10)))
    (array([0.99]), array([0.]))
    """
    values = np.sort(
        np.abs(maps.reshape(len(maps), math.prod(maps.shape[1:]))).astype(np.float64), axis=1
    )
    n = values.shape[1]
    total = values.sum(axis=1)
    weighted = values @ (2 * np.arange(1, n + 1) - n - 1)
    gini: npt.NDArray[np.float64] = weighted / np.where(total > 0, n * total, 1.0)
    return gini


def complexity(maps: Maps) -> npt.NDArray[np.float64]:
    """Entropy of the shares that the places have in each map's absolute values.

    Parameters
    ----------
    maps : numpy.ndarray [shape=(n, height, width)]

    Returns
    -------
    numpy.ndarray [shape=(n,)]
        Nats, from 0, one place, to the logarithm of their number; NaN of an empty map.

    Examples
    --------
    >>> complexity(np.ones((1, 10, 10))).round(4), float(np.log(100).round(4))
    (array([4.6052]), 4.6052)
    """
    values = _strengths(maps)
    total = values.sum(axis=1, keepdims=True)
    shares = values / np.where(total > 0, total, 1.0)
    logs = np.log(np.where(shares > 0, shares, 1.0))
    return np.where(total[:, 0] > 0, -(shares * logs).sum(axis=1), np.nan)


def _strengths(maps: Maps) -> npt.NDArray[np.float64]:
    """Absolute values of each map in a row of its own."""
    flat = maps.reshape(len(maps), math.prod(maps.shape[1:]))
    return np.abs(flat).astype(np.float64)
