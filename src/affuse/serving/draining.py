"""uvicorn, but the first SIGTERM or Ctrl-C lets what is under way end: new clips get 503 until then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import FrameType

import uvicorn

DRAIN = 30.0  # seconds that running clips get


class DrainingServer(uvicorn.Server):
    """The second signal ends it at once.

    Args:
        config: Of uvicorn.
        drain: Lets running clips end, for at most so many seconds.
        ready: Called when it listens.
    """

    def __init__(
        self, config: uvicorn.Config, drain: Callable[[float], Awaitable[None]], ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._drain, self._ready = drain, ready
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        """As uvicorn, then says so."""
        await super().startup(sockets)  # type: ignore[arg-type]
        if self.started:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain first."""
        if self._draining is None and self.started:
            loop = asyncio.get_running_loop()
            self._draining = loop.create_task(self._end_when_drained())
            return
        super().handle_exit(sig, frame)
        self.config.timeout_graceful_shutdown = 0  # for whoever still listens

    async def _end_when_drained(self) -> None:
        await self._drain(DRAIN)
        self.should_exit = True
