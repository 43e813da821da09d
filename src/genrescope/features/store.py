"""The feature store: features found by what they were made from, whoever made them, and when."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pandas as pd

from genrescope.features.log_mels import LogMels
from genrescope.features.place import Place
from genrescope.features.shards import (
    ARRAY,
    CLIP_COLUMNS,
    ROW,
    DamagedShardError,
    checked_array,
    read_log_mels,
    read_table,
)
from genrescope.features.vector import feature_names
from genrescope.files import sha256_json
from genrescope.parallel import cpu_count
from genrescope.settings import AudioSettings, FeatureSettings

REQUESTS = 16  # at a time, of a remote store
VERSION = 2  # raise it whenever the numbers of a clip change
SETTINGS, README = "settings.json", "README.md"
# The settings each kind depends on; changing another one leaves what is stored valid.
DEPENDS = {
    "vectors": ("set", "n_fft", "hop_length", "n_mels", "n_mfcc"),
    "log_mels": ("n_fft", "hop_length", "n_mels", "frames", "frame_fit", "mel_reference"),
}
ABOUT = """# Features of sound clips

Written by genrescope, readable without it. A folder holds what was computed with one group of
settings, which stand in its `settings.json`. Each file is named by the SHA-256 of its content.

- `vectors-*/*.parquet`: a row per clip with its features as columns of 32-bit floats.
- `log_mels-*/*.parquet` and `.npy`: a row per clip; column `row` says where in the array its
  log-mel spectrogram is (mel band, time; dB). The array's name stands in the schema's metadata,
  under `genrescope`.

`audio_sha256` is that of the sound file's bytes; of a file that was read from a URL it is the SHA-256
of `[size, "<field> <value>"]` in JSON: what its server said of the content (an ETag, a checksum).

`clip` is the SHA-256 of `<audio_sha256>:<start_s>:<duration_s>`, or of that with `:<alteration>`
behind it, a JSON object, where the sound was altered first. Clips that could not be used have a
`failure_kind` and a `failure_reason` instead of values.
"""

Kind = Literal["vectors", "log_mels"]


class FeatureStore:
    """Features of clips on disk or behind a URL, by the clips' content and the settings.

    Shards are written whole or not at all, under the digest of their content, so that several
    processes may write at once and a damaged file is noticed when it is read.

    Parameters
    ----------
    url : path-like
        A folder, or a URL that fsspec knows.
    audio, features : AudioSettings, FeatureSettings
        What the features are made with.

    Attributes
    ----------
    place : Place
    folders : dict of str to str
        The folder of each kind, `vectors` and `log_mels`, under these settings.

    Examples
    --------
    >>> store = FeatureStore(
    ...     "memory://features", audio=AudioSettings(), features=FeatureSettings()
    ... )
    >>> sorted(store.folders), len(store.vectors())
    (['log_mels', 'vectors'], 0)
    """

    def __init__(
        self, url: str | os.PathLike[str], *, audio: AudioSettings, features: FeatureSettings
    ) -> None:
        self.place = Place(url)
        self.audio, self.features = audio, features
        self.settings = {kind: self._settings(kind) for kind in DEPENDS}
        self.folders = {
            kind: f"{kind}-{sha256_json(settings)[:16]}" for kind, settings in self.settings.items()
        }

    def _settings(self, kind: str) -> dict[str, object]:
        return {
            "kind": kind,
            "version": VERSION,
            "audio": self.audio.model_dump(),
            "features": {name: getattr(self.features, name) for name in DEPENDS[kind]},
        }

    def describe(self, kinds: Iterable[Kind]) -> None:
        """Write what the store and the folders of these kinds are, where it is not said yet."""
        if README not in self.place.names(""):
            self.place.write(README, ABOUT.encode())
        for kind in kinds:
            folder = self.folders[kind]
            if SETTINGS not in self.place.names(folder):
                text = json.dumps(self.settings[kind], indent=2) + "\n"
                self.place.write(f"{folder}/{SETTINGS}", text.encode())

    def vectors(self) -> pd.DataFrame:
        """Everything known of feature vectors under these settings.

        Returns
        -------
        DataFrame
            Index `clip`, the key; `failure_kind` and `failure_reason`, null where there are
            features; a column per feature.
        """
        tables = [table for table, _ in self._tables("vectors")]
        empty = pd.DataFrame(columns=[*CLIP_COLUMNS, *feature_names(self.features)])
        return _first_of_each(tables, empty)

    def log_mels(self) -> tuple[pd.DataFrame, Sequence[str]]:
        """Everything known of log-mel spectrograms under these settings.

        Returns
        -------
        table : DataFrame
            Index `clip`; `failure_kind`, `failure_reason`, `part` and `row`: which array, and
            where in it.
        arrays : list of str
            Names of the arrays.
        """
        tables: list[pd.DataFrame] = []
        arrays: list[str] = []
        for table, about in self._tables("log_mels"):
            tables.append(table.assign(part=len(arrays)))
            arrays.append(str(about[ARRAY]))
        return _first_of_each(tables, pd.DataFrame(columns=[*CLIP_COLUMNS, ROW, "part"])), arrays

    def mapped(self, table: pd.DataFrame, arrays: Sequence[str]) -> LogMels:
        """The spectrograms of some rows of `log_mels`, in their order, left on disk."""
        used, part = np.unique(table["part"].to_numpy(np.int64), return_inverse=True)
        return LogMels(
            [read_log_mels(self.place, arrays[number]) for number in used],
            part.astype(np.int64),
            table[ROW].to_numpy(np.int64),
            (self.features.n_mels, self.features.frames),
        )

    def _tables(self, kind: Kind) -> list[tuple[pd.DataFrame, dict[str, object]]]:
        """Every whole shard of a kind; damaged ones are removed, which is said."""
        folder = self.folders[kind]
        names = [f"{folder}/{n}" for n in self.place.names(folder) if n.endswith(".parquet")]
        # From a server, waiting takes the time.
        threads = cpu_count() if self.place.local is not None else REQUESTS
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(self._read, names))
        return [shard for shard in found if shard is not None]

    def _read(self, name: str) -> tuple[pd.DataFrame, dict[str, object]] | None:
        try:
            of_maps = name.startswith(f"{self.folders['log_mels']}/")
            columns = [ROW] if of_maps else feature_names(self.features)
            table, about = read_table(self.place, name, columns)
            picture = self.features.n_mels, self.features.frames
            if of_maps and not checked_array(self.place, str(about[ARRAY]), table, picture):
                # Over a network what was written first may show last: nothing is removed.
                print(
                    f"{self.place.url}/{about[ARRAY]}: is not there; its clips are extracted again",
                    file=sys.stderr,
                )
                return None
        except DamagedShardError as error:
            print(
                f"{self.place.url}/{error}: damaged or cut short; its clips are extracted again",
                file=sys.stderr,
            )
            self.place.remove(str(error))
            self.place.remove(name)
            return None
        return table, about


def _first_of_each(tables: Sequence[pd.DataFrame], empty: pd.DataFrame) -> pd.DataFrame:
    # Two processes at work on one corpus may have stored a clip twice, with the same values.
    table = pd.concat(tables, ignore_index=True) if tables else empty
    return table.drop_duplicates("clip").set_index("clip")
