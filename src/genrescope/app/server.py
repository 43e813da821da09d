"""The server: the API, and the limits it stands behind, as one application."""

import contextlib
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from genrescope import __version__
from genrescope.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from genrescope.app.service import Service
    from genrescope.app.settings import ServerSettings

LIBRARIES = (
    "fastapi", "gradio", "starlette", "pebble", "prometheus_client", "python_multipart", "uvicorn",
)  # fmt: skip
DESCRIPTION = (
    "Genres of music with their probabilities, and the reasons. Send a sound as the field `file` "
    "of a form; errors are problem details (RFC 9457)."
)


def create_app(
    bundles: "Service | Iterable[str | os.PathLike[str]]",
    settings: "ServerSettings | None" = None,
    *,
    page: bool = True,
    report: Path | None = None,
) -> "FastAPI":
    """Make the server's application, to be run by any ASGI server.

    Its workers start and end with the application's lifespan.

    Parameters
    ----------
    bundles : iterable of path-like, or Service
        Folders of trained models, or a service that has them.
    settings : ServerSettings, optional
        A service has its own.
    page : bool
        Whether the web page stands at the root. One such application at most may run in a process.
    report : pathlib.Path, optional
        A study's report, for the page to link to.

    Returns
    -------
    fastapi.FastAPI
        With the service as `app.state.service`.

    Raises
    ------
    ConfigError
        Where the extra `app` is not installed, or there is no model.
    BundleError
        Where a model cannot be loaded.
    """
    try:
        import python_multipart  # noqa: F401 (fastapi asks for it at the first form)
        from fastapi import FastAPI
        from starlette.middleware import Middleware

        from genrescope.app.api import create_router
        from genrescope.app.middleware import Intake, Observed
        from genrescope.app.page import mount_page
        from genrescope.app.problems import add_problems
        from genrescope.app.service import Service
    except ImportError as error:
        if (error.name or "").split(".")[0] in LIBRARIES:
            raise ConfigError("a server needs the extra: pip install 'genrescope[app]'") from error
        raise
    service = bundles if isinstance(bundles, Service) else Service(bundles, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with service:
            yield

    app = FastAPI(
        title="genrescope",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's own load their scripts from elsewhere
        redoc_url=None,
        middleware=[
            Middleware(Observed, metrics=service.metrics),
            Middleware(Intake, settings=service.settings),
        ],
    )
    app.state.service = service
    add_problems(app)
    app.include_router(create_router(service))
    if page:
        mount_page(app, service, report=report)
    return app
