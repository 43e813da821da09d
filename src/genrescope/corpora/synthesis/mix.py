"""From parts to a record: levels, room, tone, tape, and a safe ending."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import signal

from genrescope.corpora.synthesis.waves import (
    SAMPLE_RATE,
    Wave,
    highpass,
    lowpass,
    samples,
    shelf,
)

CEILING = 0.94  # no sample is above it
FADE_S = 0.006  # ends come from and go to nothing, too short to be heard as a fade


@dataclass(frozen=True)
class Production:
    """How a record is mixed and mastered.

    Parameters
    ----------
    bandwidth_hz : float
        Upper edge of the medium.
    noise_db : float
        Hiss below full scale.
    crackle : float
        Clicks of a vinyl record, a second.
    room_s, wet : float
        Reverberation time and level.
    tilt_db : float
        Treble against bass.
    squeeze : float
        Compression: 0 none, 1 flat.
    warmth : float
        Saturation of the whole, 0 to about 2.
    peak : float
        Peak level of the result, at most `CEILING`.
    """

    bandwidth_hz: float
    noise_db: float
    crackle: float
    room_s: float
    wet: float
    tilt_db: float
    squeeze: float
    warmth: float
    peak: float


def level(sound: Wave) -> float:
    """Root mean square of the sounding part of a signal (its louder half, by 50 ms blocks)."""
    block = samples(0.05)
    usable = len(sound) // block * block
    if usable == 0:
        return float(np.sqrt(np.mean(sound**2)))
    power = np.sort(np.mean(sound[:usable].reshape(-1, block) ** 2, axis=1))
    return float(np.sqrt(np.mean(power[len(power) // 2 :])))


def combine(parts: Mapping[str, Wave], levels_db: Mapping[str, float]) -> Wave:
    """Sum of the parts, each brought to its level first."""
    total: Wave | None = None
    for name, sound in parts.items():
        loudness = level(sound)
        if loudness < 1e-6:
            continue
        scaled = sound * (10.0 ** (levels_db[name] / 20.0) / loudness)
        total = scaled if total is None else total + scaled
    if total is None:
        return np.zeros(len(next(iter(parts.values()))))
    return total


def _reverberate(sound: Wave, room_s: float, wet: float, rng: np.random.Generator) -> Wave:
    """A room as decaying noise (Moorer 1979), the treble gone sooner than the bass."""
    count = samples(min(room_s, 1.2))
    time = np.arange(count) / SAMPLE_RATE
    noise = lowpass(rng.standard_normal(count), 4500.0, 1)
    response = noise * np.exp(-6.9 * time / room_s)
    response[: samples(0.012)] = 0.0
    response /= np.sqrt(np.sum(response**2)) + 1e-9
    send = highpass(sound, 180.0, 1)
    return np.asarray(sound + wet * signal.oaconvolve(send, response)[: len(sound)])


def _compress(sound: Wave, squeeze: float) -> Wave:
    """Bring loud and soft together: gain from a smoothed level, 20 ms blocks."""
    block = samples(0.02)
    blocks = -(-len(sound) // block)
    padded = np.zeros(blocks * block)
    padded[: len(sound)] = sound
    power = np.mean(padded.reshape(blocks, block) ** 2, axis=1)
    smooth = signal.lfilter([0.3], [1.0, -0.7], power)
    floor = 0.02 * float(np.max(smooth)) + 1e-12
    gain = (smooth + floor) ** (-0.5 * squeeze)
    centres = (np.arange(blocks) + 0.5) * block
    return np.asarray(sound * np.interp(np.arange(len(sound)), centres, gain))


def master(sound: Wave, production: Production, rng: np.random.Generator) -> Wave:
    """Room, compression, tone, medium and level; ends faded, no offset, peak below `CEILING`."""
    sound = _reverberate(sound, production.room_s, production.wet, rng)
    sound = _compress(sound, production.squeeze)
    sound = shelf(sound, 1800.0, production.tilt_db, "high")
    sound = sound / (level(sound) + 1e-9)
    if production.warmth > 0.0:
        sound = np.tanh(production.warmth * 0.5 * sound) / (production.warmth * 0.5)
    else:
        sound = 2.5 * np.tanh(sound / 2.5)
    sound = sound + 10.0 ** (production.noise_db / 20.0) * 3.0 * rng.standard_normal(len(sound))
    if production.crackle > 0.0:
        clicks = (rng.random(len(sound)) < production.crackle / SAMPLE_RATE).astype(np.float64)
        clicks *= rng.standard_normal(len(sound))
        sound = sound + 0.8 * lowpass(clicks, 5000.0, 1)
    if production.bandwidth_hz < 10500.0:
        sound = lowpass(sound, production.bandwidth_hz, 6)
    return finish(sound, production.peak)


def finish(sound: Wave, peak: float) -> Wave:
    """No offset, ends at nothing, and the peak where it should be."""
    sound = highpass(sound, 25.0)
    sound = sound - np.mean(sound)
    edge = samples(FADE_S)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    sound[:edge] *= ramp
    sound[-edge:] *= ramp[::-1]
    return np.asarray(sound * (min(peak, CEILING) / (np.max(np.abs(sound)) + 1e-9)))
