"""The built-in corpora as files: which there are, and writing each of them whole."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrescope.audio.encode import write_wav
from genrescope.corpora.synthesis.loops import Loop, Recording, plan_loops, render_loop
from genrescope.corpora.synthesis.midi import midi_bytes
from genrescope.corpora.synthesis.tracks import LABELS, artist_number, render_track
from genrescope.corpora.synthesis.waves import SAMPLE_RATE
from genrescope.files import write_bytes, write_json

DRUM_CHANNEL = 9
TRACKS = "genres_original"
SOUNDS = ("01.데이터", "원천데이터")  # AI Hub: source data
LABELLING = ("01.데이터", "라벨링데이터")  # AI Hub: labelling data
GENRE_FOLDERS = {
    "Folk & Blues": "포크블루스",
    "Rap & Hiphop": "랩힙합",
    "Dance": "댄스",
    "RnB & Soul": "알앤비소울",
    "Rock & Metal": "록메탈",
}
# Korean name, and the code that ends the file stem
INSTRUMENTS = {
    "drums": ("드럼", "DR"),
    "bass": ("베이스", "BS"),
    "guitar": ("일렉기타", "EG"),
    "keys": ("신디사이저", "SY"),
    "strings": ("스트링", "ST"),
    "gayageum": ("가야금", "GY"),
    "vocal": ("보컬", "VO"),
}


@dataclass(frozen=True)
class TrackFile:
    """A track of the Western corpus and its place.

    Examples
    --------
    >>> TrackFile("blues", 7).names
    ('genres_original/blues/blues.00007.wav',)
    """

    label: str
    number: int

    @property
    def names(self) -> tuple[str, ...]:
        """Paths relative to the corpus, POSIX."""
        return (f"{TRACKS}/{self.label}/{self.stem}.wav",)

    @property
    def stem(self) -> str:
        """File stem as in GTZAN."""
        return f"{self.label}.{self.number:05d}"

    @property
    def artist(self) -> str:
        """Name of the synthetic artist."""
        return f"synthetic {self.label} artist {artist_number(self.number) + 1:03d}"

    def write(self, folder: Path, *, seed: int) -> None:
        """Render the track and write it below a folder."""
        sound = render_track(self.label, self.number, seed=seed)
        write_wav(folder / self.names[0], sound, sample_rate=SAMPLE_RATE)


@dataclass(frozen=True)
class LoopFile:
    """A loop of the Korean-style corpus and the places of its sound, notes and metadata."""

    loop: Loop

    @property
    def stem(self) -> str:
        """Song, phrase and instrument."""
        return f"{self.phrase}_{INSTRUMENTS[self.loop.instrument][1]}"

    @property
    def song(self) -> str:
        """Identifier of the song."""
        return f"KS{self.loop.song + 1:05d}"

    @property
    def phrase(self) -> str:
        """Identifier of the phrase."""
        return f"{self.song}_{'AB'[self.loop.phrase]}"

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of WAV, MIDI and JSON relative to the corpus, POSIX."""
        genre = GENRE_FOLDERS[self.loop.label]
        instrument = INSTRUMENTS[self.loop.instrument][0]
        sound = "/".join((*SOUNDS, genre, instrument, self.stem))
        labelling = "/".join((*LABELLING, genre, instrument, self.stem))
        return f"{sound}.wav", f"{labelling}.mid", f"{labelling}.json"

    def write(self, folder: Path, *, seed: int) -> None:
        """Render the loop and write its three files below a folder."""
        recording = render_loop(self.loop, seed=seed)
        sound, midi, metadata = (folder / name for name in self.names)
        drums = self.loop.instrument == "drums"
        notes = midi_bytes(
            recording.notes,
            tempo_bpm=self.loop.tempo_bpm,
            program=recording.program,
            channel=DRUM_CHANNEL if drums else 0,
        )
        write_wav(sound, recording.sound, sample_rate=SAMPLE_RATE)
        write_bytes(midi, notes)
        write_json(metadata, self._metadata(recording))

    def _metadata(self, recording: Recording) -> dict[str, Any]:
        """Keys in the habit of the publisher's other datasets."""
        return {
            "synthetic": True,
            "music_source_info": {
                "file_name": f"{self.stem}.wav",
                "song_id": self.song,
                "phrase_id": self.phrase,
            },
            "music_type_info": {
                "music_genre_cd": self.loop.label,
                "instrument_cd": INSTRUMENTS[self.loop.instrument][0],
            },
            "annotation_data_info": {
                "bpm": self.loop.tempo_bpm,
                "time_signature": "4/4",
                "bars": self.loop.bars,
                "key": recording.key,
                "note_count": len(recording.notes),
            },
            "audio_info": {
                "duration": round(len(recording.sound) / SAMPLE_RATE, 4),  # seconds
                "sample_rate": SAMPLE_RATE,
                "channels": 1,
                "bit_depth": 16,
            },
        }


CorpusFile = TrackFile | LoopFile


def corpus_files(style: str, size: int, *, seed: int) -> Iterator[CorpusFile]:
    """The files of a corpus in order; a larger corpus begins with a smaller one.

    Parameters
    ----------
    style : {"western", "korean"}
    size : int
        Tracks in all, the labels taking turns; or loops of the five core instruments in all,
        with those of other instruments on top.
    seed : int
        0 or more.

    Examples
    --------
    >>> [file.stem for file in corpus_files("western", 7, seed=0)][-2:]
    ['metal.00000', 'blues.00001']
    """
    if style == "western":
        for index in range(size):
            number, turn = divmod(index, len(LABELS))
            yield TrackFile(LABELS[turn], number)
    else:
        for loop in plan_loops(size, seed=seed):
            yield LoopFile(loop)


@dataclass(frozen=True)
class Writer:
    """Writes corpus files below a folder; picklable, for worker processes.

    Parameters
    ----------
    folder : pathlib.Path
    seed : int
    """

    folder: Path
    seed: int

    def __call__(self, file: CorpusFile) -> str:
        """Render and write one file; the name of what was written."""
        file.write(self.folder, seed=self.seed)
        return file.stem
