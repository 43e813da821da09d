import numpy as np
import pytest

RATE = 22050


def _music(seed: int, seconds: float) -> np.ndarray:
    """Chords, drum hits and noise, every seed another tempo, key, tuning and level."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE)) / RATE
    beat_s = 60 / rng.uniform(70, 180)
    phase = time_s % beat_s
    root = 110 * 2 ** (rng.uniform(0, 12) / 12)
    y = np.zeros_like(time_s)
    for semitones in (0, rng.choice([3, 4]), 7, 12):
        hertz = root * 2 ** (semitones / 12)
        for harmonic in range(1, 9):
            angle = 2 * np.pi * hertz * harmonic * time_s + rng.uniform(0, 6)
            y += np.sin(angle) / harmonic ** rng.uniform(0.8, 1.6)
    y *= np.exp(-phase / rng.uniform(0.1, 0.6))
    y += rng.normal(size=len(y)) * np.exp(-phase / 0.02) * rng.uniform(0, 3)
    y += rng.normal(size=len(y)) * 10 ** rng.uniform(-5, -2)
    return (y / np.abs(y).max() * rng.uniform(0.1, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def music():
    """`music(seed, seconds)` renders something musical."""
    return _music


@pytest.fixture(scope="session")
def tone():
    """`tone(hertz, seconds)` is a sine at half of full scale."""

    def render(hertz: float, seconds: float = 2.0) -> np.ndarray:
        time_s = np.arange(round(seconds * RATE)) / RATE
        return (0.5 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)

    return render
