"""What a style is: the choices its players have and the ranges its records lie in."""

from dataclasses import dataclass, field
from functools import cache

Range = tuple[float, float]
Played = tuple[str, str]  # a figure and the tone that plays it

PARTS = ("drums", "bass", "guitar", "keys", "strings", "lead")


@dataclass(frozen=True)
class Medium:
    """Ranges of `mix.Production`'s properties, in its units.

    `crackle` is the chance that the record is worn.
    """

    bandwidth_hz: Range = (7000.0, 11025.0)
    noise_db: Range = (-75.0, -55.0)
    crackle: float = 0.0
    room_s: Range = (0.4, 1.2)
    wet: Range = (0.05, 0.25)
    tilt_db: Range = (-2.0, 3.0)
    squeeze: Range = (0.2, 0.5)
    warmth: Range = (0.2, 0.8)
    peak: Range = (0.6, 0.94)


@dataclass(frozen=True)
class Style:
    """A row of a style table; of several choices each is as likely, so a favourite stands twice.

    Parameters
    ----------
    tempo_bpm, shuffle, swing : tuple of float
        Ranges, see `score.Groove`.
    progressions, scales, drums, kits, bass, basses : tuple of str
        Keys of the tables of those names.
    guitar, keys, strings, lead : tuple of (str, str)
        Figure (of `figures.COMPS`, for the lead of `figures.LEADS`) and tone.
    presence : dict of str to float
        Chance that a part is there; among single loops, its share.
    levels_db : dict of str to float
        Level of each part in the mix.
    medium : Medium
    """

    tempo_bpm: Range
    progressions: tuple[str, ...]
    scales: tuple[str, ...]
    drums: tuple[str, ...]
    kits: tuple[str, ...]
    bass: tuple[str, ...]
    basses: tuple[str, ...]
    guitar: tuple[Played, ...]
    keys: tuple[Played, ...]
    strings: tuple[Played, ...]
    lead: tuple[Played, ...]
    presence: dict[str, float]
    levels_db: dict[str, float] = field(default_factory=dict)
    medium: Medium = field(default_factory=Medium)
    shuffle: Range = (0.0, 0.0)
    swing: Range = (0.0, 0.0)


@cache
def style_table(name: str) -> dict[str, Style]:
    """The styles of a corpus by label: "western" or "korean".

    Examples
    --------
    >>> list(style_table("western"))
    ['blues', 'hiphop', 'disco', 'pop', 'rock', 'metal']
    """
    if name == "western":
        from genrescope.corpora.synthesis.western_styles import STYLES
    else:
        from genrescope.corpora.synthesis.korean_styles import STYLES
    return STYLES
