"""The web page, mounted in the server: it works without a network and leads nowhere else."""

import asyncio
import contextlib
import functools
import os
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse

from genrescope.app.gate import Gate
from genrescope.app.service import Service

KEPT_S = 3600  # uploads, and what a session knows of them
SWEPT_S = 300
REPORT = "/report"


def mount_page(app: FastAPI, service: Service, *, report: Path | None = None) -> None:
    """Put the page at the root of a server; what was there before stays where it is.

    Uploads and examples are kept in a temporary folder until the application ends.

    Parameters
    ----------
    app : fastapi.FastAPI
        Gets `app.state.end_streams`, to be called when the server is told to stop: pages that are
        open hold a connection each.
    service : Service
        Answers the page's questions.
    report : pathlib.Path, optional
        A study's report, to be served at `/report` and linked from the page.
    """
    folder = _folder()
    folder.mkdir(mode=0o700)
    remove = weakref.finalize(app, shutil.rmtree, folder, ignore_errors=True)
    import gradio

    from genrescope.app.layout import HEAD, build, theme

    if report is not None:
        _serve_report(app, report)
    gradio.mount_gradio_app(
        app,
        build(service, folder, report=None if report is None else REPORT, kept_s=KEPT_S),
        path="/",
        theme=theme(),
        head=HEAD,
        max_file_size=service.settings.upload_bytes,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        enable_monitoring=False,
    )
    mounted: Any = app.routes[-1]
    app.state.end_streams = mounted.app.stop_event.set
    mounted.app = Gate(mounted.app)
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(served: Any) -> AsyncIterator[Any]:
        sweeping = asyncio.create_task(_sweep(folder))
        try:
            async with inner(served) as state:
                yield state
        finally:
            sweeping.cancel()
            await asyncio.to_thread(remove)

    app.router.lifespan_context = lifespan


@functools.cache
def _folder() -> Path:
    """Where Gradio keeps files: it knows one folder a process, from its import on."""
    name = f"genrescope-page-{os.getpid()}-{secrets.token_hex(4)}"
    folder = Path(tempfile.gettempdir(), name)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


def _serve_report(app: FastAPI, report: Path) -> None:
    headers = {
        # The report is one file; it shows its own pictures and sounds, and runs nothing.
        "content-security-policy": "default-src 'none'; img-src data:; media-src data:; "
        "style-src 'unsafe-inline'"
    }

    def study_report() -> FileResponse:
        return FileResponse(report, media_type="text/html", headers=headers)

    app.add_api_route(REPORT, study_report, include_in_schema=False)


async def _sweep(folder: Path) -> None:
    while True:
        await asyncio.sleep(SWEPT_S)
        await asyncio.to_thread(remove_old, folder, older_than_s=KEPT_S)


def remove_old(folder: Path, *, older_than_s: float) -> None:
    """Remove files below a folder by their age: also what clients left that vanished half-way."""
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and time.time() - path.stat().st_mtime > older_than_s:
                path.unlink()
