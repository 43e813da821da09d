from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from genrescope.audio.alteration import Alteration
from genrescope.study.stems import with_stems

CLIPS = pd.DataFrame({"clip_id": ["c/a", "c/b[1]"], "path": ["/m/x/a.wav", "/m/x/b[1].wav"]})
MADE = [Alteration(part="drums", gain_db=3.0)] * 2


@pytest.fixture
def stems(tmp_path):
    place = tmp_path / "drums" / "x" / "b[1].flac"
    place.parent.mkdir(parents=True)
    soundfile.write(place, np.zeros(100), 22050)
    return tmp_path


def test_a_clip_with_a_stem_is_read_from_it_and_not_separated(stems):
    clips, made = with_stems(CLIPS, MADE, {"drums": 1.0}, root=Path("/m"), stems=stems)
    assert clips["path"].tolist() == ["/m/x/a.wav", str(stems / "drums" / "x" / "b[1].flac")]
    assert made == [MADE[0], Alteration(gain_db=3.0)]
    assert CLIPS["path"].tolist() == ["/m/x/a.wav", "/m/x/b[1].wav"]


def test_stems_of_another_instrument_are_not_taken(stems):
    clips, made = with_stems(CLIPS, MADE, {"bass": 1.0}, root=Path("/m"), stems=stems)
    assert clips["path"].tolist() == CLIPS["path"].tolist() and made == MADE


def test_clips_from_elsewhere_have_no_stems(stems):
    _, made = with_stems(CLIPS, MADE, {"drums": 1.0}, root=Path("/other"), stems=stems)
    assert made == MADE
