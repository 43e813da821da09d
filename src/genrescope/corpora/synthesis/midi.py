"""Write notes as a standard MIDI file, format 0."""

import struct
from collections.abc import Iterable

from genrescope.corpora.synthesis.score import Note

TICKS = 480  # a quarter note


def _length(value: int) -> bytes:
    """A variable-length quantity: seven bits a byte, the high bit on all but the last."""
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(0x80 | (value & 0x7F))
    return bytes(reversed(out))


def midi_bytes(notes: Iterable[Note], *, tempo_bpm: float, program: int, channel: int = 0) -> bytes:
    """A complete MIDI file with one track.

    Parameters
    ----------
    notes : iterable of Note
        Times in seconds.
    tempo_bpm : float
        Quarter notes a minute, written as the file's tempo.
    program : int
        General MIDI program, 0 to 127.
    channel : int
        0 to 15; drums go to channel 9.

    Notes
    -----
    Standard MIDI Files 1.0, RP-001 (MIDI Manufacturers Association).

    Examples
    --------
    >>> midi_bytes([Note(0.0, 0.5, 60, 1.0)], tempo_bpm=120.0, program=0)[:4]
    b'MThd'
    """
    per_second = TICKS * tempo_bpm / 60.0
    events: list[tuple[int, int, bytes]] = []  # an off sorts before an on at the same tick
    for note in notes:
        on = round(note.start_s * per_second)
        off = max(on + 1, round((note.start_s + note.duration_s) * per_second))
        velocity = min(127, max(1, round(127 * note.velocity)))
        events.append((on, 1, bytes((0x90 | channel, note.pitch, velocity))))
        events.append((off, 0, bytes((0x80 | channel, note.pitch, 0))))
    microseconds = round(60e6 / tempo_bpm)
    body = b"\x00\xff\x51\x03" + microseconds.to_bytes(3, "big")
    body += b"\x00\xff\x58\x04\x04\x02\x18\x08"  # 4/4
    body += bytes((0, 0xC0 | channel, program))
    now = 0
    for tick, _, message in sorted(events):
        body += _length(tick - now) + message
        now = tick
    body += b"\x00\xff\x2f\x00"
    header = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return header + b"MTrk" + struct.pack(">I", len(body)) + body
