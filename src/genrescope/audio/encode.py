"""From samples to a sound file, and from a sound file to a smaller one."""

import io
import os

import numpy as np
import numpy.typing as npt
import soundfile

from genrescope.errors import AudioError
from genrescope.files import write_bytes

FULL_SCALE = 32767  # of 16 bits


def write_wav(
    path: str | os.PathLike[str], y: npt.NDArray[np.floating], *, sample_rate: int = 22050
) -> None:
    """Write mono samples as a 16-bit WAV file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file; parent folders are made.
    y : numpy.ndarray [shape=(n,)]
        Full scale at -1 and 1; what lies beyond is clipped.
    sample_rate : int
        Hertz.

    Raises
    ------
    OutputError
        Where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.wav")
    >>> write_wav(path, np.array([0.5, -2.0]), sample_rate=8000)
    >>> soundfile.read(path)[0].round(3).tolist()
    [0.5, -1.0]
    """
    write_bytes(path, wav_bytes(y, sample_rate=sample_rate))


def wav_bytes(y: npt.NDArray[np.floating], *, sample_rate: int = 22050) -> bytes:
    """Mono samples as a 16-bit WAV file in memory; parameters as of `write_wav`.

    Examples
    --------
    >>> wav_bytes(np.zeros(10), sample_rate=8000)[:4]
    b'RIFF'
    """
    # Rounded here, not cut off: what is read back lies within half a step of what was written.
    numbers = np.round(np.clip(y, -1.0, 1.0) * FULL_SCALE).astype(np.int16)
    buffer = io.BytesIO()
    # In memory first: libsndfile's own error on a full disk does not say so.
    soundfile.write(buffer, numbers, sample_rate, subtype="PCM_16", format="WAV")
    return buffer.getvalue()


def mp3_bytes(path: str | os.PathLike[str]) -> bytes:
    """A sound file as MP3, about a seventh of the size of a WAV file.

    Parameters
    ----------
    path : path-like
        A file libsndfile reads, at a sample rate that MP3 has: 8, 11.025, 12, 16, 22.05, 24, 32,
        44.1 or 48 kHz.

    Returns
    -------
    bytes
        The same file gives the same bytes.

    Raises
    ------
    AudioError
        `unreadable` where it cannot be read, or has another sample rate.

    Examples
    --------
    >>> import tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "a.wav")
    >>> write_wav(path, np.sin(np.arange(22050) / 10))
    >>> len(mp3_bytes(path)) < os.path.getsize(path) / 4
    True
    """
    buffer = io.BytesIO()
    try:
        y, sample_rate = soundfile.read(os.fspath(path), dtype="float32")
        soundfile.write(buffer, y, sample_rate, format="MP3", subtype="MPEG_LAYER_III")
    except (soundfile.LibsndfileError, ValueError) as error:
        raise AudioError("cannot be written as MP3", path=path) from error
    return buffer.getvalue()
