"""What the client of a live stream sends, until one of the two sides ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from affuse.serving.problems import ProblemError

_FAR = 1e9  # seconds, beyond which no picture of a stream is
_GONE = 1001  # RFC 6455, 7.4.1: where a client that has gone says nothing else


class Shown(NamedTuple):
    """A picture: ``seconds`` of the stream, and its JPEG."""

    seconds: float
    jpeg: bytes


class Inbox:
    """The binary messages of one client.

    Args:
        websocket: Which was accepted; nobody else receives from it.
        patience: Seconds without a message after which it is ended.
        leaving: Set when the service ends.
        pictures: Whether the stream has pictures.

    Attributes:
        cut: Whether the service's end came before the client's.
    """

    def __init__(
        self, websocket: WebSocket, patience: float, leaving: asyncio.Event, pictures: bool = False
    ) -> None:
        self.cut = False
        self._pictures = pictures
        self._websocket, self._patience = websocket, patience
        self._leaving = asyncio.create_task(leaving.wait())
        self._dropping: asyncio.Task[None] | None = None

    async def messages(self) -> AsyncIterator[bytes | Shown]:
        """Each as it comes, until the client says that there are no more, or the service ends.

        Sound is bytes; a picture is announced by a text, and is the next bytes.

        Raises:
            ProblemError: Nothing came for too long, or what is no message of a stream.
            WebSocketDisconnect: The client has gone.
        """
        announced: float | None = None
        while (message := await self._next()) is not None:
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", _GONE))
            if (data := message.get("bytes")) is not None:
                yield data if announced is None else Shown(announced, data)
                announced = None
                continue
            told = _read(message.get("text") or "")
            if told == {"type": "end"}:
                return
            if announced is not None or told.get("type") != "picture":
                raise ProblemError(
                    422,
                    'A stream takes sound as binary messages, the text {"type": "picture", "seconds": 1.25} before a '
                    'binary message that is a JPEG, and the text {"type": "end"} at its end.',
                )
            announced = self._second(told)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._leaving.cancel()
        if self._dropping is not None:
            self._dropping.cancel()

    def _second(self, told: dict[str, Any]) -> float:
        """When a picture that is announced was made."""
        if not self._pictures:
            raise ProblemError(422, "This stream has no pictures; open it with pictures=true.")
        seconds = told.get("seconds")
        # nor is NaN below; a whole number may be too long for a float
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < _FAR:
            raise ProblemError(
                422,
                'A picture is announced with its second of the stream, as in {"type": "picture", "seconds": 1.25}.',
            )
        return float(seconds)

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


def _read(text: str) -> dict[str, Any]:
    """A JSON object; nothing where it is none."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
