"""What is done to a clip before its features are taken, as a value to store and compare."""

from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from genrescope.audio.alter import (
    Part,
    Waveform,
    change_level,
    limit_band,
    shorten,
    stem_like,
)


@dataclass(frozen=True, slots=True)
class Alteration:
    """Changes of a clip, from what sounds to how the recording ends.

    Each is left out where it is None. They are applied in the order of the attributes, so that
    silence after a shortened clip is silence whatever the noise floor.

    Attributes
    ----------
    part : {"bass", "drums", "harmonic", "high"}, optional
        Keep the part of the mix that sounds most like one instrument.
    highest_hz : float, optional
        Take away what lies above, in hertz.
    floor_db : float, optional
        Level of the noise floor that goes with it, decibels below full scale.
    gain_db : float, optional
        Make louder or quieter, in decibels.
    seconds : float, optional
        Keep the beginning only.
    how : {"loop", "pad"}
        What follows the beginning.

    Examples
    --------
    >>> half = Alteration(seconds=2 / 22050, how="pad")
    >>> half.apply(np.ones(4, np.float32), sample_rate=22050).tolist()
    [1.0, 1.0, 0.0, 0.0]
    >>> half.facts()
    {'seconds': 9.070294784580499e-05, 'how': 'pad'}
    """

    part: Part | None = None
    highest_hz: float | None = None
    floor_db: float | None = None
    gain_db: float | None = None
    seconds: float | None = None
    how: Literal["loop", "pad"] = "loop"

    def apply(self, y: npt.NDArray[np.floating], *, sample_rate: int) -> Waveform:
        """The altered clip [shape=(n,), dtype=float32], as long as `y`.

        Parameters
        ----------
        y : numpy.ndarray [shape=(n,)]
        sample_rate : int
            Hertz.

        Raises
        ------
        ValueError
            Where a change is impossible: no length, no band, no such part.
        """
        altered = np.asarray(y, dtype=np.float32)
        if self.part is not None:
            altered = stem_like(altered, self.part, sample_rate=sample_rate)
        if self.highest_hz is not None:
            altered = limit_band(
                altered,
                highest_hz=self.highest_hz,
                sample_rate=sample_rate,
                floor_db=self.floor_db,
            )
        if self.gain_db is not None:
            altered = change_level(altered, gain_db=self.gain_db)
        if self.seconds is not None:
            altered = shorten(altered, samples=round(self.seconds * sample_rate), how=self.how)
        return altered

    def facts(self) -> dict[str, str | float]:
        """The changes that are made, by name; empty where nothing is changed."""
        made = {name: value for name, value in asdict(self).items() if value is not None}
        if self.seconds is None:
            del made["how"]
        if self.highest_hz is None:
            made.pop("floor_db", None)
        return made
