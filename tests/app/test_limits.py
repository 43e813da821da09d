import asyncio
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from bombs import tiny_flac
from served import live

from genrescope.app import work

pytestmark = [
    pytest.mark.slow,
    # Of a body that breaks off, Starlette leaves the file to the garbage collector.
    pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile"),
]

HEAD = (
    "POST /v1/predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    "Content-Length: {length}\r\n\r\n"
)
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'


@pytest.fixture(scope="module")
def strict(bundles, tmp_path_factory):
    """One worker, nobody waits, little time."""
    folder = tmp_path_factory.mktemp("temporary")
    limits = {"receive_seconds": 1.5, "work_seconds": 2.5, "receiving": 2, "worker_bytes": 2**30}
    with live(bundles[1:], folder, workers=1, waiting=1, upload_bytes=3_000_000, **limits) as found:
        yield found
    assert list(folder.iterdir()) == []


def upload(server, sound, route="predict", **fields):
    files = {"file": ("a.wav", sound)}
    return server.client.post(f"/v1/{route}", files=files, data={"model": "linear"} | fields)


def refusal(connection) -> tuple[int, dict]:
    """Status and problem of a response on a socket that the server then closes."""
    received = b""
    while b"}" not in received and (part := connection.recv(65536)):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    # More may follow: the rest of a body that was longer than promised is no request either.
    return int(head.split()[1]), json.JSONDecoder().raw_decode(body.decode())[0]


def is_idle(server) -> bool:
    return server.counted("genrescope_requests_inside ") == 0


def wait_for(condition, seconds=20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_body_too_large_is_refused_whatever_it_says_of_itself(strict, low):
    large = low + bytes(3_000_000)
    assert upload(strict, large).status_code == 413
    body = PART + large + b"\r\n--b--\r\n"

    def chunks():  # without a length
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    kind = {"content-type": "multipart/form-data; boundary=b"}
    response = strict.client.post("/v1/predict", content=chunks(), headers=kind)
    assert response.status_code == 413 and "3,000,000 bytes" in response.json()["detail"]
    assert response.headers["content-type"] == "application/problem+json"
    # One that promises 500 MB is told so before it has sent any.
    with strict.connect() as connection:
        connection.sendall(HEAD.format(length=500_000_000).encode())
        assert refusal(connection)[0] == 413
    # One that sends more than it promised is cut at its promise.
    with strict.connect() as connection:
        connection.sendall(HEAD.format(length=1000).encode() + body[:200_000])
        assert refusal(connection)[0] == 422
    assert upload(strict, low).status_code == 200


def test_slow_clients_are_told_to_hurry(strict, low):
    start = time.monotonic()
    with strict.connect() as connection:
        connection.sendall(HEAD.format(length=100_000).encode() + PART + low[:5000])
        status, problem = refusal(connection)
    assert status == 408 and "1.5 s" in problem["detail"]
    assert 1.0 < time.monotonic() - start < 8.0


def test_only_so_many_bodies_arrive_at_once(strict, low):
    first, second = strict.connect(), strict.connect()
    with first, second:
        for connection in (first, second):
            connection.sendall(HEAD.format(length=100_000).encode() + PART + low[:5000])
        wait_for(lambda: upload(strict, low).status_code == 429, 5)
    wait_for(lambda: upload(strict, low).status_code == 200, 5)


def test_clients_that_vanish_in_the_body_leave_nothing(strict, low):
    this = psutil.Process()
    upload(strict, low)
    before = this.num_fds()
    for _ in range(10):
        with strict.connect() as connection:
            connection.sendall(HEAD.format(length=2_900_000).encode() + PART + low * 4)
    wait_for(lambda: this.num_fds() <= before + 1)
    assert upload(strict, low).status_code == 200 and is_idle(strict)


def test_clients_that_vanish_while_they_wait_cost_nothing(strict, low):
    asked = strict.counted('genrescope_batch_windows_count{model="linear"}')
    occupied = strict.run(strict.service._workers.run(time.sleep, 1.5))
    wait_for(lambda: not is_idle(strict))
    body = PART + low + b"\r\n--b--\r\n"
    with strict.connect() as connection:
        connection.sendall(HEAD.format(length=len(body)).encode() + body)
        wait_for(lambda: strict.counted("genrescope_requests_waiting ") == 1)
    occupied.result(20)
    wait_for(lambda: is_idle(strict))
    assert strict.counted('genrescope_batch_windows_count{model="linear"}') == asked
    assert strict.counted('genrescope_requests_total{route="/v1/predict",status="499"}') == 1


def test_a_queue_that_is_full_says_so(strict, low):
    occupied = strict.run(strict.service._workers.run(time.sleep, 2.0))
    wait_for(lambda: not is_idle(strict))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(upload, strict, low)
        wait_for(lambda: strict.counted("genrescope_requests_waiting ") == 1)
        refused = upload(strict, low)
        assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0
        assert waiting.result(20).status_code == 200
    occupied.result(20)


def test_work_that_takes_too_long_is_ended(strict, low):
    # As long as a sound may be, at the highest rate FLAC has: seconds of work for any machine.
    bomb = tiny_flac(850, rate=655_350)
    assert len(bomb) < 3_000_000
    restarts = strict.counted("genrescope_worker_restarts_total")
    start = time.monotonic()
    response = upload(strict, bomb)
    assert response.status_code == 422 and "more than 2.5 s of work" in response.json()["detail"]
    assert time.monotonic() - start < 15
    assert upload(strict, low).status_code == 200
    assert strict.counted("genrescope_worker_restarts_total") == restarts + 1


def test_work_that_takes_too_much_memory_is_ended(strict, low):
    with pytest.raises(Exception, match="too much memory"):
        strict.run(strict.service._workers.run(bytearray, 2 * 10**9)).result(30)
    assert upload(strict, low).status_code == 200


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_worker_killed_at_work_is_replaced(strict, low, how):
    run = strict.service._workers.run
    pid = strict.run(run(os.getpid)).result(30)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(upload, strict, low, "explain")
        wait_for(lambda: not is_idle(strict))
        os.kill(pid, how)
        response = asked.result(60)
    assert response.status_code == 503 and int(response.headers["retry-after"]) > 0
    assert "/" not in response.json()["detail"]
    assert upload(strict, low).status_code == 200
    assert strict.run(run(os.getpid)).result(30) != pid


def test_a_worker_killed_while_idle_is_not_missed(strict, low):
    run = strict.service._workers.run
    pid = strict.run(run(os.getpid)).result(30)
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(pid))
    time.sleep(0.5)  # the pool looks ten times a second
    assert upload(strict, low).status_code == 200


def test_a_worker_that_crashes_takes_its_request_with_it_and_no_other(strict, low):
    with pytest.raises(Exception, match="ended unexpectedly"):
        strict.run(strict.service._workers.run(os._exit, 1)).result(30)
    assert upload(strict, low).status_code == 200


def test_workers_end_with_the_server(bundles, tmp_path):
    from genrescope.app.service import Service
    from genrescope.app.settings import ServerSettings

    async def start_and_stop() -> int:
        async with Service(bundles[1:], ServerSettings(workers=1)) as service:
            pid = await service._workers.run(os.getpid)
            assert await service._workers.run(work.ready)
            asyncio.create_task(service._workers.run(time.sleep, 60))  # noqa: RUF006
            await asyncio.sleep(0.2)
        return pid

    pid = asyncio.run(start_and_stop())
    wait_for(lambda: not psutil.pid_exists(pid))
