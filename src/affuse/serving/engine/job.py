"""One clip on its way through the engine, as those see it who wait for it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal, NamedTuple

from affuse.inference.timeline import Timeline
from affuse.serving.engine.request import Request

State = Literal["queued", "reading", "hearing", "predicting", "done", "failed", "cancelled"]
FINAL: frozenset[State] = frozenset({"done", "failed", "cancelled"})


class Failure(NamedTuple):
    """Why a clip has no timeline.

    Attributes:
        sentence: For whoever sent it.
        kind: "clip" (it cannot be used), "limit" (it is too large), "crash" (it ended a process) or "internal".
    """

    sentence: str
    kind: Literal["clip", "limit", "crash", "internal"]


class Job:
    """A request and what has become of it. Only the event loop's thread may touch it.

    Attributes:
        id: Nobody can guess it.
        request: What was asked.
        state: Where it is.
        position: Place in the queue, 1 is next; None when it does not wait any more.
        windows_done: Windows that were answered.
        windows: How many there are; None until the clip was scanned.
        timeline: When it is done.
        failure: When it has failed.
        released: Set when no process will open the clip's file again.
        finished_at: ``time.monotonic()`` when it became final.
    """

    def __init__(self, request: Request, cancel: Callable[[Job], None]) -> None:
        self.id = secrets.token_urlsafe(16)
        self.request = request
        self.state: State = "queued"
        self.position: int | None = None
        self.windows_done = 0
        self.windows: int | None = None
        self.timeline: Timeline | None = None
        self.failure: Failure | None = None
        self.released = asyncio.Event()
        self.finished_at: float | None = None
        self._cancel = cancel
        self._version = 0
        self._changed = asyncio.Event()

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    async def changes(self) -> AsyncIterator[Job]:
        """The job itself, now and at every change; changes in quick succession are one. The last one is final."""
        seen = -1
        while True:
            if seen != self._version:
                seen = self._version
                yield self
            elif self.final:
                return
            else:
                await self._changed.wait()

    async def wait(self) -> Job:
        """The job, when it is final."""
        while not self.final:
            await self._changed.wait()
        return self

    def cancel(self) -> None:
        """Stop the work; the job is final within two seconds, whatever it was doing."""
        if not self.final:
            self._cancel(self)

    def note(self) -> None:
        """Tell those who wait that something has changed."""
        self._version += 1
        if self.final and self.finished_at is None:
            self.finished_at = time.monotonic()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
