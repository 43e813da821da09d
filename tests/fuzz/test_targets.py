"""A few hundred inputs for each fuzzer, always the same: typed errors and nothing else.

They run in a process of their own, since what they look for may end it or fill the memory.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fuzzing.target import NAMES

pytestmark = pytest.mark.slow

RUN = Path(__file__).parents[2] / "fuzz" / "run.py"


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """What the process said, and how it ended."""
    out = tmp_path_factory.mktemp("found")
    done = subprocess.run(
        [sys.executable, RUN, "all", "--short", "--out", out],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=800,
    )
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return said, f"exit {done.returncode} after {said[-1:]}: {done.stderr[-2000:]}"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_found(lines, name):
    said, end = lines
    (ended,) = [line for line in said if line.get("ends") == name] or pytest.fail(end)
    assert ended["found"] == []
    assert ended["runs"] >= 30
