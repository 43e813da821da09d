"""What the metadata of a loop say, understood through keys, codes and vocabularies."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genrescope.audio.probe import AudioInfo
from genrescope.corpora.korean_metadata import Metadata, instruments, plain, top_level
from genrescope.errors import CorpusError
from genrescope.taxonomy import Taxonomy

DURATION_TOLERANCE_S = 0.1
DURATION_TOLERANCE = 0.05  # of the duration
LOWEST_RATE_HZ = 1000  # a smaller sample rate is given in kilohertz
MOST_SHOWN = 6


@dataclass(frozen=True)
class Facts:
    """What the metadata say of one loop."""

    label: str
    genre: str | None
    instrument: str | None
    kept: bool  # by the instrument filter
    song: str | None
    phrase: str | None
    duration: Any
    sample_rate: Any


@dataclass(frozen=True)
class Reader:
    """Where facts stand in the metadata, and how their values are understood."""

    keys: Mapping[str, tuple[str, ...]]
    genre_codes: Mapping[str, str]
    instrument_codes: Mapping[str, str]
    taxonomy: Taxonomy
    instruments: frozenset[str] | None  # None: all

    def facts(self, metadata: Metadata) -> Facts:
        """Read one file's facts.

        Raises
        ------
        CorpusError
            Where the genre or instrument cannot be found or is not one.
        """
        label, genre = self._genre(metadata)
        instrument, kept = self._instrument(metadata)
        return Facts(
            label=label,
            genre=genre,
            instrument=instrument,
            kept=kept,
            song=_first_text(metadata.values(self.keys["song"], single=True)),
            phrase=_first_text(metadata.values(self.keys["phrase"], single=True)),
            duration=_first(metadata.values(self.keys["duration"], single=True)),
            sample_rate=_first(metadata.values(self.keys["sample_rate"], single=True)),
        )

    def _genre(self, metadata: Metadata) -> tuple[str, str | None]:
        values = [str(value) for value in metadata.values(self.keys["genre"])]
        if not values:
            raise _key_missing("genre", self.keys["genre"], metadata)
        labels: dict[str, str | None] = {}
        for value in values:
            main = top_level(value)
            codes = self.genre_codes
            label = codes.get(plain(value)) or codes.get(plain(main)) or value
            of = self.taxonomy.genre_of
            labels.setdefault(label, of(label) or of(value) or of(main))
        genres = {genre: label for label, genre in labels.items() if genre is not None}
        if len(genres) > 1:
            reason = f"the metadata name several genres: {', '.join(labels)}"
            raise CorpusError(reason, kind="metadata-ambiguous")
        for genre, label in genres.items():
            return label, genre
        return next(iter(labels)), None

    def _instrument(self, metadata: Metadata) -> tuple[str | None, bool]:
        values = [str(value) for value in metadata.values(self.keys["instrument"])]
        if not values:
            if self.instruments is None:
                return None, True
            raise _key_missing("instrument", self.keys["instrument"], metadata)
        decoded = [self.instrument_codes.get(plain(value)) or value for value in values]
        names = sorted({instruments().get(plain(value), value) for value in decoded})
        kept = self.instruments is None or self.instruments.issuperset(names)
        return " + ".join(names), kept


def _key_missing(field: str, candidates: tuple[str, ...], metadata: Metadata) -> CorpusError:
    shown = ", ".join(candidates[:MOST_SHOWN]) + (", ..." if candidates[MOST_SHOWN:] else "")
    return CorpusError(
        f"the metadata have no value for the {field} (looked for {shown}); their keys are "
        f"{metadata.shown_keys()}: name the right one under keys.{field}",
        kind="metadata-key",
    )


def _first(values: list[Any]) -> Any:
    return values[0] if values else None


def _first_text(values: list[Any]) -> str | None:
    return str(values[0]) if values else None


def disagreement(facts: Facts, info: AudioInfo) -> str | None:
    """How metadata and sound contradict each other, or None where they agree or say nothing."""
    said_s = _seconds(facts.duration)
    if said_s is not None:
        allowed_s = max(DURATION_TOLERANCE_S, DURATION_TOLERANCE * info.duration_s)
        whole = (
            isinstance(facts.duration, str) and ":" in facts.duration and "." not in facts.duration
        )
        allowed_s = max(allowed_s, 1.0) if whole else allowed_s
        # Some datasets count milliseconds.
        if min(abs(said_s - info.duration_s), abs(said_s / 1000 - info.duration_s)) > allowed_s:
            return (
                f"the metadata say {facts.duration} for the duration, the sound has "
                f"{info.duration_s:.2f} s"
            )
    said_hz = _number(facts.sample_rate)
    if said_hz is not None:
        said_hz = said_hz * 1000 if said_hz < LOWEST_RATE_HZ else said_hz
        if round(said_hz) != info.sample_rate:
            return f"the metadata say {said_hz:g} Hz, the sound has {info.sample_rate} Hz"
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    match = re.match(r"\d+(?:\.\d+)?", str(value).replace(",", "").strip())
    number = float(match[0]) if match else math.inf
    return number if math.isfinite(number) else None


def _seconds(value: Any) -> float | None:
    """Seconds from 3.02, "3.02", "3.02 sec", "00:03.02"; None where it is none of them."""
    if isinstance(value, str) and re.fullmatch(r"(?:\d+:)?\d+:\d+(?:\.\d+)?", value.strip()):
        seconds = 0.0
        for part in value.strip().split(":"):
            seconds = seconds * 60 + float(part)
        return seconds
    return _number(value)
