"""A fingerprint of a sound: which way energy leans between neighbouring bands, frame by frame."""

import math
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import soxr

RATE = 5512.5  # hertz; a quarter of 22,050
FRAME = 2048  # samples, .37 s: long, so that a shift by half a hop hardly changes a frame
HOP = 64  # samples, 11.6 ms
HOP_S = HOP / RATE
N_BITS = 32
BAND_EDGES_HZ = (100.0, 2500.0)  # N_BITS + 1 bands, equal on a logarithmic scale
LOCAL_FLOOR = 1e-5  # of the loudest band of the frame: below it codecs write what they like
SILENCE_FLOOR = 1e-7  # of the loudest band of the whole sound
WEAK_BITS = 3
FRAMES_AT_A_TIME = 512

Bits = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Fingerprint:
    """What `fingerprint` hears of a sound; 20 bytes for each 11.6 ms.

    Attributes
    ----------
    bits : numpy.ndarray [shape=(n_frames,), dtype=uint32]
        32 signs per frame; 0 where unreliable.
    reliable : numpy.ndarray [shape=(n_frames,), dtype=uint32]
        1 for each bit whose bands hold enough energy to mean something.
    weak : numpy.ndarray [shape=(n_frames, 3), dtype=uint32]
        A mask for each of the three reliable bits that turn over most easily.
    """

    bits: Bits
    reliable: Bits
    weak: Bits

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def duration_s(self) -> float:
        """Seconds of sound it covers; 0 for an empty one."""
        return _seconds(len(self))

    @property
    def richness(self) -> float:
        """Mean number of reliable bits per frame, 0 to 32; 0 for an empty fingerprint."""
        return float(np.bitwise_count(self.reliable).mean()) if len(self) else 0.0


@dataclass(frozen=True)
class Agreement:
    """How well two fingerprints agree at one offset.

    Attributes
    ----------
    share : float
        Share of the bits reliable in both that are equal; near .5 for unrelated sounds.
    score : float
        Standard deviations above what unrelated sounds reach, see `agreement`.
    bits : int
        Bits compared.
    frames : int
        Frames that lie over one another.
    """

    share: float
    score: float
    bits: int
    frames: int

    @property
    def overlap_s(self) -> float:
        """Seconds of sound that lie over one another."""
        return _seconds(self.frames)


def fingerprint(y: npt.NDArray[np.floating], *, sample_rate: int = 22050) -> Fingerprint:
    """Fingerprint a sound by Haitsma and Kalker's signs of energy differences.

    With E(n, m) the energy of frame n in band m, bit m of frame n is 1 where
    ``E(n, m) - E(n, m+1) > E(n-1, m) - E(n-1, m+1)`` [1]_. Gain does not change it, lossy coding
    changes some tenth of the bits. Other than in the original, bands reach from 100 to 2,500 Hz,
    so that a bass alone has bits too, and a bit counts only where both its bands hold more than
    -50 dB of the frame's loudest band, in both frames: what lies below is a codec's own noise, and
    of silence there are no bits.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Mono samples.
    sample_rate : int
        Hertz.

    Returns
    -------
    Fingerprint
        Empty for less than .39 s of sound.

    References
    ----------
    .. [1] J. Haitsma and T. Kalker, "A highly robust audio fingerprinting system", ISMIR 2002,
       equation 1.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=22050)
    >>> loud, quiet = fingerprint(y), fingerprint(y / 8)
    >>> len(loud), bool((loud.bits == quiet.bits).all())
    (54, True)
    """
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}, it should have one dimension")
    energies = _band_energies(soxr.resample(y.astype(np.float32, copy=False), sample_rate, RATE))
    if len(energies) < 2:
        empty = np.zeros(0, np.uint32)
        return Fingerprint(empty, empty, np.zeros((0, WEAK_BITS), np.uint32))
    leaning = energies[:, :-1] - energies[:, 1:]
    change = leaning[1:] - leaning[:-1]
    floor = np.maximum(LOCAL_FLOOR * energies.max(axis=1), SILENCE_FLOOR * energies.max())
    enough = np.minimum(energies[:, :-1], energies[:, 1:]) > floor[:, None]
    reliable = enough[1:] & enough[:-1]
    # What noise in proportion to the bands' energy would turn over first.
    held = energies[1:, :-1] + energies[1:, 1:]
    firmness = np.where(reliable, np.abs(change) / np.maximum(held, 1e-300), np.inf)
    weakest = np.argpartition(firmness, WEAK_BITS, axis=1)[:, :WEAK_BITS]
    masks = np.uint32(1) << (N_BITS - 1 - weakest).astype(np.uint32)
    packed = _packed(reliable)
    return Fingerprint(_packed((change > 0) & reliable), packed, masks & packed[:, None])


def _band_energies(y: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Energies of the bands [shape=(n_frames, 33)]."""
    if len(y) < FRAME:
        return np.zeros((0, N_BITS + 1))
    frames = np.lib.stride_tricks.sliding_window_view(y, FRAME)[::HOP]
    window = np.hanning(FRAME).astype(np.float32)
    edges = np.round(np.geomspace(*BAND_EDGES_HZ, N_BITS + 2) * FRAME / RATE).astype(np.intp)
    energies = np.empty((len(frames), N_BITS + 1))
    for first in range(0, len(frames), FRAMES_AT_A_TIME):
        block = slice(first, first + FRAMES_AT_A_TIME)
        power = np.abs(np.fft.rfft(frames[block] * window)) ** 2
        energies[block] = np.add.reduceat(power[:, : edges[-1]], edges[:-1], axis=1)
    return energies


def _packed(flags: npt.NDArray[np.bool_]) -> Bits:
    packed = np.ascontiguousarray(np.packbits(flags, axis=1))
    return cast("Bits", packed.view(">u4")[:, 0].astype(np.uint32))


def agreement(first: Fingerprint, second: Fingerprint, offset: int) -> Agreement:
    """Compare two fingerprints, the second laid over the first at an offset.

    The score says how many standard deviations the share of equal bits lies above one half. Bits
    persist over frames, so the n bits compared count as
    ``n (1 - r) / (1 + r)`` with ``r = (1 - 2 p) (1 - 2 q)``, where p and q are the shares of bits
    that turn over from one frame to the next in either sound: the effective size of a sample from
    two Markov chains. Then ``score = (2 share - 1) sqrt(n_effective)``.

    For unrelated real tracks the score behaves as a standard normal number: over 2,183 pairs of a
    GTZAN track and an excerpt of another, at all offsets (5.5 million comparisons, not independent
    of each other), mean 0.00, standard deviation 1.01, largest 5.0.
    Held notes, which turn few bits over, get little credit.

    Parameters
    ----------
    first, second : Fingerprint
        Two sounds.
    offset : int
        Frames of the first before the second begins; negative where the second begins earlier.

    Returns
    -------
    Agreement
        All zero where there is nothing to compare.

    Examples
    --------
    >>> y = np.random.default_rng(0).normal(size=3 * 22050)
    >>> whole, end = fingerprint(y), fingerprint(y[22050:])
    >>> found = agreement(whole, end, round(1 / HOP_S))
    >>> found.share > 0.9, found.score > 20, round(found.overlap_s)
    (True, True, 2)
    """
    start, end = max(0, offset), min(len(first), offset + len(second))
    if end <= start:
        return Agreement(0.0, 0.0, 0, 0)
    a, b = first.bits[start:end], second.bits[start - offset : end - offset]
    both = first.reliable[start:end] & second.reliable[start - offset : end - offset]
    bits = _count(both)
    if not bits:
        return Agreement(0.0, 0.0, 0, end - start)
    share = 1 - _count((a ^ b) & both) / bits
    steady = both[1:] & both[:-1]
    n_steps = _count(steady)
    turned = [_count((sound[1:] ^ sound[:-1]) & steady) / max(1, n_steps) for sound in (a, b)]
    persistence = (1 - 2 * turned[0]) * (1 - 2 * turned[1])
    effective = bits * (1 - persistence) / (1 + persistence) if persistence > -1 else bits
    score = (2 * share - 1) * math.sqrt(min(bits, effective))
    return Agreement(share, score, bits, end - start)


def _seconds(frames: int) -> float:
    return (frames * HOP + FRAME) / RATE if frames else 0.0


def _count(words: Bits) -> int:
    return int(np.bitwise_count(words).sum(dtype=np.int64))
