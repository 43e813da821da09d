"""The command that puts trained models behind HTTP."""

from pathlib import Path
from typing import Annotated

import typer

from genrescope.cli.console import say


def serve(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[BUNDLE]...", help="Trained models [those of the demo]."),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 is any.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that decode and explain [usable cores].")
    ] = None,
    waiting: Annotated[int, typer.Option(min=0, help="Requests that may wait for one.")] = 32,
    upload_mb: Annotated[int, typer.Option(min=1, help="Largest upload, in megabytes.")] = 50,
    sound_minutes: Annotated[float, typer.Option(min=0.1, help="Longest sound.")] = 15.0,
    work_seconds: Annotated[float, typer.Option(min=1.0, help="Work on one request.")] = 60.0,
    page: Annotated[bool, typer.Option(help="The web page at the root, beside the API.")] = True,
    report: Annotated[
        Path | None,
        typer.Option(help="A study's run directory, for its report [that of the models]."),
    ] = None,
) -> None:
    """Serve trained models over HTTP: a web page, and predict and explain by upload."""
    from genrescope.app.running import run_server
    from genrescope.app.settings import ServerSettings
    from genrescope.collection.bundles import default_bundles, find_report

    limits: dict[str, float] = {
        "waiting": waiting,
        "upload_bytes": upload_mb * 1_000_000,
        "sound_seconds": sound_minutes * 60,
        "work_seconds": work_seconds,
    }
    if workers is not None:
        limits["workers"] = workers
    settings = ServerSettings.parse(limits)
    models = bundles or default_bundles()
    found = find_report(models, run=report)
    run_server(models, settings, host=host, port=port, say=say, page=page, report=found)
