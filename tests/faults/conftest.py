from pathlib import Path

import pytest
from scenarios import index_corpora, make_material
from starter import Starter


@pytest.fixture(scope="session")
def material(tmp_path_factory) -> Path:
    """Small corpora of tones, a study of them, a bundle and files to predict."""
    folder = make_material(tmp_path_factory.mktemp("material") / "m", corpora=14, files=24)
    index_corpora(folder)
    return folder


@pytest.fixture(scope="session")
def starter(tmp_path_factory):
    """Starts commands with faults under them."""
    starter = Starter(tmp_path_factory.mktemp("starter"))
    yield starter
    starter.close()
