"""One clip on its way through the engine: how far it is, and what became of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal, NamedTuple

from affuse.inference.timeline import Timeline
from affuse.inference.timeline_maker import TimelineMaker
from affuse.serving.engine.reading import Reading
from affuse.serving.engine.request import Request

State = Literal["queued", "reading", "hearing", "predicting", "done", "failed", "cancelled"]
FINAL: frozenset[State] = frozenset({"done", "failed", "cancelled"})


class Failure(NamedTuple):
    """Why a clip has no timeline.

    Attributes:
        sentence: For whoever sent it; the clip is called "the clip".
        kind: "clip" (it cannot be used), "limit" (it takes more than the service gives), "crash" (it ended a process)
            or "internal" (a fault of affuse).
    """

    sentence: str
    kind: Literal["clip", "limit", "crash", "internal"]


class Job:
    """A request and what has become of it. Only the event loop's thread may touch it, and only the engine changes it.

    Attributes:
        id: Nobody can guess it: whoever knows it may ask for the answer.
        request: What was asked.
        state: Where it is.
        timeline: When it is done.
        failure: When it has failed.
        released: Set when no process will open the clip's file again.
        begun_at: ``time.monotonic()`` when it was taken in.
        finished_at: The same when it became final.
        reading: What has come of it so far.
        hear: Whether its words are recognised.
        long: Whether reading it takes long.
        tries: How often reading it began.
    """

    def __init__(
        self,
        request: Request,
        maker: TimelineMaker,
        hear: bool,
        long: bool,
        cancel: Callable[[Job], None],
        position: Callable[[Job], int | None],
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.request, self.maker, self.hear, self.long = request, maker, hear, long
        self.state: State = "queued"
        self.timeline: Timeline | None = None
        self.failure: Failure | None = None
        self.released = asyncio.Event()
        self.begun_at = time.monotonic()
        self.finished_at: float | None = None
        self.reading = Reading()
        self.tries = 0
        self._cancel, self._position = cancel, position
        self._changed = asyncio.Event()
        self._counts: tuple[int, int | None] | None = (
            None  # when it is final, and nothing else is kept of its windows
        )

    @property
    def position(self) -> int | None:
        """1: it is the next to be read; None: it does not wait any more."""
        return self._position(self) if self.state == "queued" else None

    @property
    def windows_done(self) -> int:
        """Windows that were answered."""
        return self._counts[0] if self._counts is not None else len(self.reading.rows)

    @property
    def windows(self) -> int | None:
        """How many there are; None until the clip was scanned."""
        if self._counts is not None:
            return self._counts[1]
        return None if self.reading.plan is None else len(self.reading.plan.windows)

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    async def changes(self) -> AsyncIterator[Job]:
        """The job itself, now and at every change; changes in quick succession are one. The last one is final."""
        while True:
            changed = self._changed
            final = self.final
            yield self
            if final:
                return
            await changed.wait()  # it is set already, where something changed while the caller was busy

    async def wait(self) -> Job:
        """The job, when it is final."""
        while not self.final:
            await self._changed.wait()
        return self

    def cancel(self) -> None:
        """Stop all work on it. It is final at once; ``released`` is set within two seconds."""
        if not self.final:
            self._cancel(self)

    def change(self, state: State | None = None) -> None:
        """Tell all who wait that something has changed."""
        if state is not None:
            self.state = state
        if self.final and self.finished_at is None:
            self.finished_at = time.monotonic()
            self._counts = self.windows_done, self.windows
            self.reading = Reading()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
