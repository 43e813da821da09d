"""Oscillators, strings, filters and envelopes: the physics under the instruments."""

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal

SAMPLE_RATE = 22050  # Hz
TABLE = 2048  # samples in a single-cycle waveform

Wave = NDArray[np.float64]


def hertz(pitch: float) -> float:
    """Frequency of a MIDI pitch in Hz.

    Examples
    --------
    >>> hertz(69)
    440.0
    """
    return float(440.0 * 2.0 ** ((pitch - 69.0) / 12.0))


def samples(duration_s: float) -> int:
    """Samples in a duration, at least one."""
    return max(1, round(duration_s * SAMPLE_RATE))


def _organ(number: Wave) -> Wave:
    bars = np.zeros_like(number)
    for harmonic, level in ((1, 1.0), (2, 0.8), (3, 0.6), (4, 0.4), (6, 0.25), (8, 0.3)):
        bars[number == harmonic] = level
    return bars


# Level of each harmonic, from its number
_SHAPES: dict[str, Callable[[Wave], Wave]] = {
    "sine": lambda n: np.where(n == 1.0, 1.0, 0.0),
    "saw": lambda n: 1.0 / n,
    "square": lambda n: (n % 2.0) / n,
    "triangle": lambda n: (n % 2.0) / n**2,
    "organ": _organ,
    "strings": lambda n: (1.0 + 0.5 * np.cos(2.1 * n)) / n,
    "brass": lambda n: np.exp(-0.5 * ((n - 2.5) / 2.5) ** 2) + 0.3 / n,
}


@lru_cache(maxsize=512)
def single_cycle(shape: str, harmonics: int, brightness: float) -> Wave:
    """One cycle of a band-limited waveform with unit peak.

    Parameters
    ----------
    shape : {"sine", "saw", "square", "triangle", "organ", "strings", "brass"}
    harmonics : int
        Highest harmonic; above it nothing, so that nothing folds back.
    brightness : float
        0 dark to 1 full: the slope by which higher harmonics are turned down.
    """
    number = np.arange(1, harmonics + 1, dtype=np.float64)
    level = _SHAPES[shape](number)
    level = level * np.exp(-(1.0 - brightness) * 0.35 * (number - 1.0))
    spectrum = np.zeros(TABLE // 2 + 1, dtype=np.complex128)
    # Schroeder's phases keep the crest of a bright sum low.
    phase = -np.pi * number * (number - 1.0) / max(harmonics, 1)
    spectrum[1 : harmonics + 1] = level * np.exp(1j * phase) if shape == "strings" else -1j * level
    wave = np.fft.irfft(spectrum, TABLE)
    return np.asarray(wave / np.max(np.abs(wave)), dtype=np.float64)


def harmonics_below(frequency_hz: float, limit_hz: float = 9500.0) -> int:
    """How many harmonics of a pitch stay under a limit, from 1 to 200."""
    return int(min(200, max(1, limit_hz // frequency_hz)))


def oscillate(cycle: Wave, frequency_hz: float | Wave, count: int, phase: float = 0.0) -> Wave:
    """Play a single cycle at a frequency (constant, or one value a sample)."""
    if isinstance(frequency_hz, float):
        turns = phase + frequency_hz / SAMPLE_RATE * np.arange(count)
    else:
        turns = phase + np.cumsum(frequency_hz) / SAMPLE_RATE
    place = (turns * TABLE).astype(np.int64) & (TABLE - 1)
    return np.asarray(cycle[place])


def vibrato(
    frequency_hz: float, count: int, *, rate_hz: float, cents: float, rise_s: float
) -> Wave:
    """A frequency that begins straight and starts to waver."""
    time = np.arange(count) / SAMPLE_RATE
    depth = cents * np.minimum(time / max(rise_s, 1e-3), 1.0)
    return frequency_hz * 2.0 ** (depth * np.sin(2.0 * np.pi * rate_hz * time) / 1200.0)


def envelope(
    count: int, *, attack_s: float, decay_s: float, sustain: float, release_s: float
) -> Wave:
    """Attack, exponential decay to `sustain`, and a release inside the last `release_s`."""
    time = np.arange(count) / SAMPLE_RATE
    level = sustain + (1.0 - sustain) * np.exp(-time / max(decay_s, 1e-3))
    attack = min(samples(attack_s), count)
    level[:attack] *= np.linspace(0.0, 1.0, attack)
    release = min(samples(release_s), count)
    level[count - release :] *= np.linspace(1.0, 0.0, release)
    return level


def string(
    frequency_hz: float,
    count: int,
    rng: np.random.Generator,
    *,
    decay_s: float,
    brightness: float,
    pick: float = 0.18,
) -> Wave:
    """A plucked string (Karplus and Strong 1983, with Jaffe and Smith's tuning).

    The delay line is run a period at a time: sample n depends on samples a period ago, so a whole
    period can be computed at once.

    Parameters
    ----------
    decay_s : float
        Time to fall by 60 dB, roughly, for the fundamental.
    brightness : float
        0 dull to 1 steely.
    pick : float
        Where the string is plucked, as a part of its length.
    """
    damping = 0.5 - 0.45 * brightness  # weight of the neighbour in the loop's averaging
    period = SAMPLE_RATE / frequency_hz - damping
    whole = max(2, int(period))
    part = period - whole
    gain = 10.0 ** (-3.0 * (whole + damping) / SAMPLE_RATE / decay_s)
    # Averaging and linear interpolation in one three-tap kernel.
    near, far = 1.0 - part, part
    taps = gain * np.array(
        [(1.0 - damping) * near, (1.0 - damping) * far + damping * near, damping * far]
    )
    burst = rng.uniform(-1.0, 1.0, whole)
    burst = signal.lfilter([0.25 + 0.75 * brightness], [1.0, -(0.75 - 0.75 * brightness)], burst)
    shift = max(1, int(pick * whole))
    burst = burst - np.roll(burst, shift)
    out = np.zeros(whole + 2 + whole * -(-count // whole))
    out[2 : 2 + whole] = burst - np.mean(burst)
    for start in range(2 + whole, len(out) - whole + 1, whole):
        back = start - whole
        out[start : start + whole] = (
            taps[0] * out[back : back + whole]
            + taps[1] * out[back - 1 : back - 1 + whole]
            + taps[2] * out[back - 2 : back - 2 + whole]
        )
    wave = out[2 : 2 + count]
    return np.asarray(wave / (np.max(np.abs(wave)) + 1e-9))


@lru_cache(maxsize=256)
def _sections(
    kind: Literal["lowpass", "highpass", "bandpass"], low_hz: float, high_hz: float, order: int
) -> NDArray[np.float64]:
    nyquist = SAMPLE_RATE / 2.0
    edges: float | list[float]
    if kind == "bandpass":
        edges = [low_hz, min(high_hz, 0.98 * nyquist)]
    else:
        edges = min(low_hz, 0.98 * nyquist)
    return np.asarray(signal.butter(order, edges, kind, fs=SAMPLE_RATE, output="sos"))


def lowpass(wave: Wave, edge_hz: float, order: int = 2) -> Wave:
    """Butterworth low-pass."""
    return np.asarray(signal.sosfilt(_sections("lowpass", edge_hz, 0.0, order), wave))


def highpass(wave: Wave, edge_hz: float, order: int = 2) -> Wave:
    """Butterworth high-pass."""
    return np.asarray(signal.sosfilt(_sections("highpass", edge_hz, 0.0, order), wave))


def bandpass(wave: Wave, low_hz: float, high_hz: float, order: int = 1) -> Wave:
    """Butterworth band-pass."""
    return np.asarray(signal.sosfilt(_sections("bandpass", low_hz, high_hz, order), wave))


def shelf(wave: Wave, edge_hz: float, gain_db: float, side: Literal["low", "high"]) -> Wave:
    """First-order shelf: the part below (or above) an edge, turned up or down."""
    chosen = lowpass(wave, edge_hz, 1) if side == "low" else highpass(wave, edge_hz, 1)
    return np.asarray(wave + (10.0 ** (gain_db / 20.0) - 1.0) * chosen)
