"""The faces of a live stream, which a process of its own cuts out of its pictures."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping

from affuse.errors import AffuseError
from affuse.inference.faces import FaceOptions
from affuse.inference.live.listener import ReadyWindow
from affuse.inference.live.pictures import FacesRead
from affuse.serving.engine import face_decoder
from affuse.serving.engine.child import Child
from affuse.serving.limits import Limits

_DAMAGED = "Decoding the pictures ended the process that did it; one of them may be damaged."


class StreamFaces:
    """Pictures go in, the faces of windows come out. It lives in one event loop.

    Args:
        options: Modality -> what its encoder asks of faces.
        limits: Of memory, pixels and processor time.
        failed: Called once with why no more can be read, unless the stream is closed.

    Attributes:
        fault: What of the pictures could not be used, or ""; known when they have ended.
    """

    def __init__(
        self, options: Mapping[str, FaceOptions], limits: Limits, failed: Callable[[AffuseError], None]
    ) -> None:
        self.fault = ""
        self._options, self._failed = dict(options), failed
        self._ended = asyncio.Event()
        self._asked: dict[int, asyncio.Future[FacesRead]] = {}
        self._failure = ""
        self._child = Child(
            face_decoder.serve, (self._options, limits), self._hear, lambda how: self._fail(_DAMAGED)
        )

    async def show(self, seconds: float, jpeg: bytes) -> None:
        """The next picture; waits where they come faster than they are taken in.

        Raises:
            AffuseError: No more can be taken.
        """
        if not self._failure:
            await self._child.deliver(face_decoder.PICTURE + face_decoder.ONE.pack(seconds) + jpeg)
        if self._failure:
            raise AffuseError(self._failure)

    def ask(self, window: ReadyWindow) -> asyncio.Future[FacesRead]:
        """The faces of a window, when its pictures are there; raises AffuseError where none can be read any more."""
        answer: asyncio.Future[FacesRead] = asyncio.get_running_loop().create_future()
        if self._failure:
            answer.set_exception(AffuseError(self._failure))
            return answer
        self._asked[window.number] = answer
        told = face_decoder.SPAN.pack(window.number, window.start, window.end, window.span)
        self._child.send(face_decoder.WINDOW + told)
        return answer

    def hear(self, seconds: float, needed: float) -> None:
        """How far the sound is, and before which second nobody will ask for anything any more."""
        self._child.send(face_decoder.HEARD + face_decoder.PLACES.pack(seconds, needed))

    def hurry(self) -> None:
        """No window shall wait any longer: pictures that are missing are behind sound that has no room."""
        self._child.send(face_decoder.HURRY)

    def end(self) -> None:
        """No more pictures or windows come."""
        self._child.send(face_decoder.END)

    async def ended(self) -> None:
        """Wait until all pictures were used that are, or none can be."""
        await self._ended.wait()

    def close(self) -> None:
        """End the process."""
        self._child.kill()
        self._failure = "The stream was closed."
        self._ended.set()
        for answer in self._asked.values():
            answer.cancel()

    def _hear(self, message: bytes) -> None:
        kind, data = message[:1], message[1:]
        if kind == face_decoder.FAILED:
            self._fail(data.decode("utf-8", "replace"))
            return
        if kind == face_decoder.END:
            self.fault = data.decode("utf-8", "replace")
            self._ended.set()
            return
        try:
            read = face_decoder.unpacked(data, self._options)
        except (ValueError, TypeError, KeyError, struct.error):
            self._fail(_DAMAGED)
            self._child.kill()
            return
        answer = self._asked.pop(read.number, None)
        if answer is not None and not answer.done():
            answer.set_result(read)

    def _fail(self, sentence: str) -> None:
        if self._failure or self._ended.is_set():
            return
        self._failure = sentence
        self._failed(AffuseError(sentence))
        self._ended.set()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(AffuseError(self._failure))
                answer.exception()  # it may be that nobody asks any more
        self._asked.clear()
