import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tagged import FORMATS, tag

RATE = 48000  # hertz, one that Opus has
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A second of noise in each format, without tags; the M4A is the fixture, with its own."""
    folder = tmp_path_factory.mktemp("plain")
    noise = np.random.default_rng(0).normal(size=RATE) * 0.1
    for suffix in FORMATS:
        if suffix == "m4a":
            shutil.copy(DATA / "tone.m4a", folder / "a.m4a")
        else:
            codec = {"format": "OGG", "subtype": "OPUS"} if suffix == "opus" else {}
            soundfile.write(folder / f"a.{suffix}", noise, RATE, **codec)
    return folder


@pytest.fixture
def song(plain, tmp_path):
    """Copies a sound file with tags of its own, among them the genre given."""

    def make(suffix: str, *genres: str, version: int = 4) -> Path:
        path = tmp_path / f"노래 {suffix}.{suffix}"
        shutil.copy(plain / f"a.{suffix}", path)
        tag(path, genres, version)
        return path

    return make
