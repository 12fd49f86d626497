"""A service behind a real uvicorn on the loopback, in a thread of the test's process."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from affuse.serving.about.about import About
from affuse.serving.app import create_app
from affuse.serving.engine import Engine
from affuse.serving.limits import Limits
from affuse.serving.server import open_socket, uvicorn_config


class RunningService:
    """Its address, a client of it, and what is inside."""

    def __init__(
        self,
        address: str,
        app: Any,
        engine: Engine,
        about: Mapping[str, About],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.address, self.app, self.engine, self.about, self.loop = address, app, engine, about, loop
        self.http = httpx2.Client(base_url=address, timeout=60.0, trust_env=False)

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    @property
    def inner(self) -> FastAPI:
        app = self.app
        while not isinstance(app, FastAPI):
            app = app.app
        return app

    @property
    def uploads(self) -> list[Path]:
        """The files that were not deleted yet."""
        return list(self.inner.state.service.folder.iterdir())

    def metric(self, pattern: str) -> float:
        """The one figure whose line begins so."""
        found = re.findall(rf"^{pattern} (\S+)$", self.http.get("/metrics").text, re.MULTILINE)
        return float(found[0]) if found else 0.0

    def predict(self, clip: Path, headers: dict[str, str] | None = None, **fields: str) -> httpx2.Response:
        with clip.open("rb") as file:
            return self.http.post("/v1/predict", data=fields, files={"clip": file}, headers=headers)

    def submit(self, clip: Path, **fields: str) -> str:
        with clip.open("rb") as file:
            told = self.http.post("/v1/jobs", data=fields, files={"clip": file})
        assert told.status_code == 202, told.text
        return told.json()["id"]


@contextmanager
def running_service(
    limits: Limits, about: Mapping[str, About] | None = None, **options: Any
) -> Generator[RunningService]:
    """``about``: the models; the starter where none are given."""
    about = about or {"starter": About("starter")}
    engine = Engine({name: one.folder for name, one in about.items()}, limits)
    app = create_app(engine, about, **options)
    opened = open_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn_config(app))
    began = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        serving = asyncio.create_task(server.serve(sockets=[opened]))
        while not (server.started or serving.done()):
            await asyncio.sleep(0.01)
        began.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        assert began.wait(300)
        assert server.started
        running = RunningService(f"http://127.0.0.1:{opened.getsockname()[1]}", app, engine, about, loops[0])
        with running.http:
            yield running
    finally:
        server.should_exit = True
        thread.join(30)
        opened.close()
    assert not thread.is_alive()


@contextmanager
def second_door(service: RunningService, **options: Any) -> Generator[RunningService]:
    """The same engine behind another application and port, in the same loop."""
    app = create_app(service.engine, service.about, **options)
    opened = open_socket("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn_config(app, lifespan="off"))
    door = RunningService(
        f"http://127.0.0.1:{opened.getsockname()[1]}", app, service.engine, service.about, service.loop
    )
    door.inner.state.service = service.inner.state.service
    serving = asyncio.run_coroutine_threadsafe(server.serve(sockets=[opened]), service.loop)
    try:
        wait_until(lambda: server.started or serving.done())
        with door.http:
            yield door
    finally:
        server.should_exit = True
        serving.result(30)
        opened.close()


@contextmanager
def held_up(service: RunningService) -> Generator[Callable[[], None]]:
    """Its loop does nothing until the function that is given is called, at the latest at the end."""
    gate, held = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        gate.wait(60)

    service.loop.call_soon_threadsafe(hold)
    assert held.wait(60)
    try:
        yield gate.set
    finally:
        gate.set()


def wait_until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def check_problem(answer: httpx2.Response, status: int, said: str) -> None:
    """RFC 9457, with one sentence of ours."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == "about:blank"
    assert told["status"] == status
    assert told["title"]
    assert said in told["detail"]
    assert told["detail"].endswith(".")
    assert "\n" not in told["detail"]
