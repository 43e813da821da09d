"""Lists of sounds: playlists, standard input, patterns."""

import functools
import io
import re
from random import Random

from fuzzing.mutation import edit
from fuzzing.target import Target, scratch, typed_errors
from genrescope.collection.listing import list_sounds
from genrescope.errors import AudioError

TOKENS = (
    b"**/", b"*", b"?", b"[", b"]", b"[!a", b"[z-a]", b"~", b"~nobody/", b"#EXTM3U\n", b"\n", b"\r",
    b"\0", b"\\", b"../", b"https://", b"file://", b"a.wav", b"list.m3u", b"\xff", b"\xef\xbb\xbf",
    b"a" * 300, b"**/" * 30, b"*a" * 40, b"x/" * 300, b"-", b"." , b"[[:alpha:]]", "한".encode(),
)  # fmt: skip


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Playlists, lists ended by NUL or lines, and patterns; the first byte says which."""
    return (
        b"\0#EXTM3U\n#EXTINF:1,A\na.wav\nd/b.mp3\nD:\\x\\c.wav\n",
        b"\1a.wav\nd\n**/*.wav\nd/**/b.*\nlist.m3u\n",
        b"\1a.wav\0d\0d/*.mp3\0",
        b"\2#EXTM3U\n\xed\x95\x9c.wav\r\na.wav\r\n",
    )


def check(data: bytes) -> None:
    """List the sounds: paths and errors, each once."""
    kind, content = data[:1], data[1:]
    with scratch() as folder:
        deep = folder.joinpath(*"dddddddddddddddd")
        deep.mkdir(parents=True)
        for path in (folder / "a.wav", folder / "d" / "b.mp3", deep / "c.flac"):
            path.touch()
        if kind == b"\1":
            # Only below this folder: a pattern may otherwise go through the whole disk.
            named = [
                bytes(folder) + b"/" + line.lstrip(b"/")
                for line in re.split(b"[\0\n]", content)
                if b".." not in line
            ]
            stdin = io.BytesIO((b"\0" if b"\0" in content else b"\n").join(named))
            with typed_errors():
                found = list_sounds(["-"], stdin=stdin)
        else:
            name = "p.m3u" if kind == b"\0" else "p.m3u8"
            (folder / name).write_bytes(content)
            with typed_errors():
                found = list_sounds([folder / name])
        assert found, "neither sounds nor a reason"
        for one in found:
            assert isinstance(one, str | AudioError)
            assert isinstance(one, str) or str(one).isprintable()


def mutate(data: bytes, rng: Random) -> bytes:
    """Change the list."""
    return data[:1] + edit(data[1:], rng, tokens=TOKENS)


TARGET = Target(check, seeds, mutate, memory=2**28, longest=2**14, examples=250)
