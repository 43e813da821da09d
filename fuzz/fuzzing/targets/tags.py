"""Tags of sound files, read, written and put back."""

import functools
import io
from random import Random

import numpy as np
import soundfile
from mutagen.aiff import AIFF
from mutagen.flac import FLAC, Picture
from mutagen.id3 import APIC, ID3, TCON, TIT2, TPE1, TXXX
from mutagen.oggopus import OggOpus
from mutagen.oggvorbis import OggVorbis
from mutagen.wave import WAVE

from fuzzing.containers import change_sound
from fuzzing.mutation import edit
from fuzzing.target import Target, scratch, typed_errors
from genrescope.audio.payload import payload_digest
from genrescope.audio.tags import read_tags, restore_genres, write_genres

ID3_TOKENS = (
    b"ID3\x03\0\0\0\0\0\x20", b"ID3\x04\0\xf0\x7f\x7f\x7f\x7f", b"ID3\x02\0\0\0\0\0\x20", b"TCON",
    b"TXXX", b"TPE1", b"TCO", b"\x01\xff\xfe", b"\x02\xfe\xff", b"\x03", b"(17)", b"((", b"TAG",
    b"APETAGEX\xd0\x07\0\0", b"\x7f\x7f\x7f\x7f", b"\xff\xfb\x90\x64", b"OggS", b"vorbis", b"GENRE=",
)  # fmt: skip


def _mp4() -> bytes:
    """The boxes of an M4A file with a tag; its sound is nothing that could be decoded."""

    def box(name: bytes, *parts: bytes) -> bytes:
        content = b"".join(parts)
        return (8 + len(content)).to_bytes(4) + name + content

    data = box(b"data", b"\0\0\0\1\0\0\0\0", b"Blues")
    kept = box(
        b"----",
        box(b"mean", bytes(4), b"org.genrescope"),
        box(b"name", bytes(4), b"OLD_GENRE"),
        box(b"data", b"\0\0\0\1\0\0\0\0", b"Rock"),
    )
    tags = box(b"ilst", box(b"\xa9gen", data), box(b"\xa9ART", data), kept)
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    meta = box(b"meta", bytes(4), handler, tags, box(b"free", bytes(64)))
    offsets = box(b"stco", bytes(4), (1).to_bytes(4), (40).to_bytes(4))
    entry = box(b"mp4a", bytes(6), b"\0\1", bytes(8), b"\0\2\0\x10", bytes(4), b"\x56\x22\0\0")
    stsd = box(b"stsd", bytes(4), (1).to_bytes(4), entry)
    media = box(
        b"mdia",
        box(b"mdhd", bytes(12), (22050).to_bytes(4), (22050).to_bytes(4), bytes(4)),
        box(b"hdlr", bytes(8), b"soun", bytes(13)),
        box(b"minf", box(b"stbl", stsd, offsets)),
    )
    movie = box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", media), box(b"udta", meta))
    return box(b"ftyp", b"M4A ", bytes(4), b"M4A mp42") + movie + box(b"mdat", bytes(range(64)))


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """A short sound with tags in every format that has them."""
    made = [_mp4()]
    tone = 0.5 * np.sin(np.arange(4000) / 10)
    for name, subtype in (
        ("WAV", None), ("AIFF", None), ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None),
    ):  # fmt: skip
        sound = io.BytesIO()
        soundfile.write(sound, tone, 8000, subtype, format=name)
        made.append(sound.getvalue())
        for version in (3, 4) if name in ("MP3", "WAV") else (4,):
            tagged = io.BytesIO(sound.getvalue())
            _tag(tagged, name, subtype, version)
            made.append(tagged.getvalue())
    return tuple(made)


def _tag(sound: io.BytesIO, name: str, subtype: str | None, version: int) -> None:
    sound.seek(0)
    if name in ("MP3", "WAV", "AIFF"):
        frames = [
            TCON(encoding=1, text=["Blues", "(17)"]), TPE1(encoding=0, text="Vera Lynn"),
            TXXX(encoding=0, desc="GENRESCOPE_OLD_GENRE", text="Rock"), TIT2(encoding=3, text="제목"),
            APIC(encoding=0, mime="image/png", type=3, desc="", data=bytes(range(64))),
        ]  # fmt: skip
        if name == "MP3":
            tags = ID3()
        else:
            file = {"WAV": WAVE, "AIFF": AIFF}[name](sound)
            if file.tags is None:
                file.add_tags()
            tags = file.tags
        for frame in frames:
            tags.add(frame)
        sound.seek(0)
        tags.save(sound, v2_version=version, v23_sep=None)
        return
    file = {"FLAC": FLAC, "VORBIS": OggVorbis, "OPUS": OggOpus}[subtype or name](sound)
    if file.tags is None:
        file.add_tags()
    file["GENRE"], file["ARTIST"], file["TITLE"] = ["Blues", "Rock"], "Vera Lynn", "제목"
    file["GENRESCOPE_OLD_GENRE"] = "Jazz"
    if name == "FLAC":
        picture = Picture()
        picture.type, picture.mime, picture.data = 3, "image/png", bytes(range(64))
        file.add_picture(picture)
    sound.seek(0)
    file.save(sound)


def check(data: bytes) -> None:
    """Read tags, write a genre and put the old one back; the sound stays, or nothing is written."""
    with scratch() as folder:
        path = folder / "sound"
        path.write_bytes(data)
        with typed_errors():
            read_tags(path)
        digest = None
        with typed_errors():
            digest = payload_digest(path)
        for change in (lambda: write_genres(path, ["Blues-like"]), lambda: restore_genres(path)):
            before = path.read_bytes()
            try:
                with typed_errors():
                    change()
                    before = path.read_bytes()
            finally:
                assert path.read_bytes() == before, "changed though an error was raised"
            if digest is not None:
                assert payload_digest(path) == digest
        assert [one.name for one in folder.iterdir()] == ["sound"], "a temporary file is left"


def mutate(data: bytes, rng: Random) -> bytes:
    """Change the container or its head, where tags often are."""
    if rng.random() < 0.4:
        head = rng.choice((128, 1024))
        return edit(data[:head], rng, tokens=ID3_TOKENS) + data[head:]
    return change_sound(data, rng)


TARGET = Target(check, seeds, mutate, memory=2**29, longest=2**16, examples=250)
