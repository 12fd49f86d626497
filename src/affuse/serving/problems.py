"""Errors as RFC 9457 problem details: every one has affuse's own sentence, and none a path of the server."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from affuse.errors import AffuseError
from affuse.serving.engine import Draining, Failure, Full

MEDIA_TYPE = "application/problem+json"
_NONE: Mapping[str, str] = MappingProxyType({})
Kind = Literal["clip", "limit", "crash", "internal"]
# kind of a failure -> status: the clip cannot be used, is beyond a limit, ended a process, or found a fault of affuse
_STATUS = {"clip": 422, "limit": 413, "crash": 422, "internal": 500}


class ProblemDetails(BaseModel):
    """RFC 9457: what went wrong."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Unprocessable Content",
                "status": 422,
                "detail": "The clip is not media that can be read; send wav, mp3, mp4 or the like.",
            }
        }
    )

    type: str = Field(
        default="about:blank", description="what kind of problem; about:blank: that of its status"
    )
    title: str = Field(description="the status in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what is wrong and what to do, in one sentence")
    kind: Kind | None = Field(
        default=None,
        description="what of a clip it is: it cannot be used, is beyond a limit, ended the process that read it, or "
        "found a fault of affuse; not there where the request is at fault",
    )


class ProblemError(Exception):
    """An answer that is a problem.

    Args:
        status: Of HTTP.
        detail: The sentence.
        headers: More of the answer's headers.
        kind: What of a clip it is, if it is the clip's.
    """

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] = _NONE, kind: Kind | None = None
    ) -> None:
        self.status, self.detail, self.headers = status, detail, dict(headers)
        self.kind: Kind | None = kind
        super().__init__(detail)

    @property
    def details(self) -> dict[str, Any]:
        """The body of the answer."""
        return details(self.status, self.detail, self.kind)


def details(status: int, detail: str, kind: Kind | None = None) -> dict[str, Any]:
    """The body of a problem."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    told = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return told if kind is None else told | {"kind": kind}


def problem(
    status: int, detail: str, headers: Mapping[str, str] = _NONE, kind: Kind | None = None
) -> Response:
    """The answer that tells it."""
    return JSONResponse(details(status, detail, kind), status, dict(headers), media_type=MEDIA_TYPE)


def failure_problem(failure: Failure) -> ProblemError:
    """Why a clip has no timeline."""
    return ProblemError(_STATUS[failure.kind], failure.sentence, kind=failure.kind)


def problem_of(error: Exception) -> ProblemError:
    """What the engine refuses, as a problem."""
    if isinstance(error, Full):
        return ProblemError(429, str(error), {"Retry-After": str(max(1, round(error.retry_after)))})
    if isinstance(error, Draining):
        return ProblemError(503, str(error), {"Retry-After": "10"})
    if isinstance(error, AffuseError):
        return ProblemError(422, str(error))
    raise error


def add_handlers(app: FastAPI) -> None:
    """Let every error of the application be a problem."""

    async def own(_: Request, error: Exception) -> Response:
        assert isinstance(error, ProblemError)
        return problem(error.status, error.detail, error.headers, error.kind)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        told = {
            404: f"There is nothing at {request.url.path} here; /openapi.json says what there is.",
            405: f"{request.url.path} does not take {request.method}; the header Allow says what it takes.",
        }.get(error.status_code, str(error.detail))
        return problem(error.status_code, told, error.headers or {})

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        where = " ".join(str(part) for part in first["loc"])
        return problem(422, f"{where}: {first['msg']}.")

    async def unexpected(_: Request, error: Exception) -> Response:
        return problem(500, f"The service failed ({type(error).__name__}); its own log may say more.")

    app.add_exception_handler(ProblemError, own)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: that these statuses are problems."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in statuses
    }
