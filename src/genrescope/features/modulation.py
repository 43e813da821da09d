"""How much the level of the bass, the mids and the treble goes up and down, and how fast."""

from functools import lru_cache

import numpy as np

from genrescope.features.frames import Spectrum
from genrescope.features.kernels import Doubles
from genrescope.features.mel import QUIETEST_POWER, RANGE_DB

RANGES = ("bass", "low_mids", "high_mids", "treble")
RANGE_EDGES_HZ = (250.0, 1000.0, 4000.0)
RATES_HZ = (1, 2, 4, 8, 16)  # centres of octaves


def modulation_depth(clip: Spectrum) -> Doubles:
    """Depth of the modulation of each range of frequencies at each octave of rates.

    Parameters
    ----------
    clip : Spectrum
        From `genrescope.features.frames.spectrum`, of a second at least, with 32 frames a second
        at least.

    Returns
    -------
    numpy.ndarray [shape=(4, 5), dtype=float64]
        Standard deviation in decibels of the level within an octave about `RATES_HZ`; rows as
        `RANGES`. Levels more than 80 dB below the loudest count as that.

    Raises
    ------
    ValueError
        Where the clip is shorter, or its frames lie further apart.

    Notes
    -----
    Greenberg & Kingsbury (1997), "The modulation spectrogram"; McKinney & Breebaart (2003),
    "Features for audio and music classification", for the use of octaves of modulation. The
    spectrum is that of the level in decibels, so it does not depend on how loud a recording is.

    Examples
    --------
    >>> from genrescope.features.frames import spectrum
    >>> time_s = np.arange(110250) / 22050
    >>> level_db = 10 * np.sin(2 * np.pi * 4 * time_s)  # a standard deviation of 7 dB
    >>> swaying = np.sin(2 * np.pi * 100 * time_s) * 10 ** (level_db / 20 - 1)
    >>> modulation_depth(spectrum(swaying))[0].round().tolist()
    [0.0, 0.0, 7.0, 0.0, 0.0]
    """
    rate = clip.sample_rate / clip.hop_length
    if clip.n_frames < rate or rate < 2 * RATES_HZ[-1]:
        raise ValueError(
            f"{clip.n_frames} frames at {rate:.1f} a second do not hold modulations of "
            f"{RATES_HZ[0]} to {RATES_HZ[-1]} Hz"
        )
    starts = [0, *np.searchsorted(clip.frequencies, RANGE_EDGES_HZ)]
    power = np.add.reduceat(clip.power, starts, axis=0, dtype=np.float64)
    levels = 10 * np.log10(np.maximum(power, QUIETEST_POWER))
    np.maximum(levels, levels.max() - RANGE_DB, out=levels)
    levels -= levels.mean(axis=1, keepdims=True)
    window, octaves = _tables(clip.n_frames, rate)
    transform = np.fft.rfft(levels * window)
    return np.sqrt(np.square(np.abs(transform)) @ octaves.T)


@lru_cache(maxsize=8)
def _tables(n_frames: int, rate: float) -> tuple[Doubles, Doubles]:
    """Window over frames, and the share of each bin in the variance of each octave of rates."""
    window: Doubles = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_frames) / n_frames)
    hertz = np.arange(n_frames // 2 + 1) * rate / n_frames
    centres = np.array(RATES_HZ)[:, np.newaxis]
    within = (hertz >= centres / np.sqrt(2)) & (hertz < centres * np.sqrt(2))
    return window, within * (2 / (n_frames * np.square(window).sum()))
