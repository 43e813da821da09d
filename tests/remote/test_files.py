import gc
import os
import pickle
import tempfile
from pathlib import Path

import fsspec
import pytest
from fsspec.registry import known_implementations

from genrescope.errors import ConfigError, RemoteError
from genrescope.remote import (
    UrlPath,
    at_hand,
    content_identity,
    exists,
    file_detail,
    find_files,
    is_url,
    look_up,
    place_of,
    read_file,
    remove_file,
    write_file,
)
from genrescope.remote import asking as asking_module
from genrescope.remote import details as details_module


@pytest.mark.parametrize(
    ("text", "remote"),
    [
        ("s3://bucket/a b/록.wav", True),
        ("https://example.org/a.mp3?x=1", True),
        ("/music/a.wav", False),
        ("file:///music/a.wav", False),
        ("a:b", False),
        ("C:\\music", False),
    ],
)
def test_addresses_are_told_from_paths(text, remote):
    assert is_url(text) is remote
    place = place_of(text)
    assert isinstance(place, UrlPath) is remote
    assert str(place) == text.removeprefix("file://")


def test_a_url_stays_one_through_everything_that_paths_can_do():
    path = UrlPath("s3://bucket/music/blues/a.wav")
    assert str(path.parent) == "s3://bucket/music/blues"
    assert str(path.with_suffix(".flac")) == "s3://bucket/music/blues/a.flac"
    assert str(path.parents[2]) == "s3://bucket"
    assert os.fspath(path / ".." / "x") == "s3://bucket/music/blues/a.wav/../x"
    assert pickle.loads(pickle.dumps(path)) == path
    assert str(path.relative_to("s3://bucket")) == "music/blues/a.wav"


def test_writing_listing_reading_removing(memory):
    write_file(f"{memory}/a/b.txt", b"one")
    write_file(f"{memory}/c.txt", b"three")
    assert {name: detail.size for name, detail in find_files(memory).items()} == {
        "a/b.txt": 3,
        "c.txt": 5,
    }
    assert list(find_files(memory, below=False)) == ["c.txt"]
    assert read_file(f"{memory}/a/b.txt") == b"one"
    with pytest.raises(FileExistsError):
        write_file(f"{memory}/c.txt", b"other", new=True)
    remove_file(f"{memory}/c.txt")
    remove_file(f"{memory}/c.txt")
    assert not exists(f"{memory}/c.txt") and exists(f"{memory}/a/b.txt")
    with pytest.raises(RemoteError, match=r"memory://.*c\.txt: there is no such file") as caught:
        read_file(f"{memory}/c.txt")
    assert caught.value.kind == "missing"
    assert find_files(f"{memory}/nowhere") == {}


def test_nothing_of_a_file_at_hand_is_left(memory, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    write_file(f"{memory}/a.txt", b"whole")
    before = len(os.listdir("/proc/self/fd"))
    with at_hand(f"{memory}/a.txt") as fetched:
        assert Path(fetched).read_bytes() == b"whole"
        assert list(tmp_path.iterdir()) == []
        with at_hand(fetched) as again:
            assert again is fetched
    with pytest.raises(RemoteError), at_hand(f"{memory}/b.txt"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
    assert list(tmp_path.iterdir()) == []


def test_identity_follows_the_content(memory):
    url = f"{memory}/a.txt"
    write_file(url, b"one")
    first = content_identity(url)
    assert content_identity(url) == first
    write_file(url, b"two")
    assert content_identity(url) != first


def test_identity_is_read_where_the_server_says_nothing(memory, monkeypatch):
    monkeypatch.setattr(details_module, "TIME_FIELDS", ())
    for name, content in (("a", b"one"), ("b", b"one"), ("c", b"two")):
        write_file(f"{memory}/{name}", content)
    a, b, c = (content_identity(f"{memory}/{name}") for name in "abc")
    assert a == b != c


def test_many_files_of_a_folder_are_looked_up_by_one_listing(memory, monkeypatch):
    urls = [f"{memory}/{number}.wav" for number in range(20)]
    for url in urls:
        write_file(url, b"sound")
    filesystem = fsspec.filesystem("memory")
    asked = []
    info, find = filesystem.info, filesystem.find
    monkeypatch.setattr(type(filesystem), "find", lambda s, p, **k: asked.append(p) or find(p, **k))
    look_up(urls)
    assert len(asked) == 1
    monkeypatch.setattr(type(filesystem), "info", lambda s, p, **k: pytest.fail("asked again"))
    assert {file_detail(url).size for url in urls} == {5}
    monkeypatch.setattr(details_module, "KNOWN_FOR_S", 0.0)
    monkeypatch.setattr(type(filesystem), "info", lambda s, p, **k: asked.append(p) or info(p, **k))
    file_detail(urls[0])
    assert len(asked) == 2


def test_unknown_protocols_and_missing_packages_are_named():
    with pytest.raises(
        ConfigError, match=r"^nonsense://x: no kind of address begins with nonsense"
    ):
        read_file("nonsense://x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(known_implementations, "far", {"class": "far_away.FileSystem", "err": "?"})
        with pytest.raises(ConfigError, match=r"not installed: pip install far_away$"):
            read_file("far://x/y")


def test_whatever_a_protocol_raises_is_one_sentence(memory, monkeypatch):
    class NoCredentialsError(Exception):
        pass

    write_file(f"{memory}/a", b"")
    kind = type(fsspec.filesystem("memory"))
    for raised, word, kind_of_error in (
        (NoCredentialsError("Unable to locate credentials"), "no credentials", "forbidden"),
        (PermissionError("Access Denied"), "access is denied (Access Denied)", "forbidden"),
        (TimeoutError(), "cannot be reached (TimeoutError)", "unreachable"),
        (RuntimeError("two\nlines"), r"cannot be reached (two\nlines)", "unreachable"),
    ):

        def fail(self, path, error=raised, **_):
            raise error

        monkeypatch.setattr(kind, "cat_file", fail)
        with pytest.raises(RemoteError) as caught:
            read_file(f"{memory}/a")
        assert word in str(caught.value) and caught.value.kind == kind_of_error
        assert caught.value.path == f"{memory}/a"


def test_errors_of_an_s3_server(bucket, monkeypatch):
    write_file(f"{bucket}/a", b"x")
    with pytest.raises(FileExistsError):
        write_file(f"{bucket}/a", b"y", new=True)
    assert len(content_identity(f"{bucket}/a")) == 64
    missing = "s3://no-such-bucket-here/a"
    for act in (read_file, find_files, file_detail, lambda url: write_file(url, b"")):
        with pytest.raises(RemoteError, match="there is no such bucket") as caught:
            act(missing)
        assert caught.value.kind == "missing"
    with pytest.raises(RemoteError, match="there is no such file"):
        read_file(f"{bucket}/b")


def test_threads_share_a_connection_and_nothing_is_left_open(bucket):
    from concurrent.futures import ThreadPoolExecutor

    urls = [f"{bucket}/{number}" for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda url: write_file(url, b"x"), urls))
        assert set(pool.map(read_file, urls)) == {b"x"}
    assert len([key for key in asking_module._filesystems if key[1] == "s3"]) == 1
    gc.collect()  # an unclosed session would warn, and warnings are errors
