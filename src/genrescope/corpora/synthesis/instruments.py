"""Playing: notes and a tone become sound."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from genrescope.corpora.synthesis.score import Note
from genrescope.corpora.synthesis.tones import Tone
from genrescope.corpora.synthesis.waves import (
    SAMPLE_RATE,
    TABLE,
    Wave,
    envelope,
    harmonics_below,
    hertz,
    highpass,
    lowpass,
    oscillate,
    samples,
    single_cycle,
    string,
    vibrato,
)

# Formant frequencies in Hz, after Peterson and Barney (1952), mean of men and women.
VOWELS: dict[str, tuple[float, float, float]] = {
    "ah": (790.0, 1160.0, 2600.0),
    "eh": (570.0, 2080.0, 2740.0),
    "ee": (290.0, 2540.0, 3160.0),
    "oh": (580.0, 880.0, 2560.0),
    "oo": (335.0, 910.0, 2450.0),
}
_VOWEL_NAMES = tuple(VOWELS)


@lru_cache(maxsize=512)
def _vowel_cycle(vowel: str, pitch: int, brightness: float) -> Wave:
    """One cycle of a sung vowel: a glottal source under three formants."""
    base = hertz(pitch)
    number = np.arange(1, harmonics_below(base, 8000.0) + 1, dtype=np.float64)
    frequency = base * number
    filtered = np.full_like(number, 0.02)
    for formant, level in zip(VOWELS[vowel], (1.0, 0.55, 0.3), strict=True):
        filtered += level * np.exp(-0.5 * ((frequency - formant) / (90.0 + 0.06 * formant)) ** 2)
    source = number ** -(1.6 - 0.9 * brightness)
    spectrum = np.zeros(TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(number) + 1] = -1j * source * filtered
    cycle = np.fft.irfft(spectrum, TABLE)
    return np.asarray(cycle / np.max(np.abs(cycle)))


def _sing(tone: Tone, pitch: int, came_from: int, count: int, rng: np.random.Generator) -> Wave:
    """One syllable: a consonant's noise, a glide into the pitch, a vowel with vibrato."""
    vowel = _VOWEL_NAMES[int(rng.integers(len(_VOWEL_NAMES)))]
    cycle = _vowel_cycle(vowel, pitch, round(tone.brightness, 2))
    frequency = vibrato(hertz(pitch), count, rate_hz=5.6, cents=tone.vibrato_cents, rise_s=0.35)
    time = np.arange(count) / SAMPLE_RATE
    frequency *= 2.0 ** ((came_from - pitch) / 12.0 * np.exp(-time / 0.03))
    if tone.noise > 0.5:  # a growl: the folds beat irregularly
        rough = lowpass(rng.standard_normal(count), 70.0)
        frequency *= 1.0 + 0.12 * tone.noise * rough / (np.std(rough) + 1e-9)
    sound = oscillate(cycle, frequency, count, float(rng.random()))
    breath = highpass(rng.standard_normal(count), 2000.0)
    consonant = np.exp(-time / 0.018) * float(rng.uniform(0.1, 0.5))
    sound = sound + tone.noise * (0.12 + consonant) * breath
    shape = envelope(
        count, attack_s=tone.attack_s, decay_s=0.5, sustain=0.75, release_s=max(0.05, 0.04)
    )
    return np.asarray(0.6 * sound * shape)


def _waveform(tone: Tone, pitch: int, count: int, rng: np.random.Generator) -> Wave:
    """A band-limited waveform whose brightness settles: two cycles, cross-faded."""
    base = hertz(pitch)
    harmonics = harmonics_below(base)
    bright = single_cycle(tone.shape, harmonics, round(tone.brightness, 2))
    dark = single_cycle(tone.shape, harmonics, round(tone.settle, 2))
    bite = np.exp(-np.arange(count) / SAMPLE_RATE / tone.bite_s)
    sound = np.zeros(count)
    spread = np.linspace(-1.0, 1.0, tone.voices) if tone.voices > 1 else np.zeros(1)
    for offset in spread:
        frequency: float | Wave = base * 2.0 ** (float(offset) * tone.detune_cents / 1200.0)
        if tone.vibrato_cents > 0.0:
            frequency = vibrato(
                float(frequency),
                count,
                rate_hz=5.2 + 0.4 * float(offset),
                cents=tone.vibrato_cents,
                rise_s=0.25,
            )
        phase = float(rng.random())
        if tone.brightness == tone.settle:
            sound += oscillate(bright, frequency, count, phase)
        else:
            first = oscillate(bright, frequency, count, phase)
            last = oscillate(dark, frequency, count, phase)
            sound += last + bite * (first - last)
    if tone.noise > 0.0:
        sound += tone.noise * 0.2 * lowpass(rng.standard_normal(count), 6000.0)
    return np.asarray(sound / np.sqrt(len(spread)))


def _modulated(tone: Tone, pitch: int, count: int) -> Wave:
    """Frequency modulation (Chowning 1973) with a decaying index."""
    time = np.arange(count) / SAMPLE_RATE
    base = hertz(pitch)
    # The modulation index falls where carrier plus modulator would fold over.
    room = max(0.0, min(1.0, (9000.0 - base) / (base * (tone.ratio + 1.0))))
    index = tone.index * room * np.exp(-time / tone.bite_s)
    angle = 2.0 * np.pi * base * time
    return np.asarray(np.sin(angle + index * np.sin(tone.ratio * angle)))


def _note(tone: Tone, pitch: int, duration_s: float, rng: np.random.Generator) -> Wave:
    count = samples(duration_s + tone.release_s)
    if tone.kind == "string":
        # High strings ring for a shorter time than low ones.
        decay = tone.decay_s * (110.0 / hertz(pitch)) ** 0.3
        sound = string(hertz(pitch), count, rng, decay_s=decay, brightness=tone.brightness)
        sound[-min(count, samples(tone.release_s)) :] *= np.linspace(
            1.0, 0.0, min(count, samples(tone.release_s))
        )
        if tone.vibrato_cents > 0.0:  # the string is bent: read it at a wavering speed
            wobble = vibrato(1.0, count, rate_hz=5.0, cents=tone.vibrato_cents, rise_s=0.3)
            place = np.minimum(np.cumsum(wobble) - 1.0, count - 1.0)
            sound = np.interp(place, np.arange(count), sound)
        return np.asarray(sound)
    sound = (
        _modulated(tone, pitch, count) if tone.kind == "fm" else _waveform(tone, pitch, count, rng)
    )
    return np.asarray(
        0.5
        * sound
        * envelope(
            count,
            attack_s=tone.attack_s,
            decay_s=tone.decay_s,
            sustain=tone.sustain,
            release_s=tone.release_s,
        )
    )


def amplify(sound: Wave, tone: Tone) -> Wave:
    """The part through its amplifier: distortion and loudspeaker.

    The distortion is a `tanh` (odd harmonics) with a small offset before it (even ones); the
    cabinet is a band-pass with the rise near its upper edge that guitar loudspeakers have.
    """
    if tone.drive > 0.0:
        peak = float(np.max(np.abs(sound))) + 1e-9
        pushed = (1.0 + tone.drive) * sound / peak
        sound = np.tanh(pushed + 0.15) - np.tanh(0.15)
    if tone.cabinet_hz > 0.0:
        low = lowpass(sound, min(tone.cabinet_hz, 10000.0), 4)
        if tone.drive > 2.0:
            low = highpass(low, 75.0) + 0.4 * highpass(low, 0.5 * tone.cabinet_hz, 1)
        sound = low
    return sound


def play(notes: Iterable[Note], tone: Tone, count: int, rng: np.random.Generator) -> Wave:
    """Render the notes of one part into `count` samples.

    Notes of one pitch and length (to 1/50 s) share a rendering, as a sampler's do; a singer's
    do not.
    """
    out = np.zeros(count)
    rendered: dict[tuple[int, int], Wave] = {}
    came_from = 0
    for note in notes:
        start = round(note.start_s * SAMPLE_RATE)
        if start >= count:
            continue
        if tone.kind == "voice":
            wave = _sing(
                tone, note.pitch, came_from or note.pitch - 2, samples(note.duration_s), rng
            )
            came_from = note.pitch
        else:
            key = (note.pitch, round(50.0 * note.duration_s))
            if key not in rendered:
                rendered[key] = _note(tone, note.pitch, max(key[1], 1) / 50.0, rng)
            wave = rendered[key]
        stop = min(count, start + len(wave))
        out[start:stop] += note.velocity * wave[: stop - start]
    return amplify(out, tone)
