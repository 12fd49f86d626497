"""One live stream: sound and pictures in, segments out, its windows answered beside those of everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from affuse.errors import AffuseError
from affuse.inference.live.checks import checked_block, detects, never_streamed
from affuse.inference.live.listener import Heard, Listener
from affuse.inference.live.pictures import FacesRead, Square
from affuse.inference.live.segments import LiveSegments
from affuse.inference.live.stream import LiveSegment
from affuse.inference.recogniser import pieces_of
from affuse.inference.settings import Settings
from affuse.inference.timeline import Segment
from affuse.inference.words import Word
from affuse.media.samples import check_rate
from affuse.serving.engine import Engine
from affuse.serving.engine.live_frames import piece_frame, window_frame
from affuse.serving.engine.stream_faces import StreamFaces

KEPT = 1 << 28  # bytes of sound that a stream may have in memory for windows that are not there yet
WAITING = 1 << 26  # bytes of sound in windows that wait for their answer
BEHIND = 64  # windows that wait for their answer, or news that nobody takes: then no more sound is taken
STALLED = 5.0  # seconds without room, after which windows take the pictures that are there

_SAMPLE = 4  # bytes


class Seen(NamedTuple):
    """Where the faces of a window are.

    Attributes:
        seconds: Of the stream, where the window ends.
        squares: Modality -> the face's place in the picture there; None: none is seen.
    """

    seconds: float
    squares: dict[str, Square | None]


class LiveSession:
    """A stream of one client. ``push`` and ``show`` take what comes; ``told`` gives segments as they are known.

    As ``affuse.Model.stream``, whose halves it joins, but its windows are answered by the engine, in whatever order.

    Args:
        engine: Which is started.
        owner: Its place among the streams of the engine (``open_stream``), which is not given back here.
        model: The name of a model.
        rate: Of the samples, in Hz.
        settings: How it is judged; ``asr`` is "none", None or the model's.
        tasks: Those that are told.
        client: Whose turn it is.
        pictures: Whether pictures come beside the sound.

    Raises:
        AffuseError: Settings that do not fit, or a model that reads nothing of what comes, or none of its pictures.
    """

    def __init__(
        self,
        engine: Engine,
        owner: object,
        model: str,
        rate: int,
        settings: Settings,
        tasks: tuple[str, ...],
        client: str,
        pictures: bool = False,
    ) -> None:
        self._engine, self._owner, self._model, self._client = engine, owner, model, client
        served = engine.models[model]
        kinds = set(served.modalities.values())
        self._worded = served.hears(settings)
        self._sees = served.sees(settings) if pictures else {}
        if not pictures and "audio" not in kinds and not (self._worded and "text" in kinds):
            raise AffuseError(
                f"The model {model!r} does not read sound, and this stream has nothing else; send a file"
                f"{', or the pictures too: pictures=true' if served.faces else ''}."
            )
        maker = served.maker(settings, tasks)
        self.rate = check_rate(rate)
        self.warning = " ".join(filter(None, (maker.warning, *never_streamed(served.modalities, self._sees))))
        self._listener = Listener(
            self.rate,
            maker.window,
            maker.hop,
            detect=detects(settings, served.modalities),
            whole=self._worded,
        )
        self._segments = LiveSegments(maker.judge)
        self._tasks = maker.tasks
        self._told: asyncio.Queue[list[LiveSegment] | Seen | Exception | None] = asyncio.Queue()
        self._faces = StreamFaces(self._sees, engine.limits, self._told.put_nowait) if pictures else None
        self._answering: set[asyncio.Task[None]] = set()
        self._shown: list[Segment] = []
        self._waiting = 0  # bytes of sound and faces in windows without an answer
        self._room = asyncio.Event()
        self._room.set()

    @property
    def seconds(self) -> float:
        """Of sound so far."""
        return self._listener.seconds

    @property
    def faults(self) -> list[str]:
        """What of the pictures could not be used; known at the end."""
        return [self._faces.fault] if self._faces is not None and self._faces.fault else []

    async def push(self, block: Any) -> None:
        """More sound: (time,) float32 from -1 to 1, or int16. Waits where the answers are far behind.

        Raises:
            AffuseError: Samples of another kind, more of them than one stream may have, or so long without a pause that
                they would fill the memory.
        """
        samples, _ = checked_block(block)
        most = self._engine.limits.stream_seconds
        if self.seconds + len(samples) / self.rate > most:
            raise AffuseError(
                f"The stream is longer than the {most:g} seconds that the service takes; open another one."
            )
        for first in range(0, len(samples), self.rate):  # a second: more may become any number of windows
            await self._wait_for_room()
            self._take(await asyncio.to_thread(self._listener.hear, samples[first : first + self.rate]))
            if self._listener.kept * _SAMPLE > KEPT:
                raise AffuseError(
                    "The stream goes on without a pause for longer than the service can keep its sound; open another "
                    "one, with a lower rate or without asr."
                )

    async def show(self, seconds: float, jpeg: bytes) -> None:
        """The next picture, of a second of the stream.

        Raises:
            AffuseError: It is none, or too large, or comes out of order, or there are too many.
        """
        assert self._faces is not None
        await self._faces.show(seconds, jpeg)

    async def end(self) -> None:
        """No more sound comes: the last answers follow, then ``told`` ends."""
        self._take(await asyncio.to_thread(self._listener.end))
        if self._faces is not None:
            self._faces.end()
            await self._faces.ended()
        while self._answering:
            await asyncio.wait(set(self._answering))
        self._told.put_nowait(None)

    async def told(self) -> AsyncIterator[list[LiveSegment] | Seen]:
        """Segments, whenever there is something new: final ones, then those that may change; and where faces are.

        Raises:
            AffuseError: A window could not be answered.
            Exception: A fault of ours; without it segments would be missing without a word.
        """
        while (news := await self._told.get()) is not None:
            self._look_for_room()
            if isinstance(news, Exception):
                raise news
            yield news

    def close(self) -> None:
        """Let go of all that is under way."""
        for task in self._answering:
            task.cancel()
        if self._faces is not None:
            self._faces.close()

    async def _wait_for_room(self) -> None:
        """For answers; where none comes, windows wait for pictures that would be taken in after this sound."""
        while not self._room.is_set():
            try:
                async with asyncio.timeout(STALLED):
                    await self._room.wait()
            except TimeoutError:
                if self._faces is not None:
                    self._faces.hurry()

    def _take(self, heard: Heard) -> None:
        self._segments.expect(heard)
        faces = [] if self._faces is None else [self._faces.ask(window) for window in heard.windows]
        if self._faces is not None:
            self._faces.hear(self.seconds, self._listener.needed)
        if not heard.windows and not any(news.sound is not None for news in heard.spans):
            self._tell()  # speech that goes on may have settled what is answered already
            return
        self._waiting += _bytes_of(heard)
        task = asyncio.create_task(self._answer(heard, faces))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        self._look_for_room()

    async def _answer(self, heard: Heard, faces: Sequence[asyncio.Future[FacesRead]]) -> None:
        read: list[FacesRead] = []
        try:
            words = await self._hear_words(heard)
            read = await asyncio.gather(*faces)
            self._waiting += _bytes_seen(read)
            frames = [
                window_frame(window, words if window.sure else (), self._worded, seen.faces if seen else {})
                for window, seen in zip_longest(heard.windows, read)
            ]
            found = await self._engine.answer_sound(self._owner, self._model, self._client, frames)
            self._give(heard, found)
            if read:
                self._told.put_nowait(Seen(heard.windows[-1].end, read[-1].squares))
        except Exception as error:
            self._told.put_nowait(error)
        self._waiting -= _bytes_of(heard) + _bytes_seen(read)
        self._tell()

    def _give(self, heard: Heard, found: Sequence[tuple[dict[str, np.ndarray], tuple[str, ...]]]) -> None:
        for window, (rows, given) in zip(heard.windows, found, strict=True):
            self._segments.answer(window.number, {task: rows[task] for task in self._tasks}, given)

    async def _hear_words(self, heard: Heard) -> list[Word]:
        """The words of the spans that have ended."""
        words: list[Word] = []
        for news in heard.spans:
            if self._worded and news.sound is not None and news.whole is not None:
                frames = [piece_frame(*piece) for piece in pieces_of(news.sound, news.whole)]
                said = await self._engine.hear(self._owner, self._model, self._client, frames)
                self._segments.say(news.span, said)
                words += said
        return words

    def _tell(self) -> None:
        news = [LiveSegment(segment, True) for segment in self._segments.sealed()]
        shown = self._segments.partial()
        if shown != self._shown:
            self._shown = shown
            news += [LiveSegment(segment, False) for segment in shown]
        if news:
            self._told.put_nowait(news)
        self._look_for_room()

    def _look_for_room(self) -> None:
        if self._segments.waiting < BEHIND and self._told.qsize() < BEHIND and self._waiting < WAITING:
            self._room.set()
        else:
            self._room.clear()


def _bytes_of(heard: Heard) -> int:
    return _SAMPLE * sum(len(window.sound.samples) for window in heard.windows)


def _bytes_seen(read: Sequence[FacesRead]) -> int:
    return sum(one.nbytes for seen in read for one in seen.faces.values() if one is not None)
