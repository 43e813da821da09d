"""Sound files of every container: their headers, the whole of them, parts at any bounds."""

import functools
import io
from random import Random

import numpy as np
import soundfile

from fuzzing.containers import change_sound
from fuzzing.target import Target, scratch, typed_errors
from genrescope.audio.decode import decode
from genrescope.audio.fit import load_clip
from genrescope.audio.payload import payload_digest
from genrescope.audio.probe import probe

FORMATS = (
    ("WAV", "PCM_16", 1), ("WAV", "FLOAT", 2), ("WAV", "IMA_ADPCM", 1), ("WAVEX", "PCM_24", 3),
    ("RF64", "PCM_16", 1), ("AIFF", "PCM_16", 2), ("AIFF", "FLOAT", 1), ("AU", "ULAW", 1),
    ("AU", "PCM_16", 1), ("FLAC", "PCM_16", 2), ("OGG", "VORBIS", 1), ("OGG", "OPUS", 1),
    ("MP3", "MPEG_LAYER_III", 1), ("CAF", "ALAC_16", 1), ("W64", "PCM_16", 1), ("VOC", "PCM_U8", 1),
    ("NIST", "PCM_16", 1), ("SD2", None, 1), ("IRCAM", "PCM_16", 1), ("PAF", "PCM_16", 1),
    ("SVX", "PCM_16", 1), ("AVR", "PCM_16", 1), ("HTK", "PCM_16", 1), ("PVF", "PCM_16", 1),
    ("XI", "DPCM_16", 1), ("WAV", "GSM610", 1), ("WAV", "MS_ADPCM", 1), ("AIFF", "IMA_ADPCM", 1),
)  # fmt: skip
SECONDS = 0.8
BOUNDS_S = (0.0, 0.0, 0.0, 0.3, 0.79, 5.0, 100.0, 1e5, 1e9)


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Less than a second of sound in every container; behind it a byte that chooses the bounds."""
    made = []
    for name, subtype, channels in FORMATS:
        rate = 48000 if subtype == "OPUS" else 16000 if name == "MP3" else 8000
        time_s = np.arange(round(SECONDS * rate)) / rate
        tone = np.repeat(0.5 * np.sin(2 * np.pi * 440 * time_s)[:, np.newaxis], channels, axis=1)
        buffer = io.BytesIO()
        try:
            soundfile.write(buffer, tone, rate, subtype, format=name)
        except (soundfile.LibsndfileError, ValueError):
            continue  # what this libsndfile cannot write
        made.append(b"\0" + buffer.getvalue())
    return tuple(made)


def check(data: bytes) -> None:
    """Probe a file, decode a part, load a clip: an error of one sentence, or sound within bounds."""
    start_s = BOUNDS_S[data[0] % len(BOUNDS_S)] if data else 0.0
    with scratch() as folder:
        path = folder / "sound"
        path.write_bytes(data[1:])
        with typed_errors():
            info = probe(path)
            assert info.frames > 0 and info.channels > 0
        with typed_errors():
            y = decode(path, start_s=start_s, duration_s=5.0)
            assert 0 < len(y) <= 110250 and np.isfinite(y).all() and y.dtype == np.float32
        with typed_errors():
            y = load_clip(path)
            assert y.shape == (110250,)
        with typed_errors():
            payload_digest(path)


def mutate(data: bytes, rng: Random) -> bytes:
    """Change the sound, or where in it one begins."""
    first = bytes([rng.randrange(256)]) if rng.random() < 0.2 else data[:1]
    return first + change_sound(data[1:], rng)


TARGET = Target(check, seeds, mutate, memory=2**29, longest=2**17, examples=300)
