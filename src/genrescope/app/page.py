"""The web page, mounted in the server: it works without a network and leads nowhere else."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrescope.app.gate import Gate
from genrescope.app.service import Service

if TYPE_CHECKING:
    from fastapi import FastAPI

KEPT_S = 3600  # uploads, and what a session knows of them
SWEPT_S = 300
REPORT = "/report"


def mount_page(app: "FastAPI", service: Service, *, folder: Path, report: Path | None) -> None:
    """Put the page at the root of a server; what was mounted before stays where it is.

    Parameters
    ----------
    app : fastapi.FastAPI
    service : Service
        Answers the page's questions.
    folder : pathlib.Path
        The server's own temporary folder: uploads and examples are kept below it. Whoever made it
        removes it.
    report : pathlib.Path or None
        A study's report, to be served at `/report` and linked from the page.
    """
    uploads = folder / "page"
    uploads.mkdir()
    # Gradio knows one folder a process, and looks it up whenever it needs it.
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    import gradio

    from genrescope.app.layout import HEAD, build, theme

    if report is not None:
        _serve_report(app, report)
    gradio.mount_gradio_app(
        app,
        build(service, uploads, report=REPORT if report is not None else None, kept_s=KEPT_S),
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
    mounted.app = Gate(mounted.app)
    _sweep_while_up(app, uploads)


def find_report(bundles: list[Path]) -> Path | None:
    """The report of the study that the bundles belong to, where they lie in a run directory.

    Parameters
    ----------
    bundles : list of pathlib.Path

    Returns
    -------
    pathlib.Path or None
        None where they lie in none, or in several.
    """
    # A run keeps them in models/<model>/<source>, and its report beside models.
    found = {path.absolute().parents[2] / "report.html" for path in bundles}
    reports = [path for path in found if path.is_file() and (path.parent / "run.json").is_file()]
    return reports[0] if len(reports) == 1 else None


def _serve_report(app: "FastAPI", report: Path) -> None:
    from fastapi.responses import FileResponse

    def study_report() -> FileResponse:
        return FileResponse(report, media_type="text/html")

    app.add_api_route(REPORT, study_report, include_in_schema=False)


def _sweep_while_up(app: "FastAPI", uploads: Path) -> None:
    """Remove uploads that are old, those of clients that vanished half-way included."""
    inner = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def sweeping(served: Any) -> AsyncIterator[Any]:
        task = asyncio.create_task(_sweep(uploads))
        try:
            async with inner(served) as state:
                yield state
        finally:
            task.cancel()

    app.router.lifespan_context = sweeping


async def _sweep(uploads: Path) -> None:
    while True:
        await asyncio.sleep(SWEPT_S)
        await asyncio.to_thread(sweep_uploads, uploads, KEPT_S)


def sweep_uploads(uploads: Path, kept_s: float) -> None:
    """Remove what lies below a folder and was written longer ago than so many seconds."""
    for path in uploads.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and time.time() - path.stat().st_mtime > kept_s:
                path.unlink()
