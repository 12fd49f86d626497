"""The engine when things go wrong: clips beyond the limits, clients that go away, processes that die."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch

from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.serving.engine import Draining, Full, Job
from affuse.serving.limits import Limits
from audio_files import write_tracks
from serving.running_engine import RunningEngine, running_engine
from video_files import grey, write_video
from voices import RATE, recording

LIMITS = Limits(
    seconds=1000, pixels=200 * 200, tracks=4, queue=6, long_seconds=60, decoders=2, decode_seconds=0.05,
    silent_seconds=10, ahead=8, batch=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("faults")


@pytest.fixture(scope="module")
def models(folder: Path) -> dict[str, Path]:
    """Untrained: one hears, one sees."""
    for name, modality in (
        ("voice", {"encoder": "logmel"}),
        ("faces", {"encoder": "hog", "options": {"crop": "window"}}),
    ):
        torch.manual_seed(0)
        recipe = Recipe.parse({"name": name, "modalities": {name: modality}})
        save_model(Model(recipe, {"emotion": ["anger", "neutral", "joy"]}).eval(), folder / name)
    return {name: folder / name for name in ("voice", "faces")}


@pytest.fixture(scope="module")
def running(models: dict[str, Path]) -> Generator[RunningEngine]:
    with running_engine(models, LIMITS) as one:
        yield one


@pytest.fixture(scope="module")
def short(folder: Path) -> Path:
    soundfile.write(folder / "short.wav", recording(("neu", 2.0)), RATE)
    return folder / "short.wav"


@pytest.fixture(scope="module")
def long(folder: Path) -> Path:
    """A quarter of an hour in which somebody speaks."""
    soundfile.write(folder / "long.wav", np.tile(recording(("neu", 9.0), 1.0), 90), RATE)
    return folder / "long.wav"


async def until_state(job: Job, *states: str) -> None:
    async for one in job.changes():
        if one.state in states:
            return
    raise AssertionError(f"{job.state}: {job.failure}")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def check_still_good(running: RunningEngine, short: Path) -> None:
    job = running.predict(short, "voice", vad=False)
    assert job.state == "done", job.failure
    assert not running.engine.active
    assert running.engine.counts[:2] == (0, 0)
    assert running.engine.counts.windows == 0


def test_cancelled_while_it_is_read(running: RunningEngine, short: Path, long: Path) -> None:
    before = running.engine.processes

    async def work() -> Job:
        job = running.submit(long, "voice")
        await until_state(job, "reading")
        await asyncio.sleep(0.2)
        assert job.state == "reading"
        job.cancel()
        assert job.state == "cancelled"
        async with asyncio.timeout(3):
            await job.released.wait()
        return job

    job = running.run(work())
    assert job.timeline is None
    assert job.failure is None
    check_still_good(running, short)
    assert running.engine.processes == before, "the decoder stopped by itself"


def test_cancelled_while_it_is_answered(running: RunningEngine, short: Path, long: Path) -> None:
    async def work() -> Job:
        job = running.submit(long, "voice", window=1.0, hop=0.2, vad=False)
        await until(lambda: job.windows_done > 4)
        job.cancel()
        async with asyncio.timeout(3):
            await job.released.wait()
        return job

    job = running.run(work())
    assert job.windows is not None
    assert job.windows_done < job.windows, "it was stopped on the way"
    check_still_good(running, short)


def test_cancelled_in_the_queue(running: RunningEngine, short: Path) -> None:
    async def work() -> list[Job]:
        jobs = [running.submit(short, "voice", vad=False) for _ in range(5)]
        waiting = next(job for job in jobs if job.state == "queued")
        waiting.cancel()
        assert waiting.released.is_set()
        await asyncio.gather(*(job.wait() for job in jobs))
        return jobs

    assert sorted(job.state for job in running.run(work())) == ["cancelled", *["done"] * 4]


def test_a_decoder_that_is_killed_costs_nobody_an_answer(
    running: RunningEngine, short: Path, long: Path
) -> None:
    before = running.engine.processes["decoders"]

    async def work() -> list[Job]:
        jobs = [running.submit(long, "voice", "a"), running.submit(short, "voice", "b", vad=False)]
        await until_state(jobs[0], "reading")
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*(job.wait() for job in jobs))
        return jobs

    assert [job.state for job in running.run(work())] == ["done", "done"]
    assert not set(before) & set(running.engine.processes["decoders"])
    check_still_good(running, short)


def test_a_clip_that_kills_its_decoder_again_fails(running: RunningEngine, short: Path, long: Path) -> None:
    async def work() -> Job:
        job = running.submit(long, "voice")
        while not job.final:
            await until(lambda: job.state == "reading" or job.final)
            await asyncio.sleep(0.1)
            for pid in running.engine.processes["decoders"]:
                os.kill(pid, signal.SIGKILL)
            await until(lambda: job.state != "reading")
        return job

    job = running.run(work())
    assert job.failure is not None
    assert job.failure.kind == "crash"
    assert job.tries == 2
    assert job.released.is_set()
    check_still_good(running, short)


def test_windows_of_a_killed_network_are_answered_by_the_next(
    running: RunningEngine, short: Path, long: Path
) -> None:
    (before,) = running.engine.processes["networks"]

    async def work() -> list[Job]:
        jobs = [
            running.submit(long, "voice", "a", window=1.0, hop=0.5, vad=False),
            running.submit(short, "voice", "b", vad=False),
        ]
        await until(lambda: jobs[0].windows_done > 4)
        os.kill(before, signal.SIGKILL)
        await asyncio.gather(*(job.wait() for job in jobs))
        return jobs

    jobs = running.run(work())
    assert [job.state for job in jobs] == ["done", "done"], [job.failure for job in jobs]
    assert running.engine.processes["networks"] != [before]
    check_still_good(running, short)


def test_a_decoder_that_says_nothing_is_replaced(running: RunningEngine, short: Path, long: Path) -> None:
    async def work() -> Job:
        job = running.submit(long, "voice")
        await until_state(job, "reading")
        for pid in running.engine.processes["decoders"]:
            os.kill(pid, signal.SIGSTOP)
        return await job.wait()

    job = running.run(work())
    assert job.failure is not None
    assert job.failure.kind == "limit"
    assert "made no progress for 10 seconds" in job.failure.sentence
    for pid in running.engine.processes["decoders"]:
        os.kill(pid, signal.SIGCONT)
    check_still_good(running, short)


def test_one_that_is_stopped_cannot_be_cancelled_and_is_killed(
    running: RunningEngine, short: Path, long: Path
) -> None:
    async def work() -> Job:
        job = running.submit(long, "voice")
        await until_state(job, "reading")
        for pid in running.engine.processes["decoders"]:
            os.kill(pid, signal.SIGSTOP)
        job.cancel()
        async with asyncio.timeout(3.5):
            await job.released.wait()
        return job

    running.run(work())
    for pid in running.engine.processes["decoders"]:
        os.kill(pid, signal.SIGCONT)
    check_still_good(running, short)


def check_refused(
    running: RunningEngine, clip: Path, sentence: str, model: str = "voice", kind: str = "limit"
) -> None:
    job = running.predict(clip, model)
    assert job.failure is not None, job.timeline
    assert job.failure.kind == kind, job.failure
    assert sentence in job.failure.sentence
    assert str(clip) not in job.failure.sentence


def test_a_bomb_of_silence_is_refused_by_what_it_holds(running: RunningEngine, folder: Path) -> None:
    bomb = folder / "bomb.flac"
    soundfile.write(bomb, np.zeros(8000 * 1010, np.int16), 8000)
    assert bomb.stat().st_size < 50_000
    check_refused(running, bomb, "longer than the 1000 seconds")
    content = bytearray(bomb.read_bytes())
    total = struct.unpack(">Q", content[18:26])[0] & ~((1 << 36) - 1)
    content[18:26] = struct.pack(">Q", total)  # it does not say how long it is
    (folder / "liar.flac").write_bytes(content)
    check_refused(running, folder / "liar.flac", "longer than the 1000 seconds")
    content[18:26] = struct.pack(">Q", total | 8000)  # it says that it is one second long: that is read
    (folder / "liar.flac").write_bytes(content)
    job = running.predict(folder / "liar.flac", "voice")
    assert job.timeline is not None
    assert job.timeline.seconds == pytest.approx(1.0)


def test_one_that_says_too_much_of_itself_is_as_long_as_it_is(
    running: RunningEngine, short: Path, folder: Path
) -> None:
    content = bytearray(short.read_bytes())
    place = content.index(b"data") + 4
    content[4:8] = content[place : place + 4] = b"\xff\xff\xff\xff"
    (folder / "endless.wav").write_bytes(content)
    job = running.predict(folder / "endless.wav", "voice", vad=False)
    assert job.timeline is not None, job.failure
    assert job.timeline.seconds == pytest.approx(2.0)


def test_pictures_beyond_the_limit_are_never_decoded(running: RunningEngine, folder: Path) -> None:
    film = write_video(folder / "large.avi", [grey(100, 208, 208)] * 30)
    check_refused(running, film, "pictures of 208 x 208 pixels, and the service takes 40,000", "faces")
    content = bytearray(write_video(folder / "small.avi", [grey(100)] * 30, codec="ffv1").read_bytes())
    for place in (content.index(b"avih") + 8 + 32, content.index(b"strf") + 8 + 4):
        content[place : place + 8] = struct.pack("<ii", 20_000, 13_000)
    (folder / "huge.avi").write_bytes(content)
    check_refused(running, folder / "huge.avi", "pictures of 20000 x 13000 pixels", "faces")
    for place in (content.index(b"avih") + 8 + 32, content.index(b"strf") + 8 + 4):
        content[place : place + 8] = struct.pack("<ii", 100_000, 100_000)  # beyond what FFmpeg itself takes
    (folder / "huge.avi").write_bytes(content)
    check_refused(running, folder / "huge.avi", "", "faces", "clip")
    header = struct.pack(">II5B", 100_000, 100_000, 8, 2, 0, 0, 0)
    picture = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + b"IHDR" + header + bytes(4)
    (folder / "huge.png").write_bytes(picture)
    job = running.predict(folder / "huge.png", "faces")
    assert job.failure is not None
    assert job.failure.kind == "clip"


def test_tracks_beyond_the_limit(running: RunningEngine, folder: Path) -> None:
    tone = np.zeros(RATE, np.float32)
    film = write_tracks(folder / "tracks.mka", {f"{i:03}": tone for i in range(5)}, RATE)
    check_refused(running, film, "5 tracks, and the service takes 4")


def test_a_film_that_takes_long_to_decode(running: RunningEngine, folder: Path) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (192, 192, 3), dtype=np.uint8) for _ in range(8)]
    times = [*(0.002 * i for i in range(99)), 0.4]
    film = write_video(
        folder / "slow.mov", [pictures[i % 8] for i in range(100)], times=times, codec="jpeg2000"
    )
    check_refused(running, film, "seconds of processor time", "faces")


def test_the_queue_is_bounded_and_each_client_has_a_share(running: RunningEngine, short: Path) -> None:
    def fill() -> tuple[list[Job], Full]:
        jobs: list[Job] = []
        while True:
            try:
                jobs.append(running.submit(short, "voice", "greedy"))
            except Full as full:
                return jobs, full

    async def work() -> list[Job]:
        jobs, full = fill()
        assert LIMITS.queue <= len(jobs) <= LIMITS.queue + LIMITS.decoders
        assert full.retry_after >= 1
        late = running.submit(short, "voice", "modest")
        assert late.position == 2, "after one of the other client's"
        jobs.append(late)
        await asyncio.gather(*(job.wait() for job in jobs))
        return jobs

    assert {job.state for job in running.run(work())} == {"done"}


def test_clips_that_were_read_do_not_pile_up_before_the_networks(running: RunningEngine, short: Path) -> None:
    (network,) = running.engine.processes["networks"]

    async def work() -> list[Job]:
        os.kill(network, signal.SIGSTOP)
        jobs: list[Job] = []
        with suppress(Full):
            while len(jobs) < 60:
                jobs.append(running.submit(short, "voice", "a", vad=False))
                taken = asyncio.create_task(until_state(jobs[-1], "reading", "predicting"))
                await asyncio.wait([taken], timeout=0.3)
        os.kill(network, signal.SIGCONT)
        await asyncio.gather(*(job.wait() for job in jobs))
        return jobs

    jobs = running.run(work())
    assert {job.state for job in jobs} == {"done"}
    assert len(jobs) <= LIMITS.queue + 3 * LIMITS.batch + LIMITS.decoders
    check_still_good(running, short)


def test_long_clips_leave_a_decoder_to_short_ones(running: RunningEngine, short: Path, long: Path) -> None:
    async def work() -> None:
        slow = {"window": 1.0, "hop": 0.02, "vad": False}  # 45,000 windows
        films = [running.submit(long, "voice", "films", **slow) for _ in range(2)]
        await until(lambda: all(job.long for job in films))
        shorts = [running.submit(short, "voice", f"{i}", vad=False) for i in range(3)]
        await asyncio.gather(*(job.wait() for job in shorts))
        assert {job.state for job in shorts} == {"done"}
        (second,) = (job for job in films if job.state == "queued")
        (first,) = (job for job in films if job.state in ("reading", "predicting"))
        first.cancel()
        await until_state(second, "predicting")
        assert second.tries == 1, "what it was put back for does not count"
        second.cancel()
        await asyncio.gather(*(job.released.wait() for job in films))

    running.run(work())
    check_still_good(running, short)


def test_memory_of_a_decoder_is_bounded() -> None:
    """In a process of its own, which it would limit for good."""
    if sys.platform != "linux":
        pytest.skip("only Linux limits what a process asks for")
    code = (
        "import numpy as np\n"
        "from affuse.serving.engine.memory_limit import limit_memory\n"
        "limit_memory(50_000_000)\n"
        "try:\n    np.ones(12_500_000)\nexcept MemoryError:\n    print(len(np.ones(1_000_000)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1000000\n"


def test_drained_it_finishes_what_it_has_and_leaves_no_process(models: dict[str, Path], short: Path) -> None:
    with running_engine({"voice": models["voice"]}, LIMITS) as running:

        async def work() -> list[Job]:
            jobs = [running.submit(short, "voice", vad=False) for _ in range(4)]
            for pid in [*running.engine.processes["decoders"], *running.engine.processes["networks"]]:
                os.kill(pid, signal.SIGTERM)  # as a service manager sends it to the whole group
            draining = asyncio.create_task(running.engine.drain(30))
            await asyncio.sleep(0)
            with pytest.raises(Draining):
                running.submit(short, "voice")
            await draining
            return jobs

        assert {job.state for job in running.run(work())} == {"done"}
        assert not running.engine.ready
        pids = [pid for found in running.engine.processes.values() for pid in found]
        assert all(map(psutil.pid_exists, pids))
    assert not any(map(psutil.pid_exists, pids))


FRONT = """
import asyncio, sys
from affuse.serving.engine import Engine
from affuse.serving.limits import Limits

async def main():
    engine = Engine({"voice": sys.argv[1]}, Limits(decoders=2))
    await engine.start()
    print(*engine.processes["decoders"], *engine.processes["networks"], flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    raise SystemExit("nobody has closed the engine")

asyncio.run(main())
"""


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "failed"])
def test_no_process_outlives_the_service(models: dict[str, Path], killed: bool) -> None:
    front = subprocess.Popen(
        [sys.executable, "-c", FRONT, str(models["voice"])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert front.stdout is not None
    pids = list(map(int, front.stdout.readline().split()))
    assert len(pids) == 3
    if killed:
        front.kill()
        front.wait()
    front.communicate("\n", timeout=20)
    last = time.monotonic() + 10
    while any(map(psutil.pid_exists, pids)) and time.monotonic() < last:
        time.sleep(0.05)
    assert not any(map(psutil.pid_exists, pids))
