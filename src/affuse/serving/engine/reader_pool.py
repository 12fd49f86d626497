"""The processes that read clips: which of them has which clip, what they send, and what happens when one dies."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from safetensors import SafetensorError

from affuse.errors import AffuseError
from affuse.serving.engine import decoder
from affuse.serving.engine.child import Child
from affuse.serving.engine.frames import head_of, pack, tensors_of
from affuse.serving.engine.job import Failure, Job
from affuse.serving.engine.network_pool import NetworkPool, Unit
from affuse.serving.engine.reading import Reading, plan_of
from affuse.serving.engine.reading_process import ReadingProcess
from affuse.serving.limits import Limits

GRACE = 2.0  # seconds in which a decoder has to notice that nobody wants its clip any more
TRIES = 2  # of a clip whose decoder died: something else may have killed it


class ReaderPool:
    """Gives clips to decoders, their windows to the networks, and the answers to the jobs.

    Args:
        folders: Name -> model folder.
        limits: What a clip may take.
        decoders: How many processes.
        networks: Who answers the windows.

    Attributes:
        next_job: Asked for the next job that is accepted; None: there is none.
        on_read: Called with a job whose windows are all answered.
        on_failed: Called with a job and why it has no answer.
        put_back: Called with a job that is to be read once more.
        observe: Called with a quantity's name and its value: "queue_seconds", "read_seconds".
    """

    def __init__(
        self, folders: Mapping[str, str], limits: Limits, decoders: int, networks: NetworkPool
    ) -> None:
        self._args = (dict(folders), limits)
        self._limits, self._networks = limits, networks
        self._decoders = [ReadingProcess() for _ in range(decoders)]
        self._unanswered: set[Job] = set()  # they were read, and the networks are not done with them
        self._closing = False
        self.next_job: Callable[[Callable[[Job], bool]], Job | None] = lambda accept: None
        self.on_read: Callable[[Job], None] = lambda job: None
        self.on_failed: Callable[[Job, Failure], None] = lambda job, failure: None
        self.put_back: Callable[[Job], None] = lambda job: None
        self.observe: Callable[[str, float], None] = lambda what, value: None

    @property
    def pids(self) -> list[int]:
        """The processes' ids."""
        return [one.child.pid for one in self._decoders if one.child.pid is not None]

    @property
    def ready(self) -> bool:
        """Whether some process has its models."""
        return any(one.ready for one in self._decoders)

    @property
    def failing(self) -> list[str]:
        """What does not begin any more, in sentences."""
        said = [one.restarts.sentence("reads clips") for one in self._decoders]
        return [sentence for sentence in said if sentence]

    async def start(self) -> None:
        """Start the processes.

        Raises:
            AffuseError: One died of loading the models.
        """
        self._loaded = asyncio.get_running_loop().create_future()
        for one in self._decoders:
            self._spawn(one)
        await self._loaded

    def feed(self) -> None:
        """Give every idle decoder a clip; long ones never get the last of them.

        None is read while the windows of clips that were read are enough for the networks already: clips wait in the
        queue, which is bounded, and not as windows in memory.
        """
        if self._left >= 2 * self._limits.batch:
            return
        for one in self._decoders:
            if not one.ready or one.job is not None:
                continue
            room = self._long < len(self._decoders) - 1
            job = self.next_job(lambda job, room=room: room or not job.long)
            if job is None:
                return
            one.begin(job)
            job.tries += 1
            self.observe("queue_seconds", one.heard - job.begun_at)
            job.reading = Reading()
            job.change("reading")
            request = job.request
            one.child.send(
                pack({
                    "do": "read", "job": job.id, "clip": str(request.clip), "model": request.model,
                    "settings": request.settings.model_copy(update={"asr": None}).model_dump(mode="json"),
                    "hear": job.hear,
                })
            )  # fmt: skip
            self._look_whether_stuck(one, job)

    def let_go(self, job: Job) -> None:
        """A job is over: whoever reads it still is stopped, and then it is released."""
        one = next((one for one in self._decoders if one.job is job), None)
        self._unanswered.discard(job)
        if one is None:
            job.released.set()
            self.feed()
        else:
            self._stop(one, job)

    @property
    def _left(self) -> int:
        """How many windows of clips that were read are not answered."""
        return sum((job.windows or 0) - job.windows_done for job in self._unanswered)

    @property
    def _long(self) -> int:
        """How many long clips are being read."""
        return sum(one.job is not None and one.job.long for one in self._decoders)

    def _stop(self, one: ReadingProcess, job: Job) -> None:
        one.child.send(pack({"do": "cancel", "job": job.id}))
        if one.stopping is None:
            one.stopping = asyncio.get_running_loop().call_later(GRACE, self._kill_if, one, job, None)

    async def close(self) -> None:
        """End all processes."""
        self._closing = True
        for one in self._decoders:
            if hasattr(one, "child"):
                one.child.kill()
                await asyncio.to_thread(one.child.join)

    def _spawn(self, one: ReadingProcess) -> None:
        if self._closing:
            return
        one.ready = False
        one.begin(None)
        one.child = Child(
            decoder.serve, self._args, lambda frame: self._hear(one, frame), lambda how: self._died(one, how)
        )

    def _hear(self, one: ReadingProcess, frame: bytes) -> None:
        head = head_of(frame)
        one.heard = time.monotonic()
        if "ready" in head:
            one.ready = True
            one.restarts.worked()
            if not self._loaded.done() and all(other.ready for other in self._decoders):
                self._loaded.set_result(None)
        elif "refused" in head:
            if not self._loaded.done():
                self._loaded.set_exception(AffuseError(head["refused"]))
        elif one.job is not None and head.get("job") == one.job.id:
            self._hear_checked(one, one.job, head, frame)
        self.feed()

    def _hear_checked(self, one: ReadingProcess, job: Job, head: dict[str, Any], frame: bytes) -> None:
        """A file may have taken a decoder over: what it says is believed only if it can be."""
        try:
            self._hear_of(one, job, head, frame)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, SafetensorError):
            self._kill_if(one, job, Failure("Reading the clip made no sense; it may be damaged.", "crash"))

    def _hear_of(self, one: ReadingProcess, job: Job, head: dict[str, Any], frame: bytes) -> None:
        """What a decoder says of its clip. Of a job that is over only the end counts."""
        if "failed" in head or "cancelled" in head or "end" in head:
            if "end" in head and not job.final:
                job.reading.end(head, tensors_of(frame))
            again = one.again and not job.final
            self._free(one, again)
            if again:
                self.put_back(job)
            elif "failed" in head:
                self._fail(job, Failure(head["failed"], head["kind"]))
            elif "end" in head and not job.final:
                self._unanswered.add(job)
                self._look_whether_read(job)
        elif job.final or one.again:
            return
        elif "long" in head:
            self._grow(one, job)
        elif "piece" in head:
            self._hear_piece(one, job, frame)
        elif "pieces_end" in head:
            one.pieces_ended = True
            self._send_words(one, job)
        elif "plan" in head:
            job.reading.plan = plan_of(head["plan"], tensors_of(frame)["peaks"])
            job.change("predicting")
        elif "window" in head:
            self._answer_window(one, job, head, frame)

    def _answer_window(self, one: ReadingProcess, job: Job, head: dict[str, Any], frame: bytes) -> None:
        reading, number = job.reading, int(head["window"])
        if reading.plan is None or number != len(reading.given) or number >= len(reading.plan.windows):
            raise ValueError("windows come in order")
        reading.given[number] = tuple(map(str, head["given"]))
        reading.causes |= dict.fromkeys(head["causes"])
        one.open += 1

        def done(rows: dict[str, np.ndarray]) -> None:
            if job.reading is not reading:  # the clip is read once more
                return
            reading.rows[number] = rows
            self._answered(one, job)
            job.change()
            self._look_whether_read(job)
            self.feed()

        self._networks.submit(
            Unit(
                job,
                job.request.client,
                job.request.model,
                "answer",
                frame,
                done,
                lambda f: self._fail(job, f),
            )
        )

    def _hear_piece(self, one: ReadingProcess, job: Job, frame: bytes) -> None:
        if job.state != "hearing":
            job.change("hearing")
        number, one.pieces, one.open = one.pieces, one.pieces + 1, one.open + 1

        def done(words: list[Any]) -> None:
            if one.job is not job:
                return
            one.words.append((number, words))
            self._answered(one, job)
            self._send_words(one, job)

        self._networks.submit(
            Unit(
                job, job.request.client, job.request.model, "hear", frame, done, lambda f: self._fail(job, f)
            )
        )

    def _send_words(self, one: ReadingProcess, job: Job) -> None:
        """When all pieces were heard: their words, in order."""
        if one.pieces_ended and len(one.words) == one.pieces:
            words = [word for _, heard in sorted(one.words, key=lambda item: item[0]) for word in heard]
            one.child.send(pack({"do": "words", "job": job.id, "words": words}))

    def _answered(self, one: ReadingProcess, job: Job) -> None:
        if one.job is job:
            one.open -= 1
            one.child.send(pack({"do": "answered", "job": job.id, "count": 1}))

    def _look_whether_read(self, job: Job) -> None:
        if not job.final and job.reading.complete:
            self.on_read(job)

    def _fail(self, job: Job, failure: Failure) -> None:
        self.on_failed(job, failure)

    def _grow(self, one: ReadingProcess, job: Job) -> None:
        """A clip turns out to be long: where no other long one may be read, it waits for one of them."""
        if job.long:
            return
        room = self._long < len(self._decoders) - 1
        job.long = True
        if not room:
            one.again = True
            job.tries -= 1
            self._networks.forget(job)
            self._stop(one, job)

    def _free(self, one: ReadingProcess, again: bool = False) -> None:
        """A decoder is done with its clip, which may go now, if it is not to be read again."""
        if one.job is not None and not again:
            one.job.released.set()
            self.observe("read_seconds", time.monotonic() - one.begun)
        one.begin(None)

    def _kill_if(self, one: ReadingProcess, job: Job, failure: Failure | None) -> None:
        """A decoder that still has a job which nobody wants, or that is stuck."""
        if one.job is job and not self._closing:
            one.failure = failure
            one.child.kill()

    def _died(self, one: ReadingProcess, how: str) -> None:
        if self._closing:
            return
        if not self._loaded.done():
            self._loaded.set_exception(
                AffuseError(
                    f"A process of the service {how} while it loaded the models; memory may have run out."
                )
            )
            return
        job, failure, was_ready = one.job, one.failure, one.ready
        again = job is not None and not job.final and failure is None and (one.again or job.tries < TRIES)
        if job is not None and again:
            self._networks.forget(job)
            self._spawn(one)
            self.put_back(job)
            self.feed()
            return
        if job is not None:
            self._free(one)
            told = (
                "Reading the clip ended the process that did it: it may be damaged, or take too much memory."
            )
            self._fail(job, failure or Failure(told, "crash"))
        if was_ready:
            self._spawn(one)
        else:
            asyncio.get_running_loop().call_later(one.restarts.failed(), self._spawn, one)

    def _look_whether_stuck(self, one: ReadingProcess, job: Job) -> None:
        """A decoder that neither waits for answers nor says anything for long is killed, and its clip refused."""
        if one.job is not job or self._closing:
            return
        most, now = self._limits.silent_seconds, time.monotonic()
        if one.open >= self._limits.ahead or (one.pieces_ended and one.open > 0):
            one.heard = now
        if now - one.heard < most:
            later = one.heard + most - now + 0.01
            asyncio.get_running_loop().call_later(later, self._look_whether_stuck, one, job)
            return
        told = f"Reading the clip made no progress for {most:g} seconds; convert it (wav, mp4)."
        self._kill_if(one, job, Failure(told, "limit"))
