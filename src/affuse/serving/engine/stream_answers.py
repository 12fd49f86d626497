"""What live streams ask of the networks: their windows and pieces of sound, answered beside those of clips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal

from affuse.errors import AffuseError
from affuse.serving.engine.job import Failure
from affuse.serving.engine.network_pool import NetworkPool, Unit


async def ask_networks(
    networks: NetworkPool,
    owner: object,
    model: str,
    client: str,
    what: Literal["sound", "hear"],
    frames: Sequence[bytes],
) -> list[Any]:
    """The answers of frames of ``live_frames``, in order.

    Args:
        networks: Who answers.
        owner: The stream.
        model: Which answers.
        client: Whose turn it is.
        what: Windows, or pieces of sound whose words are to be heard.
        frames: Of ``window_frame``, or of ``piece_frame``.

    Raises:
        AffuseError: A process died of them.
    """
    loop = asyncio.get_running_loop()
    answers: list[asyncio.Future[Any]] = []
    for frame in frames:
        answer: asyncio.Future[Any] = loop.create_future()
        answers.append(answer)
        networks.submit(
            Unit(owner, client, model, what, frame, partial(_give, answer), partial(_refuse, answer))
        )
    return list(await asyncio.gather(*answers))


def _give(answer: asyncio.Future[Any], value: Any) -> None:
    if not answer.done():
        answer.set_result(value)


def _refuse(answer: asyncio.Future[Any], failure: Failure) -> None:
    if not answer.done():
        answer.set_exception(AffuseError(failure.sentence))
