"""What of Gradio is let through: the page and what it needs, and nothing that leads elsewhere."""

import re
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from genrescope.app.problems import problem

API = "/gradio_api"
# Gradio brings many more: a proxy, a code editor, monitoring, login, ...
LET_THROUGH = re.compile(
    r"/|/config|/theme\.css|/favicon\.ico|/(assets|static)/.+"
    rf"|{API}/(heartbeat/[^/]+|upload|upload_progress|queue/(join|data)|file=[^:]*)"
)
# The browser itself then refuses whatever a script may try to load from another host.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
KEPT = {"cache-control": "public, max-age=86400"}  # the names of assets change with their content
ADVERTISED = re.compile(
    rb'\s*<(?:meta\s+(?:property|name)="(?:og|twitter):|link\s+rel="manifest")[^>]*>'
)


class Gate:
    """Stands before a Gradio application.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say that there is nothing."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        if not LET_THROUGH.fullmatch(path):
            await problem(404, "There is nothing at this address.")(scope, receive, send)
        elif path == "/":
            await self._front(scope, receive, send)
        else:
            kept = KEPT if path.startswith("/assets/") else {}
            await self.app(scope, receive, _with_headers(send, HEADERS | kept))

    async def _front(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page itself, without the addresses that Gradio puts in its head."""
        # Uncompressed, so that it can be changed.
        plain = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
        parts: list[bytes] = []
        start: Message = {}

        async def gather(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            page = ADVERTISED.sub(b"", b"".join(parts))
            MutableHeaders(scope=start)["content-length"] = str(len(page))
            await _with_headers(send, HEADERS)(start)
            await send({"type": "http.response.body", "body": page})

        await self.app({**scope, "headers": plain}, receive, gather)


def _with_headers(send: Send, headers: Mapping[str, str]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return sending
