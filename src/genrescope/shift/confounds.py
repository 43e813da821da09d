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
Side = Literal["source", "target"]
CHANGES = ("clip length", "padding", "band", "level", "single instruments")  # in the ladder's order


@dataclass(frozen=True)
class Change:
    """One thing about the clips of one corpus made like the other's.

    Attributes
    ----------
    name : str
        One of `CHANGES`.
    settings : mapping
        Attributes of `Alteration`; empty where nothing is to change.
    instruments : mapping of str to float
        Share of the clips that become the part of the mix like each instrument.
    side : {"source", "target"}
        Whose clips are changed: those that have more of it, since nothing gives a short clip its
        end or a loop its band back.
    note : str
        What is done, with the measured figures, or why nothing is.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    instruments: Mapping[str, float] = field(default_factory=dict)
    side: Side = "source"
    note: str = ""

    @property
    def needed(self) -> bool:
        """Whether the corpora differ in this."""
        return bool(self.settings or self.instruments)


def changes_between(
    source: Recording, target: Recording, *, fit: Literal["loop", "pad"]
) -> list[Change]:
    """The changes that make the clips of two corpora alike, in the order of the ladder.

    Parameters
    ----------
    source, target : Recording
    fit : {"loop", "pad"}
        What follows clips that are too short.

    Returns
    -------
    list of Change
        One for each of `CHANGES`.

    Examples
    --------
    >>> mixes = Recording(9, 5.0, -15.0, 9000.0, {})
    >>> loops = Recording(9, 3.0, -18.0, 6000.0, {"drums": 0.4, "strings": 0.6})
    >>> for change in changes_between(mixes, loops, fit="pad"):
    ...     print(f"{change.name}: {change.note}")
    clip length: source: 5.0 s cut to 3.0 s and repeated
    padding: source: 3.0 s of sound, then silence
    band: source: low-passed at 6,000 Hz
    level: source: −3.0 dB
    single instruments: source: parts of the mix like drums .40, strings .60
    """
    return [
        *_length(source, target, fit),
        _band(source, target),
        _level(source, target),
        _instruments(source, target),
    ]


def _length(source: Recording, target: Recording, fit: Literal["loop", "pad"]) -> list[Change]:
    names = "clip length", "padding"
    longer, shorter = sorted((source.seconds, target.seconds), reverse=True)
    if shorter >= SHORTER * longer:
        note = f"clips are about as long in both: {source.seconds:.1f} and {target.seconds:.1f} s"
        return [Change(name, note=note) for name in names]
    side: Side = "source" if source.seconds > target.seconds else "target"
    cut = f"{side}: {longer:.1f} s cut to {shorter:.1f} s and repeated"
    seconds = {"seconds": round(shorter, 3)}
    changes = [Change(names[0], {**seconds, "how": "loop"}, side=side, note=cut)]
    if fit == "loop":
        return [*changes, Change(names[1], note="short clips are repeated in this study")]
    note = f"{side}: {shorter:.1f} s of sound, then silence"
    return [*changes, Change(names[1], {**seconds, "how": "pad"}, side=side, note=note)]


def _band(source: Recording, target: Recording) -> Change:
    wider, narrower = sorted((source.bandwidth_hz, target.bandwidth_hz), reverse=True)
    if not narrower < NARROWER * wider:
        return Change("band", note=f"both reach up to about {wider:,.0f} Hz")
    side: Side = "source" if source.bandwidth_hz > target.bandwidth_hz else "target"
    settings = {"highest_hz": round(narrower, 1), "floor_db": FLOOR_DBFS}
    return Change("band", settings, side=side, note=f"{side}: low-passed at {narrower:,.0f} Hz")


def _level(source: Recording, target: Recording) -> Change:
    gain = target.level_dbfs - source.level_dbfs
    said = f"{gain:+.1f} dB".replace("-", "−")
    if not abs(gain) >= LOUDER_DB:
        return Change("level", note=f"about as loud in both: {said}")
    return Change("level", {"gain_db": round(gain, 2)}, note=f"source: {said}")


def _instruments(source: Recording, target: Recording) -> Change:
    name = "single instruments"
    if bool(source.instruments) == bool(target.instruments):
        what = "of single instruments" if source.instruments else "not known to be of single ones"
        return Change(name, note=f"both corpora are {what}")
    instruments = source.instruments or target.instruments
    side: Side = "source" if target.instruments else "target"
    shares = [f"{name} {share:.2f}".replace(" 0.", " .") for name, share in instruments.items()]
    note = f"{side}: parts of the mix like {', '.join(shares)}"
    return Change(name, instruments=instruments, side=side, note=note)


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
