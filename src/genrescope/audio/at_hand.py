"""A sound file as one of this machine, fetched first where it lies behind a URL."""

import contextlib
import os
from collections.abc import Iterator

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


@contextlib.contextmanager
def remote_sound() -> Iterator[None]:
    """Turn what is wrong with one file behind a URL into an `AudioError`."""
    try:
        yield
    except RemoteError as error:
        if error.kind not in ITS_OWN:
            raise
        raise AudioError(error.reason, path=error.path) from error
