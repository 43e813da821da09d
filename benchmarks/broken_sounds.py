"""Sound files broken in ten ways, for the benchmark and the tests of what survives them."""

import random
from pathlib import Path

import numpy as np
import soundfile

RATE = 22050
TIME_S = np.arange(6 * RATE) / RATE
TONE = (0.4 * np.sin(2 * np.pi * 110 * TIME_S)).astype(np.float32)


def _cut(path: Path) -> None:
    soundfile.write(path, TONE + np.random.default_rng(0).normal(0, 0.1, len(TONE)), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _with_nan(path: Path) -> None:
    sound = TONE.copy()
    sound[RATE] = np.nan
    soundfile.write(path, sound, RATE, subtype="FLOAT")


# A suffix, what makes the file, and the kind of failure it is.
WAYS = (
    (".mp3", lambda path: path.write_bytes(b""), "unreadable"),
    (".flac", lambda path: path.write_text("this is text, not sound\n" * 20), "unreadable"),
    (".ogg", lambda path: path.write_bytes(random.Random(0).randbytes(50_000)), "unreadable"),
    (".wav", _cut, "truncated"),
    (".flac", _cut, "truncated"),
    (".wav", _with_nan, "non-finite"),
    (".wav", lambda path: soundfile.write(path, TONE[:4000], RATE), "too-short"),
    (".flac", lambda path: soundfile.write(path, 0 * TONE, RATE), "silent"),
    (".wav", lambda path: path.mkdir(), "no-sound"),
    (".mp3", lambda path: path.symlink_to("there is no such file"), "unreadable"),
)


def write_broken(path: Path, way: int) -> tuple[Path, str]:
    """Write a broken file; its path, with a suffix, and the kind of failure it is."""
    suffix, write, kind = WAYS[way % len(WAYS)]
    path = path.with_name(path.name + suffix)
    write(path)
    return path, kind
