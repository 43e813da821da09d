"""Sounds whose genre is plain to hear, and models that tell them apart."""

from pathlib import Path
from typing import Any

import numpy as np

from genrescope.features.vector import extract
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.settings import AudioSettings, FeatureSettings

RATE = 22050
PITCHES = (100, 115, 130, 150, 3000, 3300, 3600, 4000)
PARAMS: dict[str, dict[str, Any]] = {
    "forest": {"n_estimators": 10},
    "cnn": {"epochs": 4, "batch_size": 4, "normalisation": "band", "n_jobs": 1},
}


def tone(hertz: float, seconds: float = 12.0) -> np.ndarray:
    """A sine tone at 22,050 Hz."""
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def pitch_bundle(
    folder: Path,
    *,
    kind: str = "forest",
    features: FeatureSettings | None = None,
    audio: AudioSettings | None = None,
    **facts: Any,
) -> Path:
    """Train a model to tell tones below 200 Hz, `low`, from those above 3 kHz, `high`."""
    features, audio = features or FeatureSettings(), audio or AudioSettings()
    clips = np.stack([tone(hertz, audio.clip_seconds) for hertz in PITCHES])
    found = extract(clips, audio=audio, features=features)
    model = create_model(kind, **PARAMS.get(kind, {}))
    X = found.log_mels if model.input == "log_mels" else found.vectors
    return save_bundle(
        folder, model.fit(X, ["low"] * 4 + ["high"] * 4), genres=["low", "high"], taxonomy={},
        audio=audio, features=features, **facts,
    )  # fmt: skip
