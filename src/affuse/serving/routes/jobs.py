"""``/v1/jobs``: clips that are worked on while their client does something else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from affuse.serving.asking import FIELDS
from affuse.serving.engine import Job
from affuse.serving.formats import FORMATS, accepted_format, format_named
from affuse.serving.problems import ProblemError, problem_responses
from affuse.serving.routes.forms import FORM
from affuse.serving.routes.predict import detail_of, timeline_answer
from affuse.serving.schemas import JobView, TimelineView, job_dict
from affuse.serving.service import client_of, service_of
from affuse.serving.uploads import receive_upload

router = APIRouter(tags=["jobs"])
HEARTBEAT = 15.0  # seconds; proxies close what is silent for longer
_TURNS = 4  # of the loop: an end that is there already is read, the connection is closed, its request is told


@router.post(
    "/v1/jobs",
    status_code=202,
    response_model=JobView,
    responses=problem_responses(400, 401, 403, 408, 413, 415, 421, 422, 429, 500, 503, 507),
    openapi_extra=FORM,
)
async def create_job(request: Request) -> Response:
    """Take a clip in and answer at once; ``Location`` says where its state is."""
    service = service_of(request)
    service.desk.check_room(client_of(request))
    upload = await receive_upload(request, service.folder, service.engine.limits, service.space, FIELDS)
    detail_of(upload.fields.pop("detail", None), upload.remove)
    job = service.desk.submit(upload, client_of(request))
    if await _has_gone(request):
        service.desk.forget(job.id)  # nobody hears its id: nobody could stop it
    where = f"{request.scope.get('root_path', '')}/v1/jobs/{job.id}"
    return JSONResponse(job_dict(job), 202, {"Location": where})


@router.get("/v1/jobs/{id}", response_model=JobView, responses=problem_responses(401, 404, 421, 422))
async def read_job(request: Request, id: str, detail: str | None = None) -> Response:
    """How far a job is, and its timeline when it is done."""
    job, wanted = service_of(request).desk.find(id), detail_of(detail)
    return JSONResponse(await asyncio.to_thread(job_dict, job, wanted))


@router.get(
    "/v1/jobs/{id}/events",
    responses={
        200: {
            "description": "Server-sent events: ``state`` at every change, then ``done``, ``failed`` or ``cancelled``.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        **problem_responses(401, 404, 421),
    },
    response_class=StreamingResponse,
)
async def job_events(request: Request, id: str) -> Response:
    """Every change of a job as a server-sent event, whose data is the job without its timeline."""
    job = service_of(request).desk.find(id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(job), media_type="text/event-stream", headers=headers)


@router.get(
    "/v1/jobs/{id}/timeline",
    response_model=TimelineView,
    responses={
        200: {
            "description": "The timeline as a file.",
            "content": {
                one.media_type: {"schema": {"type": "string"}}
                for one in FORMATS.values()
                if one.name != "json"
            },
        },
        **problem_responses(401, 404, 406, 409, 413, 421, 422, 500),
    },
)
async def job_timeline(
    request: Request, id: str, format: str | None = None, detail: str | None = None
) -> Response:
    """The timeline of a finished job, in the format that ``format`` or Accept names."""
    job, wanted = service_of(request).desk.find(id), detail_of(detail)
    chosen = accepted_format(request.headers.get("Accept")) if format is None else format_named(format)
    if not job.final:
        raise ProblemError(409, "The job is not finished; its events tell when it is.")
    return await timeline_answer(job, chosen, wanted, attachment=True)


@router.delete("/v1/jobs/{id}", status_code=204, responses=problem_responses(401, 403, 404, 421))
async def delete_job(request: Request, id: str) -> Response:
    """Stop the work on a clip and let go of its answer."""
    service_of(request).desk.forget(id)
    return Response(status_code=204)


async def _has_gone(request: Request) -> bool:
    """Whether the client has closed the connection behind its form, as far as the system knows."""
    for _ in range(_TURNS):
        if await request.is_disconnected():
            return True
        await asyncio.sleep(0)
    return False


async def _events(job: Job) -> AsyncIterator[bytes]:
    """A comment keeps the connection alive where nothing changes."""
    changes = aiter(job.changes())
    following: asyncio.Task[Job] | None = None
    try:
        while True:
            following = following or asyncio.create_task(anext(changes))  # type: ignore[arg-type]
            done, _ = await asyncio.wait((following,), timeout=HEARTBEAT)
            if not done:
                yield b": still here\n\n"
                continue
            try:
                job = following.result()
            except StopAsyncIteration:
                return
            following = None
            name = job.state if job.final else "state"
            yield f"event: {name}\ndata: {json.dumps(job_dict(job))}\n\n".encode()
            if job.final:
                return
    finally:
        if following is not None:
            following.cancel()
