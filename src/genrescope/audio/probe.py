"""What a sound file says about itself, read from its header alone."""

import contextlib
import io
import os
import stat
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import soundfile

from genrescope.audio.at_hand import remote_sound, sound_at_hand
from genrescope.audio.chunks import chunks
from genrescope.errors import AudioError
from genrescope.remote import is_url, name_of, open_ranges

UNKNOWN_FRAMES = 2**62  # libsndfile gives 2**63 - 1 for streams that do not state their length
SAMPLE_RATES = (1_000, 1_000_000)  # hertz; anything else is a damaged header

READABLE = "WAV, FLAC, OGG, Opus, MP3, AIFF and AU can be read"
COPY_AGAIN = "copy or download it again"
MP4_UNDECODED = (
    "the sound of MP4 files (AAC or ALAC in .m4a, .mp4) cannot be decoded here; convert it to FLAC "
    "or MP3"
)

_stderr_lock = threading.Lock()
_stderr_users = 0
_stderr_saved = -1


@dataclass(frozen=True)
class AudioInfo:
    """The header of a sound file.

    Attributes
    ----------
    path : str
        The file.
    format : str
        Container, as libsndfile names it: `WAV`, `FLAC`, `OGG`, `MP3`, ...
    sample_rate : int
        Hertz.
    channels : int
        Channels, 1 for mono.
    frames : int
        Samples per channel. For MP3 files without a length header it is an estimate.
    """

    path: str
    format: str
    sample_rate: int
    channels: int
    frames: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def probe(path: str | os.PathLike[str]) -> AudioInfo:
    """Read the header of a sound file.

    Parameters
    ----------
    path : path-like
        Any file libsndfile reads: WAV, FLAC, OGG, Opus, MP3, AIFF, AU. Of a file behind a URL the
        parts are fetched that say it, of MP3 the whole.

    Returns
    -------
    AudioInfo
        Format, rate, channels and length.

    Raises
    ------
    AudioError
        `unreadable` for a missing, empty, forbidden or foreign file, `undecodable` for MP4,
        `truncated` where a WAV, AIFF or AU header promises more bytes than the file has,
        `too-short` where it holds no sound.
        Compressed formats state no byte count: `decode` finds them cut short when it gets there,
        and an OGG file cut at a page boundary cannot be told from a shorter one.

    Examples
    --------
    >>> import soundfile, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "quarter.wav"
    >>> soundfile.write(path, [0.0] * 4000, 16000)
    >>> info = probe(path)
    >>> info.format, info.sample_rate, info.channels, info.duration_s
    ('WAV', 16000, 1, 0.25)
    """
    if not is_url(path):
        with open_sound(path) as (_, info):
            return info
    name = os.fspath(path)
    with remote_sound(), open_ranges(name) as ranges:
        head = _checked_content(cast("BinaryIO", ranges), name)
        if not _is_mp3(head):
            ranges.seek(0)
            with _decoder(ranges, head, name) as (_, info):
                return info
    # libsndfile 1.2.2 refuses sound MP3 files at random where it reads them through callbacks.
    with open_sound(path) as (_, info):
        return info


@contextlib.contextmanager
def open_sound(path: str | os.PathLike[str]) -> Iterator[tuple[Any, AudioInfo]]:
    """Open a sound file whose header has been checked.

    Parameters
    ----------
    path : path-like
        The file, or its URL.

    Yields
    ------
    sound : soundfile.SoundFile
        Positioned at its first frame.
    info : AudioInfo
        Its header.

    Raises
    ------
    AudioError
        As `probe` does.
    """
    with sound_at_hand(path) as at_hand:
        head = checked_head(at_hand)
        with _decoder(os.fsencode(at_hand.file), head, at_hand.name) as found:
            yield found


class _OnwardOnly(soundfile.SoundFile):  # type: ignore[misc]
    """A sound that is never searched, not even for the place it has just read up to.

    libsndfile 1.2.2 crashes where it searches an Ogg file with a damaged header of its codec.
    """

    def seekable(self) -> bool:
        return False


@contextlib.contextmanager
def _decoder(file: bytes | io.RawIOBase, head: bytes, name: str) -> Iterator[tuple[Any, AudioInfo]]:
    with contextlib.ExitStack() as stack:
        if _is_mp3(head):
            stack.enter_context(_quiet_stderr())
        try:
            opener = _OnwardOnly if head[:4] == b"OggS" else soundfile.SoundFile
            sound = stack.enter_context(opener(file))
        except (soundfile.LibsndfileError, TypeError) as error:
            # TypeError: soundfile takes the suffix .raw to mean headerless samples.
            if is_mp4(head):
                raise AudioError(MP4_UNDECODED, path=name, kind="undecodable") from error
            raise AudioError(_why_foreign(head), path=name) from error
        yield sound, _checked_info(sound, name)


def _is_mp3(head: bytes) -> bool:
    return head[:3] == b"ID3" or (head[0] == 0xFF and head[1:2] >= b"\xe0")


def checked_head(path: str | os.PathLike[str]) -> bytes:
    """First bytes of a file, once it is sure that it is a whole, regular, readable file.

    Returns
    -------
    bytes
        Up to 4,096, at least one.

    Raises
    ------
    AudioError
        As `probe` does for what is missing, empty, forbidden, no file or cut short.
    """
    name = name_of(path)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            what = "a folder" if Path(path).is_dir() else "a device or pipe"
            raise AudioError(f"this is {what}, not a sound file", path=name)
        with Path(path).open("rb") as file:
            return _checked_content(file, name)
    except AudioError:
        raise
    except ValueError as error:  # a NUL, or half a letter
        raise AudioError("this is no name that a file can have", path=name) from error
    except FileNotFoundError as error:
        raise AudioError("there is no such file", path=name) from error
    except PermissionError as error:
        raise AudioError("reading is not permitted; check the file's owner", path=name) from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AudioError(f"the file cannot be read ({reason})", path=name) from error


def _checked_content(file: BinaryIO, name: str) -> bytes:
    head = file.read(4096)
    size = file.seek(0, os.SEEK_END)
    if not head:
        raise AudioError(f"the file is empty (0 bytes); {COPY_AGAIN}", path=name)
    promised = _promised_bytes(file, head)
    if promised > size:
        raise AudioError(
            f"the file is cut short: its header promises {promised:,} bytes, it has {size:,}; "
            f"{COPY_AGAIN}",
            path=name,
            kind="truncated",
        )
    return head


def _promised_bytes(file: BinaryIO, head: bytes) -> int:
    """Where the samples end by the header's word; 0 where it says nothing.

    libsndfile silently shortens such files instead. Beside chunks, the Sun/NeXT audio header.
    """
    if head[:4] == b".snd" and len(head) >= 12:
        offset, size = struct.unpack(">II", head[4:12])
        return 0 if size == 0xFFFFFFFF else int(offset) + int(size)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return _chunk_end(file, b"data", "<I")
    if head[:4] == b"FORM" and head[8:11] == b"AIF":
        return _chunk_end(file, b"SSND", ">I")
    return 0


def _chunk_end(file: BinaryIO, wanted: bytes, size_format: str) -> int:
    long_size = 0
    for name, start, size in chunks(file, size_format):
        if name == b"ds64":  # sizes beyond 4 GiB stand here
            file.seek(start)
            long_size = int(struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))[1])
        if name == wanted:
            if size == 0xFFFFFFFF:  # a stream that did not know its length, or RF64
                size = long_size
            return start + size if size else 0
    return 0


def is_mp4(head: bytes) -> bool:
    """Whether these first bytes are those of an MP4 file (ISO/IEC 14496-12, 4.3)."""
    return head[4:8] == b"ftyp"


def _why_foreign(head: bytes) -> str:
    text = bytes(range(32, 127)) + b"\n\r\t\f"
    if not head.translate(None, text):
        return f"the file holds text, not sound, whatever its name says; {READABLE}"
    return f"this is no sound file in a known format, or its header is damaged; {READABLE}"


def _checked_info(sound: Any, path: str) -> AudioInfo:
    frames = int(sound.frames)
    if frames >= UNKNOWN_FRAMES:
        # libsndfile cannot find the end of such a stream either.
        reason = "the header does not say how long the sound is; convert the file to WAV or FLAC"
        raise AudioError(reason, path=path)
    if frames <= 0:
        raise AudioError("the file holds no sound (0 samples)", path=path, kind="too-short")
    low, high = SAMPLE_RATES
    if not low <= sound.samplerate <= high:
        raise AudioError(
            f"the header is damaged: it claims a sample rate of {sound.samplerate} Hz", path=path
        )
    return AudioInfo(
        path=path,
        format=str(sound.format),
        sample_rate=int(sound.samplerate),
        channels=int(sound.channels),
        frames=frames,
    )


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep libmpg123 from writing notes about odd MP3 streams to the terminal.

    It writes to file descriptor 2 and cannot be told not to; the descriptor points to the null
    device while at least one thread is inside.
    """
    # One descriptor per process, so one counter.
    global _stderr_users, _stderr_saved
    with _stderr_lock:
        if _stderr_users == 0:
            _stderr_saved = _redirect_stderr()
        _stderr_users += 1
    try:
        yield
    finally:
        with _stderr_lock:
            _stderr_users -= 1
            if _stderr_users == 0 and _stderr_saved >= 0:
                os.dup2(_stderr_saved, 2)
                os.close(_stderr_saved)


def _redirect_stderr() -> int:
    """Point descriptor 2 to nothing; its old target's descriptor, or -1 where there was none."""
    try:
        saved = os.dup(2)
    except OSError:
        return -1
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    return saved
