import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real audio and tables, where the machine has it."""
    folder = os.environ.get("GENRESCOPE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GENRESCOPE_DATA names no folder of real data")
    return Path(folder)
