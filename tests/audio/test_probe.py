import contextlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from genrescope.audio.probe import open_sound, probe
from genrescope.errors import AudioError

RATE = 22050


def noise(seconds, *, channels=1, rate=RATE):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (round(seconds * rate), channels))
    return samples[:, 0] if channels == 1 else samples


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "au"])
def test_header_of_each_format(tmp_path, suffix):
    path = tmp_path / f"sound.{suffix}"
    soundfile.write(path, noise(1.5, channels=2, rate=44100), 44100)
    info = probe(path)
    assert (info.sample_rate, info.channels) == (44100, 2)
    assert info.duration_s == pytest.approx(1.5, abs=0.06)
    assert info.path == str(path)


def kind_of(path):
    with pytest.raises(AudioError) as caught:
        probe(path)
    assert caught.value.path == str(path)
    return caught.value.kind, caught.value.reason


def test_files_that_are_no_sound(tmp_path):
    cases = {
        "zero.wav": (b"", "empty"),
        "text.wav": (b"Dear listener,\nthis is no sound.\n", "text"),
        "text.mp3": (b"Dear listener,\nthis is no sound.\n", "text"),
        "image.wav": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "no sound file"),
        "noise.mp3": (b"\xff\xfb" + np.random.default_rng(0).bytes(5000), "no sound file"),
        "samples.raw": (np.random.default_rng(1).bytes(5000), "no sound file"),
        "header.wav": (b"RIFF\x00\x10\x00\x00WAVE", "no sound file"),
    }
    for name, (content, word) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        kind, reason = kind_of(path)
        assert kind == "unreadable", name
        assert word in reason, name


def test_mp4_is_known_and_not_decoded():
    kind, reason = kind_of(Path(__file__).parents[1] / "data" / "tone.m4a")
    assert kind == "undecodable" and "cannot be decoded here; convert it" in reason


def test_missing_folder_and_pipe(tmp_path):
    assert kind_of(tmp_path / "none.wav") == ("unreadable", "there is no such file")
    assert kind_of(tmp_path) == ("unreadable", "this is a folder, not a sound file")
    os.mkfifo(tmp_path / "pipe.wav")
    assert "pipe" in kind_of(tmp_path / "pipe.wav")[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(tmp_path):
    path = tmp_path / "secret.wav"
    soundfile.write(path, noise(1), RATE)
    path.chmod(0)
    kind, reason = kind_of(path)
    assert kind == "unreadable" and "permitted" in reason


def test_permission_error_becomes_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "secret.wav"
    soundfile.write(path, noise(1), RATE)

    def refuse(self, *args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    kind, reason = kind_of(path)
    assert kind == "unreadable" and "permitted" in reason


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "rf64"])
@pytest.mark.parametrize("share", [0.5, 0.999])
def test_uncompressed_file_cut_short(tmp_path, suffix, share):
    path = tmp_path / f"cut.{suffix}"
    soundfile.write(path, noise(2), RATE, format=suffix.upper())
    content = path.read_bytes()
    assert probe(path).frames == 2 * RATE
    path.write_bytes(content[: int(len(content) * share)])
    kind, reason = kind_of(path)
    assert kind == "truncated"
    assert f"{len(content):,}" in reason


def test_chunks_before_and_after_the_samples(tmp_path):
    path = tmp_path / "chunks.wav"
    soundfile.write(path, noise(1), RATE)
    content = path.read_bytes()
    at = content.index(b"data")
    note = b"LIST" + struct.pack("<I", 5) + b"notes\0"  # odd sizes are padded by a byte
    path.write_bytes(content[:at] + note + content[at:] + note)
    assert probe(path).frames == RATE
    path.write_bytes(content[:at] + note + content[at:-100])
    assert kind_of(path)[0] == "truncated"


def test_stream_that_did_not_know_its_length(tmp_path):
    path = tmp_path / "streamed.wav"
    soundfile.write(path, noise(1), RATE)
    content = path.read_bytes()
    at = content.index(b"data") + 4
    path.write_bytes(content[:at] + b"\xff\xff\xff\xff" + content[at + 4 :])
    assert probe(path).frames == RATE


def test_flac_that_does_not_state_its_length(tmp_path):
    path = tmp_path / "piped.flac"
    soundfile.write(path, noise(1.5), RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count the samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    kind, reason = kind_of(path)
    assert kind == "unreadable" and "how long" in reason


def test_no_frames(tmp_path):
    path = tmp_path / "header.wav"
    soundfile.write(path, np.zeros(0), RATE)
    assert kind_of(path) == ("too-short", "the file holds no sound (0 samples)")


def test_absurd_sample_rate(tmp_path):
    path = tmp_path / "rate.wav"
    soundfile.write(path, noise(1), RATE)
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 3_000_000_000 // 2)
    path.write_bytes(content)
    kind, reason = kind_of(path)
    assert kind == "unreadable" and "sample rate" in reason


def test_mp3_decoder_writes_nothing_to_the_terminal(tmp_path, capfd):
    path = tmp_path / "cut.mp3"
    soundfile.write(path, noise(5), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(3000))
    with open_sound(path) as (sound, _), contextlib.suppress(soundfile.LibsndfileError):
        sound.read()
    (tmp_path / "junk.mp3").write_bytes(b"ID3\x03\0\0\0\0\0\0" + bytes(range(256)) * 20)
    kind_of(tmp_path / "junk.mp3")
    os.write(2, b"heard again")
    assert capfd.readouterr().err == "heard again"
