import shutil
import struct

import pytest
import soundfile
from mutagen.apev2 import APEv2
from mutagen.id3 import ID3
from tagged import FORMATS, everything_else

from genrescope.audio.payload import payload_digest
from genrescope.audio.tags import Tags, read_tags, restore_genres, write_genres


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
