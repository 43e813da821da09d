"""From figures to notes: what the drummer, the bassist, the others and the singer play."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genrescope.corpora.synthesis.drums import VOICES
from genrescope.corpora.synthesis.figures import BASS, COMPS, DRUMS, LEADS
from genrescope.corpora.synthesis.harmony import (
    PROGRESSIONS,
    Chord,
    close_voicing,
    scale_pitches,
    voicing,
)
from genrescope.corpora.synthesis.score import STEPS, Groove, Note

_STROKES = {"X": 1.0, "x": 0.75, "o": 0.35}
_BASS_STEPS = {"r": 0, "t": 4, "f": 7, "s": 9, "v": 10, "o": 12, "l": -5}
_MINOR = {"min", "min7", "min9"}


@dataclass(frozen=True)
class Song:
    """What the parts of one piece have in common.

    Parameters
    ----------
    groove : Groove
    tonic : int
        Pitch class, 0 is C.
    progression, scale : str
        Keys of `harmony.PROGRESSIONS` and `harmony.SCALES`.
    first_bar : int
        Where in the progression the piece begins.
    """

    groove: Groove
    tonic: int
    progression: str
    scale: str
    first_bar: int = 0

    def chord(self, bar: int) -> Chord:
        """The chord of a bar; the progression repeats."""
        chords = PROGRESSIONS[self.progression]
        return chords[(bar + self.first_bar) % len(chords)]


def _figure(table: dict[str, str], name: str, bar: int) -> str:
    text = table[name]
    start = (bar * STEPS) % len(text)
    return text[start : start + STEPS]


def _events(figure: str) -> list[tuple[int, str, int]]:
    """Onset step, symbol and steps to the next onset (or the end of the bar)."""
    onsets = [step for step, symbol in enumerate(figure) if symbol != "."]
    ends = [*onsets[1:], STEPS]
    return [(step, figure[step], end - step) for step, end in zip(onsets, ends, strict=True)]


def drum_part(
    song: Song, name: str, bars: Sequence[int], rng: np.random.Generator, *, fill: bool = True
) -> list[Note]:
    """Drum notes of the given bars; a fill ends every fourth bar now and then."""
    notes = []
    for bar in bars:
        filled = fill and bar % 4 == 3 and rng.random() < 0.5
        for voice, text in DRUMS[name].items():
            start = (bar * STEPS) % len(text)
            for step, symbol in enumerate(text[start : start + STEPS]):
                if symbol == "." or (filled and step >= 12 and voice != "kick"):
                    continue
                if symbol == "?" and rng.random() < 0.6:
                    continue
                velocity = _STROKES.get(symbol, 0.6) * float(rng.uniform(0.85, 1.0))
                onset = song.groove.played(bar * STEPS + step, rng)
                notes.append(Note(onset, song.groove.step_s, VOICES[voice], velocity))
        if filled:
            for step, voice in zip(range(12, 16), ("snare", "snare", "tom", "tom"), strict=True):
                onset = song.groove.played(bar * STEPS + step, rng)
                velocity = float(rng.uniform(0.6, 0.95))
                notes.append(Note(onset, song.groove.step_s, VOICES[voice], velocity))
        if fill and bar % 8 == 0 and rng.random() < 0.6:
            onset = song.groove.played(bar * STEPS, rng)
            notes.append(Note(onset, song.groove.bar_s, VOICES["crash"], 0.7))
    return notes


def bass_part(
    song: Song, name: str, bars: Sequence[int], rng: np.random.Generator, *, gate: float = 0.85
) -> list[Note]:
    """Bass notes between E1 and about E3."""
    notes = []
    for bar in bars:
        chord = song.chord(bar)
        root = 28 + (song.tonic + chord.root - 28) % 12
        for step, symbol, length in _events(_figure(BASS, name, bar)):
            interval = _BASS_STEPS[symbol]
            if symbol == "t" and (chord.quality in _MINOR or chord.quality == "5"):
                interval = 3
            accent = 1.0 if step % 4 == 0 else 0.8
            notes.append(
                Note(
                    song.groove.played(bar * STEPS + step, rng),
                    gate * length * song.groove.step_s,
                    root + interval,
                    accent * float(rng.uniform(0.8, 0.95)),
                )
            )
    return notes


def comp_part(
    song: Song,
    name: str,
    bars: Sequence[int],
    rng: np.random.Generator,
    *,
    low: int,
    strum_s: float = 0.0,
) -> list[Note]:
    """Chords, muted strokes or broken chords from about `low` upwards.

    Parameters
    ----------
    low : int
        Lowest MIDI pitch of the hand.
    strum_s : float
        Delay between the strings of a strummed chord, in seconds.
    """
    notes: list[Note] = []
    groove = song.groove
    for bar in bars:
        chord = song.chord(bar)
        power = chord.quality == "5"
        chosen = voicing if power else close_voicing
        pitches = chosen(song.tonic, chord, low)
        root = voicing(song.tonic, chord, low)[0]
        for step, symbol, length in _events(_figure(COMPS, name, bar)):
            onset = groove.played(bar * STEPS + step, rng)
            velocity = (0.9 if step % 4 == 0 else 0.7) * float(rng.uniform(0.85, 1.0))
            span = length * groove.step_s
            if symbol.isdigit():
                tones = [*pitches, *(pitch + 12 for pitch in pitches)]
                notes.append(Note(onset, 1.6 * span, tones[int(symbol) - 1], velocity))
                continue
            if symbol in "mn":
                played, held = [root, root + (9 if symbol == "n" else 7)], 0.55 * span
            else:
                played, held = pitches, (0.95 if symbol == "C" else 0.4) * span
            for index, pitch in enumerate(played):
                notes.append(Note(onset + index * strum_s, held, pitch, velocity))
    return notes


def _motif(density: float, rng: np.random.Generator) -> list[int]:
    """Onset steps of one bar; strong steps are likelier."""
    weight = np.tile([1.6, 0.5, 1.1, 0.5], 4)
    chance = np.clip(weight * density / weight.sum(), 0.0, 0.97)
    onsets = np.flatnonzero(rng.random(STEPS) < chance)
    return [int(step) for step in onsets] or [0]


def lead_part(
    song: Song,
    name: str,
    bars: Sequence[int],
    rng: np.random.Generator,
    *,
    transpose: int = 0,
    rests: bool = True,
) -> list[Note]:
    """A melody: a two-bar rhythm that returns, mostly by step, chord tones on the beat.

    Parameters
    ----------
    transpose : int
        Semitones above the figure's own register.
    rests : bool
        Whether bars may be silent.
    """
    lead = LEADS[name]
    low = int(lead["low"]) + transpose
    ladder = scale_pitches(song.tonic, song.scale, low, low + int(lead["span"]))
    rhythm = [_motif(lead["density"], rng) for _ in range(2)]
    place = len(ladder) // 2
    notes = []
    for bar in bars:
        if rests and rng.random() < lead["rest"]:
            continue
        if rng.random() < 0.25:
            rhythm[bar % 2] = _motif(lead["density"], rng)
        onsets = rhythm[bar % 2]
        tones = {pitch % 12 for pitch in voicing(song.tonic, song.chord(bar), low)}
        for step, end in zip(onsets, [*onsets[1:], STEPS], strict=True):
            reach = 3 if rng.random() < lead["leap"] else 1
            place += int(rng.integers(-reach, reach + 1))
            place = min(max(place, 0), len(ladder) - 1)
            if step % 4 == 0:
                near = [i for i, pitch in enumerate(ladder) if pitch % 12 in tones]
                place = min(near, key=lambda i: abs(i - place), default=place)
            length = min(end - step, 8) * song.groove.step_s
            onset = song.groove.played(bar * STEPS + step, rng)
            velocity = float(rng.uniform(0.65, 0.95))
            notes.append(Note(onset, 0.92 * length, ladder[place], velocity))
    return notes
