"""The players of a piece, each with an own part and an own sound."""

from collections.abc import Sequence

import numpy as np

from genrescope.corpora.synthesis.artists import Piece
from genrescope.corpora.synthesis.drums import play_drums
from genrescope.corpora.synthesis.instruments import play
from genrescope.corpora.synthesis.parts import bass_part, comp_part, drum_part, lead_part
from genrescope.corpora.synthesis.score import Note
from genrescope.corpora.synthesis.waves import Wave

_LOW = {"guitar": 50, "keys": 56, "strings": 60}  # lowest pitch of each hand
_DISTORTED_LOW = 40  # a distorted guitar plays its power chords down here
_DISTORTED = 2.0  # drive above which a guitar counts as distorted


def compose(
    piece: Piece, part: str, bars: Sequence[int], rng: np.random.Generator, *, fill: bool = True
) -> list[Note]:
    """The notes of one part over the given bars, in order of time.

    Parameters
    ----------
    part : {"drums", "bass", "guitar", "keys", "strings", "lead"}
    fill : bool
        Whether the drummer plays fills and crashes.
    """
    song = piece.song
    if part == "drums":
        notes = drum_part(song, piece.drums, bars, rng, fill=fill)
    elif part == "bass":
        notes = bass_part(song, piece.bass, bars, rng)
    elif part == "lead":
        notes = lead_part(song, piece.played["lead"][0], bars, rng)
    else:
        figure, tone = piece.played[part]
        low = _LOW[part]
        strum_s = 0.0
        if part == "guitar":
            distorted = tone.drive > _DISTORTED
            low = _DISTORTED_LOW if distorted else low
            strum_s = 0.003 if distorted else 0.009
        notes = comp_part(song, figure, bars, rng, low=low, strum_s=strum_s)
    return sorted(notes)


def perform(
    piece: Piece, part: str, notes: Sequence[Note], count: int, rng: np.random.Generator
) -> Wave:
    """The sound of one part: `count` samples."""
    if part == "drums":
        return play_drums(notes, piece.kit, count, rng)
    tone = piece.bass_tone if part == "bass" else piece.played[part][1]
    return play(notes, tone, count, rng)
