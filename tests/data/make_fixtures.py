"""Writes the sound files kept in this folder: `python tests/data/make_fixtures.py`.

Only what a test cannot make on the fly is kept: an MP3 whose encoder may be missing where the
tests run, and so that all machines decode the same bytes; and an M4A, since no library of this
project encodes AAC. For that one, ffmpeg must be on the path (Debian: `apt-get install ffmpeg`).
"""

import subprocess
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 22050
SECONDS = 2.0
TONE_HZ = 1000.0


def main() -> None:
    """Write `tone.mp3` and `tone.m4a`: 1 kHz at half of full scale, mono, 2 s.

    In the M4A the description stands before the sound, so that a longer tag moves the sound.
    """
    time_s = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    tone = 0.5 * np.sin(2 * np.pi * TONE_HZ * time_s)
    path = Path(__file__).parent / "tone.mp3"
    soundfile.write(path, tone, SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")
    options = "-c:a aac -b:a 16k -movflags +faststart -fflags +bitexact -flags:a +bitexact"
    titles = "-metadata title=Tone -metadata artist=Oscillator"
    command = ["ffmpeg", "-v", "error", "-y", "-i", path, *options.split(), *titles.split()]
    subprocess.run([*command, path.with_suffix(".m4a")], check=True)


if __name__ == "__main__":
    main()
