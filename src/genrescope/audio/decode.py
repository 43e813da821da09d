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
OVERLAP = 8  # frames that the next part may want again
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
        return _Reader(sound, info, sample_rate).part(start_s, duration_s)


def decode_parts(
    path: str | os.PathLike[str],
    *,
    part_s: float,
    shortest_s: float = 0.0,
    sample_rate: int = 22050,
) -> Iterator[tuple[float, npt.NDArray[np.float32]]]:
    """Decode a sound file part after part, as `decode` does each, and open it once.

    Parameters
    ----------
    path : path-like
        As for `decode`.
    part_s : float
        Seconds of each part but the last.
    shortest_s : float
        A last part of fewer seconds is left out, but for that of a sound that is no longer.
    sample_rate : int
        Hertz of the result.

    Yields
    ------
    start_s : float
        Where the part begins.
    y : numpy.ndarray [shape=(n,), dtype=float32]

    Raises
    ------
    AudioError
        As `decode` does.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "long.wav")
    >>> soundfile.write(path, np.zeros(50_000), 22050)
    >>> [(start_s, len(y)) for start_s, y in decode_parts(path, part_s=1.0)]
    [(0.0, 22050), (1.0, 22050), (2.0, 5900)]
    """
    with open_sound(path) as (sound, info):
        reader = _Reader(sound, info, sample_rate)
        start_s = 0.0
        least = max(1.0, shortest_s * info.sample_rate)
        while not start_s or info.frames - round(start_s * info.sample_rate) >= least:
            yield start_s, reader.part(start_s, part_s)
            start_s += part_s


class _Reader:
    """Takes parts of an open sound, in any order where it can be searched, else onwards."""

    def __init__(self, sound: Any, info: AudioInfo, sample_rate: int) -> None:
        self._sound, self._info, self._sample_rate = sound, info, sample_rate
        self._block = max(1, BLOCK_SAMPLES // info.channels)
        self._at = 0  # frames read, where the sound is not searched
        self._behind = np.zeros(0, np.float32)  # the last of them: parts overlap by a few

    def part(self, start_s: float, duration_s: float | None) -> npt.NDArray[np.float32]:
        info = self._info
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
            samples = round(duration_s * self._sample_rate)
            # Two frames more, so that rounding inside the resampler never leaves a sample short.
            spare = 0 if info.sample_rate == self._sample_rate else 2
            frames = min(frames, math.ceil(duration_s * info.sample_rate) + spare)
        blocks = self._blocks(start, frames)
        y = _resampled(blocks, info.sample_rate, self._sample_rate)[:samples]
        _check_values(y, info.path)
        return y

    def _blocks(self, start: int, frames: int) -> Iterator[npt.NDArray[np.float32]]:
        """Blocks of the mean of all channels, `frames` long together."""
        info = self._info
        done = 0
        try:
            if self._sound.seekable():
                if self._sound.tell() != start and self._sound.seek(start) != start:
                    raise _truncated(info, start)
            else:
                # Damaged Ogg files crash libsndfile where they are searched: the way is read.
                while self._at < start and len(self._read(start - self._at)):
                    pass
                again = self._behind[len(self._behind) - max(0, self._at - start) :][:frames]
                if self._at - len(again) != start:
                    raise _truncated(info, start)
                done = len(again)
                if done:
                    yield again
            while done < frames and len(block := self._read(frames - done)):
                done += len(block)
                yield block
        except (soundfile.LibsndfileError, ValueError) as error:
            if isinstance(error, AudioError):
                raise
            # ValueError: soundfile finds itself behind the end of a file that contradicts its
            # header.
            raise _truncated(info, start + done) from error
        missing = frames - done
        slack = MP3_SLACK_FRAMES + MP3_SLACK_SHARE * info.frames if info.format == "MP3" else 0
        if missing > slack or not done:
            raise _truncated(info, start + done)

    def _read(self, frames: int) -> npt.NDArray[np.float32]:
        """The next frames, a block at most; none at the end."""
        block = self._sound.read(min(self._block, frames), dtype="float32", always_2d=True)
        mono = _mono(block)
        self._at += len(mono)
        self._behind = mono[-OVERLAP:].copy() if len(mono) else self._behind
        return mono


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
