"""The engine of the service: which clip is read next, which windows are answered next, and what becomes of each job."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from affuse.devices import choose_device
from affuse.errors import AffuseError
from affuse.inference.words import Word
from affuse.models.finding import find_folder
from affuse.parts.registry import unknown
from affuse.serving.engine.fair import FairQueue
from affuse.serving.engine.job import Failure, Job
from affuse.serving.engine.network_pool import NetworkPool
from affuse.serving.engine.reader_pool import ReaderPool
from affuse.serving.engine.request import Draining, Full, Request
from affuse.serving.engine.served_model import ServedModel, recogniser_of
from affuse.serving.engine.stream_answers import ask_networks
from affuse.serving.engine.streams import Streams
from affuse.serving.engine.telling import tell
from affuse.serving.limits import Limits

_LATEST = 60.0  # seconds after which another try is worth it, at most


class Counts(NamedTuple):
    """What the engine has to do now.

    Attributes:
        queued: Clips that wait.
        running: Clips that are being read or answered.
        streams: Live streams.
        windows: Windows that were read and wait for their answer.
    """

    queued: int
    running: int
    streams: int
    windows: int


class Engine:
    """Reads and answers the clips of many clients. It lives in one event loop.

    Clips are opened by processes without weights, which may die of them (``decoder``); windows of all clients run
    together through the networks of other processes (``networks``).

    Args:
        models: Name -> model folder, run folder, starter's name or Hub id.
        limits: What it takes at most.
        workers: Processes that have the weights, each of all models.
        decoders: Processes that read clips; None: as ``limits`` says.
        device: "auto", "cpu" or "cuda".
        asr: Recogniser for all models; None: each model's own; "none": no words are recognised.

    Attributes:
        models: Name -> what is known of it; filled by ``start``.
        jobs: Id -> job, finished ones for as long as ``limits`` keeps them.
        streams: The live ones.
        observe: Called with a quantity's name and its value: "queue_seconds" and "read_seconds" of a clip,
            "answer_seconds" and "batch_windows" of a batch, "hear_seconds" of a piece of sound.
    """

    def __init__(
        self,
        models: Mapping[str, str | Path],
        limits: Limits | None = None,
        *,
        workers: int = 1,
        decoders: int | None = None,
        device: str = "auto",
        asr: str | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.models: dict[str, ServedModel] = {}
        self.jobs: dict[str, Job] = {}
        self.observe: Callable[[str, float], None] = _unobserved
        self.draining = False
        self._folders = {name: find_folder(source) for name, source in models.items()}
        folders = {name: str(folder) for name, folder in self._folders.items()}
        heard = {name: recogniser_of(folder, asr) for name, folder in self._folders.items()}
        self._recognisers = {name: one for name, one in heard.items() if one is not None}
        threads = max(1, (os.cpu_count() or 1) // workers)
        self._networks = NetworkPool(
            folders, self._recognisers, choose_device(device), threads, self.limits.batch, workers
        )
        count = self.limits.decoders if decoders is None else max(2, decoders)
        self._readers = ReaderPool(folders, self.limits, count, self._networks)
        self._waiting = FairQueue[Job]()
        self.streams = Streams(self.limits.streams)
        self._tasks: set[asyncio.Task[None]] = set()
        self._started = self._closed = False
        self._pace = 1.0  # seconds from one finished job to the next, lately
        self._last_end = time.monotonic()

    async def start(self) -> None:
        """Start all processes and wait until each has loaded its models.

        Raises:
            AffuseError: A model cannot be loaded, or a process died of it.
        """
        self._readers.next_job = self._next_job
        self._readers.on_read = lambda job: self._begin(self._tell(job))
        self._readers.on_failed = self._fail
        self._readers.put_back = self._put_back
        self._readers.observe = self._networks.observe = lambda what, value: self.observe(what, value)
        try:
            facts, _ = await asyncio.gather(self._networks.start(), self._readers.start())
        except BaseException:
            await self.close()
            raise
        for name, folder in self._folders.items():
            self.models[name] = ServedModel.of(name, folder, facts[name], self._recognisers.get(name))
        self._started = True

    @property
    def recognisers(self) -> list[str]:
        """What hears the words, of all models."""
        return sorted(set(self._recognisers.values()))

    @property
    def ready(self) -> bool:
        """Whether clips are taken, and there is a process for each of their steps."""
        return self._started and not self.draining and self._networks.ready and self._readers.ready

    @property
    def failing(self) -> list[str]:
        """What does not begin any more, in sentences."""
        return [*self._networks.failing, *self._readers.failing]

    @property
    def counts(self) -> Counts:
        """How much there is to do."""
        queued = len(self._waiting)
        return Counts(queued, len(self.active) - queued, len(self.streams), self._networks.waiting)

    @property
    def active(self) -> list[Job]:
        """Jobs that are not final."""
        return [job for job in self.jobs.values() if not job.final]

    @property
    def processes(self) -> dict[str, list[int]]:
        """The ids of the processes: "decoders", "networks" and "recognisers"."""
        return {
            "decoders": self._readers.pids,
            "networks": self._networks.pids(),
            "recognisers": self._networks.pids(hears=True),
        }

    def submit(self, request: Request) -> Job:
        """Take a clip in.

        Raises:
            AffuseError: There is no such model, or the settings or tasks do not fit it.
            Full: Too many clips wait already.
            Draining: The service is about to end.
        """
        self.check_room(request.client)
        if request.model not in self.models:
            raise AffuseError(f"{unknown(request.model, list(self.models), 'models of this service')}.")
        model = self.models[request.model]
        hear = model.hears(request.settings)
        maker = model.maker(request.settings, request.tasks)
        long = request.clip.stat().st_size > self.limits.long_bytes
        job = Job(request, maker, hear, long, self._cancel, self._position)
        self.jobs[job.id] = job
        self._waiting.put(request.client, job)
        self._readers.feed()
        return job

    def open_stream(self) -> object:
        """A place for a live stream, which ``close_stream`` gives back; the owner of its windows.

        Raises:
            Full: There are as many as the service takes.
            Draining: The service is about to end.
        """
        if self.draining or not self._started:
            raise Draining
        return self.streams.open()

    def close_stream(self, owner: object) -> None:
        """Nobody waits for its windows any more."""
        self._networks.forget(owner)
        self.streams.close(owner)

    async def answer_sound(
        self, owner: object, model: str, client: str, frames: Sequence[bytes]
    ) -> list[tuple[dict[str, np.ndarray], tuple[str, ...]]]:
        """Answer windows of a stream, beside those of clips.

        Args:
            owner: The stream.
            model: Which answers.
            client: Whose turn it is.
            frames: Of ``live_frames.window_frame``.

        Returns:
            For each window task -> (classes,), and the modalities that it had.

        Raises:
            AffuseError: A process died of them.
        """
        return await ask_networks(self._networks, owner, model, client, "sound", frames)

    async def hear(self, owner: object, model: str, client: str, frames: Sequence[bytes]) -> list[Word]:
        """The words of pieces of sound, in order; arguments as of ``answer_sound``, frames of ``piece_frame``."""
        heard = await ask_networks(self._networks, owner, model, client, "hear", frames)
        return [Word(*word) for words in heard for word in words]

    async def drain(self, seconds: float) -> None:
        """Take nothing new and let what is under way end, for at most so many seconds; then cancel the rest.

        Live streams take no more sound: they tell what they have heard, then that the service ends.
        """
        self.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(self.streams.end(), *(job.wait() for job in self.active))
        for job in self.active:
            job.cancel()

    async def close(self) -> None:
        """End all processes; what was under way is cancelled."""
        if self._closed:
            return
        self._closed = self.draining = True
        for job in self.active:
            job.cancel()
        await self._readers.close()
        await self._networks.close()
        for job in self.jobs.values():
            job.released.set()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def check_room(self, client: str) -> None:
        """Whether a clip would be taken in now, which can be asked before it is sent.

        Where the queue is full, whoever has less than a fair share of it may still come, up to twice its length.

        Args:
            client: Whose clip it is.

        Raises:
            Full: Too many clips wait already.
            Draining: The service is about to end.
        """
        if self.draining or not self._started:
            raise Draining
        count, most = len(self._waiting), self.limits.queue
        if count < most:
            return
        own = self._waiting.count(client)
        share = most / (self._waiting.clients + (own == 0))
        if own >= share or count >= 2 * most:
            raise Full(max(1.0, min(_LATEST, round(self._pace * count / 2))))

    def _next_job(self, accept: Callable[[Job], bool]) -> Job | None:
        job = self._waiting.take(accept)
        if job is not None:
            self._tell_positions()
        return job

    def _put_back(self, job: Job) -> None:
        self._waiting.put_back(job.request.client, job)
        job.change("queued")

    def _position(self, job: Job) -> int | None:
        order = self._waiting.order()
        return order.index(job) + 1 if job in order else None

    def _tell_positions(self) -> None:
        for job in self._waiting:
            job.change()

    async def _tell(self, job: Job) -> None:
        """All windows are read and answered: what is left is to say what that means."""
        try:
            timeline = await asyncio.to_thread(tell, job)
        except AffuseError as error:
            self._fail(job, Failure(str(error), "clip"))
            return
        except Exception as error:
            self._fail(job, Failure(f"The clip cannot be predicted ({type(error).__name__}).", "internal"))
            return
        if not job.final:
            job.timeline = timeline
            self._end(job, "done")

    def _fail(self, job: Job, failure: Failure) -> None:
        if not job.final:
            job.failure = failure
            self._end(job, "failed")

    def _cancel(self, job: Job) -> None:
        if job.state == "queued":
            self._waiting.remove(lambda one: one is job)
            self._tell_positions()
        self._end(job, "cancelled")

    def _end(self, job: Job, state: Literal["done", "failed", "cancelled"]) -> None:
        """Nothing more is done for it; whoever still reads it is told so."""
        job.state = state  # so that nothing that is still on its way counts
        self._networks.forget(job)
        self._readers.let_go(job)
        now = time.monotonic()
        self._pace = 0.8 * self._pace + 0.2 * min(_LATEST, now - self._last_end)
        self._last_end = now
        job.change(state)
        self._keep(job)

    def _keep(self, job: Job) -> None:
        """A finished job's answer can be asked for, for a while."""
        with suppress(RuntimeError):  # the loop has ended
            asyncio.get_running_loop().call_later(self.limits.keep_seconds, self.jobs.pop, job.id, None)
        finished = [one for one in self.jobs.values() if one.final]
        for one in finished[: max(0, len(finished) - self.limits.kept_jobs)]:
            self.jobs.pop(one.id, None)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _unobserved(what: str, value: float) -> None:
    """Where nobody keeps numbers."""
