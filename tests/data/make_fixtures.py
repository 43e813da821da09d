"""Writes the sound files kept in this folder: `python tests/data/make_fixtures.py`.

Only what a test cannot make on the fly is kept: an MP3 whose encoder may be missing where the
tests run, and so that all machines decode the same bytes.
"""

from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 22050
SECONDS = 2.0
TONE_HZ = 1000.0


def main() -> None:
    """Write `tone.mp3`: 1 kHz at half of full scale, mono, 2 s."""
    time_s = np.arange(round(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    tone = 0.5 * np.sin(2 * np.pi * TONE_HZ * time_s)
    path = Path(__file__).parent / "tone.mp3"
    soundfile.write(path, tone, SAMPLE_RATE, format="MP3", subtype="MPEG_LAYER_III")


if __name__ == "__main__":
    main()
