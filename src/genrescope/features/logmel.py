"""The log-mel picture a network looks at: a mel spectrogram of fixed size."""

from functools import lru_cache
from typing import Literal

import numpy as np

from genrescope.features.kernels import Floats
from genrescope.settings import AudioSettings, FeatureSettings


def log_mel(
    decibels: Floats,
    *,
    frames: int = 128,
    frame_fit: Literal["resize", "crop"] = "resize",
    mel_reference: Literal["max", "one"] = "max",
) -> Floats:
    """Bring a mel spectrogram to a fixed number of frames and a reference level.

    Parameters
    ----------
    decibels : numpy.ndarray [shape=(n_mels, n_frames)]
        From `genrescope.features.mel.mel_db`.
    frames : int
        Frames of the result.
    frame_fit : {"resize", "crop"}
        Averages over the whole clip, each frame weighted by the time it shares with its target,
        or the first frames as they are.
    mel_reference : {"max", "one"}
        0 dB is the clip's loudest point, or a power of 1.

    Returns
    -------
    numpy.ndarray [shape=(n_mels, frames), dtype=float32]
        Decibels; with "max" from -80 to 0.

    Raises
    ------
    ValueError
        Where there are fewer frames than "crop" shall keep.

    Examples
    --------
    >>> rising = np.arange(6, dtype=np.float32)[np.newaxis]
    >>> log_mel(rising, frames=4, mel_reference="one").round(2)
    array([[0.33, 1.67, 3.33, 4.67]], dtype=float32)
    >>> log_mel(rising, frames=4, frame_fit="crop").tolist()
    [[-5.0, -4.0, -3.0, -2.0]]
    """
    n_frames = decibels.shape[1]
    if frame_fit == "crop":
        if n_frames < frames:
            raise ValueError(f"cannot crop {n_frames} frames to {frames}; use 'resize'")
        picture = decibels[:, :frames].copy()
    else:
        picture = decibels @ time_weights(n_frames, frames)
    if mel_reference == "max":
        picture -= decibels.max()
    return picture


@lru_cache(maxsize=8)
def time_weights(n_frames: int, frames: int) -> Floats:
    """Share of each frame in each frame of the resized picture.

    Parameters
    ----------
    n_frames, frames : int
        Before and after.

    Returns
    -------
    numpy.ndarray [shape=(n_frames, frames), dtype=float32]
        Columns sum to 1: the overlap in time of frame and target, over the target's length.

    Examples
    --------
    >>> time_weights(6, 4)[:, 1].round(2)
    array([0.  , 0.33, 0.67, 0.  , 0.  , 0.  ], dtype=float32)
    """
    step = n_frames / frames
    source = np.arange(n_frames)[:, np.newaxis]
    target = np.arange(frames) * step
    overlap = np.minimum(source + 1, target + step) - np.maximum(source, target)
    weights: Floats = (np.maximum(overlap, 0.0) / step).astype(np.float32)
    return weights


def shown_seconds(audio: AudioSettings, features: FeatureSettings) -> float:
    """Seconds of a clip that its picture shows: all of them, or those of the cropped frames.

    Examples
    --------
    >>> shown_seconds(AudioSettings(), FeatureSettings())
    5.0
    >>> round(shown_seconds(AudioSettings(), FeatureSettings(frame_fit="crop")), 2)
    2.97
    """
    if features.frame_fit == "resize":
        return audio.clip_seconds
    return min(audio.clip_seconds, features.frames * features.hop_length / audio.sample_rate)
