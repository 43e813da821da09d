"""Work finished on the way to a file, kept beside it, so that a killed run goes on."""

import fcntl
import hashlib
import json
import os
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from genrescope.errors import OutputError
from genrescope.files import cannot_lock, output_errors

KEY_LENGTH = 64  # a SHA-256 in hexadecimal
PIECE_AT = 2 * (KEY_LENGTH + 1)
LINE = b"%s %s %s\n"  # key, digest of the piece, piece


class Journal:
    """Finished pieces of a file that is not finished, each under a key that says what it is of.

    A line holds a key and the piece as JSON, a digest between them. A line is written in one go; one
    that breaks off was being written when the run was killed, and is dropped, and so is one that is
    damaged, with those behind it. While the journal is open no other
    process can open it.

    Parameters
    ----------
    out : pathlib.Path
        The file to be; the journal lies beside it under a hidden name.

    Raises
    ------
    OutputError
        On entering, where the folder cannot be written, or another run is at work on `out`.

    Examples
    --------
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp()) / "answers.csv"
    >>> key = "0" * KEY_LENGTH
    >>> with Journal(out) as journal:
    ...     journal.recover({key})
    ...     journal.add(key, ["a piece"])
    >>> with Journal(out) as journal:
    ...     journal.recover({key})
    ...     print(key in journal, journal.read(key))
    ...     journal.remove()
    True ['a piece']
    """

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f".{out.name}.journal")
        self._out = out
        self._places: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        with output_errors(self._out):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what is written is out of this process, and nothing is written twice.
            self._file = open(self.path, "a+b", buffering=0)  # noqa: PTH123 (kept open)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A run that has just finished may have removed the file between the two calls.
            alone = os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except (BlockingIOError, FileNotFoundError):
            alone = False
        except OSError as error:
            self._file.close()
            raise cannot_lock(self._out, error) from error
        if not alone:
            self._file.close()
            raise OutputError(
                "another run is writing this file; wait for it, or give another -o", path=self._out
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not os.fstat(self._file.fileno()).st_size:
            self.path.unlink(missing_ok=True)
        self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def recover(self, keys: Collection[str]) -> None:
        """Find what an earlier run finished.

        Parameters
        ----------
        keys : collection of str
            Of this run's pieces. Where none of them is there, the journal is of other files,
            models or settings, and begins anew.

        Raises
        ------
        OutputError
            Where the journal cannot be read or cut.
        """
        with output_errors(self._out):
            end = 0
            self._file.seek(0)
            with open(self.path, "rb") as file:  # noqa: PTH123 (as above)
                for line in file:
                    if not _whole(line):
                        break
                    self._places[line[:KEY_LENGTH].decode()] = (end, len(line))
                    end += len(line)
            if self._places.keys().isdisjoint(keys):
                self._places, end = {}, 0
            self._file.truncate(end)

    def add(self, key: str, piece: Any) -> None:
        """Keep a finished piece.

        Raises
        ------
        OutputError
            Where it cannot be written.
        """
        content = json.dumps(piece).encode()
        line = LINE % (key.encode(), _digest(key, content), content)
        with output_errors(self._out):
            start = self._file.seek(0, os.SEEK_END)
            left = memoryview(line)
            while left:
                left = left[self._file.write(left) :]
        self._places[key] = (start, len(line))

    def read(self, key: str) -> Any:
        """A finished piece.

        Raises
        ------
        OutputError
            Where the journal cannot be read.
        """
        start, length = self._places[key]
        with output_errors(self._out):
            self._file.seek(start)
            return json.loads(self._file.read(length)[PIECE_AT:])

    def remove(self) -> None:
        """Forget everything, once the file is in place."""
        self._places = {}
        self.path.unlink(missing_ok=True)


def _digest(key: str, piece: bytes) -> bytes:
    return hashlib.sha256(key.encode() + piece).hexdigest().encode()


def _whole(line: bytes) -> bool:
    try:
        key = line[:KEY_LENGTH].decode("ascii")
    except UnicodeDecodeError:
        return False
    piece = line[PIECE_AT:-1]
    return line == LINE % (key.encode(), _digest(key, piece), piece)
