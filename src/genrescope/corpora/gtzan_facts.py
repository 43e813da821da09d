"""Published facts about GTZAN's thousand excerpts: artists, repetitions, faults, a partition."""

import csv
import functools
import re
from importlib import resources

GENRES: tuple[str, ...] = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)
# blues.00000, as file stem or file name; blues.00000.7 is a 3 s piece in the published 3 s table.
# Case counts: other corpora name their files Metal.00000.wav.
NAME = re.compile(rf"((?:{'|'.join(GENRES)})\.\d{{5}})(?:\.\d{{1,2}})?(?:\.[A-Za-z0-9]{{2,5}})?")


def excerpt_of(name: str) -> str | None:
    """The GTZAN excerpt a file name stands for, or None where it is not one of GTZAN's names.

    Parameters
    ----------
    name : str
        A file name or stem without folder.

    Examples
    --------
    >>> excerpt_of("blues.00007.wav"), excerpt_of("blues.00007.3.wav"), excerpt_of("Pop.00007.wav")
    ('blues.00007', 'blues.00007', None)
    """
    match = NAME.fullmatch(name)
    return match[1] if match and match[1] in _artists() else None


def artist_of(excerpt: str) -> str | None:
    """Artist of an excerpt by Sturm's index, or None where the index does not know.

    Artists who perform together on an excerpt count as one, so that keeping artists apart in a
    split keeps voices apart. The name is that of the first excerpt where several are repetitions.

    Examples
    --------
    >>> artist_of("rock.00000"), artist_of("jazz.00054")
    ('Morphine', None)
    """
    return _artists().get(track_of(excerpt)) or _artists().get(excerpt)


def track_of(excerpt: str) -> str:
    """The recording an excerpt shows: its own name, or the first of its exact repetitions.

    Examples
    --------
    >>> track_of("disco.00070"), track_of("disco.00000")
    ('disco.00050', 'disco.00000')
    """
    return _repetitions().get(excerpt, excerpt)


def filtered_part(excerpt: str) -> str | None:
    """Part of the fault-filtered partition: train, validation, test or removed; None if unlisted.

    Examples
    --------
    >>> filtered_part("blues.00012"), filtered_part("reggae.00086"), filtered_part("blues.00100")
    ('test', 'removed', None)
    """
    return _parts().get(excerpt)


def fault_of(excerpt: str) -> tuple[float | None, str] | None:
    """Known damage of an excerpt: until which second it is usable (None: varies), and what it is.

    Examples
    --------
    >>> fault_of("reggae.00086")
    (5.0, 'is distorted after its first 5 s')
    """
    return _faults().get(excerpt)


def _table(name: str) -> list[dict[str, str]]:
    text = resources.files("genrescope").joinpath("corpora", "data", name).read_text("utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


@functools.cache
def _artists() -> dict[str, str | None]:
    return {row["excerpt"]: row["group"] or None for row in _table("gtzan_artists.csv")}


@functools.cache
def _repetitions() -> dict[str, str]:
    return {row["excerpt"]: row["track"] for row in _table("gtzan_repetitions.csv")}


@functools.cache
def _parts() -> dict[str, str]:
    return {row["excerpt"]: row["part"] for row in _table("gtzan_fault_filtered.csv")}


@functools.cache
def _faults() -> dict[str, tuple[float | None, str]]:
    return {
        row["excerpt"]: (
            float(row["usable_until_s"]) if row["usable_until_s"] else None,
            row["fault"],
        )
        for row in _table("gtzan_faults.csv")
    }
