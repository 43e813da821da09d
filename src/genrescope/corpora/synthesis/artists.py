"""Artists and pieces: drawing one set of choices from a style table.

Genres overlap as real ones do: each side of an artist's music (feel, harmony, each part, the
record) may be borrowed from another genre of the same table, and a few artists are filed under
a genre they do not play.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from genrescope.corpora.synthesis import drums as drum_kits
from genrescope.corpora.synthesis import tones as tone_table
from genrescope.corpora.synthesis.mix import CEILING, Production
from genrescope.corpora.synthesis.parts import Song
from genrescope.corpora.synthesis.score import Groove
from genrescope.corpora.synthesis.styles import PARTS, Medium, Played, Style, style_table

SIDES = ("feel", "harmony", "record", "balance", *PARTS)
BORROWED = {"western": 0.02, "korean": 0.03}  # chance that one side comes from another genre
MISFILED = 0.03  # chance that an artist plays another genre than the label says

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Artist:
    """What an artist's pieces have in common.

    Parameters
    ----------
    sides : dict of str to Style
        The style that each of `SIDES` follows.
    production : Production
    kit : drums.Kit
    basses : tones.Tone
    played : dict of str to (str, tones.Tone)
        Favourite figure and tone of guitar, keys, strings and lead.
    """

    sides: dict[str, Style]
    production: Production
    kit: drum_kits.Kit
    bass_tone: tone_table.Tone
    played: dict[str, tuple[str, tone_table.Tone]]


@dataclass(frozen=True)
class Piece:
    """One composition and its players."""

    song: Song
    drums: str
    bass: str
    kit: drum_kits.Kit
    bass_tone: tone_table.Tone
    played: dict[str, tuple[str, tone_table.Tone]]
    presence: dict[str, float]
    levels_db: dict[str, float]
    production: Production


def pick(choices: Sequence[Choice], rng: np.random.Generator) -> Choice:
    """One of the choices, each as likely."""
    return choices[int(rng.integers(len(choices)))]


def _within(bounds: tuple[float, float], rng: np.random.Generator) -> float:
    return float(rng.uniform(*bounds))


def _production(medium: Medium, rng: np.random.Generator) -> Production:
    return Production(
        bandwidth_hz=_within(medium.bandwidth_hz, rng),
        noise_db=_within(medium.noise_db, rng),
        crackle=float(rng.uniform(2.0, 12.0)) if rng.random() < medium.crackle else 0.0,
        room_s=_within(medium.room_s, rng),
        wet=_within(medium.wet, rng),
        tilt_db=_within(medium.tilt_db, rng),
        squeeze=_within(medium.squeeze, rng),
        warmth=_within(medium.warmth, rng),
        peak=min(CEILING, _within(medium.peak, rng)),
    )


def _tone(played: Played, rng: np.random.Generator) -> tuple[str, tone_table.Tone]:
    figure, name = played
    return figure, tone_table.varied(tone_table.TONES[name], rng)


def draw_artist(table: str, label: str, rng: np.random.Generator) -> Artist:
    """An artist filed under a label of a style table."""
    styles = style_table(table)
    others = [name for name in styles if name != label]
    home = pick(others, rng) if rng.random() < MISFILED else label
    sides = {}
    for side in SIDES:
        borrowed = rng.random() < BORROWED[table]
        sides[side] = styles[pick(others, rng) if borrowed else home]
    played = {
        part: _tone(pick(getattr(sides[part], part), rng), rng)
        for part in ("guitar", "keys", "strings", "lead")
    }
    kit = drum_kits.KITS[pick(sides["drums"].kits, rng)]
    bass_name = pick(sides["bass"].basses, rng)
    return Artist(
        sides=sides,
        production=_production(sides["record"].medium, rng),
        kit=drum_kits.varied(kit, rng),
        bass_tone=tone_table.varied(tone_table.TONES[bass_name], rng),
        played=played,
    )


def draw_piece(artist: Artist, rng: np.random.Generator) -> Piece:
    """A composition of an artist: new key, tempo, chords, patterns; mostly the same players."""
    sides = artist.sides
    groove = Groove(
        tempo_bpm=_within(sides["feel"].tempo_bpm, rng),
        shuffle=_within(sides["feel"].shuffle, rng),
        swing=_within(sides["feel"].swing, rng),
        jitter_s=float(rng.uniform(0.001, 0.009)),
    )
    song = Song(
        groove=groove,
        tonic=int(rng.integers(12)),
        progression=pick(sides["harmony"].progressions, rng),
        scale=pick(sides["harmony"].scales, rng),
    )
    played = {}
    for part, favourite in artist.played.items():
        other = rng.random() < 0.4
        played[part] = _tone(pick(getattr(sides[part], part), rng), rng) if other else favourite
    levels = {
        part: sides["balance"].levels_db.get(part, 0.0) + 1.2 * float(rng.standard_normal())
        for part in PARTS
    }
    production = artist.production
    production = replace(
        production,
        tilt_db=production.tilt_db + 0.7 * float(rng.standard_normal()),
        peak=min(CEILING, production.peak * float(rng.uniform(0.85, 1.1))),
    )
    return Piece(
        song=song,
        drums=pick(sides["drums"].drums, rng),
        bass=pick(sides["bass"].bass, rng),
        kit=artist.kit,
        bass_tone=artist.bass_tone,
        played=played,
        presence=sides["balance"].presence,
        levels_db=levels,
        production=production,
    )
