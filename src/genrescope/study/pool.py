"""Clips of one or several corpora as one: what a source or a target is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from genrescope.config import StudyConfig
from genrescope.errors import CorpusError
from genrescope.features.extraction import extract_corpus
from genrescope.features.log_mels import LogMels
from genrescope.parallel import Workers
from genrescope.shift.adapted import Clips
from genrescope.shift.confounds import Change, alterations
from genrescope.study.material import Material, grouped
from genrescope.study.stems import with_stems
from genrescope.study.training import pick

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Pool:
    """The clips of some corpora, in one order.

    Attributes
    ----------
    members : tuple of Material
    """

    members: tuple[Material, ...]

    @property
    def name(self) -> str:
        """Names of the corpora, joined."""
        return "+".join(member.name for member in self.members)

    @property
    def has_audio(self) -> bool:
        """Whether every corpus has sound."""
        return all(member.corpus.features is None for member in self.members)

    @property
    def knows_artists(self) -> bool:
        """Whether some tracks are known to be of one artist."""
        return not np.array_equal(self.groups("artist"), self.groups("track"))

    @property
    def clips(self) -> pd.DataFrame:
        """The clips, index `clip_id`."""
        return pd.concat([member.clips for member in self.members])

    @property
    def genres(self) -> npt.NDArray[Any]:
        """Genre of each clip [shape=(n,)]."""
        genres: npt.NDArray[Any] = self.clips["genre"].to_numpy(dtype=object)
        return genres

    def groups(self, by: Literal["artist", "track"]) -> npt.NDArray[Any]:
        """What must not be divided, for each clip [shape=(n,)]."""
        found = [
            grouped(member.corpus, by).loc[member.clips.index, "group"] for member in self.members
        ]
        groups: npt.NDArray[Any] = pd.concat(found).to_numpy(dtype=object)
        return groups

    def inputs(self, kind: str, places: Places | None = None) -> Any:
        """What a model takes of some clips.

        Parameters
        ----------
        kind : str
            `vectors` or `log_mels`.
        places : numpy.ndarray of int, optional
            Which clips; all where not given.

        Returns
        -------
        DataFrame [shape=(n, n_features)] or LogMels [shape=(n, n_mels, frames)]
        """
        found = [member.inputs(kind, list(member.clips.index)) for member in self.members]
        X = pd.concat(found) if kind == "vectors" else LogMels.joined(found)
        return X if places is None else pick(X, places)

    def labelled(
        self, kind: str = "vectors", *, by: Literal["artist", "track"] = "artist"
    ) -> Clips:
        """The clips as a model takes them, with their genres and groups.

        Parameters
        ----------
        kind : str
            `vectors` or `log_mels`.
        by : {"artist", "track"}
            What a group is.
        """
        X = self.inputs(kind)
        if kind == "vectors":
            X = X.to_numpy(dtype=np.float64)
        return Clips(X, self.genres.astype(str), self.groups(by).astype(str))

    def altered(
        self,
        changes: Sequence[Change],
        *,
        config: StudyConfig,
        store: str,
        workers: Workers,
        log_mels: bool,
    ) -> "Pool":
        """The same clips after changes of their sound.

        Parameters
        ----------
        changes : sequence of Change
        config : StudyConfig
        store : str
            Folder or URL of the feature store.
        workers : Workers
        log_mels : bool
            Whether spectrograms are wanted.

        Raises
        ------
        CorpusError
            Where a clip cannot be used once it is changed: rungs are of the same clips.
        """
        members = []
        instruments = next((c.instruments for c in reversed(changes) if c.instruments), {})
        for member in self.members:
            clips = member.clips.reset_index(drop=True)
            made = alterations(clips["clip_id"].tolist(), changes)
            root = config.corpora[member.name].root
            if instruments and config.shift.stems is not None and root is not None:
                clips, made = with_stems(
                    clips, made, instruments, root=root, stems=config.shift.stems
                )
            found = extract_corpus(
                replace(member.corpus, clips=clips),
                store,
                audio=config.audio,
                features=config.features,
                workers=workers,
                log_mels=log_mels,
                alterations=made,
            )
            if len(found.clip_ids) < len(clips):
                first = found.failures.iloc[0]
                raise CorpusError(
                    f"a changed clip of {member.name} cannot be used: {first['reason']}",
                    path=first["path"],
                )
            members.append(replace(member, features=found))
        return Pool(tuple(members))
