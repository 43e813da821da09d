"""Scales, chords, progressions, and how a chord is laid out on an instrument."""

from typing import NamedTuple

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
}

CHORDS: dict[str, tuple[int, ...]] = {
    "maj": (0, 4, 7),
    "min": (0, 3, 7),
    "5": (0, 7, 12),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "min7": (0, 3, 7, 10),
    "9": (0, 4, 10, 14),
    "maj9": (0, 4, 11, 14),
    "min9": (0, 3, 10, 14),
    "sus2": (0, 2, 7),
    "sus4": (0, 5, 7),
}

_ROOTS = {"I": 0, "bII": 1, "II": 2, "bIII": 3, "III": 4, "IV": 5, "bV": 6, "V": 7}
_ROOTS |= {"bVI": 8, "VI": 9, "bVII": 10, "VII": 11}


class Chord(NamedTuple):
    """A chord as semitones above the tonic and a quality of `CHORDS`."""

    root: int
    quality: str


def _bars(text: str) -> tuple[Chord, ...]:
    """Read ``"I:7 IV:9"`` as one chord a bar."""
    pairs = (word.split(":") for word in text.split())
    return tuple(Chord(_ROOTS[root], quality) for root, quality in pairs)


_TWELVE = "I:{0} IV:{0} I:{0} I:{0} IV:{0} IV:{0} I:{0} I:{0} V:{0} IV:{0} I:{0} V:{0}"

PROGRESSIONS: dict[str, tuple[Chord, ...]] = {
    "twelve-bar": _bars(_TWELVE.format("7")),
    "twelve-bar ninths": _bars(_TWELVE.format("9")),
    "minor blues": _bars("I:min7 I:min7 IV:min7 I:min7 bVI:7 V:7 I:min7 V:7"),
    "one-chord vamp": _bars("I:7 I:7 I:7 IV:7"),
    "minor vamp": _bars("I:min7 I:min7 bVII:maj I:min7"),
    "minor ninths": _bars("I:min9 IV:9 I:min9 bVI:maj7"),
    "axis": _bars("I:maj V:maj VI:min IV:maj"),
    "axis minor": _bars("VI:min IV:maj I:maj V:maj"),
    "doo-wop": _bars("I:maj VI:min IV:maj V:maj"),
    "royal road": _bars("IV:maj7 V:7 III:min7 VI:min7"),
    "soul ninths": _bars("II:min9 V:9 I:maj9 VI:min9"),
    "ballad": _bars("I:maj III:min7 IV:maj7 V:sus4"),
    "disco minor": _bars("I:min7 IV:9 bVII:maj7 bIII:maj7"),
    "disco fifths": _bars("VI:min7 II:min7 V:7 I:maj7"),
    "club minor": _bars("I:min bVI:maj bIII:maj bVII:maj"),
    "rock mixolydian": _bars("I:5 bVII:5 IV:5 I:5"),
    "rock three": _bars("I:maj IV:maj V:maj IV:maj"),
    "rock minor": _bars("I:5 bIII:5 bVII:5 IV:5"),
    "metal aeolian": _bars("I:5 bVI:5 bIII:5 bVII:5"),
    "metal phrygian": _bars("I:5 I:5 bII:5 bVII:5"),
    "metal tritone": _bars("I:5 I:5 bV:5 IV:5"),
    "folk": _bars("I:maj IV:maj I:maj V:maj"),
    "folk minor": _bars("I:min bVII:maj bVI:maj bVII:maj"),
    "folk suspended": _bars("I:sus2 V:sus4 IV:sus2 I:maj"),
}


def scale_pitches(tonic: int, scale: str, low: int, high: int) -> list[int]:
    """MIDI pitches of a scale between `low` and `high`, both included.

    Examples
    --------
    >>> scale_pitches(9, "minor pentatonic", 57, 69)
    [57, 60, 62, 64, 67, 69]
    """
    steps = SCALES[scale]
    return [pitch for pitch in range(low, high + 1) if (pitch - tonic) % 12 in steps]


def voicing(tonic: int, chord: Chord, low: int) -> list[int]:
    """Pitches of a chord from the lowest root at or above `low`.

    Examples
    --------
    >>> voicing(0, Chord(9, "min"), 52)
    [57, 60, 64]
    """
    root = low + (tonic + chord.root - low) % 12
    return [root + interval for interval in CHORDS[chord.quality]]


def close_voicing(tonic: int, chord: Chord, low: int) -> list[int]:
    """Pitches of a chord folded into the octave above `low`: hands that move little."""
    return sorted({low + (pitch - low) % 12 for pitch in voicing(tonic, chord, low)})
