"""From a sound file, or a part of one, to mono float32 at one sample rate."""

import math
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from genrescope.audio.probe import COPY_AGAIN, AudioInfo, open_sound
from genrescope.errors import AudioError

BLOCK_SAMPLES = 2**20  # samples of all channels held at a time
PEAK_LIMIT = 1e6  # full scale is 1; float files beyond this hold no sound and overflow a power
MP3_SLACK_FRAMES = 4 * 1152  # decoder delay and padding: MP3 lengths are exact to a few packets
MP3_SLACK_SHARE = 0.02  # of the claimed length, which without a length header is an estimate


def decode(
    path: str | os.PathLike[str],
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    sample_rate: int = 22050,
) -> npt.NDArray[np.float32]:
    """Decode a sound file, or a part of it, to mono.

    Channels are averaged, then resampled by soxr's HQ filter. No more is read than the part
    needs, and memory does not grow with the length of the rest.

    Parameters
    ----------
    path : path-like
        Any file libsndfile reads, or its URL; several parts of a remote file are best taken with
        it at hand, see `genrescope.audio.at_hand`.
    start_s : float
        Where to begin, in seconds.
    duration_s : float, optional
        How much to take, in seconds; up to the end where not given. A part that reaches beyond
        the end gives what there is.
    sample_rate : int
        Hertz of the result.

    Returns
    -------
    numpy.ndarray [shape=(n,), dtype=float32]
        Samples, full scale at -1 and 1; n is `duration_s * sample_rate`, less at the end.

    Raises
    ------
    AudioError
        `unreadable` and `truncated` as from `probe`; `truncated` also where the samples break off
        before the header says (MP3 lengths are estimates: 2% are forgiven); `too-short` where
        `start_s` lies beyond the end; `non-finite` for NaN, infinite or absurdly large samples.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "stereo.wav")
    >>> soundfile.write(path, [[0.5, 0.25]] * 44100, 44100, subtype="FLOAT")
    >>> part = decode(path, start_s=0.2, duration_s=0.1)
    >>> part.shape, round(float(part[1000]), 4)
    ((2205,), 0.375)
    """
    if not (start_s >= 0 and math.isfinite(start_s)):
        raise ValueError(f"start_s is {start_s}, it should be a number of seconds from 0 up")
    if duration_s is not None and not (duration_s > 0 and math.isfinite(duration_s)):
        raise ValueError(f"duration_s is {duration_s}, it should be a number above 0")
    with open_sound(path) as (sound, info):
        start = round(start_s * info.sample_rate)
        if start >= info.frames:
            raise AudioError(
                f"there is nothing at {start_s:g} s: the sound ends at {info.duration_s:.2f} s",
                path=info.path,
                kind="too-short",
            )
        frames = info.frames - start
        samples = None
        if duration_s is not None:
            samples = round(duration_s * sample_rate)
            # Two frames more, so that rounding inside the resampler never leaves a sample short.
            spare = 0 if info.sample_rate == sample_rate else 2
            frames = min(frames, math.ceil(duration_s * info.sample_rate) + spare)
        blocks = _mono_blocks(sound, info, start=start, frames=frames)
        y = _resampled(blocks, info.sample_rate, sample_rate)[:samples]
    _check_values(y, info.path)
    return y


def _mono_blocks(
    sound: Any, info: AudioInfo, *, start: int, frames: int
) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks of the mean of all channels, `frames` long together."""
    size = max(1, BLOCK_SAMPLES // info.channels)
    done = 0
    try:
        if not _moved(sound, start, size):
            raise _truncated(info, start)
        while done < frames:
            block = sound.read(min(size, frames - done), dtype="float32", always_2d=True)
            if not len(block):
                break
            done += len(block)
            yield _mono(block)
    except (soundfile.LibsndfileError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        # ValueError: soundfile finds itself behind the end of a file that contradicts its header.
        raise _truncated(info, start + done) from error
    missing = frames - done
    slack = MP3_SLACK_FRAMES + MP3_SLACK_SHARE * info.frames if info.format == "MP3" else 0
    if missing > slack or not done:
        raise _truncated(info, start + done)


def _moved(sound: Any, start: int, size: int) -> bool:
    """Go to a frame of a sound that was just opened; whether it is there.

    Where a sound is not to be searched (damaged Ogg files crash libsndfile), the way is read.
    """
    if sound.seekable():
        return not start or sound.seek(start) == start
    at = 0
    while at < start:
        passed = len(sound.read(min(size, start - at), dtype="float32", always_2d=True))
        if not passed:
            return False
        at += passed
    return True


def _mono(block: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean of the channels, column by column: numpy's mean of short rows takes 20 times as long."""
    mono = block[:, 0]
    if block.shape[1] == 1:
        return mono
    with np.errstate(over="ignore", invalid="ignore"):  # values that are no sound are named later
        for channel in range(1, block.shape[1]):
            mono = mono + block[:, channel]
    return mono * np.float32(1 / block.shape[1])


def _truncated(info: AudioInfo, frame: int) -> AudioError:
    return AudioError(
        f"the audio data is damaged or breaks off after {frame / info.sample_rate:.1f} s of the "
        f"{info.duration_s:.1f} s its header promises; {COPY_AGAIN}",
        path=info.path,
        kind="truncated",
    )


def _resampled(
    blocks: Iterator[npt.NDArray[np.float32]], from_rate: int, to_rate: int
) -> npt.NDArray[np.float32]:
    if from_rate == to_rate:
        return np.concatenate(list(blocks))
    stream = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality="HQ")
    parts = [stream.resample_chunk(np.ascontiguousarray(block)) for block in blocks]
    parts.append(stream.resample_chunk(np.zeros(0, np.float32), last=True))
    return np.concatenate(parts)


def _check_values(y: npt.NDArray[np.float32], path: str) -> None:
    peak = float(np.abs(y).max(initial=0.0))  # NaN and infinity survive a maximum
    if not math.isfinite(peak):
        reason = "the samples include NaN or infinite values; write the file again from its source"
        raise AudioError(reason, path=path, kind="non-finite")
    if peak > PEAK_LIMIT:
        raise AudioError(
            f"samples reach {peak:.0e} where full scale is 1; write the file again from its source",
            path=path,
            kind="non-finite",
        )
