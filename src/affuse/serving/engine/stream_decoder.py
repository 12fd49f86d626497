"""A live stream that comes in a container (a browser's opus in webm): decoded as it arrives, in a process of its own.

The process imports neither torch nor any model, so it starts quickly and is small; like every decoder it may die.
"""

from __future__ import annotations

import asyncio
import signal
import struct
from collections.abc import AsyncIterator
from multiprocessing.connection import Connection

import numpy as np

from affuse.errors import AffuseError, ClipError
from affuse.media.piped_sound import NAME, PipedSound
from affuse.serving.engine.child import Child
from affuse.serving.engine.memory_limit import limit_memory
from affuse.serving.limits import Limits
from affuse.workers import begin_worker

AHEAD = 16  # blocks that are decoded before somebody wants them: a small file may hold days of silence
_RATE, _SOUND, _FAILED, _END = b"R", b"S", b"F", b"E"  # what a message of the process is


def serve(limits: Limits, pipe: Connection) -> None:
    """Decode what comes until an empty message; send the rate, the samples, then the end or why there is none."""
    begin_worker()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a whole group: the service itself ends its processes
    limit_memory(limits.decoder_memory)
    try:
        try:
            with PipedSound(_Inbox(pipe).read) as sound:
                pipe.send_bytes(_RATE + struct.pack("<I", sound.rate))
                for block in sound.blocks(0, None):
                    pipe.send_bytes(_SOUND + np.ascontiguousarray(block, "<f4").tobytes())
            pipe.send_bytes(_END)
        except ClipError as error:
            pipe.send_bytes(_FAILED + str(error).replace(NAME, "The stream").encode())
        except MemoryError:
            pipe.send_bytes(_FAILED + b"Decoding the stream takes more memory than the service gives to one.")
    except (EOFError, OSError):  # the service is gone
        return


class _Inbox:
    """The client's messages as a file that is read."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe, self._rest, self._ended = pipe, b"", False

    def read(self, size: int) -> bytes:
        """At most so many bytes, as soon as there are some; none at the end."""
        while not self._rest and not self._ended:
            self._rest = self._pipe.recv_bytes()
            self._ended = not self._rest
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class StreamDecoder:
    """One stream on its way through such a process.

    Args:
        limits: Of its memory.
    """

    def __init__(self, limits: Limits) -> None:
        self._news: asyncio.Queue[bytes] = asyncio.Queue()
        self._closed = False
        self._child = Child(serve, (limits,), self._news.put_nowait, self._died, ahead=AHEAD)

    @property
    def waiting(self) -> int:
        """Blocks that were decoded and that nobody has taken yet."""
        return self._news.qsize()

    async def send(self, data: bytes) -> None:
        """More of the container, as fast as it is decoded; nothing: its end."""
        await self._child.deliver(data)

    async def rate(self) -> int:
        """Samples per second, as soon as the container has told them.

        Raises:
            AffuseError: It is no sound that can be decoded as it arrives.
        """
        kind, data = await self._next()
        if kind != _RATE:
            raise AffuseError("The stream ended before it had any sound.")
        return int(struct.unpack("<I", data)[0])

    async def blocks(self) -> AsyncIterator[np.ndarray]:
        """(time,) float32, as they are decoded, to the end of the container.

        Raises:
            AffuseError: It cannot be decoded any further.
        """
        while True:
            kind, data = await self._next()
            if kind == _END:
                return
            yield np.frombuffer(data, "<f4")

    def close(self) -> None:
        """End the process."""
        self._closed = True
        self._child.kill()

    async def _next(self) -> tuple[bytes, bytes]:
        """What a message is, and what is in it."""
        message = await self._news.get()
        self._child.took()
        kind, data = message[:1], message[1:]
        if kind == _FAILED:
            raise AffuseError(data.decode("utf-8", "replace"))
        return kind, data

    def _died(self, how: str) -> None:
        """After its last message, where it has told the end, nobody asks any more."""
        if not self._closed:
            self._news.put_nowait(
                _FAILED + b"Decoding the stream ended the process that did it; it may be damaged."
            )
