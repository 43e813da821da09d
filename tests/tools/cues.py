"""Clips of audio with a planted cue, the only difference between the labels "cue" and "nothing".

Five seconds of music, made with the synthesiser of the demo corpora. Cues that have a place
(`PLACED`) are one sound more, among louder sounds that say nothing; those of a musical family
(`MUSICAL`) are in the music as a whole. All else is drawn alike for both labels.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from genrescope.corpora.synthesis.drums import KITS, VOICES, Kit, play_drums, varied
from genrescope.corpora.synthesis.score import Note
from genrescope.corpora.synthesis.waves import (
    SAMPLE_RATE,
    Wave,
    bandpass,
    harmonics_below,
    hertz,
    lowpass,
    oscillate,
    samples,
    single_cycle,
)

CLIP_S = 5.0
COUNT = samples(CLIP_S)
BAND_HZ = (2900.0, 3100.0)  # of the cue `band`
MOMENT_S = 1.2  # of the cue `moment`; the middle would favour maps that know nothing


class Cue(NamedTuple):
    """Where a clip's cue is."""

    low_hz: float
    high_hz: float
    begin_s: float
    end_s: float


Drawn = tuple[Wave, Cue]
Stroke = tuple[int, str, float]  # step, voice, level
# Voice, level, first step, distance of steps, strokes in a clip
LOOP = (("kick", 0.9, 0, 4, 7), ("snare", 0.7, 4, 8, 3), ("hat", 0.5, 0, 2, 12))


def band(rng: np.random.Generator, has_cue: bool) -> Drawn:
    """A quiet tone in a fixed band at a random moment."""
    begin = rng.uniform(0.1, 4.3)
    cue = Cue(*BAND_HZ, begin, begin + 0.6)
    sound = chord(rng) + distractors(rng, cue)
    tone = rng.uniform(*BAND_HZ)
    if has_cue:
        add(sound, 0.06 * glide(tone, tone, 0.6), begin)
    return sound, cue


def moment(rng: np.random.Generator, has_cue: bool) -> Drawn:
    """A short rising tone in a random band at a fixed moment."""
    low = log_uniform(rng, 800.0, 6000.0)
    cue = Cue(low, 1.5 * low, MOMENT_S, MOMENT_S + 0.4)
    sound = chord(rng) + distractors(rng, cue)
    if has_cue:
        add(sound, 0.08 * glide(low, 1.5 * low, 0.4), MOMENT_S)
    return sound, cue


def fill(rng: np.random.Generator, has_cue: bool) -> Drawn:
    """A drum loop with single extra snares, and a fill of six snares in a row."""
    step_s = 15.0 / rng.uniform(105.0, 130.0)
    steps = int(CLIP_S / step_s)
    strokes = [(step, "hat", 0.5) for step in range(0, steps, 2)]
    strokes += [(step, "kick", 0.9) for step in range(0, steps, 8)]
    strokes += [(step, "snare", 0.7) for step in range(4, steps, 8)]
    extra = rng.choice(range(1, steps, 2), int(rng.integers(0, 5)), replace=False)
    strokes += [(int(step), "snare", 0.7) for step in extra]
    strokes += [(int(rng.integers(steps)), voice, 0.9) for voice in ("tom", "clap")]
    begin = int(rng.integers(1, steps - 8))
    if has_cue:
        strokes += [(step, "snare", 0.7) for step in range(begin, begin + 6)]
    sound = chord(rng) + 0.2 * drums(rng, strokes, step_s, varied(KITS["machine"], rng))
    return sound, Cue(0.0, SAMPLE_RATE / 2, begin * step_s, (begin + 6) * step_s)


PLACED: dict[str, Callable[[np.random.Generator, bool], Drawn]] = {
    "band": band,
    "moment": moment,
    "drum": fill,
}


def tempo(rng: np.random.Generator, has_cue: bool) -> Wave:
    """A drum loop with gaps: fast with the cue, else slow."""
    tempo_bpm = rng.uniform(114.0, 126.0) if has_cue else rng.uniform(88.0, 100.0)
    return loudness(rng) * (chord(rng) + loop(rng, tempo_bpm))


def swelling(rng: np.random.Generator, has_cue: bool) -> Wave:
    """Music that grows or fades by 15 to 25 dB with the cue, else stays as loud as it is."""
    change_db = rng.uniform(15.0, 25.0) * rng.choice([-1, 1]) * has_cue
    gain = 10.0 ** (np.linspace(-change_db, change_db, COUNT) / 40.0)
    return loudness(rng) * gain * (chord(rng) + loop(rng, any_tempo(rng)))


def pitch(rng: np.random.Generator, has_cue: bool) -> Wave:
    """Music with a held tone: an A of any octave with the cue, else any other note."""
    away = 0 if has_cue else int(rng.choice([*range(-5, 0), *range(1, 7)]))
    tone = hertz(int(rng.choice([57, 69, 81])) + away)
    return loudness(rng) * (
        chord(rng) + loop(rng, any_tempo(rng)) + 0.06 * glide(tone, tone, CLIP_S)
    )


# By the family of features that the cue lives in
MUSICAL: dict[str, Callable[[np.random.Generator, bool], Wave]] = {
    "rhythm": tempo,
    "dynamics": swelling,
    "harmony": pitch,
}


def any_tempo(rng: np.random.Generator) -> float:
    return rng.uniform(85.0, 135.0)


def loop(rng: np.random.Generator, tempo_bpm: float) -> Wave:
    """Drums of any kit with gaps: as many strokes at every tempo."""
    step_s = 15.0 / tempo_bpm
    strokes = []
    for voice, level, first, every, count in LOOP:
        steps = np.arange(first, int(CLIP_S / step_s), every)
        strokes += [(int(s), voice, level) for s in rng.choice(steps, count, replace=False)]
    kit = varied(KITS[str(rng.choice(list(KITS)))], rng)
    return 0.2 * drums(rng, strokes, step_s, kit)


def drums(rng: np.random.Generator, strokes: list[Stroke], step_s: float, kit: Kit) -> Wave:
    notes = [
        Note(step * step_s + rng.uniform(0, 0.01), 0.1, VOICES[voice], level * rng.uniform(0.8, 1))
        for step, voice, level in sorted(set(strokes))
    ]
    return play_drums(notes, kit, COUNT, rng)


def loudness(rng: np.random.Generator) -> float:
    return 10.0 ** (rng.uniform(-15.0, 0.0) / 20.0)


def chord(rng: np.random.Generator) -> Wave:
    """A chord of four held voices, over hiss."""
    root = int(rng.integers(40, 52))
    white = rng.standard_normal(COUNT)
    sound = 0.004 * (white + 3.0 * lowpass(white, 800.0, 1))
    for interval in (0, int(rng.integers(3, 5)), 7, 12):
        pitch = hertz(root + interval)
        cycle = single_cycle("saw", harmonics_below(pitch), 0.3)
        sound += 0.02 * oscillate(cycle, pitch, COUNT, rng.random())
    return sound


def distractors(rng: np.random.Generator, cue: Cue) -> Wave:
    """Three loud bursts of noise, an octave wide, anywhere but on the cue's place."""
    sound = np.zeros(COUNT)
    bursts = 0
    while bursts < 3:
        low, begin = log_uniform(rng, 200.0, 4500.0), rng.uniform(0.0, 4.2)
        duration = rng.uniform(0.3, 0.8)
        in_time = cue.begin_s - 0.1 < begin + duration and begin < cue.end_s + 0.1
        if in_time and cue.low_hz < 2.4 * low and low < 1.2 * cue.high_hz:
            continue
        noise = bandpass(rng.standard_normal(samples(duration)), low, 2.0 * low, 3)
        add(sound, 0.15 * noise / noise.std() * swell(len(noise)), begin)
        bursts += 1
    return sound


def glide(low_hz: float, high_hz: float, duration_s: float) -> Wave:
    """A sine from one frequency to another, with a mean square of about 1."""
    count = samples(duration_s)
    frequency = np.geomspace(low_hz, high_hz, count)
    wave = np.sin(2.0 * np.pi * np.cumsum(frequency) / SAMPLE_RATE)
    return np.asarray(2.0**0.5 * wave * swell(count))


def swell(count: int) -> Wave:
    """1, with ends that come from and go to 0 in 20 ms."""
    edge = np.arange(count) / samples(0.02)
    return np.minimum(1.0, np.minimum(edge, edge[::-1]))


def add(sound: Wave, event: Wave, begin_s: float) -> None:
    begin = samples(begin_s)
    part = event[: max(0, len(sound) - begin)]
    sound[begin : begin + len(part)] += part


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
