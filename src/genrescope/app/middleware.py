"""What stands between the network and the routes: limits on bodies, headers, counting."""

import asyncio
import contextlib
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrescope.app.metrics import Metrics
from genrescope.app.problems import problem
from genrescope.app.settings import ServerSettings

UPLOADS = ("/v1/predict", "/v1/explain", "/gradio_api/upload")
DRAIN_S = 2.0  # a client that is still sending reads the refusal only if it may finish
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Observed:
    """Counts requests and gives every response the headers that keep browsers careful.

    A header that a route has set itself stays.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            # The route's pattern, not the address: strangers must not make up labels.
            route = getattr(scope.get("route"), "path", None)
            if route is None:
                route = scope["path"] if scope["path"] in UPLOADS else "other"
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - start)


class Intake:
    """Receives uploads within limits: kind, bytes, seconds, and how many at once."""

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self._app = app
        self._settings = settings
        self._bodies: set[_Body] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        is_upload = scope["type"] == "http" and scope["method"] == "POST"
        if not is_upload or scope["path"] not in UPLOADS:
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        body = _Body(receive, send, self._settings)
        self._bodies.add(body)
        try:
            if refusal is None:
                await self._app(scope, body.receive, body.send)
            else:
                status, detail = refusal
                await problem(status, detail)(scope, body.receive, body.send)
        finally:
            self._bodies.discard(body)

    def _refusal(self, headers: Headers) -> tuple[int, str] | None:
        """Why a body is refused before any of it is read."""
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "multipart/form-data":
            return 415, "Send the sound as the field `file` of a multipart/form-data body."
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._settings.upload_bytes:
            return 413, _too_large(self._settings)
        if sum(not body.ended for body in self._bodies) >= self._settings.receiving:
            return 429, f"{self._settings.receiving} uploads are arriving; try again later."
        return None


class _Body:
    """The body of one upload: counted and timed while it arrives.

    The exceptions are raised inside the route's own reading, which passes them on to the handlers.
    """

    def __init__(self, receive: Receive, send: Send, settings: ServerSettings) -> None:
        self._receive = receive
        self._send = send
        self._settings = settings
        self._bytes = 0
        self._deadline = asyncio.get_running_loop().time() + settings.receive_seconds
        self.ended = False
        self._late = False

    async def receive(self) -> Message:
        if self.ended:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            self._late = True
            seconds = self._settings.receive_seconds
            detail = f"The body did not arrive within {seconds:g} s."
            raise HTTPException(408, detail, {"Connection": "close"}) from error
        self.ended = message["type"] != "http.request" or not message.get("more_body")
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._settings.upload_bytes:
            raise HTTPException(413, _too_large(self._settings))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self.ended and not self._late:
            await self._drain()
        await self._send(message)

    async def _drain(self) -> None:
        """Let a client finish that is refused while it is sending: else it would not listen."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while not self.ended:
                    message = await self._receive()
                    self.ended = message["type"] != "http.request" or not message.get("more_body")


def _too_large(settings: ServerSettings) -> str:
    return f"The body is larger than {settings.upload_bytes:,} bytes; send a part of the sound."
