"""Sounds to try the page with: rendered by code, when they are first asked for."""

from pathlib import Path

from genrescope.audio.encode import write_wav
from genrescope.corpora.synthesis.tracks import LABELS, render_track
from genrescope.corpora.synthesis.waves import SAMPLE_RATE

SECONDS = 15.0
SEED = 20_260_501  # of no corpus: the models of the demo have not met these
EXAMPLES = ("blues", "hiphop", "pop", "metal")
assert set(EXAMPLES) <= set(LABELS)


def example_file(label: str, folder: Path) -> Path:
    """An example as a file; what is there already is not rendered again.

    Parameters
    ----------
    label : str
        One of `EXAMPLES`.
    folder : pathlib.Path

    Raises
    ------
    OutputError
        Where it cannot be written.
    """
    path = folder / f"{label}.wav"
    if not path.is_file():
        sound = render_track(label, 0, seed=SEED, duration_s=SECONDS)
        write_wav(path, sound, sample_rate=SAMPLE_RATE)
    return path
