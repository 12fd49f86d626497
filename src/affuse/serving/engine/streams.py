"""The places of live streams, and what tells all of them that the service ends."""

from __future__ import annotations

import asyncio

from affuse.serving.engine.request import Full

_LATEST = 60.0  # seconds after which another try is worth it; nobody knows when a stream ends


class Streams:
    """As many as the service takes.

    Args:
        most: How many.

    Attributes:
        leaving: Set when every stream is to end: it takes no more sound, and tells what it has heard.
    """

    def __init__(self, most: int) -> None:
        self.leaving = asyncio.Event()
        self._most = most
        self._held: set[object] = set()
        self._one_left = asyncio.Event()

    def __len__(self) -> int:
        """Streams that are open."""
        return len(self._held)

    def open(self) -> object:
        """A place.

        Raises:
            Full: There is none.
        """
        if len(self._held) >= self._most:
            raise Full(_LATEST, "As many live streams are open as the service takes")
        owner = object()
        self._held.add(owner)
        return owner

    def close(self, owner: object) -> None:
        """Give a place back."""
        self._held.discard(owner)
        self._one_left.set()

    async def end(self) -> None:
        """Tell all of them to end, and wait until they have."""
        self.leaving.set()
        while self._held:
            self._one_left.clear()
            await self._one_left.wait()
