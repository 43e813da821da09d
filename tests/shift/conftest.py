import numpy as np
import pytest

from genrescope.shift.adapted import Clips

CENTRES = np.array([[0.0, 0, 0, 0], [2.5, 2.5, 0, 0], [0, 2.5, 2.5, 2.5]])
GENRES = ["Blues", "Pop", "Rock"]


def draw(counts, seed):
    """Clips around three centres, two clips a group."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(3), counts)
    X = CENTRES[codes] + rng.normal(0, 0.8, (len(codes), 4))
    return Clips(X, np.array(GENRES)[codes], np.arange(len(codes)) // 2)


@pytest.fixture
def source():
    return draw((60, 60, 60), seed=0)


@pytest.fixture
def same_music():
    """The target before anything is done to it."""
    return draw((60, 60, 60), seed=1)


@pytest.fixture
def other_shares():
    return draw((150, 20, 20), seed=2)
