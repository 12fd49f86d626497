"""What is known of a process that reads clips, and of the clip that it has."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from affuse.serving.engine.child import Child
from affuse.serving.engine.job import Failure, Job
from affuse.serving.engine.restarts import Restarts


class ReadingProcess:
    """One process and its clip."""

    def __init__(self) -> None:
        self.child: Child
        self.ready = False
        self.restarts = Restarts()
        self.job: Job | None = None
        self.heard = 0.0  # when it last said something
        self.open = 0  # windows and pieces of it that wait for an answer
        self.words: list[tuple[int, list[Any]]] = []  # of the pieces so far, by their number
        self.pieces = 0
        self.pieces_ended = False
        self.failure: Failure | None = None  # why it was killed
        self.again = False  # its clip is stopped, to be read later
        self.stopping: asyncio.TimerHandle | None = None  # kills it, where it does not stop by itself
        self.begun = 0.0

    def begin(self, job: Job | None) -> None:
        """Nothing is left of the clip before."""
        self.job, self.open, self.failure = job, 0, None
        self.words, self.pieces, self.pieces_ended = [], 0, False
        self.again = False
        if self.stopping is not None:
            self.stopping.cancel()
            self.stopping = None
        self.heard = self.begun = time.monotonic()
