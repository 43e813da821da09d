from pathlib import Path

import numpy as np
import pytest
from served import coded, live, tone

from genrescope.features.vector import extract
from genrescope.models import create_model
from genrescope.models.bundle import save_bundle
from genrescope.settings import AudioSettings, FeatureSettings

PITCHES = (100, 115, 130, 150, 3000, 3300, 3600, 4000)


@pytest.fixture(scope="session")
def low() -> bytes:
    return coded(tone(110, 12))


@pytest.fixture(scope="session")
def bundles(tmp_path_factory) -> list[Path]:
    """A forest and a linear model that tell low tones from high ones."""
    found = extract(np.stack([tone(hertz, 5.0) for hertz in PITCHES]), log_mels=False)
    folder = tmp_path_factory.mktemp("bundles")
    return [
        save_bundle(
            folder / kind,
            create_model(kind, **params).fit(found.vectors, ["low"] * 4 + ["high"] * 4),
            genres=["low", "high"], taxonomy={}, audio=AudioSettings(), features=FeatureSettings(),
        )
        for kind, params in (("forest", {"n_estimators": 10}), ("linear", {}))
    ]  # fmt: skip


@pytest.fixture(scope="session")
def server(bundles, tmp_path_factory):
    """A server with the usual limits but for a small upload."""
    folder = tmp_path_factory.mktemp("temporary")
    with live(bundles, folder, workers=2, upload_bytes=3_000_000) as found:
        yield found
    assert list(folder.iterdir()) == []
