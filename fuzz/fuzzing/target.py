"""What a target is, what it may raise, and the names of all of them."""

import contextlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fuzzing.mutation import edit
from genrescope.errors import GenrescopeError

NAMES = (
    "audio",
    "tags",
    "korean_loops",
    "feature_table",
    "corpus_table",
    "store",
    "run_directory",
    "records",
    "bundle",
    "yaml_files",
    "lists",
)
LONGEST_SENTENCE = 6000  # characters: the path, and a reason whose odd letters are spelled out


@dataclass(frozen=True)
class Target:
    """Something that reads foreign bytes.

    Attributes
    ----------
    check : callable
        Reads the input; raises only what is a finding.
    seeds : callable
        Gives inputs from which others are made, made by code.
    mutate : callable
        Changes an input, keeping what would only be refused at the first look.
    memory : int
        Bytes that reading may take beyond what the libraries and the seeds take.
    seconds : int
        That one input may take.
    longest : int
        Bytes of an input.
    examples : int
        Of a short run, such as the tests make.
    """

    check: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    mutate: Callable[[bytes, Random], bytes]
    memory: int = 2**30
    seconds: int = 20
    longest: int = 2**18
    examples: int = 150

    def changed(self, data: bytes, rng: Random) -> bytes:
        """An input made from another; as bytes where it is already too odd to be taken apart."""
        try:
            made = self.mutate(data, rng)
        except Exception:  # noqa: BLE001 (what is being changed may be broken in any way)
            made = edit(data, rng)
        return made[: self.longest]


def load(name: str) -> Target:
    """The target of a name of `NAMES`."""
    target = importlib.import_module(f"fuzzing.targets.{name}").TARGET
    assert isinstance(target, Target)
    return target


@contextlib.contextmanager
def typed_errors() -> Iterator[None]:
    """Let typed errors of one printable sentence pass, and nothing else."""
    try:
        yield
    except GenrescopeError as error:
        sentence = str(error)
        assert sentence.isprintable(), f"an error of several lines: {sentence!r}"
        assert len(sentence) <= LONGEST_SENTENCE, f"an error of {len(sentence)} characters"


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, in memory where there is such a place."""
    shared = Path("/dev/shm")
    where = shared if os.access(shared, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="fuzzing-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
