"""Errors as clients get them: problem details for HTTP (RFC 9457), one sentence each.

A problem names no path of the server and shows no trace; what went wrong inside is in its log.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from genrescope.app.sounds import printable
from genrescope.errors import AudioError, ConfigError, GenrescopeError, ServiceError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
CLIENT_GONE = 499  # nginx's word for it; nobody reads the answer, the metrics count it
SERVICE_STATUS = {"busy": 429, "late": 503, "lost": 503, "gone": CLIENT_GONE}
RETRIED = (429, 503)
SHOWN_ERRORS = 3
LONGEST_DETAIL = 500  # characters
TITLES = {CLIENT_GONE: "Client Closed Request"}


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field("about:blank", description="A URI that names the kind of problem.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599, description="The HTTP status.")
    detail: str = Field(description="What is wrong with this request, in a sentence.")


def declared(*statuses: int, **details: str) -> dict[int | str, dict[str, Any]]:
    """Problems a route may answer with, for its OpenAPI description.

    Parameters
    ----------
    *statuses : int
    **details : str
        An example's sentence for a status, as `s413="..."`.
    """
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        detail = details.get(f"s{status}", "What is wrong, in a sentence.")
        found[status] = {
            "description": _title(status),
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": _content(status, detail, "about:blank"),
                }
            },
        }
        if status in RETRIED:
            found[status]["headers"] = {
                "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
            }
    return found


def problem(
    status: int, detail: str, *, kind: str | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A problem as a response.

    Parameters
    ----------
    status : int
    detail : str
        A sentence; control characters are left out, and what is too long is cut.
    kind : str, optional
        Names the kind of problem, as `urn:genrescope:problem:kind`.
    headers : mapping, optional
    """
    sent = dict(headers or {})
    if status in RETRIED:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    about = "about:blank" if kind is None else f"urn:genrescope:problem:{kind}"
    content = _content(status, detail, about)
    return JSONResponse(content, status, headers=sent, media_type=MEDIA_TYPE)


def add_problems(app: FastAPI) -> None:
    """Make every error of a server a problem, and describe problems in its OpenAPI document."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        document = describe()
        components = document.setdefault("components", {}).setdefault("schemas", {})
        components["Problem"] = Problem.model_json_schema()
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_exception_handler(GenrescopeError, _typed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _unexpected)


def _title(status: int) -> str:
    return TITLES.get(status) or HTTPStatus(status).phrase


def _content(status: int, detail: str, about: str) -> dict[str, Any]:
    detail = printable(detail, LONGEST_DETAIL) or _title(status)
    return Problem(type=about, title=_title(status), status=status, detail=detail).model_dump()


def _typed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GenrescopeError)
    if isinstance(error, ServiceError):
        status = SERVICE_STATUS[error.kind]
    elif isinstance(error, AudioError | ConfigError):
        status = 422
    else:
        status = 503  # a bundle that has changed: for whoever runs the server to mend
    return problem(status, f"{error.reason[:1].upper()}{error.reason[1:]}.", kind=error.kind)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    details = {
        404: "There is nothing at this address.",
        405: "This address does not take that method.",
    }
    detail = details.get(error.status_code, str(error.detail))
    return problem(error.status_code, detail, headers=error.headers)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return problem(422, _sentence(error.errors()), kind="invalid")


def _sentence(errors: Sequence[Mapping[str, Any]]) -> str:
    said = [
        f"{'.'.join(str(part) for part in found['loc'][1:]) or 'request'}: {_plain(found['msg'])}"
        for found in errors[:SHOWN_ERRORS]
    ]
    more = len(errors) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _plain(message: str) -> str:
    """A validator's message, without the names of Python's classes."""
    if "UploadFile" in message:
        return "a file with a file name is expected"
    return message[:1].lower() + message[1:]


def _unexpected(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 (the log has it)
    return problem(500, "The server failed; whoever runs it finds the reason in its log.")
