import itertools
import os
import subprocess
import sys

import pytest
from deadly import double_or_die

from genrescope.errors import GenrescopeError
from genrescope.parallel import map_processes


def test_results_come_in_order_and_items_are_read_as_they_are_needed():
    numbers = itertools.count()
    found = map_processes(double_or_die, numbers, workers=2)
    assert list(itertools.islice(found, 5)) == [0, 2, 4, 6, 8]
    found.close()
    assert next(numbers) < 20


def test_an_item_that_kills_its_process_costs_only_its_own_result():
    numbers = [1, -2, 3, 4, 5, -6, 7]
    for workers in (1, 2):
        found = map_processes(double_or_die, numbers, workers=workers, on_death=lambda n: n)
        assert list(found) == [2, -2, 6, 8, 10, -6, 14]


def test_a_death_nobody_expected_is_an_error():
    with pytest.raises(GenrescopeError, match="a worker process died"):
        list(map_processes(double_or_die, [1, -1, 2], workers=2))


@pytest.mark.parametrize("on_death", [None, abs])
def test_what_the_function_raises_passes_through(on_death):
    with pytest.raises(ValueError, match="thirteen"):
        list(map_processes(double_or_die, [1, 13, -2], workers=2, on_death=on_death))


def test_processes_that_cannot_start_are_an_error_and_not_failures(tmp_path):
    script = tmp_path / "no_guard.py"
    script.write_text(
        "from genrescope.parallel import map_processes\n"
        "print(list(map_processes(abs, [1, 2], workers=2, on_death=lambda item: 'dead')))\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=os.environ, timeout=100
    )
    assert done.returncode == 1 and "dead" not in done.stdout
    assert "GenrescopeError: a worker process died" in done.stderr
