from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from served import coded, live, tone

from genrescope.features.vector import extract, feature_names
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.models.doubt import Calibration
from genrescope.models.statistics import FeatureStatistics
from genrescope.settings import AudioSettings, FeatureSettings

PITCHES = (100, 115, 130, 150, 3000, 3300, 3600, 4000)


@pytest.fixture(scope="session")
def low() -> bytes:
    return coded(tone(110, 12))


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> list[Path]:
    """A forest and a linear model that tell low tones from high ones; the latter is calibrated."""
    found = extract(np.stack([tone(hertz, 5.0) for hertz in PITCHES]), log_mels=False)
    X = pd.DataFrame(found.vectors, columns=list(feature_names()))
    y = ["low"] * 4 + ["high"] * 4
    forest, linear = create_model("forest", n_estimators=10), create_model("linear")
    facts = {"genres": ["low", "high"], "taxonomy": {}}
    facts |= {"audio": AudioSettings(), "features": FeatureSettings()}
    folder = tmp_path_factory.mktemp("bundles")
    kept = Calibration(np.linspace(0, 0.6, 30), np.linspace(0, 9, 30), np.ones(2))
    doubted = {"statistics": FeatureStatistics.from_clips(X, y), "calibration": kept}
    return [
        save_bundle(folder / "forest", forest.fit(X, y), **facts),
        save_bundle(folder / "linear", linear.fit(X, y), **facts, **doubted),
    ]


@pytest.fixture(scope="session")
def server(bundles):
    """A server with the usual limits but for a small upload."""
    with live(bundles, workers=2, upload_bytes=3_000_000) as found:
        yield found
