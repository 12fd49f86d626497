"""uvicorn's HTTP/1.1, but a connection whose request does not come is closed, and nonsense gets a problem too."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from affuse.serving.problems import MEDIA_TYPE, details

REQUEST_SECONDS = 20.0  # that the head of a request may take to arrive


class PatientProtocol(H11Protocol):
    """One connection. uvicorn itself waits for ever for a first request, and for the end of its head.

    Whoever opens connections and says nothing, or a byte now and then, would take all that the system has to give.
    """

    seconds = REQUEST_SECONDS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The wait is over when the head of the request is there, not with its first byte."""
        super().data_received(data)
        if self._answers():
            self._rest()

    def on_response_complete(self) -> None:
        """The next request may take as long."""
        super().on_response_complete()
        if not self._answers():
            self._wait()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """From here on the connection is another protocol's."""
        self._rest()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """A problem, as every other error."""
        sentence = f"{msg.rstrip('.')}; check its head, of at most 64 kB, and how its body is sent."
        body = json.dumps(details(400, sentence)).encode()
        headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("connection", "close")]
        with suppress(h11.LocalProtocolError):  # an answer has begun already
            for event in (
                h11.Response(status_code=400, headers=headers, reason="Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _answers(self) -> bool:
        """Whether a request is under way."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _wait(self) -> None:
        self._rest()
        self._timer = self.loop.call_later(self.seconds, self._close)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        if not self._answers():
            self.transport.close()


class RefusingProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, but a refusal with a body is an answer: uvicorn logs it as an error of the application."""

    async def send(self, message: Any) -> None:
        """Remember that the handshake has its answer."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True
