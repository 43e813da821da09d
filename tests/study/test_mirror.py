import json
import tempfile
from pathlib import Path

import pytest

from genrescope.errors import OutputError, RemoteError
from genrescope.remote import UrlPath, exists, find_files, read_file, remove_file, write_file
from genrescope.study import mirror as mirror_module
from genrescope.study import remote_lock
from genrescope.study.mirror import written_to
from genrescope.study.remote_lock import RemoteLock
from genrescope.study.steps import Ledger


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Where temporary folders go; nothing may be left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def run(url, inputs=1, *, text="done", name="step", files=("out/a.txt",), fresh=False):
    def compute():
        for file in files:
            path = ledger.folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {"text": text}

    with Ledger(url, fresh=fresh) as ledger:
        result = ledger.run(name, inputs, [ledger.folder / file for file in files], compute)
        ledger.prune()
        return result, ledger.computed


def names(url):
    return {name for name in find_files(url) if not name.startswith(".")}


def test_a_run_goes_on_from_what_lies_behind_the_url(memory):
    assert run(memory) == ({"text": "done"}, ["step"])
    assert read_file(f"{memory}/out/a.txt") == b"done"
    assert run(memory, text="other") == ({"text": "done"}, [])
    assert run(memory, fresh=True)[1] == ["step"]
    assert not exists(f"{memory}/{remote_lock.LOCK}")


@pytest.mark.parametrize("file", ["out/a.txt", "features/a.csv"])
@pytest.mark.parametrize("damage", ["change", "remove", "record"])
def test_a_damaged_output_runs_it_again(memory, damage, file):
    run(memory, files=[file])
    assert run(memory, files=[file])[1] == []
    if damage == "change":
        write_file(f"{memory}/{file}", b"altered")
    elif damage == "remove":
        remove_file(f"{memory}/{file}")
    else:
        (record,) = find_files(f"{memory}/.steps")
        write_file(f"{memory}/.steps/{record}", b'{"name": "st')
    assert run(memory, files=[file])[1] == ["step"]
    assert read_file(f"{memory}/{file}") == b"done"


def test_large_files_that_no_step_reads_stay_there(memory, monkeypatch):
    run(memory, files=["features/a.csv", "out/a.txt"])
    write_file(f"{memory}/features/store/shard.parquet", b"of the store")
    fetched = []
    get = mirror_module.download_file
    monkeypatch.setattr(
        mirror_module, "download_file", lambda url, path: fetched.append(str(url)) or get(url, path)
    )
    assert run(memory, files=["features/a.csv", "out/a.txt"])[1] == []
    assert fetched and not any("/features/" in url for url in fetched)


@pytest.mark.parametrize("file", ["out/b.txt", "features/b.csv"])
def test_what_a_run_no_longer_writes_goes(memory, file):
    run(memory, files=["out/a.txt", file])
    assert names(memory) == {"out/a.txt", file}
    run(memory, 2)
    assert names(memory) == {"out/a.txt"}
    run(memory, name="other", files=["out/c.txt"])
    assert names(memory) == {"out/c.txt"}


def test_a_step_that_fails_leaves_what_was_finished(memory):
    run(memory)
    with pytest.raises(KeyboardInterrupt), Ledger(memory) as ledger:

        def fail():
            (ledger.folder / "out").mkdir()
            (ledger.folder / "out/a.txt").write_text("half")
            raise KeyboardInterrupt

        ledger.run("step", 2, [ledger.folder / "out/a.txt"], fail)
    assert read_file(f"{memory}/out/a.txt") == b"done"
    assert run(memory)[1] == []


def test_records_come_last(memory, monkeypatch):
    sent = []
    put = mirror_module.upload_file
    monkeypatch.setattr(
        mirror_module, "upload_file", lambda path, url: sent.append(url.name) or put(path, url)
    )
    run(memory, files=["out/a.txt", "out/b.txt", "features/c.csv"])
    assert sent[-1].endswith(".json") and set(sent[:-1]) >= {"a.txt", "b.txt", "c.csv"}

    def gone(path, url):
        if ".steps" in str(url):
            raise RemoteError("cannot be reached", path=url)
        put(path, url)

    monkeypatch.setattr(mirror_module, "upload_file", gone)
    with pytest.raises(RemoteError):
        run(memory, 2, text="new")
    monkeypatch.setattr(mirror_module, "upload_file", put)
    assert run(memory, 1)[1] == ["step"]  # what was there is overwritten: it is not taken for done


def test_records_cannot_reach_outside_the_run(memory):
    write_file(f"{memory}/other.txt", b"kept")
    run(f"{memory}/run")
    (record,) = find_files(f"{memory}/run/.steps")
    said = json.loads(read_file(f"{memory}/run/.steps/{record}"))
    said["files"]["../other.txt"] = "0" * 64
    write_file(f"{memory}/run/.steps/{record}", json.dumps(said).encode())
    assert run(f"{memory}/run")[1] == ["step"]
    assert read_file(f"{memory}/other.txt") == b"kept"


def test_two_runs_cannot_work_in_one_folder(memory, temporary):
    with Ledger(memory):
        with pytest.raises(OutputError) as caught, Ledger(memory):
            pass
        assert f"remove {memory}/{remote_lock.LOCK}" in caught.value.reason
        assert "another run is at work in this folder: process " in caught.value.reason
        assert exists(f"{memory}/{remote_lock.LOCK}")
    with Ledger(memory):
        pass


def held_by(url, **changes):
    lock = RemoteLock(UrlPath(url))
    write_file(
        f"{url}/{remote_lock.LOCK}", json.dumps(json.loads(lock._content()) | changes).encode()
    )


def test_the_lock_of_a_dead_process_is_taken_over(memory):
    held_by(memory, pid=2**22 - 1, started="1")
    run(memory)
    held_by(memory, started="1")  # the number is in use again
    run(memory)
    write_file(f"{memory}/{remote_lock.LOCK}", b"nonsense")
    run(memory)


def test_the_lock_of_another_machine_is_believed_until_it_is_not_renewed(memory, monkeypatch):
    monkeypatch.setattr(remote_lock, "WATCHED_S", 0.01)
    held_by(memory, host="elsewhere")
    with pytest.raises(OutputError, match="on elsewhere, last heard of at 20"):
        run(memory)
    held_by(memory, host="elsewhere", renewed=1.0)
    slept = []

    def renewed(seconds):  # by a machine whose clock is wrong
        slept.append(seconds)
        held_by(memory, host="elsewhere", renewed=2.0)

    with monkeypatch.context() as patch:
        patch.setattr(remote_lock.time, "sleep", renewed)
        with pytest.raises(OutputError, match="on elsewhere"):
            run(memory)
    assert slept == [0.01]
    assert run(memory)[1] == ["step"]


def test_a_run_ends_when_its_folder_was_taken_over(memory, monkeypatch):
    monkeypatch.setattr(remote_lock, "RENEWED_S", 0.01)
    with pytest.raises(OutputError, match="has taken this folder over"), Ledger(memory) as ledger:
        first = read_file(f"{memory}/{remote_lock.LOCK}")
        while read_file(f"{memory}/{remote_lock.LOCK}") == first:
            pass  # it is renewed
        held_by(memory, host="elsewhere")
        ledger._mirror._lock._thread.join(30)
        ledger.run("step", 1, [], lambda: None)
    assert b"elsewhere" in read_file(f"{memory}/{remote_lock.LOCK}")


def test_a_folder_is_replaced_by_what_was_written(memory, tmp_path):
    with written_to(tmp_path / "local") as folder:
        assert folder == tmp_path / "local"
    for given in ({"a", "index"}, {"b", "index"}):
        with written_to(f"{memory}/out", last="index") as folder:
            folder.mkdir()
            for name in given:
                Path(folder / name).write_text(name)
        assert names(f"{memory}/out") == given
    write_file(f"{memory}/other/x", b"")
    with (
        pytest.raises(OutputError, match="something else"),
        written_to(f"{memory}/other", last="i"),
    ):
        pass
