import contextlib
import ctypes
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.flac import FLAC
from tagged import FORMATS, everything_else, tag

from genrescope.audio.payload import payload_digest
from genrescope.audio.tags import read_tags, restore_genres, write_genres
from genrescope.errors import AudioError, GenrescopeError, OutputError, TagError


@pytest.mark.parametrize("suffix", ["ogg", "opus", "m4a", "wav", "aiff"])
def test_a_file_cut_short_is_not_written(plain, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content = (plain / path.name).read_bytes()[:-1500]
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        write_genres(path, ["Blues"])
    assert caught.value.kind == "truncated" and caught.value.path == str(path)
    assert path.read_bytes() == content


def test_what_is_no_sound_file_and_what_keeps_no_tags(tmp_path):
    cases = {
        "none.mp3": (None, AudioError, "no such file"),
        "zero.mp3": (b"", AudioError, "empty"),
        "text.flac": (b"Dear listener", TagError, "this is none"),
        "sound.au": (b".snd" + bytes(200), TagError, "this is none"),
    }
    for name, (content, error, words) in cases.items():
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        for attempt in (read_tags, restore_genres, lambda path: write_genres(path, ["Blues"])):
            with pytest.raises(error, match=words) as caught:
                attempt(path)
            assert caught.value.path == str(path)


def test_nothing_is_no_genre(song):
    for nothing in ([], [""], ["Blues", " "]):
        with pytest.raises(ValueError):
            write_genres(song("mp3"), nothing)


def broken(plain, name):
    """A file whose tags cannot be read."""
    mp3, flac, ogg = ((plain / f"a.{suffix}").read_bytes() for suffix in ("mp3", "flac", "ogg"))
    comment = ogg.index(b"\x03vorbis") + 7
    return {
        "promises-more.mp3": b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + mp3,
        "odd-size.mp3": b"ID3\x04\0\0\xff\xff\xff\xff" + mp3,
        "only-a-header.mp3": b"ID3\x03\0\0\0\0\x10\0",
        "many-comments.ogg": ogg[:comment] + b"\xff" * 8 + ogg[comment + 8 :],
        "many-comments.flac": flac[:4] + b"\x04\0\0\x08\0\0\0\0\xff\xff\xff\xff" + flac[4:],
        "no-blocks.flac": flac[:30],
        "no-list.m4a": b"\0\0\0\x10ftypM4A " + bytes(4) + b"\0\0\xff\xffmoov" + bytes(100),
    }[name]


@pytest.mark.parametrize(
    "name",
    ["promises-more.mp3", "odd-size.mp3", "only-a-header.mp3", "many-comments.ogg",
     "many-comments.flac", "no-blocks.flac", "no-list.m4a"],
)  # fmt: skip
def test_broken_tags_are_a_typed_error_and_the_file_stays(plain, tmp_path, name):
    path = tmp_path / name
    content = broken(plain, name)
    path.write_bytes(content)
    for attempt in (read_tags, restore_genres, lambda path: write_genres(path, ["Blues"])):
        with pytest.raises(GenrescopeError) as caught:
            attempt(path)
        assert caught.value.path == str(path) and "\n" not in str(caught.value)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_letters_that_cannot_be_read_are_not_written_over(plain, tmp_path):
    path = tmp_path / "latin.flac"
    shutil.copy(plain / "a.flac", path)
    file = FLAC(path)
    file["TITLE"], file["GENRE"] = "Caf##", "Polka"
    file.save()
    path.write_bytes(path.read_bytes().replace(b"Caf##", b"Caf\xe9#"))
    content = path.read_bytes()
    assert read_tags(path).genres == ("Polka",)
    with pytest.raises(TagError, match="TITLE, which are not UTF-8") as caught:
        write_genres(path, ["Blues"])
    assert caught.value.kind == "would-lose"
    assert path.read_bytes() == content


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), suffix=st.sampled_from(FORMATS))
def test_damaged_bytes_lead_to_typed_errors_only(plain, tmp_path_factory, data, suffix):
    content = bytearray((plain / f"a.{suffix}").read_bytes())
    whole = tmp_path_factory.getbasetemp() / f"damaged.{suffix}"
    whole.write_bytes(content)
    tag(whole, ["Polka"])
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, min(len(content), 1500) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=6))
        content[at : at + len(patch)] = patch
    whole.write_bytes(content)
    try:
        sound = payload_digest(whole)
        read_tags(whole)
        write_genres(whole, ["Blues"])
    except GenrescopeError:
        assert whole.read_bytes() == bytes(content)
    else:
        assert read_tags(whole).genres == ("Blues",) and payload_digest(whole) == sound


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    start=st.sampled_from(
        [b"ID3\x03\0\0\0\0\x01\0", b"fLaC", b"OggS", b"\0\0\0\x08ftyp", b"RIFF1234WAVE",
         b"FORM1234AIFF", b"\xff\xfb", b""]
    ),
    rest=st.binary(max_size=400),
)  # fmt: skip
def test_random_bytes_lead_to_typed_errors_only(tmp_path_factory, start, rest):
    path = tmp_path_factory.getbasetemp() / "random"
    path.write_bytes(start + rest)
    for attempt in (read_tags, payload_digest, restore_genres):
        with contextlib.suppress(GenrescopeError):
            attempt(path)
    assert path.read_bytes() == start + rest


def test_a_link_is_followed_and_mode_stays(song, tmp_path):
    path = song("flac", "Polka")
    path.chmod(0o640)
    link = tmp_path / "link.flac"
    link.symlink_to(path)
    before = path.stat()
    write_genres(link, ["Blues"])
    assert link.is_symlink() and read_tags(path).genres == ("Blues",)
    after = path.stat()
    assert stat.S_IMODE(after.st_mode) == 0o640 and after.st_uid == before.st_uid
    assert after.st_mtime_ns > before.st_mtime_ns


def test_a_read_only_file_is_one_sentence_even_for_root(song):
    path = song("mp3", "Polka")
    content = path.read_bytes()
    path.chmod(0o444)
    with pytest.raises(OutputError, match="is read-only; nothing was written") as caught:
        write_genres(path, ["Blues"])
    assert caught.value.path == str(path) and path.read_bytes() == content
    assert read_tags(path).genres == ("Polka",)


@pytest.fixture
def nobody():
    """This thread's right to files becomes that of the user nobody (setfsuid(2))."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None)
    libc.setfsuid(65534)
    try:
        yield
    finally:
        libc.setfsuid(0)


@pytest.mark.parametrize("mode", [0o777, 0o555])
def test_a_file_or_folder_of_others_is_one_sentence(song, request, mode):
    folder = Path(tempfile.mkdtemp())  # nobody could not reach into pytest's own
    try:
        path = folder / "a.mp3"
        shutil.copy(song("mp3", "Polka"), path)
        path.chmod(0o444 | 0o200 if mode == 0o777 else 0o666)
        folder.chmod(mode)
        content = path.read_bytes()
        request.getfixturevalue("nobody")
        if os.geteuid() != 0 and mode == 0o777:
            pytest.skip("takes root to have a file of somebody else")
        with pytest.raises(OutputError, match=r"cannot be written \(permission denied\)") as caught:
            write_genres(path, ["Blues"])
        assert caught.value.path == str(path)
        assert path.read_bytes() == content and list(folder.iterdir()) == [path]
    finally:
        if os.geteuid() == 0:
            ctypes.CDLL(None).setfsuid(0)
        folder.chmod(0o777)
        shutil.rmtree(folder)


def test_a_read_only_file_system_is_one_sentence(song, tmp_path):
    path = song("ogg", "Polka")
    script = (
        'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && echo mounted; exec "$2" -c '
        '"import sys; from genrescope.audio.tags import write_genres; '
        'write_genres(sys.argv[1], [\'Blues\'])" "$3"'
    )
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", tmp_path, sys.executable, path],
        capture_output=True,
        text=True,
    )
    if "mounted" not in ran.stdout:
        pytest.skip(f"needs the right to mount: {ran.stderr.strip()[:200]}")
    assert "cannot be written (read-only file system)" in ran.stderr
    assert read_tags(path).genres == ("Polka",)


def test_a_change_by_another_program_is_not_lost(song, monkeypatch):
    path = song("flac", "Polka")
    from genrescope.audio import tags

    def change(temporary):
        file = FLAC(path)
        file["TITLE"] = "of the other program"
        file.save()

    monkeypatch.setattr(tags, "_to_disk", change)
    with pytest.raises(TagError, match="meanwhile"):
        write_genres(path, ["Blues"])
    assert FLAC(path)["TITLE"] == ["of the other program"]
    assert read_tags(path).genres == ("Polka",)


LOOP = """
import itertools, sys
from genrescope.audio.tags import write_genres
print("on", flush=True)
for number in itertools.count():
    write_genres(sys.argv[1], [f"Genre {number}"])
"""


def test_a_killed_write_leaves_a_whole_file(song):
    path = song("flac", "Polka")
    sound, others = payload_digest(path), everything_else(path)
    for wait_s in (0.01, 0.043, 0.077):
        writer = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "on\n"
        time.sleep(wait_s)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert payload_digest(path) == sound and everything_else(path) == others
        assert read_tags(path).genres[0].startswith(("Polka", "Genre "))
    restore_genres(path)
    assert read_tags(path).genres == ("Polka",)
