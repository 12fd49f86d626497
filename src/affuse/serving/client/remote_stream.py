"""A live stream to a service: the interface of ``affuse.Model.stream``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

from affuse.errors import AffuseError
from affuse.inference.live.checks import checked_block
from affuse.inference.live.pictures import Square, checked_picture
from affuse.inference.live.stream import LiveSegment
from affuse.media.jpeg import encode_jpeg
from affuse.media.samples import check_rate
from affuse.serving.client.connection import CONNECT, Connection, UnreachedError, problem_error, reason_of
from affuse.serving.client.read_timeline import read_segment, read_squares

if TYPE_CHECKING:
    from websockets.http11 import Response

_MESSAGE = 1 << 17  # samples of one message, half of what the service takes at once
_END_SECONDS = 120.0  # that the last answers may take


class RemoteStream:
    """Sound and pictures go in while they are made, segments come out; ``Client.stream`` makes it.

    Args:
        connection: To the service.
        rate: Of the samples, in Hz.
        fields: What is asked for.

    Attributes:
        warning: What should be known before the answers are believed, or "".
        faults: What of the pictures could not be used, in sentences; known when it is closed.
        squares: As of ``Model.stream``: modality -> where the face of the newest window is.

    Raises:
        AffuseError: The service refuses, or the package websockets is missing.
    """

    def __init__(self, connection: Connection, rate: int, fields: Mapping[str, str]) -> None:
        try:
            from websockets.exceptions import InvalidStatus, WebSocketException
            from websockets.sync.client import connect
        except ImportError:
            raise AffuseError("A stream needs the package websockets: pip install 'affuse[serve]'.") from None
        connection.check_open()
        self.rate = check_rate(rate)
        self._opened = ExitStack()
        self._address = connection.address
        query = urlencode({"rate": str(self.rate), "format": "f32le", **fields})
        url = f"ws{connection.address.removeprefix('http')}/v1/stream?{query}"
        try:
            self._socket = self._opened.enter_context(
                connect(
                    url, additional_headers=connection.headers, open_timeout=CONNECT, compression=None,
                    proxy=None if connection.local else True,
                )
            )  # fmt: skip
        except InvalidStatus as error:
            raise _refusal(self._address, error.response) from None
        except (WebSocketException, OSError) as error:
            raise UnreachedError(
                f"{self._address} takes no stream ({reason_of(error)}); look at its address and token."
            ) from None
        self._closed = self._ended = False
        self._pictures = fields.get("pictures") == "true"
        self._sent = 0  # samples
        self.faults: list[str] = []
        self.squares: dict[str, Square | None] = {}
        self.warning = str(self._receive(CONNECT).get("warning", ""))

    def push(self, block: Any) -> list[LiveSegment]:
        """Send the next samples, however many: (time,), mono, floats from -1 to 1, or int16.

        Returns:
            What has come since: segments that have become final, then those that may change.

        Raises:
            AffuseError: Samples of another kind, a stream that was closed, or what the service says of it.
        """
        self._check_open()
        samples, _ = checked_block(block)
        told: list[LiveSegment] = []
        for first in range(0, max(1, len(samples)), _MESSAGE):
            self._send(samples[first : first + _MESSAGE].astype("<f4").tobytes())
            told = self._take(told)
        self._sent += len(samples)
        return told

    def push_picture(self, picture: Any, seconds: float | None = None) -> list[LiveSegment]:
        """Send the next picture.

        Args:
            picture: (height, width, 3) uint8 RGB, of which a JPEG is made, or the bytes of a JPEG.
            seconds: Of the stream, on the clock of its sound; None: the sound that was pushed so far.

        Returns:
            As ``push``.

        Raises:
            AffuseError: What is no picture, a stream that has none or was closed, or what the service says of it.
        """
        self._check_open()
        if not self._pictures:
            raise AffuseError("This stream has no pictures; open it with pictures=True (client.stream).")
        given = checked_picture(picture)
        jpeg = given if isinstance(given, bytes) else encode_jpeg(given)
        at = self._sent / self.rate if seconds is None else float(seconds)
        self._send(json.dumps({"type": "picture", "seconds": at}))
        self._send(jpeg)
        return self._take([])

    def close(self) -> list[LiveSegment]:
        """End the sound: the segments that are left, all of them final."""
        if self._closed:
            return []
        self._closed = True
        self._send(json.dumps({"type": "end"}))
        told: list[LiveSegment] = []
        while not self._ended:
            message = self._receive(_END_SECONDS)
            if message is _NOTHING:
                self._opened.close()
                raise UnreachedError(
                    f"{self._address} has not ended the stream within {_END_SECONDS:g} seconds."
                )
            told = _joined(told, message)
        self._opened.close()
        return [one for one in told if one.final]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._opened.close()

    def _check_open(self) -> None:
        if self._closed:
            raise AffuseError("This stream was closed; open another one (client.stream).")

    def _take(self, told: list[LiveSegment]) -> list[LiveSegment]:
        """What was told before, and what has come since."""
        while (message := self._receive(0)) is not _NOTHING:
            told = _joined(told, message)
        return told

    def _send(self, message: bytes | str) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            self._socket.send(message)
        except ConnectionClosed:
            while self._receive(0):  # why the service has closed it stands in its last message
                pass
            raise self._broken() from None

    def _receive(self, seconds: float) -> Mapping[str, Any]:
        """The next message; ``_NOTHING`` where there is none within so many seconds."""
        from websockets.exceptions import ConnectionClosed

        try:
            message = json.loads(self._socket.recv(timeout=seconds))
            kind = message["type"]
        except TimeoutError:
            return _NOTHING
        except (ConnectionClosed, ValueError, KeyError, TypeError):
            raise self._broken() from None
        if kind == "problem":
            self._closed = True
            self._opened.close()
            raise problem_error(message)
        if kind == "faces":
            self.squares = read_squares(message)
        if kind == "end":
            self.faults = [str(one) for one in message.get("faults", ())]
        self._ended = kind == "end"
        return message

    def _broken(self) -> UnreachedError:
        return UnreachedError(f"The stream to {self._address} broke; open another one.")


def _refusal(address: str, response: Response) -> AffuseError:
    """The problem of a service that does not open the stream, or that it is none."""
    try:
        told = json.loads(response.body)
        return problem_error({"detail": told["detail"]})
    except (ValueError, KeyError, TypeError):
        return UnreachedError(
            f"{address} takes no stream (it answers {response.status_code}); look at its address and token."
        )


_NOTHING: Mapping[str, Any] = {}


def _joined(told: list[LiveSegment], message: Mapping[str, Any]) -> list[LiveSegment]:
    """Later segments that may change take the place of earlier ones."""
    if message.get("type") != "segments":
        return told
    final = [one for one in told if one.final] + [
        LiveSegment(read_segment(one), True) for one in message["final"]
    ]
    return final + [LiveSegment(read_segment(one), False) for one in message["partial"]]
