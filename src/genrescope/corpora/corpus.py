"""The corpus table every format returns: its columns, its file, its fingerprint."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import pandas as pd

from genrescope.corpora.table import (
    CLIP_DTYPES,
    COLUMNS,
    checked_clips,
    failures_frame,
)
from genrescope.errors import ConfigError, CorpusError, RemoteError
from genrescope.files import atomic_path, content_digests, sha256_json, write_csv
from genrescope.parquet_file import read_parquet
from genrescope.remote import UrlPath, at_hand, exists, place_of, write_file
from genrescope.settings import NAME

__all__ = ["CLIP_DTYPES", "COLUMNS", "Corpus", "regroup"]

FILE_VERSION = 1
METADATA_KEY = b"genrescope"
FEATURE_PREFIX = "feature:"


@dataclass(frozen=True)
class Corpus:
    """A set of labelled clips with one origin and one culture.

    Parameters
    ----------
    name : str
        Short name, part of every `clip_id`.
    culture : str
        The musical culture the clips come from.
    format : str
        A key of `genrescope.corpora.FORMATS`.
    clips : pandas.DataFrame
        One row per clip with the columns of `COLUMNS`; `genre` is null where the label is
        outside the taxonomy, `start_s` and `duration_s` are seconds.
    failures : pandas.DataFrame
        What could not be used: `path`, `reason`, `kind`.
    features : pandas.DataFrame or None
        Ready features, one row per clip with index `clip_id`; only for feature tables.
    synthetic : bool
        Whether the clips were rendered by code.
    notes : tuple of str
        Sentences on what indexing decided or left out.

    Examples
    --------
    >>> from genrescope.corpora.table import clips_frame
    >>> row = {"clip_id": "toy/a.wav@0", "corpus": "toy", "label": "blues", "genre": "Blues-like"}
    >>> corpus = Corpus("toy", "Western", "folder", clips_frame([row]), failures_frame([]))
    >>> len(corpus.usable), corpus.summary()["genres"]
    (1, {'Blues-like': 1})
    """

    name: str
    culture: str
    format: str
    clips: pd.DataFrame
    failures: pd.DataFrame
    features: pd.DataFrame | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    @property
    def usable(self) -> pd.DataFrame:
        """The clips whose label maps to a genre."""
        return self.clips[self.clips["genre"].notna()].reset_index(drop=True)

    def summary(self) -> dict[str, Any]:
        """Counts as plain Python values: clips, tracks, groups, genres, unmapped, failures.

        Returns
        -------
        dict
            `clips` counts all rows, `usable` those with a genre; `tracks`, `groups` and `genres`
            count over the usable ones; `unmapped` counts clips per label without a genre, and
            `failures` rows per kind.
        """
        usable = self.usable
        unmapped = self.clips.loc[self.clips["genre"].isna(), "label"]
        return {
            "name": self.name,
            "culture": self.culture,
            "format": self.format,
            "synthetic": self.synthetic,
            "clips": len(self.clips),
            "usable": len(usable),
            "tracks": int(usable["track"].nunique()),
            "groups": int(usable["group"].nunique()),
            "group_kinds": _counts(usable["group_kind"]),
            "genres": _counts(usable["genre"]),
            "unmapped": _counts(unmapped),
            "failures": _counts(self.failures["kind"]),
            "notes": list(self.notes),
        }

    def fingerprint(self) -> str:
        """SHA-256 of what the corpus contains, the same on every machine.

        Clip bounds, labels, genres, groups and the bytes of the audio files (or the ready
        features) count; where the files lie does not.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        table = self.clips.sort_values("clip_id", ignore_index=True)
        kept = [column for column in COLUMNS if column not in {"path", "midi_path"}]
        content: dict[str, Any] = {
            "clips": hashlib.sha256(
                table[kept].to_csv(index=False, lineterminator="\n").encode()
            ).hexdigest(),
            "audio": content_digests(table["path"].dropna().unique().tolist()),
        }
        if self.features is not None:
            ordered = self.features.loc[table["clip_id"]]
            content["columns"] = list(ordered.columns)
            content["features"] = hashlib.sha256(
                ordered.to_numpy(dtype="<f8", copy=True).tobytes()
            ).hexdigest()
        return sha256_json(content)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """Write the table as Parquet, and the failures beside it as ``<stem>.failures.csv``.

        Name, culture, format and notes travel in the Parquet schema; ready features become
        columns named ``feature:<name>``.

        Parameters
        ----------
        path : path-like
            Where to write, a URL or a path whose parent folders are made.

        Raises
        ------
        OutputError, RemoteError
            Where a file cannot be written.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        frame = self.clips
        if self.features is not None:
            ready = self.features.loc[frame["clip_id"]].add_prefix(FEATURE_PREFIX)
            frame = pd.concat([frame, ready.reset_index(drop=True)], axis=1)
        about = {
            "version": FILE_VERSION,
            "name": self.name,
            "culture": self.culture,
            "format": self.format,
            "synthetic": self.synthetic,
            "has_features": self.features is not None,
            "notes": list(self.notes),
        }
        table = pa.Table.from_pandas(frame, preserve_index=False)
        metadata = {**(table.schema.metadata or {}), METADATA_KEY: json.dumps(about).encode()}
        table = table.replace_schema_metadata(metadata)
        place, beside = place_of(path), _failures_path(path)
        if isinstance(place, UrlPath):
            content = pa.BufferOutputStream()
            pq.write_table(table, content)
            write_file(beside, self.failures.to_csv(index=False, lineterminator="\n").encode())
            write_file(place, content.getvalue().to_pybytes())
            return
        write_csv(beside, self.failures)
        with atomic_path(place) as temporary:
            pq.write_table(table, temporary)

    @classmethod
    def from_parquet(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `to_parquet` wrote.

        Parameters
        ----------
        path : path-like
            The Parquet file or its URL; failures are read from beside it where they are there.

        Returns
        -------
        Corpus
            Equal to the one that was written.

        Raises
        ------
        CorpusError
            Where the file is missing, not Parquet, or not a corpus of this version.
        """
        try:
            with at_hand(path) as file:
                table = read_parquet(file.file)
        except RemoteError as error:
            if error.kind != "missing":
                raise
            raise CorpusError(error.reason, path=path) from error
        except FileNotFoundError as error:
            raise CorpusError("does not exist", path=path) from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise CorpusError(f"cannot be read ({reason})", path=path) from error
        except ValueError as error:
            raise CorpusError(
                f"is not a Parquet file that can be read: {error}", path=path
            ) from error
        about = _about(table.schema.metadata or {}, path)
        try:
            # Not by what pandas noted in the schema: only the columns count.
            frame = table.replace_schema_metadata(None).to_pandas()
            clips = checked_clips(frame)
            features = None
            if about["has_features"]:
                features = frame.filter(regex=f"^{FEATURE_PREFIX}").rename(
                    columns=lambda column: column.removeprefix(FEATURE_PREFIX)
                )
                features = features.astype("float64")
                features.index = pd.Index(clips["clip_id"], name="clip_id")
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise CorpusError(f"is no table of clips: {error}", path=path) from error
        beside = _failures_path(path)
        failures = failures_frame([])
        if exists(beside) if isinstance(beside, UrlPath) else Path(beside).is_file():
            failures = _read_failures(beside)
        return cls(
            name=about["name"],
            culture=about["culture"],
            format=about["format"],
            clips=clips,
            failures=failures,
            features=features,
            synthetic=about["synthetic"],
            notes=tuple(about["notes"]),
        )


ABOUT = {
    "name": str, "culture": str, "format": str, "notes": list,
    "synthetic": bool, "has_features": bool,
}  # fmt: skip


def _about(metadata: dict[bytes, bytes], path: str | os.PathLike[str]) -> dict[str, Any]:
    """What the schema says of the corpus."""
    try:
        about = json.loads(metadata.get(METADATA_KEY, b"{}"))
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or about.get("version") != FILE_VERSION:
        raise CorpusError(
            "is not a corpus table of this version; write it with `genrescope corpus index`",
            path=path,
        )
    wrong = [key for key, kind in ABOUT.items() if type(about.get(key)) is not kind]
    if not wrong and not re.fullmatch(NAME, about["name"]):
        wrong = ["name"]
    if not wrong and not all(isinstance(note, str) for note in about["notes"]):
        wrong = ["notes"]
    if wrong:
        raise CorpusError(f"is damaged: its {wrong[0]} is missing or no such thing", path=path)
    return about


def _read_failures(path: Path | UrlPath) -> pd.DataFrame:
    try:
        with at_hand(path) as file:
            return failures_frame(pd.read_csv(file.file, dtype=str, keep_default_na=False))
    except (OSError, ValueError, OverflowError) as error:
        raise CorpusError(f"is no table of failures ({error})", path=path) from error


def _counts(values: "pd.Series[Any]") -> dict[str, int]:
    return {str(value): int(count) for value, count in values.value_counts().sort_index().items()}


def _failures_path(path: str | os.PathLike[str]) -> Path | UrlPath:
    place = place_of(path)
    return place.with_name(f"{place.stem}.failures.csv")


def regroup(
    corpus: Corpus | pd.DataFrame, by: Literal["artist", "track", "none"] = "artist"
) -> pd.DataFrame:
    """Set the unit that a split never divides.

    Parameters
    ----------
    corpus : Corpus or pandas.DataFrame
        A corpus, or its clips.
    by : {"artist", "track", "none"}
        The artist where known and the track elsewhere; the track (song, phrase or stem for
        loops); or every clip by itself, as leaky published splits have it.

    Returns
    -------
    pandas.DataFrame
        The clips with `group` and `group_kind` set anew.

    Examples
    --------
    >>> from genrescope.corpora.table import clips_frame
    >>> clips = clips_frame([{"clip_id": "c/a@0", "track": "a", "artist": "Morphine"}])
    >>> [regroup(clips, by)["group"].item() for by in ("artist", "track", "none")]
    ['Morphine', 'a', 'c/a@0']
    """
    clips = (corpus.clips if isinstance(corpus, Corpus) else corpus).copy()
    if by == "none":
        return clips.assign(group=clips["clip_id"], group_kind="clip")
    tracks = clips["track"].fillna(clips["clip_id"])
    kinds = clips["group_kind"].where(~clips["group_kind"].isin(["artist", "clip"]), "track")
    kinds = kinds.fillna("track")
    if by == "track":
        return clips.assign(group=tracks, group_kind=kinds)
    if by != "artist":
        raise ConfigError(f"clips are grouped by artist, track or none, not by {by!r}")
    known = clips["artist"].notna()
    return clips.assign(
        group=clips["artist"].fillna(tracks), group_kind=kinds.where(~known, "artist")
    )
