import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from genrescope.errors import AudioError, GenrescopeError, OutputError
from genrescope.files import (
    atomic_path,
    exchange,
    sha256_file,
    sweep,
    sweep_beside,
    write_text,
)
from genrescope.parallel import map_processes


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_of_a_replaced_file_can_stay(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old")
    path.chmod(0o600)
    with atomic_path(path, keep_mode=True) as temporary:
        temporary.write_text("new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    write_text(path, "newer")
    assert path.stat().st_mode & 0o777 != 0o600


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write_text(tmp_path / "file" / "a.txt", "x")
    assert isinstance(caught.value, OSError)
    assert caught.value.path == str(tmp_path / "file" / "a.txt")


def test_a_full_disk_is_an_output_error(tmp_path):
    # /dev/full is the kernel's own full disk.
    def fill():
        with atomic_path(tmp_path / "a"), Path("/dev/full").open("w") as file:
            file.write("x" * 10_000)

    with pytest.raises(OutputError, match="no space left"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_what_killed_processes_left_is_swept_away_folders_too(tmp_path):
    bundle = tmp_path / "models" / ".western.partial"
    bundle.mkdir(parents=True)
    (bundle / ".card-x.partial.md").touch()
    (tmp_path / ".table-x.partial.csv").touch()
    (tmp_path / "kept.csv").touch()
    sweep(tmp_path)
    left = sorted(path.name for path in tmp_path.rglob("*"))
    assert left == ["kept.csv", "models"]


def test_a_changed_file_has_another_digest(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    first = sha256_file(path)
    path.write_text("three")
    assert sha256_file(path) != first


def test_a_file_changed_in_place_within_one_tick_of_the_clock_has_another_digest(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    status = path.stat()
    first = sha256_file(path)
    with path.open("r+") as file:
        file.write("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sha256_file(path) != first


@pytest.mark.parametrize("days", [-400, 400])
def test_a_file_replaced_under_the_same_time_of_change_has_another_digest(tmp_path, days):
    path, other = tmp_path / "a", tmp_path / "b"
    then = time.time() + days * 86_400
    digests = set()
    for text in ("one", "two"):
        other.write_text(text)
        other.replace(path)
        os.utime(path, (then, then))
        digests |= {sha256_file(path), sha256_file(path)}
    assert len(digests) == 2


def test_a_file_that_stays_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("one")
    long_after = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: long_after)
    first = sha256_file(path)
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
    assert sha256_file(path) == first


def test_what_a_killed_process_was_writing_is_swept_and_what_others_write_is_not(tmp_path):
    path = tmp_path / "table.csv"
    left = tmp_path / ".table-abcd_123.partial.csv"
    foreign = tmp_path / ".table-of-others-abcd_123.partial.csv"
    for one in (left, foreign):
        one.touch()
    with atomic_path(path) as temporary:
        sweep_beside(path)
        assert temporary.exists() and foreign.exists() and not left.exists()
        temporary.write_text("whole")
    assert sorted(tmp_path.iterdir()) == sorted([foreign, path])


def test_two_folders_change_places(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a" / "b").exists() and (tmp_path / "b" / "a").exists()
    assert not exchange(tmp_path / "a", tmp_path / "c")


def test_errors_cross_processes_whole():
    with pytest.raises(AudioError) as caught:
        list(map_processes(_raise, [1, 2], workers=2))
    assert (caught.value.reason, caught.value.path, caught.value.kind) == ("is bad", "1", "silent")


def _raise(number):
    raise AudioError("is bad", path=str(number), kind="silent")


def test_results_keep_the_order_of_the_items():
    assert list(map_processes(_square, range(20), workers=2)) == [n * n for n in range(20)]


def _square(number):
    return number * number


def test_a_dead_worker_is_a_sentence():
    with pytest.raises(GenrescopeError, match="a worker process died"):
        list(map_processes(os._exit, [1], workers=2))


def test_workers_do_not_outlive_a_killed_parent(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(
        """
import os, sys, time
from genrescope.parallel import map_processes

def note(folder):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(0.1)

if __name__ == "__main__":
    for _ in map_processes(note, [sys.argv[1]] * 10_000, workers=2):
        pass
"""
    )
    pids = tmp_path / "pids"
    pids.mkdir()
    parent = subprocess.Popen([sys.executable, str(script), str(pids)])
    workers = []
    deadline = time.monotonic() + 60
    while len(workers) < 2 and time.monotonic() < deadline:
        workers = [int(path.name) for path in pids.iterdir()]
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(workers) == 2 and not any(map(runs, workers))


def runs(pid: int) -> bool:
    """Whether a process is there, and not only waiting to be asked how it ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_importing_the_package_loads_no_heavy_library():
    code = (
        "import sys, genrescope, genrescope.cli; "
        "heavy = {'torch', 'shap', 'sklearn', 'pandas', 'scipy', 'numpy', 'gradio', 'dask'}; "
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
