"""From samples to a sound file."""

import io
import os

import numpy as np
import numpy.typing as npt
import soundfile

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
    # Rounded here, not cut off: what is read back lies within half a step of what was written.
    numbers = np.round(np.clip(y, -1.0, 1.0) * FULL_SCALE).astype(np.int16)
    buffer = io.BytesIO()
    # In memory first: libsndfile's own error on a full disk does not say so.
    soundfile.write(buffer, numbers, sample_rate, subtype="PCM_16", format="WAV")
    write_bytes(path, buffer.getvalue())
