import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).parents[1].joinpath("benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_benchmark_finds_what_it_measures(script):
    """They share code with each other and call the package: a renamed piece must be noticed."""
    assert importlib.import_module(script.stem).__doc__
