from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrescope.audio.decode import decode, decode_parts
from genrescope.errors import AudioError

RATE = 22050


def tone(hertz, seconds, rate=RATE):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def loudest_hertz(y, rate=RATE):
    return np.abs(np.fft.rfft(y * np.hanning(len(y)))).argmax() * rate / len(y)


def error_of(path, **options):
    with pytest.raises(AudioError) as caught:
        decode(path, **options)
    assert caught.value.path == str(path)
    return caught.value


def frames_read(monkeypatch):
    """A list that gets how many frames are asked for, from now on."""
    read = []
    original = soundfile.SoundFile.read
    monkeypatch.setattr(
        soundfile.SoundFile,
        "read",
        lambda self, frames, **kwargs: read.append(frames) or original(self, frames, **kwargs),
    )
    return read


def test_same_rate_gives_the_very_samples(tmp_path):
    y = np.random.default_rng(0).uniform(-1, 1, 30_000).astype(np.float32)
    path = tmp_path / "exact.wav"
    soundfile.write(path, y, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(decode(path), y)
    part = decode(path, start_s=0.25, duration_s=0.5)
    np.testing.assert_array_equal(part, y[round(0.25 * RATE) :][: round(0.5 * RATE)])
    assert part.dtype == np.float32


def test_channels_are_averaged(tmp_path):
    eight = np.random.default_rng(0).uniform(-1, 1, (RATE, 8)).astype(np.float32)
    path = tmp_path / "eight.wav"
    soundfile.write(path, eight, RATE, subtype="FLOAT")
    np.testing.assert_allclose(decode(path), eight.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 32000, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 8])
def test_resampling_keeps_pitch_level_and_length(tmp_path, rate, channels):
    path = tmp_path / "tone.wav"
    samples = np.repeat(tone(1000, 1.5, rate)[:, np.newaxis], channels, axis=1)
    soundfile.write(path, samples, rate)
    y = decode(path, start_s=0.1, duration_s=1.0)
    assert y.shape == (RATE,)
    assert loudest_hertz(y) == pytest.approx(1000, abs=1.1)
    middle = y[2000:-2000]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_resampling_removes_what_does_not_fit(tmp_path):
    path = tmp_path / "high.wav"
    soundfile.write(path, tone(15_000, 1, 48_000), 48_000)
    assert np.abs(decode(path)[2000:-2000]).max() < 1e-3


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "au", "aiff"])
def test_other_formats(tmp_path, suffix):
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(1000, 2), RATE)
    y = decode(path, start_s=0.5, duration_s=1)
    assert y.shape == (RATE,)
    assert loudest_hertz(y) == pytest.approx(1000, abs=1.1)


def test_kept_mp3():
    y = decode(Path(__file__).parents[1] / "data" / "tone.mp3")
    assert len(y) / RATE == pytest.approx(2, abs=0.1)
    assert loudest_hertz(y) == pytest.approx(1000, abs=1.1)


def test_parts_near_and_beyond_the_end(tmp_path):
    path = tmp_path / "second.flac"
    soundfile.write(path, tone(440, 1), RATE)
    assert decode(path, start_s=0.75, duration_s=5).shape == (RATE - round(0.75 * RATE),)
    for start_s in (1.0, 7.5):
        error = error_of(path, start_s=start_s)
        assert error.kind == "too-short" and "1.00 s" in error.reason


@pytest.mark.parametrize("options", [{"start_s": -1}, {"start_s": np.nan}, {"duration_s": 0}])
def test_bounds_that_make_no_sense(tmp_path, options):
    with pytest.raises(ValueError, match="should be"):
        decode(tmp_path / "any.wav", **options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_values_that_are_no_sound(tmp_path, value):
    y = tone(440, 1)
    y[RATE // 2] = value
    path = tmp_path / "broken.wav"
    soundfile.write(path, y, RATE, subtype="FLOAT")
    assert error_of(path).kind == "non-finite"
    assert len(decode(path, duration_s=0.25)), "the part before it is sound"


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_compressed_file_cut_short(tmp_path, suffix):
    path = tmp_path / f"cut.{suffix}"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 20 * RATE), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    error = error_of(path)
    assert error.kind == "truncated"
    assert "20.0 s" in error.reason
    assert error_of(path, start_s=15, duration_s=2).kind == "truncated"
    assert len(decode(path, start_s=2, duration_s=2)) == 2 * RATE, "this part is there"


def test_damage_in_the_middle(tmp_path):
    path = tmp_path / "damaged.mp3"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 20 * RATE), RATE)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(content)
    assert error_of(path).kind == "truncated"


def test_ogg_cut_short_is_a_shorter_file(tmp_path):
    path = tmp_path / "cut.ogg"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 20 * RATE), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert 0 < len(decode(path)) < 20 * RATE


def test_long_file_is_read_in_part_only(tmp_path, monkeypatch):
    path = tmp_path / "two_hours.wav"
    seconds = 7200
    with soundfile.SoundFile(path, "w", 8000, 1, subtype="PCM_U8") as file:
        for _ in range(seconds // 60):
            file.write(np.zeros(60 * 8000, np.int16))
        file.seek(5000 * 8000)
        file.write(tone(1000, 5, 8000))
    read = frames_read(monkeypatch)
    y = decode(path, start_s=5000, duration_s=5)
    assert loudest_hertz(y) == pytest.approx(1000, abs=0.3)
    assert sum(read) <= 5 * 8000 + 2


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg"])
@pytest.mark.parametrize("rate", [RATE, 44100, 16000])
def test_parts_are_those_of_decode_and_the_file_is_read_once(tmp_path, monkeypatch, suffix, rate):
    path = tmp_path / f"long.{suffix}"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (round(7.3 * rate), 2))
    soundfile.write(path, noise, rate)
    expected = [decode(path, start_s=s, duration_s=0.7) for s in 0.7 * np.arange(10)]
    read = frames_read(monkeypatch)
    found = list(decode_parts(path, part_s=0.7, shortest_s=0.35))
    assert [start_s for start_s, _ in found] == pytest.approx(0.7 * np.arange(10))
    for (_, y), part in zip(found, expected, strict=True):
        np.testing.assert_array_equal(y, part)
    assert sum(read) <= 7.01 * rate


def test_a_sound_shorter_than_a_part_is_one(tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, tone(440, 0.5), RATE)
    ((start_s, y),) = decode_parts(path, part_s=3.0, shortest_s=1.5)
    assert start_s == 0 and len(y) == RATE // 2


def test_blocks_join_without_a_seam(tmp_path, monkeypatch):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(997, 2, 44100), 44100, subtype="FLOAT")
    whole = decode(path)
    monkeypatch.setattr("genrescope.audio.decode.BLOCK_SAMPLES", 1000)
    np.testing.assert_allclose(decode(path), whole, atol=1e-6)
