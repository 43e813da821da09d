import errno
import os
import shutil

import pytest

from genrescope.errors import OutputError
from genrescope.study.steps import Ledger


def run(folder, inputs=1, *, text="done", name="step", file="out/a.txt"):
    def compute():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return {"text": text}

    with Ledger(folder) as ledger:
        result = ledger.run(name, inputs, [folder / file], compute)
        ledger.prune()
        return result, ledger.computed


def test_a_finished_step_is_not_run_again(tmp_path):
    assert run(tmp_path) == ({"text": "done"}, ["step"])
    assert run(tmp_path, text="other") == ({"text": "done"}, [])


def test_a_changed_input_runs_it_again(tmp_path):
    run(tmp_path)
    assert run(tmp_path, inputs=2, text="new") == ({"text": "new"}, ["step"])


@pytest.mark.parametrize("damage", ["change", "remove", "record"])
def test_a_damaged_output_runs_it_again(tmp_path, damage):
    run(tmp_path)
    if damage == "change":
        (tmp_path / "out/a.txt").write_text("altered")
    elif damage == "remove":
        (tmp_path / "out/a.txt").unlink()
    else:
        next((tmp_path / ".steps").glob("*.json")).write_text('{"name": "st')
    assert run(tmp_path)[1] == ["step"]
    assert (tmp_path / "out/a.txt").read_text() == "done"


def test_a_bit_flipped_in_a_result_runs_it_again(tmp_path):
    run(tmp_path, text="40 of 42")
    (record,) = (tmp_path / ".steps").glob("*.json")
    record.write_text(record.read_text().replace("40 of 42", "41 of 42"))
    assert run(tmp_path, text="40 of 42") == ({"text": "40 of 42"}, ["step"])


@pytest.mark.parametrize("gone", ["out", "out/a.txt"])
def test_an_output_that_is_gone_with_its_folder_is_made_again(tmp_path, gone):
    run(tmp_path)
    shutil.rmtree(tmp_path / "out")
    if gone == "out/a.txt":
        (tmp_path / "out").write_text("a file in the way of its folder")
        with pytest.raises(OSError):  # the step's own
            run(tmp_path)
    else:
        assert run(tmp_path)[1] == ["step"]


def test_a_folder_in_the_place_of_a_record_is_named(tmp_path):
    run(tmp_path)
    (record,) = (tmp_path / ".steps").glob("*.json")
    record.unlink()
    record.mkdir()
    with pytest.raises(OutputError, match=r"\.json: cannot be written \(is a directory\)"):
        run(tmp_path)


def test_a_folder_that_cannot_be_locked_is_not_said_to_be_in_use(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(OutputError, match="no locks available"):
        Ledger(tmp_path).__enter__()


def test_a_step_that_fails_leaves_no_record(tmp_path):
    run(tmp_path)

    def fail():
        raise RuntimeError

    with Ledger(tmp_path) as ledger, pytest.raises(RuntimeError):
        ledger.run("step", 2, [], fail)
    assert run(tmp_path)[1] == ["step"]


def test_fresh_forgets(tmp_path):
    run(tmp_path)
    with Ledger(tmp_path, fresh=True) as ledger:
        ledger.run("step", 1, [], lambda: None)
        assert ledger.computed == ["step"]


def test_files_of_steps_no_longer_wanted_are_removed(tmp_path):
    run(tmp_path, name="old", file="out/deep/old.txt")
    (tmp_path / "mine.txt").write_text("the user's own file")
    run(tmp_path, name="new", file="out/new.txt")
    assert not (tmp_path / "out/deep").exists()
    assert (tmp_path / "out/new.txt").exists()
    assert (tmp_path / "mine.txt").exists()


def test_a_record_cannot_remove_files_outside(tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    folder = tmp_path / "run"
    run(folder, name="old")
    record = next((folder / ".steps").glob("*.json"))
    record.write_text(record.read_text().replace("out/a.txt", "../outside.txt"))
    run(folder, name="new", file="out/new.txt")
    assert outside.exists()


def test_two_runs_in_one_folder_are_refused(tmp_path):
    with Ledger(tmp_path), pytest.raises(OutputError, match="another run is at work"):
        Ledger(tmp_path).__enter__()


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        Ledger(tmp_path / "file").__enter__()


def test_time_is_kept_from_when_there_was_work(tmp_path):
    def take(worked):
        with Ledger(tmp_path) as ledger:
            outcome = ledger.timed("features", lambda: worked, worked=lambda done: done)
            ledger.prune()
            return outcome, ledger.durations["features"], ledger.computed

    _, first, computed = take(True)
    assert computed == []
    assert take(False) == (False, first, [])
    assert take(True)[1] != first


def test_what_a_step_no_longer_writes_is_gone(tmp_path):
    def write(*names):
        (tmp_path / "out").mkdir(exist_ok=True)
        for name in names:
            (tmp_path / "out" / name).write_text(name)

    for inputs, names in ((1, ("a", "b")), (2, ("a",))):
        with Ledger(tmp_path) as ledger:
            ledger.run("step", inputs, [tmp_path / "out"], lambda names=names: write(*names))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
