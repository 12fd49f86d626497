"""``WS /v1/stream``: sound goes in while it is made, and pictures beside it; segments come out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple, Protocol

import numpy as np
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from affuse.errors import AffuseError
from affuse.inference.live.stream import LiveSegment
from affuse.inference.settings import Settings
from affuse.serving.asking import boolean, checked_settings, chosen_model, chosen_tasks, settings_values
from affuse.serving.engine import Draining
from affuse.serving.engine.stream_decoder import StreamDecoder
from affuse.serving.inbox import Inbox, Shown
from affuse.serving.limits import Limits
from affuse.serving.live import LiveSession, Seen
from affuse.serving.problems import ProblemError, details, problem_of
from affuse.serving.security import SUBPROTOCOL
from affuse.serving.service import client_of, service_of

router = APIRouter()
SAMPLES = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
CONTAINERS = ("webm", "ogg", "wav", "flac", "mp3")  # decoded as they arrive, whichever of them it is
_FIELDS = ("model", "tasks", "classes", "window", "hop", "vad", "unsure", "asr", "side", "face")
_OF_STREAM, _OF_PICTURES = ("rate", "format", "pictures"), ("side", "face")
_RATE = 16_000  # Hz, where none is said
# close codes (RFC 6455, 7.4, and IANA's list): done, what was sent is refused, a fault of ours, the service ends, no
# room now
_DONE, _REFUSED, _FAULT, _LEAVING, _LATER = 1000, 1008, 1011, 1012, 1013


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """See docs/serving.md: OpenAPI has no words for WebSockets."""
    wanted = websocket.scope.get("subprotocols") or []
    await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in wanted else None)
    inbox: Inbox | None = None
    async with AsyncExitStack() as opened:
        try:
            asked = _ask(websocket)
            engine = service_of(websocket).engine
            owner = engine.open_stream()  # before a process is started for it
            opened.callback(engine.close_stream, owner)
            inbox = Inbox(websocket, engine.limits.idle_seconds, engine.streams.leaving, asked.pictures)
            opened.callback(inbox.close)
            if asked.format in SAMPLES:
                sound: _Sound = _Samples(inbox, asked.rate, SAMPLES[asked.format])
            else:
                sound = _Container(inbox, engine.limits)
            opened.callback(sound.close)
            await _serve(websocket, owner, inbox, sound, asked, opened)
        except ProblemError as error:
            await _refuse(websocket, error)
        except AffuseError as error:
            # a container that ends because the service does may have nothing in it that can be read
            await _refuse(websocket, problem_of(Draining() if inbox is not None and inbox.cut else error))
        except WebSocketDisconnect:
            return
        except Exception as error:
            await _refuse(websocket, ProblemError(500, f"The service failed ({type(error).__name__})."))
            raise


class _Asked(NamedTuple):
    """The query, checked."""

    model: str
    rate: int
    format: str
    settings: Settings
    tasks: tuple[str, ...]
    pictures: bool


def _ask(websocket: WebSocket) -> _Asked:
    engine, query = service_of(websocket).engine, websocket.query_params
    for name in query:
        if name not in (*_OF_STREAM, *_FIELDS):
            raise ProblemError(
                422,
                f"There is no parameter {name!r} of a stream; there are {', '.join((*_OF_STREAM, *_FIELDS))}.",
            )
    format = query.get("format") or "s16le"
    if format not in (*SAMPLES, *CONTAINERS):
        raise ProblemError(422, f"format takes {', '.join((*SAMPLES, *CONTAINERS))}, not {format[:40]!r}.")
    pictures = boolean("pictures", query["pictures"]) if query.get("pictures") else False
    if pictures and format not in SAMPLES:
        raise ProblemError(
            422,
            f"Pictures go beside plain samples, whose times are known at once: format {' or '.join(SAMPLES)}.",
        )
    if not pictures and (name := next((one for one in _OF_PICTURES if query.get(one)), None)) is not None:
        raise ProblemError(422, f"{name} goes with pictures alone; leave it out, or add pictures=true.")
    rate = query.get("rate") or str(_RATE)
    if not rate.isdecimal() or len(rate) > 7:
        raise ProblemError(422, f"rate takes samples per second, as in 16000, not {rate[:40]!r}.")
    model = chosen_model(query.get("model"), engine)
    tasks = chosen_tasks(query.get("tasks"), engine, model)
    fields: Mapping[str, str] = {name: query[name] for name in _FIELDS if name in query}
    settings = checked_settings(settings_values(fields, engine, model), engine, model)
    return _Asked(model, int(rate), format, settings, tasks, pictures)


class _Sound(Protocol):
    """What a client sends, as samples, and the pictures among them."""

    async def rate(self) -> int:
        """Samples per second."""
        ...

    def blocks(self) -> AsyncIterator[np.ndarray | Shown]:
        """(time,), or a picture, to the client's end."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class _Samples:
    """Plain samples."""

    def __init__(self, inbox: Inbox, rate: int, dtype: np.dtype[Any]) -> None:
        self._inbox, self._rate, self._dtype = inbox, rate, dtype

    async def rate(self) -> int:
        """As the client says."""
        return self._rate

    async def blocks(self) -> AsyncIterator[np.ndarray | Shown]:
        """Every message's, in the machine's own byte order."""
        rest = b""  # of a sample that was cut in two
        async for data in self._inbox.messages():
            if isinstance(data, Shown):
                yield data
                continue
            data = rest + data
            whole = len(data) // self._dtype.itemsize * self._dtype.itemsize
            rest = data[whole:]
            if whole:
                yield np.frombuffer(data[:whole], self._dtype).astype(self._dtype.newbyteorder("="))

    def close(self) -> None:
        """Nothing is held."""


class _Container:
    """A container, which a process of its own decodes."""

    def __init__(self, inbox: Inbox, limits: Limits) -> None:
        self._decoder = StreamDecoder(limits)
        self._forwarding = asyncio.create_task(self._forward(inbox))
        self._most = limits.bytes

    async def rate(self) -> int:
        """As the container says."""
        return int(await self._beside(self._decoder.rate()))

    async def blocks(self) -> AsyncIterator[np.ndarray | Shown]:
        """As they are decoded; no pictures."""
        blocks = aiter(self._decoder.blocks())
        while (block := await self._beside(anext(blocks, None))) is not None:
            yield block

    def close(self) -> None:
        """End the process."""
        self._forwarding.cancel()
        self._decoder.close()

    async def _forward(self, inbox: Inbox) -> None:
        total = 0
        async for data in inbox.messages():
            assert isinstance(data, bytes)  # such a stream has no pictures
            total += len(data)
            if total > self._most:
                raise ProblemError(
                    413, f"The stream is larger than the {self._most:,} bytes that the service takes."
                )
            if data:
                await self._decoder.send(data)
        await self._decoder.send(b"")

    async def _beside(self, work: Awaitable[Any]) -> Any:
        """What is wrong with the client's messages ends the waiting for what they become."""
        waiting = asyncio.ensure_future(work)
        await asyncio.wait(
            (waiting, *(() if self._forwarding.done() else (self._forwarding,))),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._forwarding.done() and (error := self._forwarding.exception()) is not None:
            waiting.cancel()
            raise error
        return await waiting


async def _serve(
    websocket: WebSocket, owner: object, inbox: Inbox, sound: _Sound, asked: _Asked, opened: AsyncExitStack
) -> None:
    """Until the client ends it, or something is wrong: both directions go on side by side."""
    engine = service_of(websocket).engine
    rate = await sound.rate()
    client = client_of(websocket)
    session = LiveSession(
        engine, owner, asked.model, rate, asked.settings, asked.tasks, client, asked.pictures
    )
    opened.callback(session.close)
    await _send(websocket, {"type": "ready", "rate": session.rate, "warning": session.warning})
    hearing = asyncio.create_task(_hear(sound, session))
    telling = asyncio.create_task(_tell(websocket, session))
    try:
        await asyncio.wait((hearing, telling), return_when=asyncio.FIRST_EXCEPTION)
        for task in (hearing, telling):
            if task.done():
                task.result()
        await telling
    finally:
        for task in (hearing, telling):
            task.cancel()
    if inbox.cut:
        raise Draining
    faults = {"faults": session.faults} if asked.pictures else {}
    await _send(websocket, {"type": "end", "seconds": round(session.seconds, 3), **faults})
    await websocket.close(_DONE)


async def _hear(sound: _Sound, session: LiveSession) -> None:
    async for block in sound.blocks():
        if isinstance(block, Shown):
            await session.show(*block)
        else:
            await session.push(block)
    await session.end()


async def _tell(websocket: WebSocket, session: LiveSession) -> None:
    async for news in session.told():
        if isinstance(news, Seen):
            squares = {name: square and square._asdict() for name, square in news.squares.items()}
            await _send(websocket, {"type": "faces", "seconds": round(news.seconds, 3), "squares": squares})
        else:
            await _send(websocket, segments_message(news))


def segments_message(news: Sequence[LiveSegment]) -> dict[str, Any]:
    """Segments as the service sends them: final ones, and what takes the place of all earlier partial ones."""
    return {
        "type": "segments",
        "final": [one.segment.to_dict() for one in news if one.final],
        "partial": [one.segment.to_dict() for one in news if not one.final],
    }


async def _send(websocket: WebSocket, message: dict[str, Any]) -> None:
    await websocket.send_text(json.dumps(message, ensure_ascii=False))


async def _refuse(websocket: WebSocket, error: ProblemError) -> None:
    """The problem, then the end; nothing where the client has gone."""
    code = {429: _LATER, 503: _LEAVING, 500: _FAULT}.get(error.status, _REFUSED)
    try:
        if websocket.application_state != WebSocketState.DISCONNECTED:
            await _send(websocket, {**details(error.status, error.detail), "type": "problem"})
            await websocket.close(code)
    except (RuntimeError, WebSocketDisconnect):
        return
