import pytest

from genrescope.collection.journal import KEY_LENGTH, Journal
from genrescope.errors import OutputError

ONE, TWO, THREE = (digit * KEY_LENGTH for digit in "123")


@pytest.fixture
def out(tmp_path):
    """A file to be, two pieces of which are finished."""
    out = tmp_path / "deep" / "answers.csv"
    with Journal(out) as journal:
        journal.recover([ONE, TWO])
        journal.add(ONE, [{"path": "a"}])
        journal.add(TWO, ["노래", None])
    return out


def test_what_was_finished_is_found_again(out):
    with Journal(out) as journal:
        journal.recover([TWO, ONE])
        assert ONE in journal and TWO in journal and THREE not in journal
        assert journal.read(TWO) == ["노래", None] and journal.read(ONE) == [{"path": "a"}]
        journal.remove()
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("lost", [1, 5, 20])
def test_a_line_that_breaks_off_is_dropped_and_written_anew(out, lost):
    path = Journal(out).path
    path.write_bytes(path.read_bytes()[:-lost])
    with Journal(out) as journal:
        journal.recover([ONE, TWO])
        assert ONE in journal and TWO not in journal
        journal.add(TWO, 2)
        journal.add(THREE, 3)
    with Journal(out) as journal:
        journal.recover([ONE, TWO, THREE])
        assert [journal.read(key) for key in (THREE, TWO, ONE)] == [3, 2, [{"path": "a"}]]


def test_a_line_that_is_damaged_is_dropped_with_those_behind_it(out):
    path = Journal(out).path
    content = path.read_bytes()
    for at in range(0, len(content), 7):
        path.write_bytes(content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :])
        with Journal(out) as journal:
            journal.recover([ONE, TWO])
            first = content.index(b"\n")
            assert (ONE in journal, TWO in journal) == (at > first, False)
            assert ONE not in journal or journal.read(ONE) == [{"path": "a"}]


def test_zeros_after_a_crash_are_no_line(out):
    with Journal(out).path.open("ab") as file:
        file.write(b"\0" * 4096)
    with Journal(out) as journal:
        journal.recover([ONE])
        journal.add(THREE, 3)
        assert journal.read(ONE) == [{"path": "a"}] and journal.read(THREE) == 3


def test_a_journal_of_something_else_begins_anew(out):
    with Journal(out) as journal:
        journal.recover([THREE])
        assert ONE not in journal
        assert Journal(out).path.stat().st_size == 0
    assert not Journal(out).path.exists()


def test_only_one_run_at_a_time_writes_a_file(out):
    with Journal(out), pytest.raises(OutputError, match=r"answers.csv: another run"), Journal(out):
        pass
    with Journal(out) as journal:
        journal.recover([ONE])
        assert ONE in journal


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), Journal(tmp_path / "file" / "out"):
        pass
