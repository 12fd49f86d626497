"""A container is decoded no faster than its sound is wanted, and taken in no faster than it is decoded."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
import soundfile

from affuse.serving.engine.stream_decoder import AHEAD, StreamDecoder
from affuse.serving.limits import Limits

RATE = 48_000
MINUTES = 20


def minutes_of_silence() -> bytes:
    held = io.BytesIO()
    with soundfile.SoundFile(held, "w", RATE, 1, "PCM_16", format="FLAC") as file:
        for _ in range(MINUTES):
            file.write(np.zeros(RATE * 60, np.int16))
    return held.getvalue()


def test_a_small_file_of_much_sound_does_not_fill_the_memory() -> None:
    """230 MB of samples come of 190 kB; all of them arrive, but only as they are taken."""
    data = minutes_of_silence()
    assert len(data) < 300_000

    async def hear() -> int:
        decoder = StreamDecoder(Limits())
        try:
            sending = asyncio.create_task(_send(decoder, [data, b""]))
            assert await decoder.rate() == RATE
            seen = -1
            while decoder.waiting > seen and decoder.waiting <= AHEAD:
                seen = decoder.waiting
                await asyncio.sleep(0.5)
            assert 0 < decoder.waiting <= AHEAD
            heard = 0
            async for block in decoder.blocks():
                assert decoder.waiting <= AHEAD
                heard += len(block)
            await sending
            return heard
        finally:
            decoder.close()

    assert asyncio.run(hear()) == MINUTES * 60 * RATE


def test_a_client_that_sends_more_than_is_wanted_waits() -> None:
    samples = np.random.default_rng(0).integers(-300, 300, 500_000).astype("<i2").tobytes()
    endless = (
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\x80>\0\0\0}\0\0\x02\0\x10\0data\xff\xff\xff\xff"
    )

    async def flood() -> None:
        decoder = StreamDecoder(Limits())
        try:
            assert await _beside(decoder, endless + samples) == 16_000
            async with asyncio.timeout(2):
                await _send(decoder, [samples] * 50)
        finally:
            decoder.close()

    with pytest.raises(TimeoutError):
        asyncio.run(flood())


async def _send(decoder: StreamDecoder, messages: list[bytes]) -> None:
    for message in messages:
        await decoder.send(message)


async def _beside(decoder: StreamDecoder, message: bytes) -> int:
    sending = asyncio.create_task(decoder.send(message))
    rate = await decoder.rate()
    sending.cancel()
    return rate
