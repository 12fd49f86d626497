"""Clips per second and how long clients wait, against a service that handles its clips one by one.

Clients send a clip, wait for the answer, and send the next. "One by one" is one model in this process, which predicts
whichever clip has waited longest, with as many threads as there are cores. "Engine" is what ``affuse serve`` runs:
processes that read, and windows of all clients answered together. Both have the same clips, in the same minutes.

    python benchmarks/bench_serving.py [--model starter] [--clips 96] [--clients 1 8 64]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
import soundfile
import torch

from affuse.corpora.generated.people import make_actor, make_room
from affuse.corpora.generated.voice import speak
from affuse.inference.predict import Predictor
from affuse.models.loading import load_model
from affuse.serving.engine import Engine, Request
from affuse.serving.limits import Limits

RATE = 16_000


class Measured(NamedTuple):
    """Of one load: clips per second, and seconds that clients waited."""

    per_second: float
    p50: float
    p99: float
    processor: float  # seconds of processor time, all processes together


def make_clips(folder: Path, count: int, seconds: float) -> list[Path]:
    """Generated speech, each clip another length around ``seconds``."""
    clips = []
    for i in range(count):
        voice, room = make_actor(i % 8, 1, "F" if i % 2 else "M").voice, make_room(i % 8, 1)
        kind = ("neu", "ang", "sad", "hap")[i % 4]
        samples = speak(voice, kind, seconds * (0.8 + 0.4 * i / count), room, np.random.default_rng(i))
        clips.append(folder / f"{i}.wav")
        soundfile.write(clips[-1], samples, RATE)
    return clips


def processor_seconds() -> float:
    """Of this process and its children, so far."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    total = own.ru_utime + own.ru_stime
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system
    return total


def measured(waits: list[float], wall: float, processor: float) -> Measured:
    ordered = sorted(waits)
    return Measured(
        len(waits) / wall, ordered[len(ordered) // 2], ordered[int(0.99 * (len(ordered) - 1))], processor
    )


async def one_by_one(predictor: Predictor, clips: list[Path], clients: int) -> Measured:
    waiting: deque[tuple[Path, asyncio.Future[None]]] = deque()
    more = asyncio.Event()

    async def serve() -> None:
        while True:
            while not waiting:
                more.clear()
                await more.wait()
            clip, done = waiting.popleft()
            await asyncio.to_thread(predictor.predict, clip)
            done.set_result(None)

    async def ask(clip: Path) -> None:
        done = asyncio.get_running_loop().create_future()
        waiting.append((clip, done))
        more.set()
        await done

    serving = asyncio.create_task(serve())
    result = await load(ask, clips, clients)
    serving.cancel()
    return result


async def together(engine: Engine, model: str, clips: list[Path], clients: int) -> Measured:
    async def ask(clip: Path) -> None:
        job = engine.submit(Request(model, clip, client=str(id(asyncio.current_task()))))
        await job.wait()
        assert job.state == "done", job.failure

    return await load(ask, clips, clients)


async def load(ask: Callable[[Path], Awaitable[None]], clips: list[Path], clients: int) -> Measured:
    waits: list[float] = []
    left = deque(clips)

    async def client() -> None:
        while left:
            clip, began = left.popleft(), time.perf_counter()
            await ask(clip)
            waits.append(time.perf_counter() - began)

    began, used = time.perf_counter(), processor_seconds()
    await asyncio.gather(*(client() for _ in range(clients)))
    return measured(waits, time.perf_counter() - began, processor_seconds() - used)


async def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="starter")
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--seconds", type=float, default=3.0, help="of a clip, on average")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    asked = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    predictor = Predictor(load_model(asked.model))
    engine = Engine({asked.model: asked.model}, Limits(queue=128))
    await engine.start()
    print(f"{asked.model}, {asked.clips} clips of about {asked.seconds:g} s, {os.cpu_count()} cores")
    print("| clients | | clips/s | p50 s | p99 s | processor s per clip |")
    print("| --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        clips = make_clips(Path(folder), asked.clips, asked.seconds)
        await together(engine, asked.model, clips[:8], 2)  # what is loaded at the first clips
        predictor.predict(clips[0])
        for clients in asked.clients:
            sent = clips if clients > 1 else clips[: max(1, len(clips) // 3)]
            alone = await one_by_one(predictor, sent, clients)
            both = await together(engine, asked.model, sent, clients)
            for name, one in (("one by one", alone), ("engine", both)):
                print(
                    f"| {clients} | {name} | {one.per_second:.1f} | {one.p50:.3f} | {one.p99:.3f} "
                    f"| {one.processor / len(sent):.3f} |"
                )
            print(
                f"| {clients} | ratio | {both.per_second / alone.per_second:.2f} | {both.p50 / alone.p50:.2f} "
                f"| {both.p99 / alone.p99:.2f} | {both.processor / alone.processor:.2f} |"
            )
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
