"""How a corpus's clips were recorded: their length, level, band and instruments."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from genrescope.audio.decode import decode
from genrescope.audio.measures import measure
from genrescope.corpora.corpus import Corpus
from genrescope.errors import AudioError, CorpusError
from genrescope.parallel import Workers, map_processes
from genrescope.settings import AudioSettings

CLIPS = 200  # a median of so many is within a few percent
BAND_QUANTILE = 0.9  # most pieces leave the top of the band empty; the fullest show where it ends
MOSTLY = 0.5  # share of clips with an instrument that makes a corpus one of single instruments


@dataclass(frozen=True)
class Recording:
    """What the clips of a corpus are like, whatever the music.

    Attributes
    ----------
    n : int
        Clips measured.
    seconds : float
        Median length of the sound in a clip.
    level_dbfs : float
        Median root mean square level, decibels below full scale.
    bandwidth_hz : float
        90% of the clips have 99% of their energy below.
    instruments : mapping of str to float
        Share of each instrument among the clips; empty where they are no single instruments.
    """

    n: int
    seconds: float
    level_dbfs: float
    bandwidth_hz: float
    instruments: Mapping[str, float]


def recording_of(
    corpus: Corpus, *, audio: AudioSettings | None = None, seed: int = 0, workers: Workers = None
) -> Recording:
    """Measure a sample of a corpus's clips.

    Parameters
    ----------
    corpus : Corpus
    audio : AudioSettings, optional
        How long a clip is at most.
    seed : int
        Of the sample of 200 clips.
    workers : Workers
        Processes; the usable cores where None.

    Returns
    -------
    Recording

    Raises
    ------
    CorpusError
        Where the corpus is a table of features, or no clip of the sample can be decoded.
    """
    audio = audio or AudioSettings()
    if corpus.features is not None:
        raise CorpusError(f"{corpus.name} is a table of features: there is no sound to measure")
    clips = corpus.usable
    chosen = clips.sample(min(CLIPS, len(clips)), random_state=seed % 2**32)
    items = [
        (str(path), 0.0 if start != start else float(start), float(duration), audio)
        for path, start, duration in chosen[["path", "start_s", "duration_s"]].to_numpy()
    ]
    found = [one for one in map_processes(_measure, items, workers=workers) if one is not None]
    if not found:
        raise CorpusError(f"no clip of {corpus.name} can be decoded")
    seconds, level, band = np.array(found, dtype=np.float64).T
    loud = np.isfinite(level)
    return Recording(
        n=len(found),
        seconds=float(np.median(seconds)),
        level_dbfs=float(np.median(level[loud])) if loud.any() else float("nan"),
        bandwidth_hz=float(np.nanquantile(band, BAND_QUANTILE)) if loud.any() else float("nan"),
        instruments=_instruments(clips),
    )


def _measure(item: tuple[str, float, float, AudioSettings]) -> tuple[float, float, float] | None:
    path, start_s, duration_s, audio = item
    longest = audio.clip_seconds
    try:
        y = decode(
            path,
            start_s=start_s,
            duration_s=longest if duration_s != duration_s else min(duration_s, longest),
            sample_rate=audio.sample_rate,
        )
    except AudioError:
        return None  # extraction lists it among the failures
    found = measure(y, sample_rate=audio.sample_rate)
    return len(y) / audio.sample_rate, found.level_dbfs, found.bandwidth_hz


def _instruments(clips: pd.DataFrame) -> dict[str, float]:
    known = clips["instrument"].dropna()
    if len(known) < MOSTLY * len(clips):
        return {}
    shares = known.value_counts(normalize=True).sort_index()
    return {str(name): float(share) for name, share in shares.items()}
