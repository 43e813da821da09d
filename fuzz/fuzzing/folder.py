"""Several files as one input, and the change of one of them by what it is."""

import struct
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from random import Random

from fuzzing.containers import (
    change_array,
    change_parquet,
    change_sound,
    change_weights,
    change_zip,
)
from fuzzing.mutation import Mutation, change_csv, change_json, change_lines, edit
from fuzzing.ubjson_text import change_ubjson
from fuzzing.yaml_text import change_yaml

HEADER = struct.Struct("<HI")
MUTATIONS: dict[str, Mutation] = {
    ".json": change_json,
    ".csv": change_csv,
    ".yaml": change_yaml,
    ".parquet": change_parquet,
    ".npy": change_array,
    ".npz": change_zip,
    ".skops": change_zip,
    ".safetensors": change_weights,
    ".ubj": change_ubjson,
    ".jsonl": lambda content, rng: change_lines(content, rng, change_json),
} | dict.fromkeys((".wav", ".aiff", ".au", ".flac", ".ogg", ".opus", ".mp3", ".m4a"), change_sound)
ODD_NAMES = (
    "한글.json",
    "가.wav",
    "a\udcff.json",
    "b\udcff.wav",
    "x" * 200 + ".json",
    " .wav",
    "..json",
)


def pack(files: Mapping[str, bytes]) -> bytes:
    """Files by name, one after another."""
    parts = []
    for name, content in files.items():
        coded = name.encode("utf-8", "surrogateescape")
        parts.append(HEADER.pack(len(coded), len(content)) + coded + content)
    return b"".join(parts)


def unpack(data: bytes) -> dict[str, bytes]:
    """What `pack` made, as far as it can be read; names that would leave the folder are left out."""
    files: dict[str, bytes] = {}
    at = 0
    while at + HEADER.size <= len(data):
        length, size = HEADER.unpack_from(data, at)
        at += HEADER.size
        name = data[at : at + length].decode("utf-8", "surrogateescape")
        at += length
        files[name] = data[at : at + size]
        at += size
    return {name: content for name, content in files.items() if _is_inside(name)}


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    short = all(0 < len(part.encode("utf-8", "surrogateescape")) < 250 for part in parts)
    return bool(parts) and short and parts[0] != "/" and ".." not in parts and "\0" not in name


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files below a folder, in the order given; a name taken by a folder is passed over."""
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue


def change_files(data: bytes, rng: Random) -> bytes:
    """Change one file of several by its kind; sometimes its name, or whether it is there."""
    files = unpack(data)
    if not files:
        return edit(data, rng)
    name = rng.choice(list(files))
    what = rng.randrange(20)
    if what == 0:
        del files[name]
    elif what == 1:
        other = str(PurePosixPath(name).with_name(rng.choice(ODD_NAMES)))
        files[other] = files.pop(name)
    elif what == 2:
        files[name] = files[rng.choice(list(files))]
    else:
        files[name] = MUTATIONS.get(PurePosixPath(name).suffix.lower(), edit)(files[name], rng)
    return pack(files)
