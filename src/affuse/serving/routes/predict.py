"""``POST /v1/predict``: a clip, and its timeline as soon as it is made."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from affuse.serving.asking import FIELDS
from affuse.serving.engine import Job
from affuse.serving.formats import FORMATS, Detail, Format, accepted_format
from affuse.serving.problems import ProblemError, failure_problem, problem_responses
from affuse.serving.routes.forms import FORM
from affuse.serving.schemas import TimelineView
from affuse.serving.service import client_of, service_of
from affuse.serving.uploads import receive_upload

router = APIRouter(tags=["clips"])
_TEXTS = {
    one.media_type: {"schema": {"type": "string"}}
    for one in FORMATS.values()
    if one.name not in ("json", "png")
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The timeline, in the format that Accept asks for.",
        "content": {
            **_TEXTS,
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    **problem_responses(400, 401, 403, 406, 408, 413, 415, 421, 422, 429, 500, 503, 507),
}


@router.post("/v1/predict", response_model=TimelineView, responses=_ANSWERS, openapi_extra=FORM)
async def predict(request: Request) -> Response:
    """Predict one clip and wait for its timeline. A client that goes away ends the work."""
    service = service_of(request)
    chosen = accepted_format(request.headers.get("Accept"))
    service.desk.check_room(client_of(request))
    upload = await receive_upload(request, service.folder, service.engine.limits, service.space, FIELDS)
    detail = detail_of(upload.fields.pop("detail", None), upload.remove)
    job = service.desk.submit(upload, client_of(request))
    gone = asyncio.create_task(_disconnected(request))
    over = asyncio.create_task(job.wait())
    try:
        await asyncio.wait((gone, over), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not job.final:
            job.cancel()
        with suppress(asyncio.CancelledError):
            await over
    return await timeline_answer(job, chosen, detail)


async def timeline_answer(job: Job, chosen: Format, detail: Detail, attachment: bool = False) -> Response:
    """The timeline of a job that is over.

    Raises:
        ProblemError: It has none.
    """
    if job.failure is not None:
        raise failure_problem(job.failure)
    if job.timeline is None:
        raise ProblemError(409, "The job was cancelled; it has no timeline.")
    body = await asyncio.to_thread(chosen.render, job.timeline, detail)
    headers = {"Vary": "Accept"}
    if attachment:
        headers["Content-Disposition"] = f'attachment; filename="timeline{chosen.suffix}"'
    media_type = chosen.media_type + ("; charset=utf-8" if chosen.media_type.startswith("text/") else "")
    return Response(body, media_type=media_type, headers=headers)


def detail_of(text: str | None, undo: Any = None) -> Detail:
    """How much a JSON answer holds.

    Raises:
        ProblemError: Neither of the two; ``undo`` is called before.
    """
    if text in (None, "", "segments"):
        return "segments"
    if text == "full":
        return "full"
    if undo is not None:
        undo()
    raise ProblemError(422, f"detail takes segments or full, not {text[:40]!r}.")


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
