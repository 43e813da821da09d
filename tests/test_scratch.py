import os
import signal
import subprocess
import sys
import tempfile

import pytest

from genrescope.errors import OutputError
from genrescope.scratch import process_folder, scratch_folder, scratch_parent

HOLD = """
import sys, time
from genrescope.scratch import process_folder, scratch_folder
with scratch_folder() as folder:
    (folder / "a.txt").write_text("left")
    (process_folder() / "b.txt").write_text("left too")
    print(folder, flush=True)
    if sys.argv[1] == "wait":
        time.sleep(600)
    if sys.argv[1] == "fail":
        raise KeyboardInterrupt
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def hold(how, temporary):
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, how],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize("how", ["end", "fail"])
def test_nothing_is_left_when_a_process_ends(temporary, how):
    with hold(how, temporary) as process:
        assert process.stdout.readline().strip().startswith(str(temporary))
        process.wait(60)
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next(temporary):
    with hold("wait", temporary) as killed, hold("wait", temporary) as alive:
        left, kept = (process.stdout.readline().strip() for process in (killed, alive))
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait(60)
        assert os.path.exists(left)
        with scratch_folder():
            assert not os.path.exists(left)
            assert os.path.exists(os.path.join(kept, "a.txt"))
        os.kill(alive.pid, signal.SIGKILL)
    with scratch_folder():
        pass
    assert list(temporary.iterdir()) == []


def test_a_folder_that_others_may_change_is_refused(temporary):
    scratch_parent().chmod(0o777)
    with pytest.raises(OutputError, match="not a folder of this user alone"), scratch_folder():
        pass


def test_the_folder_of_this_process_stays_the_same():
    assert process_folder() == process_folder() and process_folder().is_dir()
