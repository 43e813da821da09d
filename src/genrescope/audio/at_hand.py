"""A sound file as one of this machine, fetched first where it lies behind a URL."""

import contextlib
import os
from collections.abc import Iterator
from typing import Self

from genrescope.errors import AudioError, RemoteError
from genrescope.remote import AtHand, at_hand

ITS_OWN = ("missing", "forbidden")  # what is wrong with one file, not with all of them


@contextlib.contextmanager
def sound_at_hand(path: str | os.PathLike[str]) -> Iterator[AtHand]:
    """Hold a sound file ready for several readings; `decode`, `probe` and `load_clip` take it.

    Parameters
    ----------
    path : path-like
        A path, a URL, or what is at hand already.

    Yields
    ------
    AtHand
        What lies behind a URL is fetched once and gone when the block ends.

    Raises
    ------
    AudioError
        `unreadable` where there is no such file behind the URL, or it may not be read.
    RemoteError
        Where the server cannot be reached.
    """
    with contextlib.ExitStack() as stack:
        with remote_sound():
            sound = stack.enter_context(at_hand(path))
        yield sound


class LastSound:
    """The sound file that was asked for last, kept at hand until another one is.

    Examples
    --------
    >>> with LastSound() as last:
    ...     os.fspath(last.sound("a.wav"))
    'a.wav'
    """

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._held: AtHand | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sound(self, path: str) -> AtHand:
        """A sound file at hand, fetched unless it was the last one.

        Raises
        ------
        AudioError, RemoteError
            As `sound_at_hand` does.
        """
        if self._held is None or self._held.name != path:
            self._held = None
            self._stack.close()
            self._held = self._stack.enter_context(sound_at_hand(path))
        return self._held


@contextlib.contextmanager
def remote_sound() -> Iterator[None]:
    """Turn what is wrong with one file behind a URL into an `AudioError`."""
    try:
        yield
    except RemoteError as error:
        if error.kind not in ITS_OWN:
            raise
        raise AudioError(error.reason, path=error.path) from error
