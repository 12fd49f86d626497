"""``/v1/models``: what is served, and what there is to read about it."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from affuse.errors import AffuseError
from affuse.parts.registry import unknown
from affuse.serving.about.about import About
from affuse.serving.problems import ProblemError, problem_responses
from affuse.serving.schemas import ModelDetailView, ModelsView, model_dict
from affuse.serving.service import service_of

router = APIRouter(tags=["models"])
_PROBLEMS = problem_responses(401, 404, 421)


@router.get("/v1/models", response_model=ModelsView, responses=problem_responses(401, 421))
async def list_models(request: Request) -> Response:
    """All models; the first answers where none is named."""
    return JSONResponse({"models": [model_dict(one) for one in service_of(request).engine.models.values()]})


@router.get("/v1/models/{name}", response_model=ModelDetailView, responses=_PROBLEMS)
async def read_model(request: Request, name: str) -> Response:
    """One model: its card, licences, training corpora, and the figures of its report."""
    about = _about(request, name)
    return JSONResponse(await asyncio.to_thread(_detail, request, name, about))


@router.get(
    "/v1/models/{name}/figures/{number}.svg",
    responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}, **_PROBLEMS},
)
async def read_figure(request: Request, name: str, number: str) -> Response:
    """One figure of the model's report."""
    figures = await asyncio.to_thread(lambda: _about(request, name).figures)
    if not (number.isdecimal() and len(number) < 4 and int(number) < len(figures)):
        raise ProblemError(404, f"The model {name!r} has {len(figures)} figures, counted from 0.")
    # styles inside the picture are its own; it is shown as an image, where no script runs
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return Response(figures[int(number)].svg, media_type="image/svg+xml", headers=policy)


@router.get("/v1/models/{name}/map", responses=_PROBLEMS)
async def read_map(request: Request, name: str) -> Response:
    """The embedding map of a run: its test utterances in two dimensions."""
    about = _about(request, name)
    try:
        found = await asyncio.to_thread(about.map)
    except AffuseError as error:
        raise ProblemError(404, str(error)) from None
    return JSONResponse(found.to_dict())


@router.get(
    "/v1/models/{name}/utterances/{id:path}",
    responses={
        200: {"content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}}},
        **_PROBLEMS,
    },
)
async def read_utterance(request: Request, name: str, id: str) -> Response:
    """The sound of one utterance of the map, where its corpus is at hand."""
    about = _about(request, name)
    try:
        sound = await asyncio.to_thread(about.utterance, id)
    except AffuseError as error:
        raise ProblemError(404, str(error)) from None
    return Response(sound, media_type="audio/wav")


def _about(request: Request, name: str) -> About:
    service = service_of(request)
    if name not in service.about:
        raise ProblemError(404, f"{unknown(name, list(service.about), 'models of this service')}.")
    return service.about[name]


def _detail(request: Request, name: str, about: About) -> dict[str, Any]:
    # relative to the service's root: the page may stand below a proxy's path
    base = f"v1/models/{name}"
    return model_dict(service_of(request).engine.models[name]) | {
        "card": about.card,
        "licences": about.licences,
        "trained_on": about.trained_on,
        "figures": [
            {"title": one.title, "alt": one.alt, "href": f"{base}/figures/{i}.svg"}
            for i, one in enumerate(about.figures)
        ],
        "map": f"{base}/map" if about.has_map else None,
    }
