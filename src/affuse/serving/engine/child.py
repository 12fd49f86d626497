"""A process of the service: started afresh, spoken to in frames, its death noticed."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, Final, NamedTuple

from affuse.workers import WorkerContext

_MOST: Final = 1 << 28  # bytes of a frame: a process that handles files of strangers may say anything


class _Parcel(NamedTuple):
    frames: tuple[bytes, ...]
    taken: asyncio.Future[None] | None = None  # told when the pipe has them


class Child:
    """One process, whose messages arrive in the event loop.

    Args:
        target: What it runs: called with ``args`` and its end of the pipe.
        args: Of ``target``.
        hear: Called in the event loop with every frame that it sends.
        died: Called in the event loop once, with how it ended, as a verb.
        ahead: Frames that it may send before ``took`` is called for the first of them; then it waits. None: any number.
    """

    def __init__(
        self,
        target: Callable[..., None],
        args: tuple[Any, ...],
        hear: Callable[[bytes], None],
        died: Callable[[str], None],
        ahead: int | None = None,
    ) -> None:
        context = WorkerContext()
        self._loop = asyncio.get_running_loop()
        self._pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=target, args=(*args, theirs), daemon=True)
        with _environment(
            OMP_WAIT_POLICY="PASSIVE"
        ):  # threads of small networks must not spin between two batches
            self._process.start()
        # It lets SIGTERM pass, which is all that multiprocessing would end it with where nobody has closed the engine.
        Finalize(self, self._process.kill, exitpriority=1)
        theirs.close()  # so that its death ends the pipe
        self._hear, self._died = hear, died
        self._room = None if ahead is None else threading.Semaphore(ahead)
        self._killed = False
        self._outbox: queue.SimpleQueue[_Parcel | None] = queue.SimpleQueue()
        threading.Thread(target=self._receive, daemon=True).start()
        threading.Thread(target=self._send, args=(self._pipe,), daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Of the process."""
        return self._process.pid

    def send(self, *frames: bytes) -> None:
        """Never waits: a full pipe holds back a thread, not the event loop."""
        self._outbox.put(_Parcel(frames))

    async def deliver(self, *frames: bytes) -> None:
        """As ``send``, but waits for a process that takes them in more slowly than they come; for ever if it died."""
        taken = self._loop.create_future()
        self._outbox.put(_Parcel(frames, taken))
        await taken

    def took(self) -> None:
        """One of its frames was used, so there is room for another."""
        if self._room is not None:
            self._room.release()

    def kill(self) -> None:
        """At once."""
        self._killed = True
        self._process.kill()
        self.took()  # so that its end is received too

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join()

    def _send(self, pipe: Connection) -> None:
        while (parcel := self._outbox.get()) is not None:
            with suppress(OSError):  # it died; receiving finds that
                for frame in parcel.frames:
                    pipe.send_bytes(frame)
            if parcel.taken is not None:
                with suppress(RuntimeError):  # the loop is closed already
                    self._loop.call_soon_threadsafe(_settle, parcel.taken)
        pipe.close()

    def _receive(self) -> None:
        with suppress(EOFError, OSError, RuntimeError):  # it ended, or the loop did
            while True:
                frame = self._pipe.recv_bytes(_MOST)
                if self._room is not None and not self._killed:
                    self._room.acquire()
                self._loop.call_soon_threadsafe(self._hear, frame)
        self._process.kill()  # where it is alive still, it said something that cannot be
        self._process.join()
        self._outbox.put(None)
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._died, _end_of(self._process.exitcode or 0))


def _settle(taken: asyncio.Future[None]) -> None:
    if not taken.done():
        taken.set_result(None)


def _end_of(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"


@contextmanager
def _environment(**values: str) -> Generator[None]:
    """What processes that start in the block find in their environment, where the operator has not set it."""
    added = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in added})
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
