"""The command `serve`: a server in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from genrescope.app.server import create_app
from genrescope.errors import BundleError, ConfigError


def serve(*arguments, temporary, **options):
    command = [sys.executable, "-m", "genrescope", "serve", *map(str, arguments)]
    environment = os.environ | {"TMPDIR": str(temporary)}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, **options)


def address(process) -> tuple[str, list[str]]:
    """Where it listens, and what it said until then."""
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("listening"):
            return line.split()[1], said
    raise AssertionError(said)


def family(process) -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "page"), [(signal.SIGINT, "--no-page"), (signal.SIGTERM, "--page")]
)
def test_it_says_what_it_serves_and_stops_when_told(bundles, low, tmp_path, how, page):
    options = ("--port", 0, "--workers", 1, "--upload-mb", 3, "--sound-minutes", 2)
    with serve(*bundles, *options, page, temporary=tmp_path) as process:
        url, said = address(process)
        assert "models: forest, linear\n" in said
        assert any("3 MB, 2 minutes of sound, 60 s of work" in line for line in said)
        assert any("1 requests at work, 32 waiting" in line for line in said)
        processes = family(process)
        assert len(processes) >= 2
        answer = httpx.post(f"{url}/v1/predict", files={"file": ("a.wav", low)}, timeout=60)
        assert answer.json()["answers"][0]["genre"] == "low"
        assert httpx.get(url, timeout=60).status_code == (200 if page == "--page" else 404)
        process.send_signal(how)
        rest = process.stderr.read()
        assert process.wait(30) == 0 and rest.endswith("stopped\n") and "Traceback" not in rest
    psutil.wait_procs(processes, timeout=10)
    assert not any(member.is_running() for member in processes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_killed_with_an_upload_half_way_it_leaves_nothing(bundles, low, tmp_path):
    with serve(bundles[1], "--port", 0, "--no-page", temporary=tmp_path) as process:
        url, _ = address(process)
        httpx.post(f"{url}/v1/predict", files={"file": ("a.wav", low)}, timeout=60)
        processes = family(process)
        port = int(url.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                b"POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: "
                b'form-data; name="file"; filename="a.wav"\r\n\r\n' + low * 8
            )
            deadline = time.monotonic() + 10
            descriptors = Path(f"/proc/{process.pid}/fd")
            # Beyond a megabyte the upload is on the disk, without a name.
            while not any("(deleted)" in str(entry.readlink()) for entry in descriptors.iterdir()):
                assert time.monotonic() < deadline
                time.sleep(0.02)
            process.kill()
            process.wait()
    _, alive = psutil.wait_procs(processes[1:], timeout=10)
    assert not alive
    assert list(tmp_path.iterdir()) == []


def test_an_address_in_use_is_one_sentence(bundles, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serve(*bundles, "--port", port, temporary=tmp_path) as process:
            said = process.stderr.read()
            assert process.wait() == 1
    assert said == (
        f"error: cannot listen at 127.0.0.1 port {port} (address already in use); choose another "
        "--port or --host\n"
    )


def test_wrong_bundles_and_options(tmp_path):
    with serve(tmp_path / "gone", "--port", 0, temporary=tmp_path) as process:
        said = process.stderr.read()
        assert process.wait() == 1 and said.count("\n") == 1 and "bundle" in said
    with serve("--workers", 0, temporary=tmp_path) as process:
        process.stderr.read()
        assert process.wait() == 2


def test_no_model_and_no_extra(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match="needs a model"):
        create_app([])
    with pytest.raises(BundleError):
        create_app([tmp_path])
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ConfigError, match=r"genrescope\[app\]"):
        create_app([tmp_path])
