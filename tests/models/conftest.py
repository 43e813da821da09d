from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.settings import AudioSettings, FeatureSettings

GENRES = ("Blues-like", "Pop/Dance/RnB", "Rock/Metal")
MEMBERS = {"svm": {}, "linear": {}, "boosting": {"n_estimators": 6}, "forest": {"n_estimators": 5}}
SMALL_MAPS = FeatureSettings(n_mels=16, n_mfcc=10, frames=16)


@pytest.fixture(scope="session")
def vectors() -> tuple[pd.DataFrame, np.ndarray]:
    """Three classes, apart by two of six features, 40 clips each."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], 40)
    X = rng.normal(size=(120, 6))
    X[:, 0] += 3 * codes
    X[:, 3] -= 3 * (codes == 1)
    frame = pd.DataFrame(X, columns=[f"feature_{k}" for k in range(6)])
    return frame, np.array(GENRES)[codes]


@pytest.fixture(scope="session")
def maps() -> tuple[np.ndarray, np.ndarray]:
    """Three classes, apart by the band that is loud, 12 clips each."""
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], 12)
    X = rng.normal(-60, 5, size=(36, 16, 16)).astype(np.float32)
    for clip, code in zip(X, codes, strict=True):
        clip[5 * code : 5 * code + 5] += 30
    return X, np.array(GENRES)[codes]


@pytest.fixture(scope="session")
def trained(vectors, maps) -> dict[str, Any]:
    return {
        "linear": create_model("linear").fit(*vectors),
        "svm": create_model("svm").fit(*vectors),
        "forest": create_model("forest", n_estimators=12).fit(*vectors),
        "boosting": create_model("boosting", n_estimators=6, learning_rate=0.3).fit(*vectors),
        "ensemble": create_model("ensemble", members=MEMBERS).fit(*vectors, validation=vectors),
        "cnn": create_model("cnn", epochs=3, batch_size=8, n_jobs=1).fit(*maps),
    }


@pytest.fixture
def save(trained, tmp_path) -> Callable[..., Path]:
    """Save the trained model of a kind as a bundle."""

    def save_one(kind: str, name: str = "bundle", **changes: Any) -> Path:
        facts: dict[str, Any] = {
            "genres": GENRES,
            "taxonomy": {"name": "three", "genres": list(GENRES), "labels": {}},
            "audio": AudioSettings(),
            "features": SMALL_MAPS,
            "corpora": [{"name": "made-up", "fingerprint": "00"}],
            "metrics": [{"part": "test", "accuracy": 0.5, "kappa": float("nan")}],
            "card": "# A model\n",
        }
        return save_bundle(tmp_path / name, trained[kind], **(facts | changes))

    return save_one
