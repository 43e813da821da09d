from pathlib import Path

import pytest
from tones import pitch_bundle


@pytest.fixture(scope="session")
def bundle(tmp_path_factory) -> Path:
    """A forest that tells low tones from high ones."""
    return pitch_bundle(tmp_path_factory.mktemp("bundle") / "pitch")
