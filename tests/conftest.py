import multiprocessing.util
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:
    # A worker has one core: threads of BLAS, torch and XGBoost would only fight over it. They read
    # this when they are first imported, which is after this file.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: the workers then finish together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real audio and tables, where the machine has it."""
    folder = os.environ.get("GENRESCOPE_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GENRESCOPE_DATA names no folder of real data")
    return Path(folder)


@pytest.fixture
def memory() -> Iterator[str]:
    """A folder behind a URL, in the memory of this process."""
    import fsspec

    url = f"memory://{uuid.uuid4().hex}"
    yield url
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint of an S3-compatible server, known to this process and those it starts."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        yield f"http://{host}:{port}"
        s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def bucket(s3_server: str) -> str:
    """The URL of an empty bucket on that server."""
    import fsspec

    name = f"test-{uuid.uuid4().hex}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where whatever is left of a run would lie, but for its output: nothing may."""
    # The sockets of multiprocessing stay where they are; its fork server, which keeps the
    # environment that it was started with, begins anew.
    multiprocessing.util.get_temp_dir()
    forkserver._forkserver._stop()
    # Not below tmp_path: the paths of sockets are short.
    folder = Path(tempfile.mkdtemp(prefix="watched-"))
    for name in ("TMPDIR", "XDG_CACHE_HOME", "HOME"):
        (folder / name).mkdir()
        monkeypatch.setenv(name, str(folder / name))
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "TMPDIR"))
    # matplotlib keeps a list of the system's fonts for whoever runs it.
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    yield folder
    forkserver._forkserver._stop()
    left = [path for path in folder.rglob("*") if path.is_file()]
    shutil.rmtree(folder)
    assert left == []
