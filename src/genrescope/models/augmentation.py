"""Random changes of log-mel spectrograms that leave the genre alone, for training."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from genrescope.errors import ConfigError
from genrescope.settings import nearest

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Augmentation:
    """How strongly training clips are varied; each clip is drawn anew every time it is met.

    Everything happens on the spectrogram, in this order: tempo and roll, shift of the bands,
    masks, mixup. At its default each of them does nothing.

    Parameters
    ----------
    roll : bool
        Whether a clip may begin anywhere: it is rolled in a circle along time, as a loop is.
    tempo : float
        A clip is played up to 1 + tempo times faster or slower, its frames interpolated; where it
        ends too early it starts again. Salamon and Bello 2017 ("Deep convolutional neural
        networks and data augmentation for environmental sound classification") take 0.23.
    band_shift : int
        Mel bands by which a clip is moved up or down at most, the edge band repeated. Above 1 kHz
        a band of 128 is some half a semitone wide, so that it is nearly a transposition there, and
        only roughly one below.
    time_mask, band_mask : float
        Share of the frames, of the bands that one mask covers at most, with the clip's mean level.
        SpecAugment (Park et al. 2019), without its warping; Gong et al. 2021 ("AST: Audio
        spectrogram transformer") take 0.19 and 0.38.
    masks : int
        Masks of each sort.
    mixup : float
        Clips are mixed in pairs, decibels and genres alike, by shares drawn from Beta(mixup,
        mixup). Zhang et al. 2018 ("mixup: Beyond empirical risk minimization"): 0.1 to 0.4.

    Examples
    --------
    >>> clips = np.random.default_rng(0).normal(-40, 10, (2, 8, 8)).astype(np.float32)
    >>> rolled = Augmentation(roll=True).vary(clips, np.random.default_rng(1))
    >>> bool(np.allclose(np.sort(rolled), np.sort(clips))), bool(np.allclose(rolled, clips))
    (True, False)
    """

    roll: bool = False
    tempo: float = 0.0
    band_shift: int = 0
    time_mask: float = 0.0
    band_mask: float = 0.0
    masks: int = 1
    mixup: float = 0.0

    @classmethod
    def from_params(cls, params: Any) -> Self:
        """Strengths by name, as a configuration gives them.

        Parameters
        ----------
        params : mapping or None
            None where nothing is to be varied.

        Raises
        ------
        ConfigError
            Where a name is not known (the nearest known one is named) or a value is out of range.

        Examples
        --------
        >>> Augmentation.from_params({"mixup": 0.2}).mixup
        0.2
        """
        if params is None:
            return cls()
        if not isinstance(params, Mapping):
            raise ConfigError(f"augmentation is {params!r}; it is a mapping of strengths by name")
        known = [field.name for field in fields(cls)]
        for name in params:
            if name not in known:
                raise ConfigError(f"there is no augmentation {name!r}: {nearest(str(name), known)}")
        made = cls(**params)
        for name, wanted, fits in made._ranges():
            if not fits:
                raise ConfigError(f"augmentation.{name} is {params[name]!r}; it is {wanted}")
        return made

    def _ranges(self) -> list[tuple[str, str, bool]]:
        def number(value: Any, kind: type, low: float, high: float = np.inf) -> bool:
            fits = isinstance(value, kind) and not isinstance(value, bool)
            return fits and low <= float(value) < high

        return [
            ("roll", "true or false", isinstance(self.roll, bool)),
            ("tempo", "from 0 up to 1", number(self.tempo, Real, 0, 1)),
            ("band_shift", "a whole number from 0 on", number(self.band_shift, Integral, 0)),
            ("time_mask", "from 0 up to 1", number(self.time_mask, Real, 0, 1)),
            ("band_mask", "from 0 up to 1", number(self.band_mask, Real, 0, 1)),
            ("masks", "a whole number from 1 on", number(self.masks, Integral, 1)),
            ("mixup", "a number from 0 on", number(self.mixup, Real, 0)),
        ]

    def vary(self, maps: Floats, rng: np.random.Generator) -> Floats:
        """Vary clips one by one, everything but mixup.

        Parameters
        ----------
        maps : numpy.ndarray [shape=(n, n_mels, frames), dtype=float32]
            Decibels; left as they are.
        rng : numpy.random.Generator

        Returns
        -------
        numpy.ndarray [shape=(n, n_mels, frames), dtype=float32]
            No value above or below those of the clip itself.
        """
        n, n_mels, frames = maps.shape
        if self.roll or self.tempo:
            offsets = rng.integers(frames, size=n) if self.roll else np.zeros(n, np.int64)
            widest = np.log1p(self.tempo)
            maps = play(maps, offsets, np.exp(rng.uniform(-widest, widest, size=n)))
        if self.band_shift:
            shifts = rng.integers(-self.band_shift, self.band_shift + 1, size=n)
            maps = shift_bands(maps, shifts)
        for axis, share, size in ((1, self.band_mask, n_mels), (2, self.time_mask, frames)):
            for _ in range(self.masks if share else 0):
                widths = rng.integers(int(share * size) + 1, size=n)
                maps = mask(maps, rng.integers(size - widths + 1), widths, axis=axis)
        return maps

    def mix(self, maps: Floats, targets: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Mix each clip with another one of the batch.

        Parameters
        ----------
        maps : numpy.ndarray [shape=(n, n_mels, frames), dtype=float32]
        targets : numpy.ndarray [shape=(n, n_classes), dtype=float32]
            Probability of each class.
        rng : numpy.random.Generator

        Returns
        -------
        maps, targets : numpy.ndarray [dtype=float32]
            The same clips, and with them the same genres, by the same shares.
        """
        shares = rng.beta(self.mixup, self.mixup, size=len(maps))
        partners = rng.permutation(len(maps))
        return mixed(maps, shares, partners), mixed(targets, shares, partners)


def play(maps: Floats, offsets: npt.ArrayLike, rates: npt.ArrayLike) -> Floats:
    """Clips from another moment on and at another tempo, going round in a circle.

    Parameters
    ----------
    maps : numpy.ndarray [shape=(n, n_mels, frames)]
    offsets : array [shape=(n,)]
        Frame each clip begins with.
    rates : array [shape=(n,)]
        Frames of the clip per frame of the result: above 1 is faster.

    Returns
    -------
    numpy.ndarray [shape=(n, n_mels, frames), dtype=float32]
        Between two frames interpolated linearly.

    Examples
    --------
    >>> rising = np.arange(4, dtype=np.float32).reshape(1, 1, 4)
    >>> play(rising, [1], [1.0])[0].tolist(), play(rising, [0], [0.5])[0].tolist()
    ([[1.0, 2.0, 3.0, 0.0]], [[0.0, 0.5, 1.0, 1.5]])
    """
    frames = maps.shape[2]
    starts, steps = (np.asarray(values, dtype=np.float64)[:, None] for values in (offsets, rates))
    places = (starts + steps * np.arange(frames)) % frames
    before = places.astype(np.int64)
    between = (places - before).astype(np.float32)[:, None]
    first, second = (
        np.take_along_axis(maps, index[:, None], axis=2)
        for index in (before, (before + 1) % frames)
    )
    played: Floats = first + between * (second - first)
    return played


def shift_bands(maps: Floats, shifts: npt.ArrayLike) -> Floats:
    """Clips moved along the mel bands.

    Parameters
    ----------
    maps : numpy.ndarray [shape=(n, n_mels, frames)]
    shifts : array of int [shape=(n,)]
        Bands; above 0 is upwards. The edge band stands in for what would come from beyond it.

    Returns
    -------
    numpy.ndarray [shape=(n, n_mels, frames)]

    Examples
    --------
    >>> rising = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    >>> shift_bands(rising, [1])[0, :, 0].tolist(), shift_bands(rising, [-2])[0, :, 0].tolist()
    ([0.0, 0.0, 1.0, 2.0], [2.0, 3.0, 3.0, 3.0])
    """
    n_mels = maps.shape[1]
    rows = np.clip(np.arange(n_mels) - np.asarray(shifts)[:, None], 0, n_mels - 1)
    return np.take_along_axis(maps, rows[:, :, None], axis=1)


def mask(maps: Floats, starts: npt.ArrayLike, widths: npt.ArrayLike, *, axis: int) -> Floats:
    """Clips with a stripe set to their mean.

    Parameters
    ----------
    maps : numpy.ndarray [shape=(n, n_mels, frames)]
    starts, widths : array of int [shape=(n,)]
        Bands or frames.
    axis : int
        1 covers bands, 2 frames.

    Returns
    -------
    numpy.ndarray [shape=(n, n_mels, frames)]

    Examples
    --------
    >>> mask(np.array([[[0.0, 1, 2, 3, 4]]], np.float32), [3], [2], axis=2)[0, 0].tolist()
    [0.0, 1.0, 2.0, 2.0, 2.0]
    """
    places = np.arange(maps.shape[axis])
    first, width = (np.asarray(values)[:, None] for values in (starts, widths))
    covered = np.expand_dims((places >= first) & (places < first + width), 3 - axis)
    return np.where(covered, maps.mean(axis=(1, 2), keepdims=True), maps)


def mixed(values: Floats, shares: Doubles, partners: Whole) -> Floats:
    """Each row by its share, and another row by the rest.

    Parameters
    ----------
    values : numpy.ndarray [shape=(n, ...)]
    shares : numpy.ndarray [shape=(n,)]
        In [0, 1].
    partners : numpy.ndarray of int [shape=(n,)]
        The other row.

    Returns
    -------
    numpy.ndarray [shape=(n, ...), dtype=float32]

    Examples
    --------
    >>> mixed(np.eye(2, dtype=np.float32), np.array([0.75, 1.0]), np.array([1, 0])).tolist()
    [[0.75, 0.25], [0.0, 1.0]]
    """
    own = shares.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    return own * values + (1 - own) * values[partners]
