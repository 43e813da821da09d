"""A server of this package that listens, and sounds to send it."""

import asyncio
import contextlib
import io
import socket
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
import uvicorn

from genrescope.app.server import create_app
from genrescope.app.service import Service
from genrescope.app.settings import ServerSettings

RATE = 22050


def tone(hertz, seconds):
    t = np.arange(round(seconds * RATE)) / RATE
    return (0.4 * np.sin(2 * np.pi * hertz * t)).astype(np.float32)


def coded(samples, *, rate=RATE, kind="WAV") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind)
    return buffer.getvalue()


@dataclass
class Live:
    """A server that listens, in a thread of this process."""

    service: Service
    port: int
    loop: asyncio.AbstractEventLoop
    client: httpx.Client

    def run(self, coroutine) -> Any:
        """Start a coroutine on the server's loop; a future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def counted(self, line: str) -> float:
        """The value of one line of the metrics."""
        text = self.client.get("/metrics").text
        return sum(float(row.split()[-1]) for row in text.splitlines() if row.startswith(line))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)


@contextlib.contextmanager
def live(bundles, temporary: Path | None = None, **limits):
    """A server with these limits; a folder for temporary files is that of the whole process."""
    service = Service(bundles, ServerSettings(**limits))
    server = uvicorn.Server(uvicorn.Config(create_app(service, page=False), log_level="error"))
    listener = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    before = tempfile.tempdir
    if temporary is not None:
        tempfile.tempdir = str(temporary)
    thread = threading.Thread(
        target=loop.run_until_complete, args=(server.serve(sockets=[listener]),)
    )
    thread.start()
    port = listener.getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as client:
            client.get("/health").raise_for_status()  # answered once the workers are up
            yield Live(service, port, loop, client)
    finally:
        server.should_exit = True
        thread.join()
        loop.close()
        listener.close()
        tempfile.tempdir = before
