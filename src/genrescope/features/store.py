"""The feature store: features found by what they were made from, whoever made them, and when."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.features.kernels import Floats
from genrescope.features.log_mels import LogMels
from genrescope.features.place import Place
from genrescope.features.shard_files import (
    ARRAY,
    FAILURE,
    KEY,
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

`audio_sha256` is that of the sound file's bytes; of a file that was read from a URL, that of
`[size, "<field> <value>"]` in JSON: what its server said of the content (an ETag, a checksum).

`clip` is the SHA-256 of `<audio_sha256>:<start_s>:<duration_s>`, or of that with `:<alteration>`
behind it, a JSON object, where the sound was altered first. Clips that could not be used have a
`failure_kind` and a `failure_reason` instead of values.
"""

SHARDS_AT_A_TIME = 64  # 8,192 clips
MAP_COLUMNS = (KEY, *FAILURE, ROW)
Kind = Literal["vectors", "log_mels"]
Taken = TypeVar("Taken")


class Stored(NamedTuple):
    """What a store knows of the feature vectors of some clips.

    Attributes
    ----------
    failures : DataFrame [shape=(n, 2)]
        `failure_kind` and `failure_reason` of each clip, null where there are features.
    values : numpy.ndarray [shape=(n, n_features), dtype=float32]
        NaN where there are none.
    known : numpy.ndarray of bool [shape=(n,)]
        Whether anything is known of a clip.
    """

    failures: pd.DataFrame
    values: Floats
    known: npt.NDArray[np.bool_]


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
    >>> sorted(store.folders), store.known("vectors")
    (['log_mels', 'vectors'], set())
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
        wanted = {README: ABOUT}
        for kind in kinds:
            text = json.dumps(self.settings[kind], indent=2) + "\n"
            wanted[f"{self.folders[kind]}/{SETTINGS}"] = text
        for name, text in wanted.items():
            try:
                said = self.place.path(name).read_bytes()
            except OSError:
                said = b""
            if said != text.encode():
                self.place.write(name, text.encode())

    def known(self, kind: Kind) -> set[str]:
        """Keys of the clips that something is known of under these settings, failures included.

        Parameters
        ----------
        kind : str
            `vectors` or `log_mels`.
        """
        columns = [KEY] if kind == "vectors" else MAP_COLUMNS
        shards = self._tables(kind, lambda table: table[KEY].tolist(), columns)
        return {key for keys, _ in shards for key in keys}

    def vectors(self, keys: Sequence[str]) -> Stored:
        """What is known of the feature vectors of some clips.

        Shards are read one after the other and nothing of other clips is kept.

        Parameters
        ----------
        keys : sequence of str
            Of the clips; each known to the store, or not.

        Returns
        -------
        Stored
        """
        names = list(feature_names(self.features))
        wanted = pd.Index(keys)
        places = pd.Index(wanted.unique())
        values = np.full((len(places), len(names)), np.nan, np.float32)
        said = np.full((len(places), len(FAILURE)), None, dtype=object)
        seen = np.zeros(len(places), dtype=bool)

        def take(table: pd.DataFrame) -> None:
            at = places.get_indexer(pd.Index(table["clip"]))
            # Two processes at work on one corpus may have stored a clip twice, with the same
            # values: the shards are in order, and the first one counts.
            rows = np.flatnonzero((at >= 0) & ~seen[at])
            _, first = np.unique(at[rows], return_index=True)
            rows = rows[first]
            values[at[rows]] = table[names].to_numpy(np.float32)[rows]
            said[at[rows]] = table[list(FAILURE)].astype(object).to_numpy()[rows]
            seen[at[rows]] = True

        self._tables("vectors", take, [KEY, *FAILURE, *names])
        back = places.get_indexer(wanted)
        failures = pd.DataFrame(said[back], columns=list(FAILURE), dtype="str")
        return Stored(failures, values[back], seen[back])

    def log_mels(self) -> tuple[pd.DataFrame, Sequence[str]]:
        """Where every log-mel spectrogram under these settings is.

        Returns
        -------
        table : DataFrame
            Index `clip`; `failure_kind`, `failure_reason`, `part` and `row`: which array, and
            where in it.
        arrays : list of str
            Names of the arrays.
        """
        found = self._tables("log_mels", lambda table: table, MAP_COLUMNS)
        tables = [table.assign(part=number) for number, (table, _) in enumerate(found)]
        empty = pd.DataFrame(columns=[*MAP_COLUMNS, "part"])
        table = pd.concat(tables, ignore_index=True) if tables else empty
        return table.drop_duplicates(KEY).set_index(KEY), [str(about[ARRAY]) for _, about in found]

    def mapped(self, table: pd.DataFrame, arrays: Sequence[str]) -> LogMels:
        """The spectrograms of some rows of `log_mels`, in their order, left on disk."""
        used, part = np.unique(table["part"].to_numpy(np.int64), return_inverse=True)
        return LogMels(
            [read_log_mels(self.place, arrays[number]) for number in used],
            part.astype(np.int64),
            table[ROW].to_numpy(np.int64),
            (self.features.n_mels, self.features.frames),
        )

    def _tables(
        self, kind: Kind, take: Callable[[pd.DataFrame], Taken], columns: Sequence[str]
    ) -> list[tuple[Taken, dict[str, object]]]:
        """What is taken of every whole shard of a kind; damaged ones are removed, which is said.

        Shards are read some at a time and taken in their order.
        """
        folder = self.folders[kind]
        names = [f"{folder}/{n}" for n in self.place.names(folder) if n.endswith(".parquet")]
        taken: list[tuple[Taken, dict[str, object]]] = []
        # From a server, waiting takes the time.
        threads = cpu_count() if self.place.local is not None else REQUESTS
        with ThreadPoolExecutor(threads) as pool:
            for first in range(0, len(names), SHARDS_AT_A_TIME):
                some = names[first : first + SHARDS_AT_A_TIME]
                found = pool.map(partial(self._read, columns=columns), some)
                taken += [(take(shard[0]), shard[1]) for shard in found if shard is not None]
        return taken

    def _read(
        self, name: str, *, columns: Sequence[str]
    ) -> tuple[pd.DataFrame, dict[str, object]] | None:
        try:
            table, about = read_table(self.place, name, columns)
            of_maps = name.startswith(f"{self.folders['log_mels']}/")
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
