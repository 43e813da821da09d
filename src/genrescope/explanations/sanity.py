"""Whether a map depends on what the network learned, and on little else."""

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import nn

from genrescope.explanations.networks import Maps, checked_inputs, network_of

LAYERS = ("output", "hidden", "block3", "block2", "block1")  # from the answer to the sound
NOISE_DB = 1.0  # the least difference of level that is commonly heard
DRAWS = 3

Explain = Callable[[Any, Maps], Maps]


def max_sensitivity(
    model: Any,
    log_mels: npt.ArrayLike,
    explain: Explain,
    *,
    noise_db: float = NOISE_DB,
    draws: int = DRAWS,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """How far a map moves, at most, when noise too small to matter is added to the clip.

    `max_d ||map(x + d) - map(x)|| / ||map(x)||` over random d, every value of which is within the
    radius: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations".

    Parameters
    ----------
    model : CnnClassifier
    log_mels : array [shape=(n, n_mels, frames)]
        Log-mel spectrograms in dB.
    explain : callable
        Gives the maps of (model, spectrograms), for genres that do not depend on the noise.
    noise_db : float
        Radius, in decibels.
    draws : int
        Noises tried.
    seed : int

    Returns
    -------
    numpy.ndarray [shape=(n,)]
        From 0, not moved; NaN where the map is empty.

    Examples
    --------
    >>> def level(model, x):
    ...     return x
    >>> class Model:
    ...     network_ = nn.Identity()
    >>> moved = max_sensitivity(Model(), np.full((1, 8, 8), 10.0), level)
    >>> bool(0.03 < moved[0] < 0.1)  # noise of up to 1 dB on 10 dB
    True
    """
    network_of(model)
    inputs = checked_inputs(model, log_mels)
    rng = np.random.default_rng(seed)
    before = explain(model, inputs)
    strength = _norm(before)
    farthest = np.zeros(len(inputs))
    for _ in range(draws):
        noise = rng.uniform(-noise_db, noise_db, inputs.shape).astype(np.float32)
        farthest = np.maximum(farthest, _norm(explain(model, inputs + noise) - before))
    return np.where(strength > 0, farthest / np.where(strength > 0, strength, 1.0), np.nan)


def _norm(maps: Maps) -> npt.NDArray[np.float64]:
    norms: npt.NDArray[np.float64] = np.sqrt(np.square(maps.astype(np.float64)).sum(axis=(1, 2)))
    return norms


def randomisation(
    model: Any,
    log_mels: npt.ArrayLike,
    explain: Explain,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> pd.DataFrame:
    """Compare maps with those of the same network with ever more of its layers made random.

    Layers are initialised anew from the last to the first, each beside those before it: Adebayo et
    al. 2018, "Sanity checks for saliency maps", cascading randomisation. A map that stays alike
    shows the clip, not the model.

    Parameters
    ----------
    model : CnnClassifier
        It is left as it was; a copy is made random.
    log_mels : array [shape=(n, n_mels, frames)]
        Log-mel spectrograms in dB.
    explain : callable
        Gives the maps of (model, spectrograms), for genres that do not depend on the weights.
    draws : int
        Random networks: a single one turns all maps the same way.
    seed : int
        Of the random weights.

    Returns
    -------
    DataFrame
        `clip` (place in `log_mels`), `layer` (the last one made random), `draw`, `correlation`
        (Spearman's, 0 where either map is the same everywhere).
    """
    network_of(model)
    inputs = checked_inputs(model, log_mels)
    before = explain(model, inputs)
    rows = []
    for draw in range(draws):
        altered = copy.copy(model)
        altered.network_ = copy.deepcopy(model.network_)
        for layer in _made_random(altered.network_, LAYERS, seed=seed + draw):
            after = explain(altered, inputs)
            rows += [
                (clip, layer, draw, _rank_correlation(one, two))
                for clip, (one, two) in enumerate(zip(before, after, strict=True))
            ]
    return pd.DataFrame(rows, columns=pd.Index(["clip", "layer", "draw", "correlation"]))


def _made_random(network: nn.Module, layers: Sequence[str], *, seed: int) -> Iterator[str]:
    for place, layer in enumerate(layers):
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed * len(layers) + place)
            for module in network.get_submodule(layer).modules():
                reset = getattr(module, "reset_parameters", None)
                if reset is not None:
                    reset()
        yield layer


def _rank_correlation(one: npt.NDArray[np.floating], two: npt.NDArray[np.floating]) -> float:
    if np.ptp(one) == 0 or np.ptp(two) == 0:
        return 0.0
    return float(spearmanr(one.ravel(), two.ravel()).statistic)
