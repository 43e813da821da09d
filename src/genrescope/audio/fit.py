"""Bringing sound of any length to exactly one clip."""

import os
from typing import Literal

import numpy as np
import numpy.typing as npt

from genrescope.audio.decode import decode
from genrescope.errors import AudioError
from genrescope.remote import name_of
from genrescope.settings import AudioSettings

SHORTEST_S = 0.5  # less sound than this says nothing about a genre
SILENT_PEAK = 10 ** (-80 / 20)  # -80 dB below full scale


def fit(
    y: npt.NDArray[np.floating], *, samples: int = 110250, how: Literal["loop", "pad"] = "loop"
) -> npt.NDArray[np.float32]:
    """Trim sound to a number of samples, or stretch it there without changing it.

    Parameters
    ----------
    y : numpy.ndarray [shape=(n,)]
        Samples, at least one.
    samples : int
        Length of the result.
    how : {"loop", "pad"}
        What follows short sound: itself again from its first sample, or silence.

    Returns
    -------
    numpy.ndarray [shape=(samples,), dtype=float32]
        A copy.

    Raises
    ------
    ValueError
        Where `y` is empty or not one-dimensional, or `how` is neither of the two.

    Examples
    --------
    >>> fit(np.array([1.0, 2.0, 3.0]), samples=7)
    array([1., 2., 3., 1., 2., 3., 1.], dtype=float32)
    >>> fit(np.array([1.0, 2.0, 3.0]), samples=5, how="pad")
    array([1., 2., 3., 0., 0.], dtype=float32)
    """
    if y.ndim != 1 or not y.size:
        raise ValueError(f"y has shape {y.shape}, it should have one dimension and a sample")
    if how not in ("loop", "pad"):
        raise ValueError(f"how is {how!r}, it should be 'loop' or 'pad'")
    fitted = np.zeros(samples, np.float32)
    filled = min(len(y), samples)
    fitted[:filled] = y[:filled]
    while how == "loop" and filled < samples:
        # What is there is whole repetitions, so it goes on with its own beginning.
        more = min(filled, samples - filled)
        fitted[filled : filled + more] = fitted[:more]
        filled += more
    return fitted


def load_clip(
    path: str | os.PathLike[str],
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    audio: AudioSettings | None = None,
) -> npt.NDArray[np.float32]:
    """Decode a part of a file and fit it to one clip.

    Parameters
    ----------
    path : path-like
        As `decode` takes it.
    start_s : float
        Where to begin, in seconds.
    duration_s : float, optional
        How much to take, in seconds; never more than a clip, which is also the default.
    audio : AudioSettings, optional
        Sample rate, clip length, and what follows short sound.

    Returns
    -------
    numpy.ndarray [shape=(clip_samples,), dtype=float32]
        The clip.

    Raises
    ------
    AudioError
        As `decode` does; `too-short` below half a second of sound, `silent` where no sample
        reaches -80 dB below full scale.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "second.wav")
    >>> soundfile.write(path, np.sin(np.arange(22050.0)), 22050, subtype="FLOAT")
    >>> clip = load_clip(path)
    >>> clip.shape, bool((clip[:22050] == clip[22050:44100]).all())
    ((110250,), True)
    """
    audio = audio or AudioSettings()
    duration_s = min(duration_s or audio.clip_seconds, audio.clip_seconds)
    y = decode(path, start_s=start_s, duration_s=duration_s, sample_rate=audio.sample_rate)
    length_s = len(y) / audio.sample_rate
    if length_s < SHORTEST_S:
        raise AudioError(
            f"only {length_s:.2f} s of sound at {start_s:g} s, at least {SHORTEST_S:g} s are "
            "needed",
            path=name_of(path),
            kind="too-short",
        )
    if np.abs(y).max() < SILENT_PEAK:
        where = f"from {start_s:g} s to {start_s + length_s:g} s" if start_s else "throughout"
        raise AudioError(f"the clip is silent {where}", path=name_of(path), kind="silent")
    return fit(y, samples=audio.clip_samples, how=audio.fit)
