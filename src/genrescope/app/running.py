"""Running a server in this process until it is told to stop."""

import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from genrescope.app.server import create_app
from genrescope.app.settings import ServerSettings
from genrescope.errors import ConfigError, ServiceError

GRACE_S = 10  # for requests at work, once the server is told to stop
BACKLOG = 256  # connections the system keeps until they are accepted


def run_server(
    bundles: Iterable[str | os.PathLike[str]],
    settings: ServerSettings,
    *,
    host: str,
    port: int,
    say: Callable[[str], None],
    page: bool = True,
    report: Path | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; what is at work then gets ten seconds to finish.

    Parameters
    ----------
    bundles : iterable of path-like
    settings : ServerSettings
    host, port
        Where to listen; port 0 takes a free one.
    say : callable
        Told what is served, and where.
    page : bool
        Whether the web page stands at the root.
    report : pathlib.Path, optional
        A study's report, for the page to link to.

    Raises
    ------
    ConfigError
        Where the address is taken or not this machine's, or the extra `app` is not installed.
    BundleError
        Where a model cannot be loaded.
    ServiceError
        Where the worker processes do not start.
    """
    with _listening(host, port) as listener, _stopped_by_signals():
        app = create_app(bundles, settings, page=page, report=report)
        import uvicorn

        # It warns of every malformed body, in the client's own words.
        logging.getLogger("python_multipart").setLevel(logging.ERROR)
        for line in _introduction(app.state.service):
            say(line)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    say(f"listening: {address} (Ctrl+C stops)")

            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                if page:
                    app.state.end_streams()
                await super().shutdown(sockets)

        server = Server(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,  # the metrics count; a proxy in front has the addresses
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        server.run(sockets=[listener])
        if not server.started:
            raise ServiceError("the server did not start; the reason stands above", kind="lost")
    say("stopped")


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, taken before the models are loaded: that takes a while."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        # Not `strerror`: asked for a port, Python puts the address into it.
        known = error.errno in errno.errorcode and not isinstance(error, socket.gaierror)
        reason = (os.strerror(error.errno or 0) if known else str(error)).lower()
        raise ConfigError(
            f"cannot listen at {host} port {port} ({reason}); choose another --port or --host"
        ) from error
    with listener:
        yield listener


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Leave the block quietly at SIGINT and SIGTERM, which uvicorn raises again once it is done."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, stop)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _introduction(service: Any) -> list[str]:
    limits = service.settings
    largest, longest = limits.upload_bytes / 1e6, limits.sound_seconds / 60
    return [
        f"models: {', '.join(service.models)}",
        f"limits: {largest:g} MB, {longest:g} minutes of sound, {limits.work_seconds:g} s of work",
        f"at once: {limits.workers} requests at work, {limits.waiting} waiting",
    ]
