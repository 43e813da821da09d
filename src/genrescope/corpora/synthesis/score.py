"""What is played and when: notes, and the groove that places them in time."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

STEPS = 16  # steps (sixteenth notes) in a bar; every piece is in 4/4


class Note(NamedTuple):
    """One note of one part.

    Attributes
    ----------
    start_s, duration_s : float
        Onset from the beginning of the piece and sounding length, in seconds.
    pitch : int
        MIDI note number; for drums the General MIDI percussion number.
    velocity : float
        Loudness from 0 to 1.
    """

    start_s: float
    duration_s: float
    pitch: int
    velocity: float


@dataclass(frozen=True)
class Groove:
    """Tempo and feel.

    Parameters
    ----------
    tempo_bpm : float
        Quarter notes a minute.
    shuffle : float
        How far the off-beat eighths lean towards the triplet: 0 straight, 1 full shuffle.
    swing : float
        The same for the off-beat sixteenths.
    jitter_s : float
        Standard deviation of the players' timing, in seconds.

    Examples
    --------
    >>> groove = Groove(tempo_bpm=120.0)
    >>> groove.bar_s, groove.time(4)
    (2.0, 0.5)
    """

    tempo_bpm: float
    shuffle: float = 0.0
    swing: float = 0.0
    jitter_s: float = 0.0

    @property
    def step_s(self) -> float:
        """Length of a sixteenth note in seconds."""
        return 15.0 / self.tempo_bpm

    @property
    def bar_s(self) -> float:
        """Length of a bar in seconds."""
        return STEPS * self.step_s

    def time(self, step: int) -> float:
        """Onset of an absolute sixteenth step, in seconds, with the feel applied."""
        beat, within = divmod(step, 4)
        # A shuffled beat is long-short: its middle moves from 1/2 to 2/3 of the beat.
        middle = 2.0 + self.shuffle * 2.0 / 3.0
        place = (0.0, middle / 2.0, middle, (middle + 4.0) / 2.0)[within]
        if within % 2:
            place += self.swing / 3.0
        return (4 * beat + place) * self.step_s

    def played(self, step: int, rng: np.random.Generator) -> float:
        """Onset of a step as a player hits it: `time` and a small error, never negative."""
        return max(0.0, self.time(step) + self.jitter_s * float(rng.standard_normal()))
