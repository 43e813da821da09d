"""File systems and clocks that are not what one would like, under whole commands."""

import errno
import shutil
import signal

import pytest
from disturbances import WRITES, operations
from scenarios import scenarios
from starter import Starter
from trials import differences, outcome

pytestmark = pytest.mark.slow


@pytest.fixture
def run(starter, tmp_path):
    """Run a command with faults; what it said, having ended well unless told otherwise."""
    if starter.shim is None:
        pytest.skip("needs a C compiler")

    def run(words, code=0, **faults):
        ran = starter.start(words, tmp_path / "said.log", **faults)
        assert ran.end() == code, ran.said
        assert "Traceback" not in ran.said
        if code == 1:
            assert ran.said.count("error: ") == 1
        return ran.said

    return run


@pytest.fixture(scope="module")
def whole(material, starter, tmp_path_factory):
    """The features of a corpus with their store, made in peace."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    ran = starter.start(features(material, folder), folder.with_name("log"))
    assert ran.end() == 0, ran.said
    return folder


def features(material, folder, *more):
    return scenarios(material)["features"].words(folder, 1) + list(more)


def read_only(folder, count):
    """Every operation that changes something fails, as on a file system mounted so."""
    found = operations(folder, "all", count, WRITES)
    return found | {"FAULT_ERROR": f"{errno.EROFS}:1:{10**9}"}


def test_a_store_that_can_only_be_read(run, material, whole, tmp_path):
    faults = read_only(whole / "store", tmp_path / "count")
    out = tmp_path / "out"
    run(features(material, out, "--store", whole / "store"), **faults)
    named = {"west.csv", "west.logmel.npy"}
    wanted = {name: content for name, content in outcome(whole).items() if name in named}
    assert differences(wanted, outcome(out)) == []
    east = ["features", material / "east.parquet", "-o", out, "--store", whole / "store"]
    said = run([*east, "--workers", 1], code=1, **faults)
    assert "cannot be written (read-only file system)" in said


def test_a_run_directory_that_can_only_be_read(run, material, tmp_path):
    out = tmp_path / "run"
    study = ["study", material / "tiny.yaml", "--out", out, "--workers", 1]
    run(study)
    faults = read_only(out, tmp_path / "count")
    run(["claims", out], **faults)
    assert "cannot be written (read-only file system)" in run(study, code=1, **faults)


@pytest.mark.parametrize("op", ["open", "read"])
@pytest.mark.parametrize("code", [errno.ESTALE, errno.EIO])
def test_a_server_that_was_away_for_a_moment_costs_nothing(
    run, material, whole, tmp_path, op, code
):
    store = tmp_path / "out" / "store"
    shutil.copytree(whole, tmp_path / "out")
    before = {path: path.stat().st_ino for path in store.rglob("*.*")}
    faults = operations(store, "all", tmp_path / "count", op)
    faults |= {"FAULT_ERROR": f"{code}:2:2", "FAULT_MATCH": "*.parquet"}
    said = run(features(material, tmp_path / "out"), **faults)
    assert (tmp_path / "count").stat().st_size > 2
    assert "extracted again" not in said
    assert {path: path.stat().st_ino for path in store.rglob("*.*")} == before


def test_a_server_that_stays_away_is_a_sentence_and_nothing_is_removed(
    run, material, whole, tmp_path
):
    store = tmp_path / "out" / "store"
    shutil.copytree(whole, tmp_path / "out")
    before = outcome(store)
    faults = operations(store, "all", tmp_path / "count", "read")
    faults |= {"FAULT_ERROR": f"{errno.EIO}:2:{10**9}"}
    assert "input/output error" in run(features(material, tmp_path / "out"), code=1, **faults)
    assert outcome(store) == before
    run(features(material, tmp_path / "out"))
    assert outcome(tmp_path / "out") == outcome(whole)


def test_listings_that_are_late(run, material, whole, tmp_path):
    out = tmp_path / "out"
    run(features(material, out), FAULT_LATE=0.7, FAULT_UNDER=out)
    assert outcome(out) == outcome(whole)


@pytest.mark.parametrize("how", ["nfs", errno.ENOLCK])
def test_locks_of_a_network_file_system_or_none(run, material, whole, tmp_path, how):
    out = tmp_path / "out"
    run(features(material, out), FAULT_FLOCK=how, FAULT_UNDER=out)
    assert outcome(out) == outcome(whole)


def test_a_run_directory_that_cannot_be_locked_is_refused(run, material, tmp_path):
    study = scenarios(material)["study"].words(tmp_path / "run", 1)
    said = run(study, code=1, FAULT_FLOCK=errno.ENOLCK, FAULT_UNDER=tmp_path)
    assert "cannot be locked against other runs (no locks available)" in said
    predict = scenarios(material)["predict"].words(tmp_path / "run", 1)
    said = run(predict, code=1, FAULT_FLOCK=errno.ENOLCK, FAULT_UNDER=tmp_path)
    assert "cannot be locked against other runs" in said


def test_a_clock_that_jumps_by_days(run, material, whole, tmp_path):
    run(features(material, tmp_path / "out"), FAULT_CLOCK=7)
    assert outcome(tmp_path / "out") == outcome(whole)
    predict = scenarios(material)["predict"]
    for name, faults in (("peace", {}), ("jumps", {"FAULT_CLOCK": 7})):
        run(predict.words(tmp_path / name, 1), code=3, **faults)
    assert outcome(tmp_path / "peace") == outcome(tmp_path / "jumps")


def test_two_at_work_on_one_store_and_one_of_them_is_killed(material, whole, starter, tmp_path):
    if starter.shim is None:
        pytest.skip("needs a C compiler")
    other, store = Starter(tmp_path / "other"), tmp_path / "store"
    one, two = (features(material, tmp_path / name, "--store", store) for name in ("a", "b"))
    faults = operations(store, "main", tmp_path / "count") | {"FAULT_KILL": 35}
    killed = starter.start(one, tmp_path / "a.log", **faults)
    stays = other.start(two, tmp_path / "b.log")
    assert killed.end() == -signal.SIGKILL
    assert stays.end() == 0, stays.said
    again = starter.start(one, tmp_path / "again.log")
    assert again.end() == 0, again.said
    other.close()
    assert outcome(store) == outcome(whole / "store")
    for name in ("a", "b"):
        table = (tmp_path / name / "west.csv").read_bytes()
        assert table == (whole / "west.csv").read_bytes()
    assert not list(store.rglob(".*.partial*"))
