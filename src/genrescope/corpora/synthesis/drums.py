"""Drum kits: each voice is a struck sine, filtered noise, or both."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from genrescope.corpora.synthesis.score import Note
from genrescope.corpora.synthesis.waves import (
    SAMPLE_RATE,
    Wave,
    bandpass,
    highpass,
    lowpass,
    samples,
)

# General MIDI percussion numbers
VOICES = {
    "kick": 36,
    "rim": 37,
    "snare": 38,
    "clap": 39,
    "hat": 42,
    "tom": 45,
    "open": 46,
    "crash": 49,
    "ride": 51,
    "shaker": 70,
}
_NAMES = {number: name for name, number in VOICES.items()}


@dataclass(frozen=True)
class Kit:
    """How a kit sounds.

    Parameters
    ----------
    kick_hz, kick_s : float
        Resting pitch and length of the bass drum.
    click : float
        Beater noise of the bass drum, 0 to 1.
    snare_hz, snare_s : float
        Pitch of the shell and length of the snares' rattle.
    rattle : float
        Snares against shell, 0 to 1.
    metal_hz : float
        Lower edge of hats and cymbals.
    metal_s : float
        Length of the closed hat; the others follow.
    metal : float
        Level of hats and cymbals.
    crush : float
        Saturation, 0 to 1.
    """

    kick_hz: float = 52.0
    kick_s: float = 0.25
    click: float = 0.4
    snare_hz: float = 190.0
    snare_s: float = 0.18
    rattle: float = 0.7
    metal_hz: float = 6500.0
    metal_s: float = 0.05
    metal: float = 0.5
    crush: float = 0.1


KITS: dict[str, Kit] = {
    "jazz": Kit(62.0, 0.22, 0.25, 210.0, 0.14, 0.6, 5500.0, 0.05, 0.45, 0.0),
    "vintage": Kit(58.0, 0.18, 0.35, 200.0, 0.16, 0.65, 5000.0, 0.05, 0.5, 0.2),
    "rock": Kit(55.0, 0.22, 0.55, 185.0, 0.22, 0.75, 5600.0, 0.07, 0.42, 0.2),
    "metal": Kit(60.0, 0.13, 0.95, 195.0, 0.18, 0.8, 6000.0, 0.06, 0.42, 0.35),
    "disco": Kit(60.0, 0.18, 0.5, 205.0, 0.14, 0.75, 7200.0, 0.045, 0.85, 0.1),
    "machine": Kit(48.0, 0.3, 0.6, 180.0, 0.16, 0.8, 7500.0, 0.04, 0.55, 0.15),
    "deep": Kit(40.0, 0.55, 0.35, 175.0, 0.15, 0.85, 7800.0, 0.03, 0.5, 0.2),
    "sampled": Kit(57.0, 0.2, 0.5, 210.0, 0.13, 0.7, 5200.0, 0.04, 0.5, 0.45),
    "club": Kit(50.0, 0.26, 0.7, 190.0, 0.14, 0.9, 8000.0, 0.05, 0.6, 0.25),
    "soft": Kit(52.0, 0.25, 0.15, 195.0, 0.12, 0.6, 7000.0, 0.03, 0.35, 0.0),
}


def varied(kit: Kit, rng: np.random.Generator, spread: float = 0.12) -> Kit:
    """The same kind of kit, another maker: every property off by about `spread`."""
    factor = np.exp(spread * rng.standard_normal(10))
    values = [getattr(kit, name) for name in Kit.__dataclass_fields__]
    return Kit(*(float(value * scale) for value, scale in zip(values, factor, strict=True)))


def _kick(kit: Kit, rng: np.random.Generator) -> Wave:
    count = samples(1.6 * kit.kick_s)
    time = np.arange(count) / SAMPLE_RATE
    frequency = kit.kick_hz * (1.0 + 3.0 * np.exp(-time / 0.02))
    body = np.sin(2.0 * np.pi * np.cumsum(frequency) / SAMPLE_RATE)
    body *= np.exp(-3.0 * time / kit.kick_s)
    click = highpass(rng.standard_normal(count), 1500.0) * np.exp(-time / 0.004)
    return np.asarray(body + 0.35 * kit.click * click)


def _snare(kit: Kit, rng: np.random.Generator) -> Wave:
    count = samples(2.0 * kit.snare_s)
    time = np.arange(count) / SAMPLE_RATE
    shell = np.sin(2.0 * np.pi * kit.snare_hz * time) + 0.6 * np.sin(
        2.0 * np.pi * 1.68 * kit.snare_hz * time
    )
    noise = bandpass(rng.standard_normal(count), 1200.0, 9000.0)
    rattle = min(kit.rattle, 1.0)
    return np.asarray(
        0.5 * (1.2 - rattle) * shell * np.exp(-time / 0.05)
        + 0.8 * rattle * noise * np.exp(-3.0 * time / kit.snare_s)
    )


def _clap(kit: Kit, rng: np.random.Generator) -> Wave:
    count = samples(1.4 * kit.snare_s)
    time = np.arange(count) / SAMPLE_RATE
    level = 0.7 * np.exp(-3.5 * time / kit.snare_s)
    for delay in (0.0, 0.011, 0.022):
        late = time >= delay
        level[late] += np.exp(-(time[late] - delay) / 0.005)
    return bandpass(rng.standard_normal(count), 900.0, 4500.0) * level * 0.6


def _metal(kit: Kit, rng: np.random.Generator, length_s: float, ring: float) -> Wave:
    """Hats and cymbals: bright noise and a cluster of inharmonic square waves."""
    count = samples(3.0 * length_s)
    time = np.arange(count) / SAMPLE_RATE
    cluster = np.zeros(count)
    for ratio in (2.0, 3.0, 4.16, 5.43, 6.79, 8.21):
        cluster += np.sign(np.sin(2.0 * np.pi * 263.0 * ratio * time))
    noise = rng.standard_normal(count) + ring * cluster / 2.0
    level = np.exp(-time / length_s)
    return kit.metal * highpass(noise, min(kit.metal_hz, 9500.0), 3) * level


def _tom(kit: Kit, rng: np.random.Generator) -> Wave:
    count = samples(0.45)
    time = np.arange(count) / SAMPLE_RATE
    frequency = 1.9 * kit.kick_hz * (1.0 + 0.5 * np.exp(-time / 0.04))
    skin = lowpass(rng.standard_normal(count), 1500.0) * np.exp(-time / 0.02)
    body = np.sin(2.0 * np.pi * np.cumsum(frequency) / SAMPLE_RATE) * np.exp(-time / 0.14)
    return np.asarray(0.8 * body + 0.5 * skin)


def _rim(kit: Kit) -> Wave:
    count = samples(0.08)
    time = np.arange(count) / SAMPLE_RATE
    knock = np.sin(2.0 * np.pi * 9.0 * kit.snare_hz * time)
    knock += 0.7 * np.sin(2.0 * np.pi * 4.3 * kit.snare_hz * time)
    return np.asarray(0.6 * knock * np.exp(-time / 0.012))


def _strike(voice: str, kit: Kit, rng: np.random.Generator) -> Wave:
    if voice == "kick":
        return _kick(kit, rng)
    if voice == "snare":
        return _snare(kit, rng)
    if voice == "clap":
        return _clap(kit, rng)
    if voice == "tom":
        return _tom(kit, rng)
    if voice == "rim":
        return _rim(kit)
    if voice == "shaker":
        return 0.5 * _metal(kit, rng, 0.035, 0.0)
    length, ring = {"hat": (1.0, 0.5), "open": (5.0, 0.5), "ride": (9.0, 1.0)}.get(
        voice, (16.0, 0.3)
    )
    return _metal(kit, rng, length * kit.metal_s, ring) * (1.0 if voice != "crash" else 1.4)


def play_drums(notes: Iterable[Note], kit: Kit, count: int, rng: np.random.Generator) -> Wave:
    """Render drum notes into `count` samples; each voice has three strokes that alternate."""
    out = np.zeros(count)
    strokes: dict[str, list[Wave]] = {}
    for index, note in enumerate(notes):
        voice = _NAMES[note.pitch]
        if voice not in strokes:
            strokes[voice] = [_strike(voice, kit, rng) for _ in range(3)]
        wave = strokes[voice][index % 3]
        start = round(note.start_s * SAMPLE_RATE)
        stop = min(count, start + len(wave))
        if start < stop:
            out[start:stop] += note.velocity * wave[: stop - start]
    drive = 1.0 + 6.0 * kit.crush
    return np.asarray(np.tanh(drive * out) / np.tanh(drive))
