"""Single-instrument loops of the Korean-style corpus: phrases of songs, taken apart.

A song has one or two phrases of one or two bars; of each phrase a few instruments are recorded
alone. Song `n` and its loops follow from the seed, so a larger corpus begins with a smaller one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from genrescope.corpora.synthesis.artists import Piece, draw_artist, draw_piece
from genrescope.corpora.synthesis.ensemble import compose, perform
from genrescope.corpora.synthesis.instruments import play
from genrescope.corpora.synthesis.mix import master
from genrescope.corpora.synthesis.parts import lead_part
from genrescope.corpora.synthesis.score import Note
from genrescope.corpora.synthesis.tones import TONES, varied
from genrescope.corpora.synthesis.waves import SAMPLE_RATE, Wave, samples

CORE = ("drums", "bass", "guitar", "keys", "strings")
EXTRA = ("gayageum", "vocal")  # what the study's instrument filter takes away
EXTRA_CHANCE = 0.25  # of a song to have one more loop, of an extra instrument

# Songs of a label among sixteen; most are pop, as in the paper, few are folk.
SHARES = {"Folk & Blues": 2, "Rap & Hiphop": 3, "Dance": 4, "RnB & Soul": 3, "Rock & Metal": 4}
_STYLE, _SONG, _LOOP = 2, 0, 1  # words of the seed sequence


@dataclass(frozen=True)
class Loop:
    """One loop before it is rendered.

    Parameters
    ----------
    song : int
        Number of the song, from 0.
    phrase : int
        Number of the phrase within the song, from 0.
    label : str
    instrument : str
        One of `CORE` or `EXTRA`.
    tempo_bpm : float
    bars : int
    """

    song: int
    phrase: int
    label: str
    instrument: str
    tempo_bpm: float
    bars: int

    @property
    def duration_s(self) -> float:
        """Length of the whole bars in seconds, 2.2 to 4."""
        return self.bars * 240.0 / self.tempo_bpm


@dataclass(frozen=True)
class Recording:
    """A rendered loop.

    Parameters
    ----------
    sound : ndarray, shape (n,)
    notes : list of Note
    program : int
        General MIDI program.
    key : str
        Such as "A minor pentatonic".
    """

    sound: Wave
    notes: list[Note]
    program: int
    key: str


def song_label(song: int) -> str:
    """Label of a song: the shares are met as evenly as whole songs allow.

    Examples
    --------
    >>> [song_label(n) for n in range(5)]
    ['Dance', 'Rock & Metal', 'Rap & Hiphop', 'RnB & Soul', 'Folk & Blues']
    """
    total = sum(SHARES.values())
    given = dict.fromkeys(SHARES, 0)
    label = ""
    for turn in range(song % total + 1):
        label = max(SHARES, key=lambda name: (turn + 1) * SHARES[name] / total - given[name])
        given[label] += 1
    return label


def _rng(seed: int, *words: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, _STYLE, *words]))


def _piece(song: int, seed: int) -> tuple[Piece, np.random.Generator]:
    """A song's composition at a tempo whose whole bars last 2.2 to 4 s."""
    rng = _rng(seed, _SONG, song)
    piece = draw_piece(draw_artist("korean", song_label(song), rng), rng)
    tempo = round(piece.song.groove.tempo_bpm)
    if 109 < tempo < 120:  # one bar would be too short and two too long
        tempo = 109 if tempo < 115 else 120
    groove = replace(piece.song.groove, tempo_bpm=float(tempo))
    return replace(piece, song=replace(piece.song, groove=groove)), rng


def song_loops(song: int, *, seed: int) -> list[Loop]:
    """The loops of a song, in order; those of extra instruments come last."""
    piece, rng = _piece(song, seed)
    label = song_label(song)
    tempo = piece.song.groove.tempo_bpm
    bars = 1 if tempo <= 109.0 else 2
    share = np.array([piece.presence[part] for part in CORE])
    loops = []
    for phrase in range(int(rng.integers(1, 3))):
        players = rng.choice(
            len(CORE), int(rng.integers(2, 4)), replace=False, p=share / share.sum()
        )
        loops += [Loop(song, phrase, label, CORE[i], tempo, bars) for i in sorted(players)]
    if rng.random() < EXTRA_CHANCE:
        extra = EXTRA[int(rng.integers(len(EXTRA)))]
        loops.append(Loop(song, 0, label, extra, tempo, bars))
    return loops


def plan_loops(size: int, *, seed: int) -> Iterator[Loop]:
    """Loops of song after song until `size` of core instruments are there."""
    core = song = 0
    while core < size:
        for loop in song_loops(song, seed=seed):
            if loop.instrument in CORE:
                if core == size:
                    return
                core += 1
            yield loop
        song += 1


def _extra(
    piece: Piece, loop: Loop, bars: list[int], rng: np.random.Generator
) -> tuple[list[Note], int, Wave]:
    if loop.instrument == "vocal":
        tone = piece.played["lead"][1]
        notes = lead_part(piece.song, piece.played["lead"][0], bars, rng, rests=False)
    else:
        tone = varied(TONES["gayageum"], rng)
        song = replace(
            piece.song, scale="major pentatonic" if rng.random() < 0.5 else "minor pentatonic"
        )
        notes = lead_part(song, "hook", bars, rng, transpose=-7, rests=False)
    notes = sorted(notes)
    return notes, tone.program, play(notes, tone, samples(loop.duration_s), rng)


def render_loop(loop: Loop, *, seed: int) -> Recording:
    """Render one loop.

    Parameters
    ----------
    loop : Loop
        From `song_loops` of the same seed.
    seed : int
        Seed of the corpus, 0 or more.

    Returns
    -------
    Recording
        Sound of ``round(loop.duration_s * 22050)`` samples, peak below 0.95, and its notes.
    """
    piece, _ = _piece(loop.song, seed)
    names = (*CORE, *EXTRA)
    rng = _rng(seed, _LOOP, loop.song, loop.phrase, names.index(loop.instrument))
    bars = list(range(loop.bars))
    # The second phrase is the progression's second half: the same song, other chords.
    song = replace(piece.song, first_bar=2 * loop.phrase)
    piece = replace(piece, song=song)
    count = samples(loop.duration_s)
    if loop.instrument in EXTRA:
        notes, program, sound = _extra(piece, loop, bars, rng)
    else:
        notes = compose(piece, loop.instrument, bars, rng, fill=False)
        sound = perform(piece, loop.instrument, notes, count, rng)
        tone = piece.bass_tone if loop.instrument == "bass" else None
        if loop.instrument in piece.played:
            tone = piece.played[loop.instrument][1]
        program = tone.program if tone is not None else 0
    notes = [note for note in notes if round(note.start_s * SAMPLE_RATE) < count]
    names_of_pitch = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"]
    key = f"{names_of_pitch[song.tonic]} {song.scale}"
    return Recording(master(sound, piece.production, rng), notes, program, key)
