"""Real stems in place of stem-like parts, where somebody has them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from glob import escape
from pathlib import Path, PurePath

import pandas as pd

from genrescope.audio.alteration import Alteration
from genrescope.remote import place_of
from genrescope.shift.confounds import instrument_of


def with_stems(
    clips: pd.DataFrame,
    made: Sequence[Alteration],
    instruments: Mapping[str, float],
    *,
    root: PurePath,
    stems: Path,
) -> tuple[pd.DataFrame, list[Alteration]]:
    """Let clips be read from stems, which then need no separation.

    Parameters
    ----------
    clips : DataFrame
        With `clip_id` and `path`.
    made : sequence of Alteration
        Of each clip.
    instruments : mapping of str to float
        Shares of the instruments that the clips are to sound like.
    root : path
        Of the corpus, or its `UrlPath`.
    stems : pathlib.Path
        Holds a folder per instrument with the corpus's own folders and names, whatever the
        suffix: `drums/blues/blues.00000.flac` for `blues/blues.00000.wav`.

    Returns
    -------
    clips : DataFrame
        `path` leads to the stem of the clip's instrument where there is one.
    made : list of Alteration
        Without a part of the mix there; a clip without a stem keeps its own.

    Examples
    --------
    >>> clips = pd.DataFrame({"clip_id": ["a"], "path": ["/music/a.wav"]})
    >>> made = [Alteration(part="drums")]
    >>> _, same = with_stems(clips, made, {"drums": 1.0}, root=Path("/music"), stems=Path("/none"))
    >>> same == made
    True
    """
    paths, found = [], []
    for clip_id, path, alteration in zip(clips["clip_id"], clips["path"], made, strict=True):
        stem = _stem(place_of(path), root, stems / instrument_of(str(clip_id), instruments))
        paths.append(str(stem or path))
        found.append(replace(alteration, part=None) if stem else alteration)
    return clips.assign(path=paths), found


def _stem(path: PurePath, root: PurePath, folder: Path) -> Path | None:
    if not path.is_relative_to(root):
        return None
    place = folder / path.relative_to(root)
    return next(iter(sorted(place.parent.glob(f"{escape(place.stem)}.*"))), None)
