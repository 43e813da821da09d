"""A disk that fills up in the middle of a study: a real one, of a few megabytes."""

import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# A mount of its own, seen by nobody else, that goes with the process.
SCRIPT = """
set -e
mount -t tmpfs -o size="$2" tmpfs "$1"
echo mounted
set +e
"$3" -m genrescope study "$4" --out "$1/run"; echo "code $?"
find "$1" -name '.*.partial*'
mount -o remount,size=400m "$1"
"$3" -m genrescope study "$4" --out "$1/run"; echo "code $?"
cp "$1/run/results.csv" "$5"
"""


@pytest.mark.parametrize("size", ["2m", "12m"])
def test_a_full_disk_is_one_sentence_and_the_study_goes_on_from_there(write_config, tmp_path, size):
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    disk = tmp_path / "disk"
    disk.mkdir()
    results = tmp_path / "results.csv"
    config = write_config(
        sources=["western"],
        explanations={"quality_clips": 0, "stability_seeds": 0},  # examples: pictures and sounds
    )
    arguments = (disk, size, sys.executable, config, results)
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    if "mounted" not in ran.stdout:
        pytest.skip(f"needs the right to mount: {ran.stderr.strip()}")
    assert "code 1" in ran.stdout and "no space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert ".partial" not in ran.stdout
    assert ran.stdout.rstrip().endswith("code 0"), ran.stderr
    assert results.stat().st_size
