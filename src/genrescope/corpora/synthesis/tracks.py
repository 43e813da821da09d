"""Full mixes of the Western corpus: half a minute out of a song."""

import numpy as np

from genrescope.corpora.synthesis.artists import Artist, Piece, draw_artist, draw_piece
from genrescope.corpora.synthesis.ensemble import compose, perform
from genrescope.corpora.synthesis.mix import combine, master
from genrescope.corpora.synthesis.styles import PARTS, style_table
from genrescope.corpora.synthesis.waves import SAMPLE_RATE, Wave, samples

TRACK_S = 30.0
TRACKS_PER_ARTIST = 2
_STYLE, _TRACK, _ARTIST = 1, 0, 1  # words of the seed sequence

LABELS = tuple(style_table("western"))


def artist_number(number: int) -> int:
    """Which artist of a label made its track `number`."""
    return number // TRACKS_PER_ARTIST


def _rng(seed: int, label: str, purpose: int, number: int) -> np.random.Generator:
    words = [seed, _STYLE, LABELS.index(label), purpose, number]
    return np.random.default_rng(np.random.SeedSequence(words))


def track_artist(label: str, number: int, *, seed: int) -> Artist:
    """The artist of track `number` of a label."""
    return draw_artist("western", label, _rng(seed, label, _ARTIST, artist_number(number)))


def _form(piece: Piece, bars: int, rng: np.random.Generator) -> dict[str, list[int]]:
    """Which part plays in which bars: sections of four or eight with their own line-up."""
    present = [part for part in PARTS if rng.random() < piece.presence[part]]
    if len(present) < 2:
        present = ["guitar", "lead"]
    playing: dict[str, list[int]] = {part: [] for part in present}
    bar = 0
    while bar < bars:
        length = 4 * int(rng.integers(1, 3))
        sparse = rng.random() < 0.08
        for part in present:
            silent = {"lead": 0.15, "strings": 0.3, "keys": 0.2}.get(part, 0.06)
            if sparse and part in ("drums", "bass", "lead"):
                silent = 0.6
            if rng.random() >= silent:
                playing[part].extend(range(bar, min(bar + length, bars)))
        bar += length
    if not any(0 in bars_played for bars_played in playing.values()):
        playing[present[0]] = list(range(bars))
    return playing


def render_track(label: str, number: int, *, seed: int, duration_s: float = TRACK_S) -> Wave:
    """Render one track.

    Parameters
    ----------
    label : str
        One of `LABELS`.
    number : int
        Number of the track within its label; two in a row share an artist.
    seed : int
        Seed of the corpus, 0 or more.
    duration_s : float
        Length in seconds.

    Returns
    -------
    ndarray of float64, shape (round(duration_s * 22050),)
        Mono samples, peak below 0.95.
    """
    rng = _rng(seed, label, _TRACK, number)
    piece = draw_piece(track_artist(label, number, seed=seed), rng)
    groove = piece.song.groove
    # Excerpts begin anywhere in the song, not on a first beat.
    offset_s = float(rng.uniform(0.0, 2.0)) * groove.bar_s
    bars = int(np.ceil((TRACK_S + offset_s) / groove.bar_s)) + 1
    # What began shortly before the excerpt still sounds in it.
    before = samples(min(offset_s, 2.0))
    heard_s = offset_s - before / SAMPLE_RATE
    count = samples(duration_s)
    parts = {}
    for part, playing in _form(piece, bars, rng).items():
        notes = [
            note._replace(start_s=note.start_s - heard_s)
            for note in compose(piece, part, playing, rng)
            if heard_s <= note.start_s < offset_s + duration_s
        ]
        parts[part] = perform(piece, part, notes, before + count, rng)[before:]
    return master(combine(parts, piece.levels_db), piece.production, rng)
