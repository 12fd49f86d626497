"""The service as one ASGI application."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from affuse import __version__
from affuse.serving.about.about import About
from affuse.serving.desk import Desk
from affuse.serving.engine import Engine
from affuse.serving.metrics import Metrics
from affuse.serving.problems import ProblemDetails, add_handlers
from affuse.serving.routes import health, jobs, models, predict, stream
from affuse.serving.security import Guard
from affuse.serving.service import Service
from affuse.serving.space import Space
from affuse.serving.spool import private_folder

PAGE = Path(__file__).parent / "page"
DESCRIPTION = (
    "Emotion, and where it is asked for gender, from voice, words and face, over time. Errors are RFC 9457 problem "
    "details. Clips are deleted when they were read; nothing of them is kept or logged but the answers of jobs, for a "
    "while."
)


def create_app(
    engine: Engine,
    about: Mapping[str, About],
    *,
    hosts: Collection[str] = (),
    token: str | None = None,
    root_path: str = "",
) -> ASGIApp:
    """The application; it starts the engine, and ends it.

    Args:
        engine: Not started.
        about: Name of a model -> what there is to read about it.
        hosts: Names that the service is reached by, beside the loopback's; "*": any.
        token: That every request must bear; None: none.
        root_path: Below which a proxy shows the service.
    """
    space = Space(engine.limits.upload_bytes)
    metrics = Metrics(engine, space)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        with private_folder() as folder:
            app.state.service = Service(engine, Desk(engine, metrics), metrics, folder, space, about)
            try:
                if not engine.ready:
                    await engine.start()
                yield
            finally:
                await engine.close()

    app = FastAPI(
        title="affuse",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,  # its pages load scripts from another host
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=_operation_id,
    )
    add_handlers(app)
    for routes in (predict, jobs, models, health, stream):
        app.include_router(routes.router)
    _describe(app, token)
    _serve_page(app)
    return Guard(_Counted(app, metrics), hosts, token, root_path, open_prefixes=("/page/",))


def _operation_id(route: APIRoute) -> str:
    return route.name


def _describe(app: FastAPI, token: str | None) -> None:
    """What FastAPI does not see: the problem's schema, the token."""
    made = app.openapi

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = made()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for path in schema["paths"].values():
                for operation in path.values():
                    found = operation["responses"].get("422", {})
                    if "HTTPValidationError" in str(found):
                        operation["responses"]["422"] = {
                            "description": "Unprocessable Content",
                            "content": {
                                "application/problem+json": {
                                    "schema": {"$ref": "#/components/schemas/ProblemDetails"}
                                }
                            },
                        }
            if token is not None:
                schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                schema["security"] = [{"token": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _serve_page(app: FastAPI) -> None:
    """The page's files, where they are."""
    from starlette.requests import Request
    from starlette.responses import FileResponse, Response
    from starlette.staticfiles import StaticFiles

    index = PAGE / "index.html"
    if not index.is_file():
        return

    async def page(_: Request) -> Response:
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    app.add_route("/", page, include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")


class _Counted:
    """Counts requests and their times by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self.metrics.request(scope["method"], route, message["status"], time.perf_counter() - began)
            await send(message)

        await self.app(scope, receive, sent)
