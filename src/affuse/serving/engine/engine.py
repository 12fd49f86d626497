"""Clips in, timelines out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from affuse.errors import AffuseError, ClipError
from affuse.failures import cause_of
from affuse.inference.predict import Predictor
from affuse.inference.timeline import Timeline
from affuse.models.finding import find_folder
from affuse.models.loading import load_model
from affuse.models.network import Model
from affuse.serving.engine.job import Failure, Job
from affuse.serving.engine.request import Draining, Full, Request
from affuse.serving.engine.served_model import ServedModel
from affuse.serving.limits import Limits


class Counts(NamedTuple):
    """What the engine has to do now."""

    queued: int
    running: int
    streams: int


class Engine:
    """One clip after another, in a thread."""

    def __init__(
        self,
        models: Mapping[str, Path],
        limits: Limits,
        *,
        workers: int = 1,
        decoders: int | None = None,
        device: str = "auto",
        asr: str | None = None,
    ) -> None:
        self._sources = dict(models)
        self.limits = limits
        self.models: dict[str, ServedModel] = {}
        self._loaded: dict[str, Model] = {}
        self._device, self._asr = device, asr
        self._queue: deque[Job] = deque()
        self._more = asyncio.Event()
        self._running: Job | None = None
        self._task: asyncio.Task[None] | None = None
        self.ready = self.draining = False

    async def start(self) -> None:
        """Load the models.

        Raises:
            AffuseError: One cannot be loaded.
        """
        for name, source in self._sources.items():
            model = await asyncio.to_thread(load_model, source)
            self._loaded[name] = model
            kinds = {one: encoder.kind for one, encoder in model.resolved.items()}
            asr = (model.defaults.recogniser or self._asr) if "text" in kinds.values() else None
            self.models[name] = ServedModel(
                name, find_folder(source), model.recipe.description, model.label_spaces, kinds, model.defaults, asr
            )  # fmt: skip
        self._task = asyncio.create_task(self._work())
        self.ready = True

    @property
    def counts(self) -> Counts:
        """How much there is to do."""
        return Counts(len(self._queue), self._running is not None, 0)

    def submit(self, request: Request) -> Job:
        """Put a clip into the queue.

        Raises:
            Full: Too many wait.
            Draining: The service is about to end.
            AffuseError: There is no such model, or settings do not fit it.
        """
        if self.draining:
            raise Draining
        if len(self._queue) >= self.limits.queue:
            raise Full(5.0)
        if request.model not in self.models:
            raise AffuseError(
                f"There is no model {request.model!r} here; it serves {', '.join(self.models)}."
            )
        self.models[request.model].maker(request.settings, request.tasks)
        job = Job(request, self._cancel)
        self._queue.append(job)
        self._place()
        self._more.set()
        return job

    def _place(self) -> None:
        for position, job in enumerate(self._queue, 1):
            job.position = position
            job.note()

    def _cancel(self, job: Job) -> None:
        if job in self._queue:
            self._queue.remove(job)
            self._place()
        job.state, job.position = "cancelled", None
        job.released.set()
        job.note()

    async def _work(self) -> None:
        while True:
            while not self._queue:
                self._more.clear()
                await self._more.wait()
            self._running = job = self._queue.popleft()
            job.state, job.position = "reading", None
            job.note()
            self._place()
            try:
                timeline = await asyncio.to_thread(self._predict, job)
            except Exception as error:
                sentence = cause_of(error, "The clip").replace(str(job.request.clip), "the clip")
                job.failure = Failure(sentence, "clip" if isinstance(error, ClipError) else "internal")
                timeline = None
            if not job.final:
                job.timeline, job.state = timeline, "failed" if timeline is None else "done"
                job.released.set()
                job.note()
            self._running = None

    def _predict(self, job: Job) -> Timeline:
        request = job.request
        predictor = Predictor(self._loaded[request.model], request.settings, tasks=request.tasks or None)
        timeline = predictor.predict(request.clip)
        timeline.clip = "clip"
        return timeline

    async def drain(self, seconds: float) -> None:
        """Take nothing new; finish what there is, for so many seconds at most."""
        self.draining = True
        waiting = [*self._queue, *filter(None, [self._running])]
        await asyncio.wait(
            [asyncio.create_task(job.wait()) for job in waiting] or [asyncio.create_task(asyncio.sleep(0))],
            timeout=seconds,
        )

    async def close(self) -> None:
        """End everything."""
        if self._task is not None:
            self._task.cancel()
