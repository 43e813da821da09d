import contextlib
import ctypes
import os
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, COMM, ID3, TCON, TIT2, TPE1, TXXX, TYER
from mutagen.mp4 import MP4
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

from genrescope.audio.payload import payload_digest
from genrescope.audio.tags import Tags, read_tags, restore_genres, write_genres
from genrescope.errors import AudioError, GenrescopeError, OutputError, TagError

RATE = 48000  # hertz, one that Opus has
FORMATS = ("mp3", "flac", "ogg", "opus", "m4a", "wav", "aiff")
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


def tag(path, genres, version=4):
    if path.suffix in (".mp3", ".wav", ".aiff"):
        frames = [
            TIT2(encoding=1, text="제목"),
            TPE1(encoding=0, text=["Vera Lynn", "Choir"]),
            COMM(encoding=0, lang="eng", desc="", text="kept as it is"),
            TXXX(encoding=0, desc="REPLAYGAIN_TRACK_GAIN", text="-6.5 dB"),
            APIC(encoding=0, mime="image/png", type=3, desc="cover", data=bytes(range(256)) * 20),
        ]
        if genres:
            frames.append(TCON(encoding=1, text=list(genres)))
        if path.suffix == ".mp3":
            tags, where = ID3(), path
        else:
            opened = {".wav": WAVE, ".aiff": AIFF}[path.suffix](path)
            opened.add_tags()
            tags, where = opened.tags, path
        for frame in frames:
            tags.add(frame)
        if version == 3:
            tags.add(TYER(encoding=0, text="1942"))
        tags.save(where, v2_version=version, v23_sep=None)
        return
    opener = {".flac": FLAC, ".ogg": OggVorbis, ".opus": OggOpus, ".m4a": MP4}[path.suffix]
    file = opener(path)
    if file.tags is None:
        file.add_tags()
    if path.suffix == ".m4a":
        file["\xa9nam"], file["\xa9ART"], file["trkn"] = "제목", "Vera Lynn", [(3, 12)]
        if genres:
            file["\xa9gen"] = list(genres)
    else:
        file["TITLE"], file["Artist"], file["COMMENT"] = "제목", ["Vera Lynn", "Choir"], "a=b\nc"
        if genres:
            file["Genre"] = list(genres)
    if path.suffix == ".flac":
        picture = Picture()
        picture.type, picture.mime, picture.data = 3, "image/png", bytes(range(256)) * 20
        file.add_picture(picture)
    file.save()


def everything_else(path):
    """All tags but the genre, by mutagen's own eyes, in a form that can be compared."""
    opener = {
        ".mp3": ID3, ".wav": WAVE, ".aiff": AIFF, ".flac": FLAC, ".ogg": OggVorbis,
        ".opus": OggOpus, ".m4a": MP4,
    }[path.suffix]  # fmt: skip
    file = opener(path)
    own = ("TCON", "TXXX:GENRESCOPE_OLD_GENRE", "genre", "genrescope_old_genre", "\xa9gen",
           "----:org.genrescope:OLD_GENRE")  # fmt: skip
    found = {key: repr(value) for key, value in file.items() if key not in own}
    pictures = [picture.write() for picture in getattr(file, "pictures", ())]
    assert len(found) >= 3
    return found, pictures


def decoded(path):
    if path.suffix == ".m4a":
        return path.read_bytes()[-4000:]  # of its sound, which ends the file
    return soundfile.read(path)[0].tobytes()


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("old", [(), ("Polka",), ("Polka", "Reggae & 덥")])
def test_a_genre_is_written_and_put_back_and_nothing_else_changes(song, suffix, old):
    path = song(suffix, *old)
    sound, others, samples = payload_digest(path), everything_else(path), decoded(path)
    assert read_tags(path) == Tags(old, old, None, "Vera Lynn")
    assert write_genres(path, ["Rock/Metal"])
    assert read_tags(path) == Tags(("Rock/Metal",), ("Rock/Metal",), old, "Vera Lynn")
    assert write_genres(path, ["Blues", "록"])
    assert read_tags(path) == Tags(("Blues", "록"), ("Blues", "록"), old, "Vera Lynn")
    assert payload_digest(path) == sound and everything_else(path) == others
    assert decoded(path) == samples
    assert not write_genres(path, ["Blues", "록"])
    assert restore_genres(path)
    assert read_tags(path) == Tags(old, old, None, "Vera Lynn")
    assert payload_digest(path) == sound and everything_else(path) == others
    assert decoded(path) == samples
    assert not restore_genres(path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_where_the_tags_have_room_the_way_back_ends_with_the_same_bytes(song, suffix):
    path = song(suffix, "Polka")
    write_genres(path, ["Rock/Metal"])  # makes room, where there was none
    restore_genres(path)
    content = path.read_bytes()
    write_genres(path, ["Pop"])
    assert path.read_bytes() != content
    restore_genres(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", [s for s in FORMATS if s not in ("m4a", "ogg")])
def test_a_file_without_any_tags_has_none_again(plain, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    shutil.copy(plain / path.name, path)
    content = path.read_bytes()
    assert read_tags(path) is None
    assert write_genres(path, ["Jazz"])
    assert read_tags(path) == Tags(("Jazz",), ("Jazz",), (), None)
    assert restore_genres(path)
    assert read_tags(path) is None
    if suffix != "flac":  # which keeps the room that was made
        assert path.read_bytes() == content


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    ("written", "genres"),
    [
        (("(17)",), ("Rock",)),
        (("17",), ("Rock",)),
        (("(51)(39)",), ("Techno-Industrial", "Noise")),
        (("(4)Eurodisco",), ("Disco", "Eurodisco")),
        (("17", "Hip-Hop/Rap"), ("Rock", "Hip-Hop/Rap")),
        (("(250)",), ("Unknown",)),
    ],
)
def test_numbers_of_id3_are_spelled_out_and_kept_as_they_stood(song, version, written, genres):
    path = song("mp3", *written, version=version)
    assert read_tags(path).written == written and read_tags(path).genres == genres
    others = everything_else(path)
    write_genres(path, ["Jazz"])
    assert path.read_bytes()[3] == version
    assert everything_else(path) == others
    restore_genres(path)
    assert read_tags(path) == Tags(genres, written, None, "Vera Lynn")


def id3v1(title, genre):
    return b"TAG" + title.ljust(30, b"\0") + bytes(90) + b"\0\x07" + bytes([genre])


def test_id3v1_follows_and_keeps_its_own_title(song):
    path = song("mp3")
    end = id3v1(b"Another title", 52)
    assert len(end) == 126
    end = end[:97] + b"\0\0" + end[97:]
    with path.open("ab") as file:
        file.write(end)
    sound = payload_digest(path)
    assert read_tags(path).genres == ("Electronic",)  # ID3v2 has none
    write_genres(path, ["Blues"])
    assert path.read_bytes()[-128:] == end[:-1] + bytes([0])
    write_genres(path, ["Rock/Metal"])
    assert path.read_bytes()[-128:] == end[:-1] + bytes([255])
    restore_genres(path)
    assert path.read_bytes()[-128:] == end
    assert payload_digest(path) == sound
    only_v1 = path.with_name("v1.mp3")
    content = path.read_bytes()
    only_v1.write_bytes(content[ID3(path).size :])
    write_genres(only_v1, ["Blues"])
    assert ID3(only_v1)["TIT2"].text == ["Another title"]
    assert only_v1.read_bytes()[-128:] == end[:-1] + bytes([0])
    restore_genres(only_v1)
    assert read_tags(only_v1).genres == ("Electronic",)
    assert payload_digest(only_v1) == sound


def test_apev2_is_no_sound_and_stays(song):
    path = song("mp3", "Polka")
    sound = payload_digest(path)
    tags = APEv2()
    tags["Genre"], tags["Title"] = "Polka", "Of the end"
    tags.save(path)
    assert payload_digest(path) == sound
    write_genres(path, ["Blues"])
    assert dict(APEv2(path).items()) == {"Genre": "Polka", "Title": "Of the end"}


def test_frames_nobody_knows_and_frames_that_are_damaged_stay(plain, tmp_path):
    def frame(name, content):
        return name + struct.pack(">IH", len(content), 0) + content

    frames = frame(b"XYZW", b"of a program long gone") + frame(b"RVA2", b"\0" * 3)
    frames += frame(b"TCON", b"\0(17)") + frame(b"TIT2", b"\0Title")
    path = tmp_path / "odd.mp3"
    header = b"ID3\x03\0\0" + bytes([0, 0, 0, len(frames)])
    path.write_bytes(header + frames + (plain / "a.mp3").read_bytes())
    write_genres(path, ["Blues"])
    for part in (frame(b"XYZW", b"of a program long gone"), frame(b"RVA2", b"\0" * 3)):
        assert part in path.read_bytes()
    restore_genres(path)
    assert read_tags(path).written == ("(17)",)


def test_id3v22_becomes_id3v23(plain, tmp_path):
    def frame(name, content):
        return name + struct.pack(">I", len(content))[1:] + content

    frames = frame(b"TCO", b"\0(8)") + frame(b"TT2", b"\0Title") + frame(b"TYE", b"\x001959")
    path = tmp_path / "old.mp3"
    path.write_bytes(b"ID3\x02\0\0\0\0\0" + bytes([len(frames)]) + frames)
    with path.open("ab") as file:
        file.write((plain / "a.mp3").read_bytes())
    sound = payload_digest(path)
    assert read_tags(path).genres == ("Jazz",)
    write_genres(path, ["Blues"])
    found = ID3(path)
    assert (found["TIT2"].text, str(found["TDRC"].text[0])) == (["Title"], "1959")
    restore_genres(path)
    assert read_tags(path).written == ("(8)",) and payload_digest(path) == sound


def test_the_number_of_an_mp4_genre_is_spelled_out(song):
    def box(name, kind, value):  # text of two letters takes the room of a number
        return struct.pack(">I4sI4sII", 26, name, 18, b"data", kind, 0) + value

    path = song("m4a", "XY")
    content = path.read_bytes()
    assert content.count(box(b"\xa9gen", 1, b"XY")) == 1
    content = content.replace(box(b"\xa9gen", 1, b"XY"), box(b"gnre", 0, b"\0\x12"))
    path.write_bytes(content)
    sound = payload_digest(path)
    assert read_tags(path).genres == ("Rock",)
    write_genres(path, ["Blues"])
    assert read_tags(path) == Tags(("Blues",), ("Blues",), ("Rock",), "Vera Lynn")
    restore_genres(path)
    assert read_tags(path).genres == ("Rock",) and payload_digest(path) == sound


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_digest_tells_other_sound_apart(plain, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content = bytearray((plain / path.name).read_bytes())
    content[-1000] ^= 1  # all of these end with sound
    path.write_bytes(content)
    assert payload_digest(path) != payload_digest(plain / path.name)


@pytest.mark.parametrize("suffix", ["ogg", "opus", "m4a", "wav", "aiff"])
def test_a_file_cut_short_is_not_written(plain, tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    content = (plain / path.name).read_bytes()[:-1500]
    path.write_bytes(content)
    with pytest.raises(AudioError) as caught:
        write_genres(path, ["Blues"])
    assert caught.value.kind == "truncated" and caught.value.path == str(path)
    assert path.read_bytes() == content


def test_an_mp4_whose_offsets_point_elsewhere_is_another_sound(song):
    path = song("m4a")
    content = path.read_bytes()
    sound = payload_digest(path)
    at = content.index(b"stco") + 12
    moved = struct.unpack(">I", content[at : at + 4])[0] + 1
    path.write_bytes(content[:at] + struct.pack(">I", moved) + content[at + 4 :])
    assert payload_digest(path) != sound


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
