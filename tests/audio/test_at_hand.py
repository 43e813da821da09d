import io

import fsspec
import numpy as np
import pytest
import soundfile

from genrescope.audio.at_hand import LastSound, sound_at_hand
from genrescope.audio.decode import decode
from genrescope.audio.fit import load_clip
from genrescope.audio.probe import probe
from genrescope.errors import AudioError, RemoteError
from genrescope.remote import write_file

RATE = 24000
FORMATS = ("wav", "flac", "ogg", "mp3", "aiff", "au", "opus")


@pytest.fixture(scope="module")
def sounds():
    """The bytes of 40 s of noise in each format."""
    noise = np.random.default_rng(0).normal(size=40 * RATE) * 0.1
    made = {}
    for name in FORMATS:
        codec = {"format": "OGG", "subtype": "OPUS"} if name == "opus" else {"format": name}
        content = io.BytesIO()
        soundfile.write(content, noise, RATE, **codec)
        made[name] = content.getvalue()
    return made


@pytest.fixture
def requests(monkeypatch):
    """What is asked of the server: the bytes of each answer, whole files as 'whole'."""
    kind = type(fsspec.filesystem("memory"))
    asked = []
    cat, get = kind.cat_file, kind.get_file

    def cat_file(self, path, **bounds):
        found = cat(self, path, **bounds)
        asked.append(len(found))
        return found

    monkeypatch.setattr(kind, "cat_file", cat_file)
    monkeypatch.setattr(kind, "get_file", lambda *a, **k: asked.append("whole") or get(*a, **k))
    return asked


@pytest.mark.parametrize("name", FORMATS)
def test_sound_is_the_same_behind_a_url(sounds, name, memory, tmp_path, requests):
    local, url = tmp_path / f"a.{name}", f"{memory}/a.{name}"
    local.write_bytes(sounds[name])
    write_file(url, sounds[name])
    here, there = probe(local), probe(url)
    assert there.path == url
    assert (there.format, there.frames, there.channels) == (here.format, here.frames, 1)
    # The header, and in some formats the end; the whole file of MP3 alone.
    if name != "mp3":
        assert "whole" not in requests and sum(requests) <= min(4 * 2**16, len(sounds[name]))
    requests.clear()
    np.testing.assert_array_equal(decode(url, start_s=9.5), decode(local, start_s=9.5))
    assert requests == ["whole"]


def test_windows_of_one_file_are_read_from_one_copy(sounds, memory, requests):
    for name in ("a", "b"):
        write_file(f"{memory}/{name}.wav", sounds["wav"])
    with LastSound() as last:
        for path in (f"{memory}/a.wav", f"{memory}/a.wav", f"{memory}/b.wav", f"{memory}/b.wav"):
            load_clip(last.sound(path), start_s=3.0)
    assert requests == ["whole", "whole"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "unreadable"),
        (b"some text", "unreadable"),
        ("cut", "truncated"),
        ("short", "too-short"),
        (None, "unreadable"),
    ],
)
def test_errors_name_the_url_and_are_those_of_a_file(sounds, memory, tmp_path, content, kind):
    url, local = f"{memory}/노래.wav", tmp_path / "노래.wav"
    if content == "cut":
        content = sounds["wav"][:5000]
    if content == "short":
        short = io.BytesIO()
        soundfile.write(short, np.ones(1000) * 0.1, RATE, format="WAV")
        content = short.getvalue()
    if content is not None:
        write_file(url, content)
        local.write_bytes(content)
    for path in (url, local):
        with pytest.raises(AudioError) as caught:
            load_clip(path)
        assert caught.value.kind == kind and caught.value.path == str(path)
        assert "/dev/fd" not in str(caught.value)
    if kind != "too-short":
        with pytest.raises(AudioError) as probed:
            probe(url)
        assert str(probed.value) == f"{url}: {caught.value.reason}"


def test_a_server_that_is_gone_is_no_fault_of_the_sound(sounds, memory, monkeypatch, capfd):
    url = f"{memory}/a.flac"
    write_file(url, sounds["flac"])
    kind = type(fsspec.filesystem("memory"))

    def fail(self, *args, **kwargs):
        raise TimeoutError

    monkeypatch.setattr(kind, "cat_file", fail)
    monkeypatch.setattr(kind, "get_file", fail)
    for act in (probe, decode):
        with pytest.raises(RemoteError, match=r"a\.flac: cannot be reached"):
            act(url)
    assert capfd.readouterr().err == ""


def test_what_is_at_hand_is_at_hand(tmp_path):
    with sound_at_hand(tmp_path / "a.wav") as sound:
        assert sound.name == sound.file == str(tmp_path / "a.wav")
