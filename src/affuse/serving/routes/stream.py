"""``WS /v1/stream``: sound goes in while it is made, segments come out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from affuse.errors import AffuseError
from affuse.inference.live.stream import LiveSegment
from affuse.serving.asking import checked_settings, chosen_model, chosen_tasks, settings_values
from affuse.serving.engine import Draining, Full
from affuse.serving.live import LiveSession
from affuse.serving.problems import ProblemError, details, problem_of
from affuse.serving.security import SUBPROTOCOL
from affuse.serving.service import client_of, service_of

router = APIRouter()
FORMATS = {"s16le": np.dtype("<i2"), "f32le": np.dtype("<f4")}
_FIELDS = ("model", "tasks", "classes", "window", "hop", "vad", "unsure", "asr")
_RATE = 16_000  # Hz, where none is said
# close codes (RFC 6455, 7.4): done, the service ends, what was sent is refused, a fault of ours, no room now
_DONE, _LEAVING, _REFUSED, _FAULT, _LATER = 1000, 1001, 1008, 1011, 1013


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """See docs/serving.md: OpenAPI has no words for WebSockets."""
    wanted = websocket.scope.get("subprotocols") or []
    await websocket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in wanted else None)
    session: LiveSession | None = None
    try:
        session, dtype = _open(websocket)
        await _send(websocket, {"type": "ready", "rate": session.rate, "warning": session.warning})
        await _run(websocket, session, dtype)
        await _send(websocket, {"type": "end", "seconds": round(session.seconds, 3)})
        await websocket.close(_DONE)
    except ProblemError as error:
        await _refuse(websocket, error)
    except (Full, Draining, AffuseError) as error:
        await _refuse(websocket, problem_of(error))
    except WebSocketDisconnect:
        pass
    except Exception as error:
        await _refuse(websocket, ProblemError(500, f"The service failed ({type(error).__name__})."))
        raise
    finally:
        if session is not None:
            session.close()


def _open(websocket: WebSocket) -> tuple[LiveSession, np.dtype[Any]]:
    engine, query = service_of(websocket).engine, websocket.query_params
    for name in query:
        if name not in (*_FIELDS, "rate", "format"):
            raise ProblemError(
                422,
                f"There is no parameter {name!r} of a stream; there are rate, format, {', '.join(_FIELDS)}.",
            )
    format = query.get("format") or "s16le"
    if format not in FORMATS:
        raise ProblemError(422, f"format takes {', '.join(FORMATS)}, not {format[:40]!r}.")
    rate = query.get("rate") or str(_RATE)
    if not rate.isdecimal() or len(rate) > 7:
        raise ProblemError(422, f"rate takes samples per second, as in 16000, not {rate[:40]!r}.")
    model = chosen_model(query.get("model"), engine)
    tasks = chosen_tasks(query.get("tasks"), engine, model)
    fields: Mapping[str, str] = {name: query[name] for name in _FIELDS if name in query}
    settings = checked_settings(settings_values(fields, engine, model), engine, model)
    return LiveSession(engine, model, int(rate), settings, tasks, client_of(websocket)), FORMATS[format]


async def _run(websocket: WebSocket, session: LiveSession, dtype: np.dtype[Any]) -> None:
    """Until the client ends it, or something is wrong: both directions go on side by side."""
    hearing = asyncio.create_task(_hear(websocket, session, dtype))
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


async def _hear(websocket: WebSocket, session: LiveSession, dtype: np.dtype[Any]) -> None:
    rest = b""  # of a sample that was cut in two
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", _LEAVING))
        if (data := message.get("bytes")) is not None:
            data = rest + data
            whole = len(data) // dtype.itemsize * dtype.itemsize
            rest = data[whole:]
            if whole:
                native: Literal["="] = "="
                await session.push(np.frombuffer(data[:whole], dtype).astype(dtype.newbyteorder(native)))
            continue
        if _is_end(message.get("text") or ""):
            await session.end()
            return
        raise ProblemError(
            422, 'A stream takes samples as binary messages, and the text {"type": "end"} at its end.'
        )


async def _tell(websocket: WebSocket, session: LiveSession) -> None:
    async for news in session.told():
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


def _is_end(text: str) -> bool:
    try:
        return json.loads(text) == {"type": "end"}
    except ValueError:
        return False
