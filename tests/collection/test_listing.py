import io
import os
from pathlib import Path

import pytest

from genrescope.collection.listing import list_sounds
from genrescope.errors import AudioError, RemoteError
from genrescope.remote import write_file


@pytest.fixture
def music(tmp_path):
    for name in (
        "b.mp3", "a.flac", "cover.jpg", ".hidden.wav", "live/1.WAV", "live/2.ogg",
        "live/deep/3.mp3", ".cache/4.mp3", "empty/notes.txt", "노래.mp3",
    ):  # fmt: skip
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "music"


def names(listed, root):
    return [os.path.relpath(path, root) for path in listed if isinstance(path, str)]


def problems(listed):
    return [(Path(one.path).name, one.kind) for one in listed if isinstance(one, AudioError)]


ALL = ["a.flac", "b.mp3", "live/1.WAV", "live/2.ogg", "live/deep/3.mp3", "노래.mp3"]


def test_a_folder_stands_for_the_sounds_below_it(music):
    assert names(list_sounds([music]), music) == ALL


def test_each_sound_is_listed_once_where_it_is_named_first(music):
    (music / "again.mp3").symlink_to(music / "b.mp3")
    os.link(music / "a.flac", music / "copy.flac")  # a file of its own to whoever looks
    listed = list_sounds([music / "live" / "2.ogg", music, str(music) + "/./b.mp3"])
    assert names(listed, music) == [
        "live/2.ogg", "a.flac", "again.mp3", "copy.flac", "live/1.WAV", "live/deep/3.mp3",
        "노래.mp3",
    ]  # fmt: skip


def test_links_that_go_round_come_to_an_end(music, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "5.mp3").touch()
    (music / "out").symlink_to(other)
    for name in ("up", "up2", "live/up", "live/self"):
        (music / name).symlink_to(music)
    for named in (str(music), f"{music}/**", f"{music}/**/*.*"):
        assert sorted(names(list_sounds([named]), music)) == sorted([*ALL, "out/5.mp3"])


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.mp3", ["b.mp3", "노래.mp3"]),
        ("[ab].*", ["a.flac", "b.mp3"]),
        ("**/*.mp3", ["b.mp3", "live/deep/3.mp3", "노래.mp3"]),
        ("**/deep", ["live/deep/3.mp3"]),
        ("live/**", ["live/1.WAV", "live/2.ogg", "live/deep/3.mp3"]),
        ("l*/?.*", ["live/1.WAV", "live/2.ogg"]),
        ("l*", ["live/1.WAV", "live/2.ogg", "live/deep/3.mp3"]),
        ("**/.cache/**", []),
    ],
)
def test_patterns(music, pattern, expected):
    listed = list_sounds([f"{music}/{pattern}"])
    assert names(listed, music) == expected
    assert bool(problems(listed)) == (not expected)


def test_a_file_with_the_name_of_a_pattern_is_that_file(music):
    odd = music / "live" / "[1999] a*.mp3"
    odd.touch()
    assert list_sounds([odd]) == [str(odd)]


def test_relative_names_and_the_home_folder(music, monkeypatch):
    monkeypatch.chdir(music)
    monkeypatch.setenv("HOME", str(music))
    assert list_sounds(["live", "**/3.*"]) == ["live/1.WAV", "live/2.ogg", "live/deep/3.mp3"]
    assert list_sounds(["~/*.flac"]) == [str(music / "a.flac")]


PLAYLIST = (
    "#EXTM3U\n#EXTINF:3,Song\nlive/2.ogg\n\n  b.mp3  \nhttps://radio.example/s.mp3\ngone.wav\n"
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("l.m3u", PLAYLIST.encode()),
        ("l.M3U8", PLAYLIST.replace("\n", "\r\n").encode("utf-8-sig")),
        ("l.m3u", PLAYLIST.replace("\n", "\r").encode()),
        ("l.m3u", PLAYLIST.replace("live/", "live\\").encode()),
    ],
)
def test_playlists(music, name, content):
    playlist = music / name
    playlist.write_bytes(content)
    listed = list_sounds([playlist])
    assert names(listed, music) == ["live/2.ogg", "b.mp3", "gone.wav"]
    assert problems(listed) == [("s.mp3", "url")]
    assert listed[2].path == "https://radio.example/s.mp3"


def test_playlists_in_latin_1_and_in_utf_8(music):
    for name in ("café.mp3", "Ÿ.mp3"):
        (music / name).touch()
    (music / "old.m3u").write_bytes("café.mp3\n".encode("latin-1"))
    (music / "new.m3u").write_bytes("노래.mp3\nŸ.mp3\n".encode())
    listed = list_sounds([music / "old.m3u", music / "new.m3u"])
    assert names(listed, music) == ["café.mp3", "노래.mp3", "Ÿ.mp3"]
    assert all(Path(path).exists() for path in listed)


def test_a_playlist_may_name_files_by_bytes_that_are_no_text(music):
    raw = os.fsencode(music) + b"/caf\xe9.mp3"
    os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    (music / "raw.m3u8").write_bytes(b"caf\xe9.mp3\n")
    listed = list_sounds([music / "raw.m3u8"])
    assert [os.fsencode(path) for path in listed] == [raw]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_a_list_on_standard_input(music, end):
    inputs = [b"b.mp3", b"live", b"", b"ftp://x/y.wav", b"*.flac", b"b.mp3"]
    stdin = io.BytesIO(end.join([os.fsencode(music) + b"/" + i if i[:3] != b"ftp" else i
                                 for i in inputs if i]) + end)  # fmt: skip
    listed = list_sounds(["-"], stdin=stdin, addresses=False)
    assert names(listed, music) == [
        "b.mp3",
        "live/1.WAV",
        "live/2.ogg",
        "live/deep/3.mp3",
        "a.flac",
    ]
    assert problems(listed) == [("y.wav", "url")]


def test_links_that_lead_nowhere_are_failures_of_their_own(tmp_path):
    for name in ("a.mp3", "b.mp3"):
        (tmp_path / name).symlink_to("nowhere")
    assert names(list_sounds([tmp_path]), tmp_path) == ["a.mp3", "b.mp3"]


def test_what_gives_no_sound_says_so_in_its_place(music, bundle):
    (music / "none.m3u").write_text("# nothing\n")
    (music / "binary.m3u").write_bytes(b"a.flac\n\0\1\2")
    named = ["empty", "*.wma", "none.m3u", "binary.m3u", "gone.m3u", "gone/**/*.mp3"]
    listed = list_sounds([bundle, *(music / one for one in named), music / "b.mp3", "-"],
                         stdin=io.BytesIO(b"\n"))  # fmt: skip
    assert problems(listed) == [
        ("pitch", "no-sound"), ("empty", "no-sound"), ("*.wma", "no-sound"),
        ("none.m3u", "no-sound"),
        ("binary.m3u", "unreadable"), ("gone.m3u", "unreadable"), ("gone", "unreadable"),
        ("-", "no-sound"),
    ]  # fmt: skip
    assert names(listed, music) == ["a.flac", "b.mp3"]
    assert "models are named before" in str(listed[0])


def test_a_file_is_listed_whatever_its_name_and_whether_it_is_there(music):
    named = [music / "cover.jpg", music / "gone.mp3", "x" * 5000 + ".mp3"]
    assert list_sounds(named) == list(map(str, named))


@pytest.fixture
def remote(music, memory):
    """The same music behind a URL, with a playlist."""
    for path in music.rglob("*"):
        if path.is_file():
            write_file(f"{memory}/music/{path.relative_to(music).as_posix()}", b"")
    entries = "live/2.ogg\nlive\\1.WAV\nhttps://radio.example/s.mp3\n/etc/passwd\n"
    write_file(f"{memory}/music/list.m3u", entries.encode())
    return f"{memory}/music"


def behind(listed, url):
    return [path.removeprefix(f"{url}/") for path in listed if isinstance(path, str)]


@pytest.mark.parametrize(
    "pattern",
    ["", "/**", "/*.mp3", "/**/*.mp3", "/live", "/l*", "/**/deep/*.mp3", "/[ab].*", "/live/?.*"],
)
def test_folders_and_patterns_behind_a_url_mean_what_they_mean_here(music, remote, pattern):
    here = names(list_sounds([f"{music}{pattern}"]), music)
    assert here and behind(list_sounds([f"{remote}{pattern}"]), remote) == here


def test_what_is_named_behind_a_url(remote, memory):
    listed = list_sounds([f"{remote}/gone.wav", f"{remote}/cover.jpg", f"{remote}/gone.wav"])
    assert listed == [f"{remote}/gone.wav", f"{remote}/cover.jpg"]  # shows when they are read
    nothing = list_sounds([f"{remote}/empty", f"{remote}/*.xyz", f"{memory}/nowhere"])
    assert problems(nothing) == [
        ("empty", "no-sound"),
        ("*.xyz", "no-sound"),
        ("nowhere", "unreadable"),
    ]
    assert list_sounds(["https://x.example/a.mp3?b=*"]) == ["https://x.example/a.mp3?b=*"]
    assert problems(list_sounds([remote], addresses=False)) == [
        (Path(name).name, "url") for name in ALL
    ]


def test_a_playlist_behind_a_url_leads_nowhere_else(remote):
    listed = list_sounds([f"{remote}/list.m3u"])
    assert behind(listed, remote) == ["live/2.ogg", "live/1.WAV"]
    assert problems(listed) == [("s.mp3", "url"), ("passwd", "url")]
    assert problems(list_sounds([f"{remote}/other.m3u"])) == [("other.m3u", "unreadable")]


def test_a_server_that_is_gone_ends_the_listing(remote, monkeypatch):
    import fsspec

    def fail(self, *args, **kwargs):
        raise TimeoutError

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "find", fail)
    with pytest.raises(RemoteError, match="cannot be reached"):
        list_sounds([remote])
