"""A disk that fills up in the middle of a study: a real one, of a few megabytes."""

import shutil
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

# A mount of its own, seen by nobody else, that goes with the process. It grows twice.
SCRIPT = """
set -e
mount -t tmpfs -o size=2m tmpfs "$1"
echo mounted
set +e
for size in 2m 12m 400m; do
  mount -o remount,size=$size "$1"
  "$2" -m genrescope study "$3" --out "$1/run"; echo "code $?"
  find "$1" -name '.*.partial*'
done
cp "$1/run/results.csv" "$4"
"""


@pytest.mark.nightly
def test_a_full_disk_is_one_sentence_and_the_study_goes_on_from_there(write_config, tmp_path):
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare")
    disk = tmp_path / "disk"
    disk.mkdir()
    results = tmp_path / "results.csv"
    config = write_config(
        sources=["western"],
        explanations={"quality_clips": 0, "stability_seeds": 0},  # examples: pictures and sounds
    )
    arguments = (disk, sys.executable, config, results)
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", *map(str, arguments)],
        capture_output=True,
        text=True,
    )
    if "mounted" not in ran.stdout:
        pytest.skip(f"needs the right to mount: {ran.stderr.strip()}")
    codes = [line for line in ran.stdout.splitlines() if line.startswith("code")]
    assert codes == ["code 1", "code 1", "code 0"], ran.stderr
    assert ran.stderr.count("no space left on device") == 2
    assert "Traceback" not in ran.stderr
    assert ".partial" not in ran.stdout
    assert results.stat().st_size
