"""One clip of one client: what is asked for, how far it is, and what became of it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from affuse.inference.clip_reader import ClipPlan
from affuse.inference.settings import Settings
from affuse.inference.timeline import Picture, Timeline
from affuse.inference.timeline_maker import TimelineMaker

State = Literal["queued", "reading", "hearing", "predicting", "done", "failed", "cancelled"]
FINAL: tuple[State, ...] = ("done", "failed", "cancelled")
LONG_BYTES = 4_000_000  # of a clip that may take long to read: two minutes of plain sound
LONG_SECONDS = 120.0


@dataclass(frozen=True)
class Request:
    """A clip to be predicted.

    Attributes:
        model: The name that it is served by.
        clip: Its file; removed when it was read, and with it ``others``.
        settings: How it is predicted; nothing in them is an id or a path that a client named.
        tasks: Those that are told.
        client: Whose turn it is.
        hear: Whether its words are recognised.
        others: More files of the request: its words.
    """

    model: str
    clip: Path
    settings: Settings
    tasks: tuple[str, ...]
    client: str
    hear: bool = False
    others: tuple[Path, ...] = ()


class Failure(NamedTuple):
    """Why there is no answer.

    Attributes:
        sentence: In affuse's words; the clip is called "the clip".
        kind: "clip": its own fault; "limit": more than the service takes; "crash": a process died of it; "internal":
            a fault of affuse.
    """

    sentence: str
    kind: Literal["clip", "limit", "crash", "internal"]


@dataclass
class Reading:
    """What has come of a clip so far; thrown away where it is read once more."""

    plan: ClipPlan | None = None
    rows: dict[int, dict[str, np.ndarray]] = field(default_factory=dict[int, dict[str, np.ndarray]])
    given: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    causes: dict[str, None] = field(default_factory=dict[str, None])
    ended: bool = False
    fault: str = ""
    pictures: list[Picture] = field(default_factory=list[Picture])


class Job:
    """A request on its way. Only the engine changes it.

    Attributes:
        id: Cannot be guessed: whoever knows it may ask for the answer.
        request: What is asked for.
        state: See ``State``.
        timeline: The answer, when it is done.
        failure: Why there is none, when it failed.
        created: Seconds since the epoch.
    """

    def __init__(
        self,
        request: Request,
        maker: TimelineMaker,
        size: int,
        cancel: Callable[[Job], None],
        position: Callable[[Job], int | None],
    ) -> None:
        self.id = secrets.token_urlsafe(16)
        self.request, self.maker = request, maker
        self.state: State = "queued"
        self.timeline: Timeline | None = None
        self.failure: Failure | None = None
        self.created, self.begun = time.time(), time.monotonic()
        self.reading = Reading()
        self.tries = 0  # how often reading it began
        self.long = size > LONG_BYTES
        self._cancel, self._position = cancel, position
        self._changed = asyncio.Event()

    @property
    def position(self) -> int | None:
        """1: it is the next to be read; None: it does not wait."""
        return self._position(self)

    @property
    def windows_done(self) -> int:
        """Windows that were answered."""
        return len(self.reading.rows)

    @property
    def windows(self) -> int | None:
        """How many windows it has; None: not known yet."""
        return None if self.reading.plan is None else len(self.reading.plan.windows)

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    def cancel(self) -> None:
        """Stop all work on it."""
        self._cancel(self)

    async def changes(self) -> AsyncIterator[Job]:
        """Itself, now and at every change; the last time it is final."""
        while True:
            changed = self._changed
            yield self
            if self.final:
                return
            if changed is self._changed:  # else it changed while the caller was busy
                await changed.wait()

    async def wait(self) -> Job:
        """Itself, when it is final."""
        async for _ in self.changes():
            pass
        return self

    def change(self, state: State | None = None) -> None:
        """Tell all who wait for a change."""
        if state is not None:
            self.state = state
        self._changed.set()
        self._changed = asyncio.Event()
