"""What recording and production leave in a sound: level, clipping, silence, bandwidth."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal
import soxr

SPECTRUM_RATE = 22050  # hertz; what features hear
N_FFT = 2048  # samples
FLAT_RUN = 3  # samples in a row at the peak: music does not do that by itself
STEP = 1.5 / 32768  # a step of 16 bits and rounding
FAINT = 32 * STEP  # a peak so low that a step is no detail is not called a flat top
SILENT_FRAME_S = 0.05
SILENT_DBFS = -60.0
BANDWIDTH_SHARE = 0.99
HIGH_HZ = 8000.0
HIGH_SHARE = 1e-3  # of the energy, -30 dB


@dataclass(frozen=True)
class SoundMeasures:
    """Measures of one clip.

    Attributes
    ----------
    peak : float
        Largest absolute sample; full scale is 1.
    clipped_share : float
        Share of samples that lie beyond full scale or in flat tops: three or more samples in a
        row within one 16-bit step of the positive or the negative peak.
    silent_share : float
        Share of 50 ms frames below -60 dBFS.
    level_dbfs : float
        Root mean square, decibels below full scale; minus infinity for digital silence.
    bandwidth_hz : float
        Frequency below which 99% of the energy up to 11,025 Hz lies; NaN for digital silence.
    high_share : float
        Share of the energy up to 11,025 Hz that lies above 8 kHz; NaN for digital silence.
    """

    peak: float
    clipped_share: float
    silent_share: float
    level_dbfs: float
    bandwidth_hz: float
    high_share: float

    @property
    def has_high(self) -> bool:
        """Whether a thousandth of the energy (-30 dB) or more lies above 8 kHz."""
        return self.high_share >= HIGH_SHARE


def measure(y: npt.NDArray[np.floating], *, sample_rate: int = 22050) -> SoundMeasures:
    """Measure a sound.

    Peak, clipping, silence and level are taken from the samples as they are, the spectrum (Welch's
    mean of periodograms) at 22,050 Hz, as the features hear it.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Mono samples, at least one.
    sample_rate : int
        Hertz.

    Returns
    -------
    SoundMeasures

    Raises
    ------
    ValueError
        Where `y` is empty or not one-dimensional.

    Examples
    --------
    >>> t = np.arange(22050) / 22050
    >>> tone = measure(np.sin(2 * np.pi * 1000 * t))
    >>> round(tone.level_dbfs, 2), abs(tone.bandwidth_hz - 1000) < 30, tone.has_high
    (-3.01, True, False)
    """
    if y.ndim != 1 or not y.size:
        raise ValueError(f"y has shape {y.shape}, it should have one dimension and a sample")
    rms = math.sqrt(float(np.mean(np.square(y, dtype=np.float64))))
    bandwidth_hz, high_share = _spectrum(y, sample_rate)
    return SoundMeasures(
        peak=float(np.abs(y).max()),
        clipped_share=_clipped_share(y),
        silent_share=_silent_share(y, sample_rate),
        level_dbfs=20 * math.log10(rms) if rms else -math.inf,
        bandwidth_hz=bandwidth_hz,
        high_share=high_share,
    )


def _clipped_share(y: npt.NDArray[np.floating]) -> float:
    clipped = np.abs(y) > 1 + STEP
    for side in (y, -y):
        top = float(side.max())
        if top > FAINT:
            clipped |= _in_runs(side >= top - STEP)
    return float(clipped.mean())


def _in_runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which of the flags stand in rows of `FLAT_RUN` or more."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]])))
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts >= FLAT_RUN
    turns = np.zeros(len(flags) + 1, np.int8)
    turns[starts[long]], turns[ends[long]] = 1, -1
    return np.cumsum(turns[:-1], dtype=np.int8) > 0


def _silent_share(y: npt.NDArray[np.floating], sample_rate: int) -> float:
    size = min(len(y), max(1, round(SILENT_FRAME_S * sample_rate)))
    frames = y[: len(y) // size * size].reshape(-1, size)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    return float((power < 10 ** (SILENT_DBFS / 10)).mean())


def _spectrum(y: npt.NDArray[np.floating], sample_rate: int) -> tuple[float, float]:
    """Bandwidth in hertz, and the share of the energy above 8 kHz."""
    heard = y.astype(np.float32, copy=False)
    if sample_rate != SPECTRUM_RATE:
        heard = soxr.resample(heard, sample_rate, SPECTRUM_RATE)
    size = min(N_FFT, len(heard))
    if not size:
        return math.nan, math.nan
    hertz, power = scipy.signal.welch(heard, SPECTRUM_RATE, nperseg=size, detrend=False)
    total = np.cumsum(power, dtype=np.float64)
    if not total[-1] > 0:
        return math.nan, math.nan
    bandwidth = hertz[np.searchsorted(total, BANDWIDTH_SHARE * total[-1])]
    return float(bandwidth), float(power[hertz > HIGH_HZ].sum(dtype=np.float64) / total[-1])
