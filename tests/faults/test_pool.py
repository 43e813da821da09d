import subprocess
import sys

import pytest

# The first process is killed before or after the second is started, which takes its time.
SCRIPT = """
import sys, time
from multiprocessing.context import ForkServerProcess
from genrescope.errors import GenrescopeError
from genrescope.parallel import map_processes

start, started = ForkServerProcess.start, []

def late(self):
    if len(started) == 1 and sys.argv[1] == "before":
        started[0].kill()
        time.sleep(1)
    start(self)
    if len(started) == 1 and sys.argv[1] == "after":
        started[0].kill()
        time.sleep(1)
    started.append(self)

ForkServerProcess.start = late
if __name__ == "__main__":
    try:
        print(list(map_processes(abs, [1, 2, 3, 4], workers=2)))
    except GenrescopeError as error:
        print(error)
    print(list(map_processes(abs, [1, 2, 3, 4], workers=2)))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_dies_while_another_starts_ends_the_work(tmp_path, moment):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, script, moment]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    died, again = done.stdout.splitlines()
    assert died.startswith("a worker process died") and again == "[1, 2, 3, 4]"
