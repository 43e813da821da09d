import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker has one core: threads of BLAS, torch and XGBoost would only fight over it. They read
    # this when they are first imported, which is after this file.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: the workers then finish together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real audio and tables, where the machine has it."""
    folder = os.environ.get("GENRESCOPE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GENRESCOPE_DATA names no folder of real data")
    return Path(folder)
