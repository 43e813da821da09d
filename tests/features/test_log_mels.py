import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrescope.features.log_mels import LogMels


def mapped(sizes, seed=0):
    """Spectrograms over several arrays, and the same as one array."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(n, 8, 9)).astype(np.float32) for n in sizes]
    part = np.repeat(np.arange(len(sizes)), sizes)
    row = np.concatenate([np.arange(n) for n in sizes])
    order = rng.permutation(len(part))
    whole = np.concatenate(parts)[order]
    return LogMels(parts, part[order], row[order], (8, 9)), whole


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_indexing_is_that_of_one_array(sizes, seed):
    maps, whole = mapped(sizes, seed)
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(whole), size=7)
    mask = rng.random(len(whole)) < 0.5
    assert maps.shape == whole.shape and maps.ndim == 3 and len(maps) == len(whole)
    for index in (0, -1, slice(1, 4), slice(None, None, -1), rows, mask, []):
        wanted = np.asarray(index, int) if isinstance(index, list) else index
        np.testing.assert_array_equal(maps[wanted], whole[wanted])
    np.testing.assert_array_equal(maps, whole)
    np.testing.assert_array_equal(maps.rows(rows), whole[rows])
    np.testing.assert_array_equal(maps.rows(rows).rows([2, 0]), whole[rows][[2, 0]])


def test_joined():
    one, other = mapped([2, 3]), mapped([4], seed=1)
    joined = LogMels.joined([one[0], other[0]])
    np.testing.assert_array_equal(joined, np.concatenate([one[1], other[1]]))
    with pytest.raises(ValueError, match="2 sizes"):
        LogMels.joined([one[0], LogMels([], np.array([], int), np.array([], int), (4, 4))])


def test_what_is_read_can_be_written_to():
    maps, _ = mapped([3])
    maps[0][:] = 7
    assert maps[0].max() < 7
