"""An engine that runs in a test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from affuse.inference.settings import Settings
from affuse.serving.engine import Engine, Job, Request
from affuse.serving.limits import Limits

T = TypeVar("T")


class RunningEngine:
    """The engine and its loop, which runs while something is asked of it."""

    def __init__(self, runner: asyncio.Runner, engine: Engine) -> None:
        self.runner, self.engine = runner, engine

    def run(self, work: Coroutine[Any, Any, T], seconds: float = 60.0) -> T:
        return self.runner.run(asyncio.wait_for(work, seconds))

    def submit(self, clip: Path, model: str = "starter", client: str = "a", **settings: Any) -> Job:
        tasks = tuple(settings.pop("tasks", ()))
        return self.engine.submit(Request(model, clip, Settings.of(settings), tasks, client))

    def predict(self, clip: Path, model: str = "starter", **settings: Any) -> Job:
        async def work() -> Job:
            job = self.submit(clip, model, **settings)
            await job.wait()
            await job.released.wait()
            return job

        return self.run(work())


@contextmanager
def running_engine(
    models: Mapping[str, str | Path], limits: Limits | None = None, **options: Any
) -> Generator[RunningEngine]:
    with asyncio.Runner() as runner:

        async def make() -> Engine:
            engine = Engine(models, limits or Limits(decoders=2), **options)
            await engine.start()
            return engine

        engine = runner.run(make())
        try:
            yield RunningEngine(runner, engine)
        finally:
            runner.run(engine.close())
