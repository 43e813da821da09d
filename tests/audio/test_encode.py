import numpy as np
import pytest
import soundfile

from genrescope.audio.encode import write_wav
from genrescope.errors import OutputError


def test_what_is_written_is_read_to_half_a_step(tmp_path):
    y = np.random.default_rng(0).uniform(-1, 1, 5000)
    write_wav(tmp_path / "deep" / "a.wav", y)
    read, rate = soundfile.read(tmp_path / "deep" / "a.wav", dtype="float64")
    assert rate == 22050
    # Full scale is 32767 steps when written, 32768 when read.
    assert np.abs(read * 32768 / 32767 - y).max() <= 0.5001 / 32767


def test_beyond_full_scale_is_clipped_not_wrapped(tmp_path):
    write_wav(tmp_path / "a.wav", np.array([1.5, -1.5, 0.0]))
    read, _ = soundfile.read(tmp_path / "a.wav")
    assert read == pytest.approx([1.0, -1.0, 0.0], abs=1e-4)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_wav(tmp_path / "file" / "a.wav", np.zeros(10))
