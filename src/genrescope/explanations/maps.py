"""The ways to map a spectrogram for a genre, and the maps that any of them has to beat."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from genrescope.errors import ConfigError
from genrescope.settings import nearest

if TYPE_CHECKING:
    from genrescope.explanations.networks import Maps

METHODS = ("occlusion", "grad_cam")  # modules of this room, imported when asked: they need torch
DEFAULT = "occlusion"
ALL = "all"  # genres together, in tables of quality
REFERENCES = ("random", "centre", "energy")  # know nothing of the model
TITLES = {
    "occlusion": "occlusion",
    "grad_cam": "Grad-CAM",
    "random": "random",
    "centre": "centre",
    "energy": "energy",
}
UNITS = {"occlusion": "log-odds", "grad_cam": "logit"}
GRAIN = 8  # bands and frames: what the network's last layer resolves


def explain_maps(
    method: str,
    model: Any,
    log_mels: npt.ArrayLike,
    *,
    target: str | Sequence[str] | None = None,
    against: str | None = None,
) -> "Maps":
    """Map what of some spectrograms speaks for a genre, by a method's name.

    Parameters
    ----------
    method : {"occlusion", "grad_cam"}
    model : CnnClassifier
        Fitted. It is left as it was.
    log_mels : array [shape=(n, n_mels, frames)]
        Log-mel spectrograms in dB.
    target : str or sequence of str, optional
        The genre to ask about; the predicted genre of each clip where not given.
    against : str, optional
        Ask why the target rather than this genre.

    Returns
    -------
    numpy.ndarray [shape=(n, n_mels, frames)]
        float32, in the method's own units (`UNITS`), not rescaled.

    Raises
    ------
    ConfigError
        Where there is no such method.
    ValueError
        As the method raises it.

    Examples
    --------
    >>> explain_maps("lime", None, [])
    Traceback (most recent call last):
    genrescope.errors.ConfigError: there is no method 'lime': known are grad_cam, occlusion
    """
    if method not in METHODS:
        raise ConfigError(f"there is no method {method!r}: {nearest(method, METHODS)}")
    found = getattr(import_module(f"genrescope.explanations.{method}"), method)
    maps: Maps = found(model, log_mels, target=target, against=against)
    return maps


def reference_maps(log_mels: "Maps", *, seed: int = 0) -> dict[str, "Maps"]:
    """Maps that know nothing of the model: an explanation worth having beats them all.

    Parameters
    ----------
    log_mels : numpy.ndarray [shape=(n, n_mels, frames)]
        Decibels.
    seed : int
        Of the random maps.

    Returns
    -------
    dict of str to numpy.ndarray [shape=(n, n_mels, frames)]
        `random`: random places, of the grain that the network's last layer has; `centre`: a bell
        about the middle, a sixth of the picture wide; `energy`: the level above the clip's
        lowest.

    Examples
    --------
    >>> found = reference_maps(np.zeros((2, 16, 16), np.float32))
    >>> list(found), found["random"].shape
    (['random', 'centre', 'energy'], (2, 16, 16))
    """
    n, bands, frames = log_mels.shape
    rng = np.random.default_rng(seed)
    places = rng.random((n, -(-bands // GRAIN), -(-frames // GRAIN)), dtype=np.float32)
    random = places.repeat(GRAIN, axis=1).repeat(GRAIN, axis=2)[:, :bands, :frames]
    rows, columns = (np.linspace(-3, 3, size) for size in (bands, frames))
    bell = np.exp(-0.5 * (rows[:, np.newaxis] ** 2 + columns**2)).astype(np.float32)
    return {
        "random": random,
        "centre": np.broadcast_to(bell, log_mels.shape).copy(),
        "energy": log_mels - log_mels.min(axis=(1, 2), keepdims=True),
    }
