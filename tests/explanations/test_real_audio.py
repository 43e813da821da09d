"""Explanations of real music: a network that learned from GTZAN, and clips it never heard."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from genrescope.audio.fit import load_clip
from genrescope.explanations.explainer import Explainer
from genrescope.explanations.listening import listen
from genrescope.features.vector import extract
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.settings import AudioSettings, FeatureSettings

DATA = os.environ.get("GENRESCOPE_DATA")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA, reason="GENRESCOPE_DATA names no folder of real data"),
]
GENRES = ["classical", "hiphop", "metal"]
TRAIN, TEST = range(7), range(7, 10)  # tracks of each genre


@pytest.fixture(scope="module")
def clips():
    """Six clips of each track, by genre and track."""
    folder = Path(str(DATA)) / "gtzan_mini" / "genres_original"
    return {
        (genre, number): np.stack([load_clip(path, start_s=5.0 * k) for k in range(6)])
        for genre in GENRES
        for number, path in enumerate(sorted((folder / genre).glob("*.flac")))
    }


@pytest.fixture(scope="module")
def explainer(clips, tmp_path_factory):
    heard = [(genre, clips[genre, number]) for genre in GENRES for number in TRAIN]
    log_mels = extract(np.concatenate([y for _, y in heard]), vectors=False).log_mels
    labels = [genre for genre, y in heard for _ in y]
    model = create_model("cnn", epochs=4, patience=None, n_jobs=1).fit(log_mels, labels)
    folder = save_bundle(
        tmp_path_factory.mktemp("bundle") / "cnn", model, genres=GENRES, taxonomy={},
        audio=AudioSettings(), features=FeatureSettings(),
    )  # fmt: skip
    return Explainer.load(folder)


def test_what_is_heard_is_what_the_network_saw_of_the_masked_picture(clips, explainer):
    found = [
        explainer.from_clip(clips[genre, number][k])
        for genre in GENRES
        for number in TEST
        for k in (1, 4)
    ]
    gaps = np.array([why.quality["heard_gap"] for why in found if not why.empty])
    assert len(gaps) >= 15
    assert np.median(gaps) <= 0.05
    right = [why.predicted for why in found].count
    assert max(right(genre) for genre in GENRES) < len(found)  # it tells them apart at all
    assert all(len(why.sentences()) >= 3 for why in found if not why.empty)


def test_a_mask_of_ones_gives_real_clips_back(clips):
    for y in (clips[genre, TEST[0]][2] for genre in GENRES):
        parts = listen(y, np.ones((128, 128)))
        error = parts.kept / parts.kept_gain - y
        assert 10 * np.log10((y**2).sum() / (error**2).sum()) >= 30
