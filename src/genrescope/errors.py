"""The errors genrescope raises on purpose: one root, one sentence each, path and reason kept apart.

Each kind of error is also the builtin it resembles, so `except ValueError` and `except OSError`
work as a Python programmer expects.
"""

import os
from typing import ClassVar

LONGEST = 1000  # characters of a reason


class GenrescopeError(Exception):
    r"""Root of every error a user can mend.

    Parameters
    ----------
    reason : str
        What is wrong, as a sentence without the path.
    path : str or os.PathLike, optional
        The file or folder the reason is about.
    kind : str, optional
        A short slug that groups failures in tables; the class decides where it is not given.

    Examples
    --------
    >>> str(AudioError("holds no samples", path="a.wav", kind="unreadable"))
    'a.wav: holds no samples'
    >>> str(AudioError("holds no samples", path="two\nlines.wav"))
    'two\\nlines.wav: holds no samples'
    """

    default_kind: ClassVar[str] = "error"

    def __init__(
        self,
        reason: str,
        *,
        path: str | os.PathLike[str] | None = None,
        kind: str | None = None,
    ) -> None:
        self.reason = _one_line(reason)
        self.path = None if path is None else os.fspath(path)
        self.kind = kind or self.default_kind
        super().__init__(
            self.reason if self.path is None else f"{_one_line(self.path)}: {self.reason}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are lost by the default protocol when a worker process raises.
        return _rebuild, (type(self), self.reason, self.path, self.kind)


def _one_line(text: str) -> str:
    """Text that may quote other people's files, without line ends or commands to a terminal."""
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in cut
    )


def _rebuild(
    error: type[GenrescopeError], reason: str, path: str | None, kind: str
) -> GenrescopeError:
    return error(reason, path=path, kind=kind)


class AudioError(GenrescopeError, ValueError):
    """A sound file that cannot be used.

    Kinds: `unreadable`, `undecodable`, `truncated`, `too-short`, `too-long`, `silent`,
    `non-finite`, `costly`; of what is named where sound files are expected `no-sound` (nothing in
    it) and `url`; `died` where reading it ended the process.
    """

    default_kind = "unreadable"


class TagError(GenrescopeError, ValueError):
    """Tags of a sound file that cannot be read, or not be written without harm.

    Kinds: `no-tag-format`, `broken-tags`, `would-lose`, `nothing-kept`, `changed-meanwhile`.
    """

    default_kind = "broken-tags"


class CorpusError(GenrescopeError, ValueError):
    """A corpus that cannot be indexed, read or split."""

    default_kind = "corpus"


class ConfigError(GenrescopeError, ValueError):
    """A configuration, option or name that is not understood."""

    default_kind = "config"


class TrainingError(GenrescopeError, ValueError):
    """Clips from which no classifier can be trained."""

    default_kind = "training"


class BundleError(GenrescopeError, ValueError):
    """A model bundle that is damaged, altered, too new or unsafe."""

    default_kind = "bundle"


class HubError(GenrescopeError, ConnectionError):
    """What the Hugging Face Hub does not have, give or take."""

    default_kind = "hub"


class RemoteError(GenrescopeError, RuntimeError):
    """What lies behind a URL and cannot be had.

    Kinds: `missing` (no such file, folder or bucket), `forbidden`, `unreachable`, `not-a-place` (no
    such protocol, or its package is not installed), `in-use` (another run is at work there).
    """

    default_kind = "unreachable"


class OutputError(GenrescopeError, OSError):
    """A file or folder that cannot be written."""

    default_kind = "output"


class ClusterError(GenrescopeError, ConnectionError):
    """A Dask cluster that cannot be reached, was lost, or is not fit for the work.

    Kinds: `cluster`; `versions` where its processes run other versions of what makes the numbers;
    `unshared` where they do not see the files that this process sees.
    """

    default_kind = "cluster"


class ServiceError(GenrescopeError, RuntimeError):
    """A server that cannot answer now, though the request may be sound.

    Kinds: `busy`, `late`, `lost`, `gone`.
    """

    default_kind = "busy"
