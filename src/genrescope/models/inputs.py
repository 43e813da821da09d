"""From sound of any length to what models take, window by window, decoded once for all of them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from genrescope.audio.at_hand import sound_at_hand
from genrescope.audio.decode import MP3_SLACK_SHARE, decode_parts
from genrescope.audio.fit import SHORTEST_S, SILENT_PEAK, fit
from genrescope.audio.probe import AudioInfo, probe
from genrescope.errors import AudioError
from genrescope.features.vector import extract
from genrescope.remote import AtHand
from genrescope.settings import AudioSettings, FeatureSettings

WINDOWS_PER_BATCH = 32  # 160 s of sound, 14 MB: memory does not grow with the file
Waveform = npt.NDArray[np.float32]


class Need(NamedTuple):
    """One kind of input, and how it is made from sound.

    Attributes
    ----------
    audio : AudioSettings
    features : FeatureSettings
    kind : str
        `vectors` or `log_mels`.
    """

    audio: AudioSettings
    features: FeatureSettings
    kind: Literal["vectors", "log_mels"]


@dataclass(frozen=True)
class SoundInputs:
    """What models take of one sound, or of a stretch of it.

    Attributes
    ----------
    path : str or None
        The file; None for a waveform.
    duration_s : float
        Length of the whole sound.
    starts_s : numpy.ndarray [shape=(n_windows,)]
        Where each window that sounds begins.
    silent_windows : int
        Windows left out because they are silent.
    arrays : dict
        An array [shape=(n_windows, ...), dtype=float32] for each need.
    """

    path: str | None
    duration_s: float
    starts_s: npt.NDArray[np.float64]
    silent_windows: int
    arrays: dict[Need, npt.NDArray[np.float32]]

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Bring the stretches of one sound together, in their order.

        Raises
        ------
        AudioError
            `silent` where no window sounds.
        """
        whole = cls(
            path=parts[0].path,
            duration_s=parts[0].duration_s,
            starts_s=np.concatenate([part.starts_s for part in parts]),
            silent_windows=sum(part.silent_windows for part in parts),
            arrays={
                need: np.concatenate([part.arrays[need] for part in parts])
                for need in parts[0].arrays
            },
        )
        if not len(whole.starts_s):
            raise silent_throughout(whole.path)
        return whole


def silent_throughout(path: str | None) -> AudioError:
    """The error of a sound without a window to answer for."""
    return AudioError("the sound is silent throughout", path=path, kind="silent")


def inputs_from_file(path: str | os.PathLike[str], needs: Sequence[Need]) -> Iterator[SoundInputs]:
    """Read a sound file of any length by consecutive windows.

    A last window that is not half full is left out, unless it is the only one.

    Parameters
    ----------
    path : path-like
        Any file libsndfile reads, or its URL; it is read in parts, so that memory stays the same
        whatever its length.
    needs : sequence of Need
        What the models take; all with the same audio settings share one decode.

    Yields
    ------
    SoundInputs
        Of up to 32 windows each; of a stretch that is silent, without windows.

    Raises
    ------
    AudioError
        Where the file cannot be read, or is shorter than half a second.
    """
    audio = _audio(needs)
    with sound_at_hand(path) as sound:
        info = probe(sound)
        yield from _inputs(_parts(sound, info, audio), needs, info.duration_s, path=info.path)


def inputs_from_clip(waveform: npt.ArrayLike, needs: Sequence[Need]) -> Iterator[SoundInputs]:
    """Cut a waveform as `inputs_from_file` does a file.

    Parameters
    ----------
    waveform : array-like [shape=(n,)]
        Mono, at the sample rate of the audio settings, full scale at -1 and 1, of any length from
        half a second up.
    needs : sequence of Need

    Yields
    ------
    SoundInputs

    Raises
    ------
    AudioError
        `too-short` or `non-finite`.

    Examples
    --------
    >>> need = Need(AudioSettings(), FeatureSettings(), "vectors")
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(12 * 22050) / 22050)
    >>> found = SoundInputs.joined(list(inputs_from_clip(tone, [need])))
    >>> found.starts_s.tolist(), found.arrays[need].shape
    ([0.0, 5.0], (2, 75))
    """
    sound = np.asarray(waveform, dtype=np.float32)
    if sound.ndim != 1:
        raise AudioError(f"a waveform has one dimension, this one has {sound.ndim}")
    if not np.isfinite(sound).all():
        raise AudioError("the waveform holds NaN or infinity", kind="non-finite")
    audio = _audio(needs)
    length = WINDOWS_PER_BATCH * audio.clip_samples
    parts = (sound[start : start + length] for start in range(0, len(sound), length))
    yield from _inputs(parts, needs, len(sound) / audio.sample_rate, path=None)


def _audio(needs: Sequence[Need]) -> AudioSettings:
    found = {need.audio for need in needs}
    if len(found) != 1:
        raise ValueError(f"the needs have {len(found)} audio settings, they should share one")
    return found.pop()


def _parts(sound: AtHand, info: AudioInfo, audio: AudioSettings) -> Iterator[Waveform]:
    """Sound of a file, a batch of windows at a time."""
    window_s = audio.clip_samples / audio.sample_rate
    part_s = WINDOWS_PER_BATCH * window_s
    done_s = 0.0
    parts = decode_parts(
        sound, part_s=part_s, shortest_s=window_s / 2, sample_rate=audio.sample_rate
    )
    try:
        for start_s, part in parts:
            yield part
            done_s = start_s + part_s
    except AudioError as error:
        # The length of an MP3 file is an estimate: one that ends early is whole.
        near_end = done_s > (1 - MP3_SLACK_SHARE) * info.duration_s
        if not (info.format == "MP3" and error.kind == "truncated" and near_end):
            raise


def _inputs(
    parts: Iterable[Waveform], needs: Sequence[Need], duration_s: float, *, path: str | None
) -> Iterator[SoundInputs]:
    audio = _audio(needs)
    if duration_s < SHORTEST_S:
        raise AudioError(
            f"{duration_s:.2f} s of sound are too short to say anything: it takes {SHORTEST_S:g} s",
            path=path,
            kind="too-short",
        )
    done = 0
    for part in parts:
        windows, offsets = _cut(part, audio, first=done == 0)
        sounding = [k for k, window in enumerate(windows) if np.abs(window).max() >= SILENT_PEAK]
        kept = np.empty((len(sounding), audio.clip_samples), np.float32)
        for row, k in enumerate(sounding):
            kept[row] = windows[k]
        yield SoundInputs(
            path=path,
            duration_s=duration_s,
            starts_s=np.array([(done + offsets[k]) / audio.sample_rate for k in sounding]),
            silent_windows=len(windows) - len(sounding),
            arrays=_arrays(kept, needs),
        )
        done += len(part)


def _cut(part: Waveform, audio: AudioSettings, *, first: bool) -> tuple[list[Waveform], list[int]]:
    """Windows of a stretch of sound, and the sample each begins at."""
    length = audio.clip_samples
    windows, offsets = [], []
    for offset in range(0, len(part), length):
        window = part[offset : offset + length]
        only = first and offset == 0
        if len(window) < length / 2 and not only:
            continue
        windows.append(fit(window, samples=length, how=audio.fit))
        offsets.append(offset)
    return windows, offsets


def _arrays(windows: Waveform, needs: Sequence[Need]) -> dict[Need, npt.NDArray[np.float32]]:
    """Each need's array; needs of the same settings share their extraction."""
    arrays: dict[Need, npt.NDArray[np.float32]] = {}
    for features in {need.features: None for need in needs}:
        wanted = {need.kind: need for need in needs if need.features == features}
        found = extract(
            windows,
            audio=_audio(needs),
            features=features,
            vectors="vectors" in wanted,
            log_mels="log_mels" in wanted,
        )
        for kind, need in wanted.items():
            arrays[need] = found.vectors if kind == "vectors" else found.log_mels
    return arrays
