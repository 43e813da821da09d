"""What else than the music differs between two corpora, as changes that can be made to a clip."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genrescope.audio.alter import Part
from genrescope.audio.alteration import Alteration
from genrescope.corpora.recording import Recording

FLOOR_DBFS = -70.0  # noise under a narrowed band, so that what is cut off is not digital silence
NARROWER = 0.9  # bands closer than this are alike
LOUDER_DB = 1.0
SHORTER = 0.95
# Nothing tells a guitar from keys once they are mixed; what sounds on is one part for both.
PARTS: Mapping[str, Part] = {"drums": "drums", "bass": "bass"}
OTHER_PART: Part = "harmonic"


@dataclass(frozen=True)
class Change:
    """One thing about the source's clips made like the target's.

    Attributes
    ----------
    name : str
        `clip length`, `padding`, `band and level`, `single instruments`.
    settings : mapping
        Attributes of `Alteration`; empty where nothing is to change.
    instruments : mapping of str to float
        Share of the clips that become the part of the mix like each instrument.
    note : str
        What is done, with the measured figures, or why nothing is.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    instruments: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def needed(self) -> bool:
        """Whether the corpora differ in this."""
        return bool(self.settings or self.instruments)


def changes_between(
    source: Recording, target: Recording, *, fit: Literal["loop", "pad"]
) -> list[Change]:
    """The changes that make a source's clips like the target's, in the order of the ladder.

    Parameters
    ----------
    source, target : Recording
    fit : {"loop", "pad"}
        What follows clips that are too short.

    Returns
    -------
    list of Change
        Clip length, padding, band and level, single instruments.

    Examples
    --------
    >>> mixes = Recording(9, 5.0, -15.0, 9000.0, {})
    >>> loops = Recording(9, 3.0, -18.0, 6000.0, {"drums": 0.4, "strings": 0.6})
    >>> for change in changes_between(mixes, loops, fit="pad"):
    ...     print(f"{change.name}: {change.note}")
    clip length: 5.0 s cut to 3.0 s and repeated
    padding: 3.0 s of sound, then silence
    band and level: low-passed at 6,000 Hz, −3.0 dB
    single instruments: parts of the mix like drums .40, strings .60
    """
    return [
        *_length(source, target, fit),
        _band_and_level(source, target),
        _instruments(source, target),
    ]


def _length(source: Recording, target: Recording, fit: Literal["loop", "pad"]) -> list[Change]:
    if target.seconds >= SHORTER * source.seconds:
        note = f"the target's clips are not shorter: {target.seconds:.1f} s"
        return [Change("clip length", note=note), Change("padding", note=note)]
    seconds = {"seconds": round(target.seconds, 3)}
    cut = Change(
        "clip length",
        {**seconds, "how": "loop"},
        note=f"{source.seconds:.1f} s cut to {target.seconds:.1f} s and repeated",
    )
    if fit == "loop":
        return [cut, Change("padding", note="short clips are repeated, not padded, in this study")]
    note = f"{target.seconds:.1f} s of sound, then silence"
    return [cut, Change("padding", {**seconds, "how": "pad"}, note=note)]


def _band_and_level(source: Recording, target: Recording) -> Change:
    settings: dict[str, float] = {}
    said = []
    if target.bandwidth_hz < NARROWER * source.bandwidth_hz:
        settings |= {"highest_hz": round(target.bandwidth_hz, 1), "floor_db": FLOOR_DBFS}
        said.append(f"low-passed at {target.bandwidth_hz:,.0f} Hz")
    gain = target.level_dbfs - source.level_dbfs
    if abs(gain) >= LOUDER_DB:
        settings["gain_db"] = round(gain, 2)
        said.append(f"{gain:+.1f} dB".replace("-", "−"))
    note = ", ".join(said) or "the target is neither narrower in band nor of another level"
    return Change("band and level", settings, note=note)


def _instruments(source: Recording, target: Recording) -> Change:
    if not target.instruments:
        return Change("single instruments", note="the target's clips are no single instruments")
    if source.instruments:
        return Change("single instruments", note="both corpora are of single instruments")
    shares = [
        f"{name} {share:.2f}".replace(" 0.", " .") for name, share in target.instruments.items()
    ]
    note = f"parts of the mix like {', '.join(shares)}"
    return Change("single instruments", instruments=target.instruments, note=note)


def instrument_of(clip_id: str, instruments: Mapping[str, float], *, seed: int = 0) -> str:
    """The instrument a clip is to sound like: drawn by the shares, the same clip always the same.

    Parameters
    ----------
    clip_id : str
    instruments : mapping of str to float
        Shares that sum to 1.
    seed : int

    Examples
    --------
    >>> drawn = [instrument_of(str(n), {"bass": 0.25, "drums": 0.75}) for n in range(1000)]
    >>> round(drawn.count("drums") / 1000, 1)
    0.8
    """
    digest = hashlib.sha256(f"{seed}:{clip_id}".encode()).digest()
    place = int.from_bytes(digest[:8]) / 2**64
    for name, share in instruments.items():
        place -= share
        if place < 0:
            return name
    return name


def alterations(
    clip_ids: Sequence[str], changes: Sequence[Change], *, seed: int = 0
) -> list[Alteration]:
    """What is done to each clip when several changes are made together.

    Parameters
    ----------
    clip_ids : sequence of str
    changes : sequence of Change
        Later ones win where two set the same.
    seed : int
        Of the instruments.

    Examples
    --------
    >>> [pad] = [Change("padding", {"seconds": 3.0, "how": "pad"})]
    >>> alterations(["a"], [Change("clip length", {"seconds": 3.0, "how": "loop"}), pad])[0].how
    'pad'
    """
    settings: dict[str, Any] = {}
    instruments: Mapping[str, float] = {}
    for change in changes:
        settings |= change.settings
        instruments = change.instruments or instruments
    made = []
    for clip_id in clip_ids:
        part = None
        if instruments:
            part = PARTS.get(instrument_of(clip_id, instruments, seed=seed), OTHER_PART)
        made.append(Alteration(part=part, **settings))
    return made
