"""A service under load: many clients at once with good, bad, huge, slow and aborted uploads, on loopback.

Starts ``affuse serve`` with a temporary folder of its own, sends what the mix says for some minutes, kills one of its
processes now and then where asked to, and then looks: was every good clip answered with its own answer (no two clients'
clips are equally long), was every bad one answered by a problem in one sentence, did memory come back to where it was,
is no file left.

    python benchmarks/check_service.py [--clients 64] [--seconds 180] [--model starter] [--kill 20]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import numpy as np
import psutil
import soundfile

from affuse.corpora.generated.people import make_actor, make_room
from affuse.corpora.generated.voice import speak

RATE = 16_000
GOOD, BAD, HUGE, SLOW, ABORTED, GONE = "good", "bad", "huge", "slow", "aborted", "client gone"
MIX = {GOOD: 70, BAD: 8, HUGE: 4, SLOW: 4, ABORTED: 8, GONE: 6}  # shares of the requests


@dataclass
class Told:
    """What came back.

    waits: seconds of every good answer; refused: 429, told to come later; wrong: what must not be.
    """

    count: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    refused: int = 0
    wrong: list[str] = field(default_factory=list)


def clip(number: int) -> tuple[bytes, float]:
    """Generated speech as a WAV file, and its seconds: no two clients' clips are equally long."""
    seconds = 1.5 + 0.05 * number
    voice, room = make_actor(number % 8, 1, "F" if number % 2 else "M").voice, make_room(number % 8, 1)
    samples = speak(
        voice, ("neu", "ang", "sad", "hap")[number % 4], seconds, room, np.random.default_rng(number)
    )
    samples = np.resize(samples, round(seconds * RATE))
    held = io.BytesIO()
    soundfile.write(held, samples, RATE, format="WAV", subtype="PCM_16")
    return held.getvalue(), len(samples) / RATE


async def client(number: int, address: str, until: float, told: Told) -> None:
    draw = random.Random(number)
    content, seconds = clip(number)
    async with httpx2.AsyncClient(base_url=address, timeout=120, headers={"X-Client": str(number)}) as http:
        while time.monotonic() < until:
            kind = draw.choices(list(MIX), list(MIX.values()))[0]
            told.count[kind] += 1
            try:
                if kind == GOOD:
                    await send_good(http, content, seconds, told)
                elif kind == BAD:
                    await send_bad(http, draw, told)
                elif kind == HUGE:
                    await send_endless(address, draw, told)
                elif kind == SLOW:
                    await send_slowly(address, content, draw)
                elif kind == ABORTED:
                    await send_slowly(address, content, draw, stop=draw.randrange(1, 8))
                else:
                    await go_away(http, content)
            except (httpx2.TransportError, OSError) as error:
                if kind == GOOD:
                    told.wrong.append(f"good clip, no answer: {type(error).__name__}: {error}")
            await asyncio.sleep(draw.uniform(0, 0.2))


async def send_good(http: httpx2.AsyncClient, content: bytes, seconds: float, told: Told) -> None:
    began = time.monotonic()
    while True:
        answer = await http.post("/v1/predict", files={"clip": ("clip.wav", content, "audio/wav")})
        if answer.status_code != 429:
            break
        told.refused += 1
        await asyncio.sleep(float(answer.headers["Retry-After"]) * random.uniform(0.5, 1.5))
    if answer.status_code != 200:
        told.wrong.append(f"good clip: {answer.status_code} {answer.text[:200]}")
    elif abs(answer.json()["seconds"] - seconds) > 0.002:
        told.wrong.append(f"crossed: a clip of {seconds} s was answered as {answer.json()['seconds']} s")
    else:
        told.waits.append(time.monotonic() - began)


async def send_bad(http: httpx2.AsyncClient, draw: random.Random, told: Told) -> None:
    content = draw.choice(
        [
            b"",
            b"not media at all" * 50,
            b"RIFF\xff\xff\xff\xffWAVEfmt " + draw.randbytes(2000),
            draw.randbytes(50_000),
        ]
    )
    answer = await http.post("/v1/predict", files={"clip": ("../../x.wav", content, "audio/wav")})
    problem = answer.headers.get("Content-Type", "").startswith("application/problem+json")
    if not (400 <= answer.status_code < 500 and problem and answer.json()["detail"]):
        told.wrong.append(f"bad clip: {answer.status_code} {answer.text[:200]}")


def _head(address: str, length: int | None, boundary: str = "affuse") -> bytes:
    host = address.removeprefix("http://")
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST /v1/predict HTTP/1.1\r\nHost: {host}\r\n{size}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n\r\n"
    ).encode()


_PART = b'--affuse\r\nContent-Disposition: form-data; name="clip"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
_END = b"\r\n--affuse--\r\n"


async def send_endless(address: str, draw: random.Random, told: Told) -> None:
    """Chunks without an end, until the service has enough of them."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    sent, block = 0, draw.randbytes(1 << 16)
    try:
        writer.write(_head(address, None) + b"%x\r\n%b\r\n" % (len(_PART), _PART))
        while sent < 4 << 30:
            writer.write(b"%x\r\n%b\r\n" % (len(block), block))
            sent += len(block)
            await asyncio.wait_for(writer.drain(), 60)
            if reader.at_eof() or (sent % (32 << 20) == 0 and await _answered(reader)):
                return
        told.wrong.append("4 GiB in chunks were taken without a word")
    except (OSError, TimeoutError):
        pass  # it closed the connection
    finally:
        writer.close()


async def _answered(reader: asyncio.StreamReader) -> bool:
    try:
        return bool(await asyncio.wait_for(reader.read(12), 0.001))
    except TimeoutError:
        return False


async def send_slowly(address: str, content: bytes, draw: random.Random, stop: int | None = None) -> None:
    """A clip in small pieces with pauses; ``stop``: the connection is cut after so many."""
    host, port = address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    body = _PART + content + _END
    try:
        writer.write(_head(address, len(body)))
        step = len(body) // 8 + 1
        for number, at in enumerate(range(0, len(body), step)):
            if number == stop:
                return
            writer.write(body[at : at + step])
            await writer.drain()
            await asyncio.sleep(draw.uniform(0, 0.3))
    except OSError:
        pass
    finally:
        writer.close()


async def go_away(http: httpx2.AsyncClient, content: bytes) -> None:
    """A whole clip, whose answer nobody waits for."""
    with suppress(httpx2.TimeoutException):
        await http.post("/v1/predict", files={"clip": ("clip.wav", content, "audio/wav")}, timeout=0.3)


def memory(process: psutil.Process) -> float:
    """MB of the service and all its processes, pages that they share counted once each (PSS) where that is known."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, AttributeError):
            continue
    return total / 1e6


async def kill_now_and_then(process: psutil.Process, every: float, until: float) -> int:
    """Kill one of the service's processes, every so many seconds."""
    killed = 0
    while time.monotonic() + every < until:
        await asyncio.sleep(every)
        children = process.children(recursive=True)
        if children:
            random.choice(children).kill()
            killed += 1
    return killed


async def load(
    address: str, process: psutil.Process, clients: int, seconds: float, kill: float
) -> tuple[Told, int]:
    told, until = Told(), time.monotonic() + seconds
    work = [client(number, address, until, told) for number in range(clients)]
    killing = kill_now_and_then(process, kill, until) if kill else asyncio.sleep(0, 0)
    killed, *_ = await asyncio.gather(killing, *work)
    return told, killed


def wait_until_ready(address: str, process: subprocess.Popen[bytes], limit: float = 120) -> None:
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if process.poll() is not None:
            raise SystemExit(f"affuse serve ended with exit code {process.returncode}")
        try:
            if httpx2.get(f"{address}/readyz").status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit("affuse serve is not ready after two minutes")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--model", default="starter")
    parser.add_argument(
        "--kill", type=float, default=0, help="seconds between two kill -9 of its processes; 0: none"
    )
    asked = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        service = subprocess.Popen(
            [sys.executable, "-m", "affuse", "serve", asked.model, "--port", str(port)],
            env=os.environ | {"TMPDIR": folder},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until_ready(address, service)
            process = psutil.Process(service.pid)
            content, _ = clip(0)
            for _ in range(20):  # what is loaded at the first clips is no leak
                httpx2.post(f"{address}/v1/predict", files={"clip": ("a.wav", content)}, timeout=120)
            before = memory(process)
            told, killed = asyncio.run(load(address, process, asked.clients, asked.seconds, asked.kill))
            time.sleep(10)
            after = memory(process)
            left = [path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file()]
            service.send_signal(signal.SIGTERM)
            code = service.wait(60)
        finally:
            service.kill()
        remaining = [path for path in Path(folder).rglob("*") if path.is_file()]
    waits = sorted(told.waits) or [float("nan")]
    columns = {
        "clients": asked.clients,
        "seconds": f"{asked.seconds:g}",
        "good": told.count[GOOD],
        "answered": len(told.waits),
        "per second": f"{len(told.waits) / asked.seconds:.1f}",
        "p50 s": f"{statistics.median(waits):.2f}",
        "p99 s": f"{waits[int(0.99 * (len(waits) - 1))]:.2f}",
        "told to wait": told.refused,
        "wrong": len(told.wrong),
        "MB before": f"{before:.0f}",
        "MB after": f"{after:.0f}",
    }
    for row in (columns, ["---"] * len(columns), columns.values()):
        print(f"| {' | '.join(str(one) for one in row)} |")
    print(f"requests: {json.dumps(told.count)}; processes killed: {killed}; exit code after SIGTERM: {code}")
    print(
        f"files while it waited: {[str(path) for path in left]}; after its end: {[str(path) for path in remaining]}"
    )
    for line in told.wrong[:20]:
        print(f"wrong: {line}")


if __name__ == "__main__":
    main()
