"""``/healthz``, ``/readyz`` and ``/metrics``: for what watches the service."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from affuse.serving.problems import ProblemError, problem_responses
from affuse.serving.service import service_of

router = APIRouter(tags=["health"])


@router.get("/healthz", responses=problem_responses(421))
async def healthz() -> Response:
    """Whether the process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", responses=problem_responses(421, 503))
async def readyz(request: Request) -> Response:
    """Whether the models are loaded and clips are taken; ``failing``: processes that do not begin, in sentences."""
    engine = service_of(request).engine
    failing = engine.failing
    if not engine.ready or engine.draining:
        told = "The service does not take clips now; it begins or ends."
        raise ProblemError(503, " ".join([told, *failing]), {"Retry-After": "5"})
    return JSONResponse({"status": "ready"} | ({"failing": failing} if failing else {}))


@router.get(
    "/metrics",
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        **problem_responses(401, 421),
    },
)
async def metrics(request: Request) -> Response:
    """Figures for Prometheus."""
    return service_of(request).metrics.answer()
