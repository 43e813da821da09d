"""The instruments, as data: what makes each of them sound."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np


@dataclass(frozen=True)
class Tone:
    """How one note of an instrument sounds.

    Parameters
    ----------
    kind : {"string", "wave", "fm", "voice"}
        Plucked string, band-limited waveform, frequency modulation, or sung vowels.
    program : int
        The nearest General MIDI program, 0 to 127.
    shape : str
        Waveform of a "wave" (a key of `waves.SHAPES`).
    brightness, settle : float
        Brightness at the onset and where it ends, 0 to 1.
    bite_s : float
        How fast brightness settles, in seconds.
    attack_s, decay_s, sustain, release_s : float
        Envelope; for strings `decay_s` is the time to fall by 60 dB.
    voices, detune_cents : int, float
        Unison players and how far they are apart.
    vibrato_cents : float
        Depth of the vibrato.
    ratio, index : float
        Modulator to carrier, and modulation index at the onset, of "fm".
    noise : float
        Breath, bow or growl, 0 to 1.
    drive, cabinet_hz : float
        Distortion of the whole part, 0 to about 40, and the loudspeaker's upper edge.
    """

    kind: Literal["string", "wave", "fm", "voice"]
    program: int
    shape: str = "saw"
    brightness: float = 0.7
    settle: float = 0.4
    bite_s: float = 0.2
    attack_s: float = 0.005
    decay_s: float = 1.5
    sustain: float = 0.7
    release_s: float = 0.04
    voices: int = 1
    detune_cents: float = 0.0
    vibrato_cents: float = 0.0
    ratio: float = 1.0
    index: float = 1.0
    noise: float = 0.0
    drive: float = 0.0
    cabinet_hz: float = 0.0


def _string(program: int, brightness: float, decay_s: float, **more: float) -> Tone:
    return Tone("string", program, brightness=brightness, decay_s=decay_s, **more)  # type: ignore[arg-type]


def _wave(program: int, shape: str, brightness: float, settle: float, **more: float) -> Tone:
    return Tone("wave", program, shape, brightness, settle, **more)  # type: ignore[arg-type]


TONES: dict[str, Tone] = {
    # guitars
    "acoustic": _string(25, 0.8, 2.2, cabinet_hz=9000.0),
    "nylon": _string(24, 0.5, 1.8, cabinet_hz=6000.0),
    "clean": _string(27, 0.75, 2.5, drive=0.6, cabinet_hz=5500.0),
    "funk": _string(27, 0.9, 1.2, drive=0.3, cabinet_hz=7500.0),
    "crunch": _string(29, 0.75, 3.0, drive=6.0, cabinet_hz=4500.0),
    "overdriven": _string(29, 0.8, 3.5, drive=12.0, cabinet_hz=4800.0),
    "high gain": _string(30, 0.8, 4.0, drive=30.0, cabinet_hz=5200.0),
    "lead guitar": _string(30, 0.7, 5.0, drive=16.0, cabinet_hz=4600.0, vibrato_cents=20.0),
    # basses
    "finger bass": _string(33, 0.45, 2.0, cabinet_hz=2500.0),
    "pick bass": _string(34, 0.7, 2.0, drive=1.5, cabinet_hz=3800.0),
    "upright": _string(32, 0.3, 1.0, cabinet_hz=1800.0),
    "slap bass": _string(36, 0.9, 1.4, cabinet_hz=6000.0),
    "driven bass": _string(34, 0.75, 2.5, drive=8.0, cabinet_hz=3500.0),
    "saw bass": _wave(38, "saw", 0.75, 0.3, bite_s=0.12, sustain=0.7),
    "square bass": _wave(39, "square", 0.6, 0.25, bite_s=0.1, sustain=0.6),
    "sub": _wave(39, "triangle", 0.4, 0.1, decay_s=0.7, sustain=0.4, drive=1.2),
    # keys and synthesisers
    "piano": Tone("fm", 0, ratio=1.0, index=1.4, bite_s=0.35, decay_s=0.8, sustain=0.12),
    "electric piano": Tone("fm", 4, ratio=14.0, index=0.5, bite_s=0.12, decay_s=1.0, sustain=0.3),
    "bell": Tone("fm", 14, ratio=3.5, index=1.6, bite_s=0.4, decay_s=0.7, sustain=0.1),
    "organ": _wave(16, "organ", 0.9, 0.9, sustain=1.0, vibrato_cents=8.0, drive=1.0),
    "super saw": _wave(81, "saw", 0.95, 0.85, voices=5, detune_cents=14.0, sustain=0.9),
    "square lead": _wave(80, "square", 0.8, 0.6, vibrato_cents=10.0),
    "synth pluck": _wave(90, "saw", 0.9, 0.1, bite_s=0.08, decay_s=0.15, sustain=0.1, voices=2,
                         detune_cents=8.0),
    "synth pad": _wave(89, "saw", 0.45, 0.5, attack_s=0.12, release_s=0.2, voices=3,
                       detune_cents=10.0, sustain=0.9),
    "brass": _wave(61, "brass", 0.6, 0.8, attack_s=0.03, voices=2, detune_cents=9.0),
    # bowed and plucked strings
    "ensemble": _wave(48, "strings", 0.65, 0.75, attack_s=0.09, release_s=0.15, voices=4,
                      detune_cents=12.0, vibrato_cents=14.0, sustain=0.95, noise=0.15),
    "disco strings": _wave(49, "strings", 0.85, 0.85, attack_s=0.03, release_s=0.08, voices=4,
                           detune_cents=14.0, vibrato_cents=16.0, sustain=0.95, noise=0.2),
    "solo violin": _wave(40, "strings", 0.75, 0.8, attack_s=0.06, vibrato_cents=28.0,
                         sustain=0.95, noise=0.2),
    "pizzicato": _string(45, 0.45, 0.5),
    "synth strings": _wave(50, "saw", 0.6, 0.6, attack_s=0.06, release_s=0.12, voices=4,
                           detune_cents=12.0, sustain=0.95),
    "gayageum": _string(107, 0.7, 1.6, vibrato_cents=35.0, cabinet_hz=7500.0),
    # voices
    "voice": Tone("voice", 53, brightness=0.6, attack_s=0.03, vibrato_cents=22.0, noise=0.1),
    "soft voice": Tone("voice", 53, brightness=0.4, attack_s=0.05, vibrato_cents=16.0, noise=0.2),
    "belt": Tone("voice", 53, brightness=0.85, attack_s=0.02, vibrato_cents=30.0, noise=0.1),
    "rap": Tone("voice", 54, brightness=0.65, attack_s=0.01, noise=0.45),
    "growl": Tone("voice", 54, brightness=0.8, attack_s=0.02, noise=0.9, drive=5.0,
                  cabinet_hz=6500.0),
}  # fmt: skip


def varied(tone: Tone, rng: np.random.Generator, spread: float = 0.12) -> Tone:
    """The same kind of instrument in other hands."""
    factor = np.exp(spread * rng.standard_normal(6))
    return replace(
        tone,
        brightness=float(np.clip(tone.brightness * factor[0], 0.1, 0.98)),
        settle=float(np.clip(tone.settle * factor[0], 0.05, 0.98)),
        decay_s=tone.decay_s * float(factor[1]),
        drive=tone.drive * float(factor[2] ** 2),
        cabinet_hz=tone.cabinet_hz * float(factor[3]),
        vibrato_cents=tone.vibrato_cents * float(factor[4]),
        noise=float(min(1.0, tone.noise * factor[5])),
    )
