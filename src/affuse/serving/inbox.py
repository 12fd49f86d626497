"""What the client of a live stream sends, until one of the two sides ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from affuse.serving.problems import ProblemError

_GONE = 1001  # RFC 6455, 7.4.1: where a client that has gone says nothing else


class Inbox:
    """The binary messages of one client.

    Args:
        websocket: Which was accepted; nobody else receives from it.
        patience: Seconds without a message after which it is ended.
        leaving: Set when the service ends.

    Attributes:
        cut: Whether the service's end came before the client's.
    """

    def __init__(self, websocket: WebSocket, patience: float, leaving: asyncio.Event) -> None:
        self.cut = False
        self._websocket, self._patience = websocket, patience
        self._leaving = asyncio.create_task(leaving.wait())
        self._dropping: asyncio.Task[None] | None = None

    async def messages(self) -> AsyncIterator[bytes]:
        """Each as it comes, until the client says that there are no more, or the service ends.

        Raises:
            ProblemError: Nothing came for too long, or what is no message of a stream.
            WebSocketDisconnect: The client has gone.
        """
        while (message := await self._next()) is not None:
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", _GONE))
            if (data := message.get("bytes")) is not None:
                yield data
            elif _is_end(message.get("text") or ""):
                return
            else:
                raise ProblemError(
                    422, 'A stream takes sound as binary messages, and the text {"type": "end"} at its end.'
                )

    def close(self) -> None:
        """Wait for nothing any more."""
        self._leaving.cancel()
        if self._dropping is not None:
            self._dropping.cancel()

    async def _next(self) -> Any:
        """None: the service ends."""
        receiving = asyncio.ensure_future(self._websocket.receive())
        try:
            await asyncio.wait(
                (receiving, self._leaving), timeout=self._patience, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            receiving.cancel()
            raise
        if self._leaving.done():
            self.cut = True
            self._dropping = asyncio.create_task(self._drop(receiving))
            return None
        if receiving.done():
            return receiving.result()
        receiving.cancel()
        raise ProblemError(
            408,
            f"The stream sent nothing for {self._patience:g} seconds and was ended; open another one.",
        )

    async def _drop(self, receiving: asyncio.Future[Any]) -> None:
        """What still comes, while the last answers go out: unread messages would hold up the end of the connection."""
        while (await receiving)["type"] != "websocket.disconnect":
            receiving = asyncio.ensure_future(self._websocket.receive())


def _is_end(text: str) -> bool:
    try:
        return json.loads(text) == {"type": "end"}
    except ValueError:
        return False
