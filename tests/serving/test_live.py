"""Live streams of the service: what they tell is what a file of the same sound is told."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from websockets.sync.client import connect

import affuse
from affuse.inference.settings import Settings
from affuse.inference.timeline import Timeline
from affuse.media.piped_sound import PipedSound
from affuse.serving import live
from affuse.serving.about.about import About
from affuse.serving.app import create_app
from affuse.serving.engine import Draining, Engine
from affuse.serving.limits import Limits
from affuse.serving.live import LiveSession
from serving.running_service import RunningService, wait_until
from voices import RATE, recording

LOCAL = {"Host": "localhost"}


@pytest.fixture(scope="module")
def sound() -> np.ndarray:
    samples = recording(("neu", 7.0), 0.8, ("ang", 9.0), 1.0, ("sad", 3.0), 0.6)
    return (np.clip(samples, -1, 1) * 32767).astype("<i2")


@pytest.fixture(scope="module")
def whole(sound: np.ndarray) -> Timeline:
    return affuse.load("starter").predict(sound.astype(np.float32) / 32768, RATE)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine({"starter": "starter"}, Limits(streams=2, stream_seconds=60, idle_seconds=3))


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[TestClient]:
    app = create_app(engine, {"starter": About("starter")})
    with TestClient(app, base_url="http://localhost", headers=LOCAL) as opened:
        yield opened


def feed(
    stream: WebSocketTestSession, sound: np.ndarray, samples: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Send all of it, then its end; the final segments, and all messages."""
    for at in range(0, len(sound), samples):
        stream.send_bytes(sound[at : at + samples].tobytes())
    stream.send_text(json.dumps({"type": "end"}))
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["type"] not in ("end", "problem"):
        messages.append(stream.receive_json())
    final = [one for message in messages if message["type"] == "segments" for one in message["final"]]
    return final, messages


@pytest.mark.parametrize("milliseconds", [20, 700])
def test_final_segments_are_those_of_the_file(
    client: TestClient, sound: np.ndarray, whole: Timeline, milliseconds: int
) -> None:
    with client.websocket_connect("/v1/stream?rate=16000&tasks=emotion,gender", headers=LOCAL) as stream:
        final, messages = feed(stream, sound, RATE * milliseconds // 1000)
    assert messages[0] == {"type": "ready", "rate": RATE, "warning": whole.warning}
    assert messages[-1] == {"type": "end", "seconds": round(len(sound) / RATE, 3)}
    expected = [one.to_dict() for one in whole.segments]
    assert len(final) == len(expected) > 1
    for one, other in zip(final, expected, strict=True):
        assert one["start"] == pytest.approx(other["start"], abs=1e-3)
        assert one["end"] == pytest.approx(other["end"], abs=1e-3)
        assert one["modalities"] == other["modalities"]
        for task in ("emotion", "gender"):
            assert one[task]["label"] == other[task]["label"]
            for name, value in other[task]["probabilities"].items():
                assert one[task]["probabilities"][name] == pytest.approx(value, abs=1.01e-4)


def test_gender_is_told_where_it_is_asked_for_alone(client: TestClient, sound: np.ndarray) -> None:
    with client.websocket_connect("/v1/stream", headers=LOCAL) as stream:
        final, _ = feed(stream, sound, 8000)
    assert all("gender" not in one and "emotion" in one for one in final)


def test_a_sample_may_be_cut_in_two_and_floats_are_taken(client: TestClient, sound: np.ndarray) -> None:
    with client.websocket_connect("/v1/stream", headers=LOCAL) as stream:
        final, _ = feed(stream, sound, 8000)
    data = (sound.astype(np.float32) / 32768).astype("<f4").tobytes()
    with client.websocket_connect("/v1/stream?format=f32le", headers=LOCAL) as stream:
        for at in range(0, len(data), 40_001):
            stream.send_bytes(data[at : at + 40_001])
        stream.send_text('{"type": "end"}')
        cut: list[dict[str, Any]] = []
        while (message := stream.receive_json())["type"] != "end":
            cut += message.get("final", [])
    assert [(one["start"], one["end"], one["emotion"]["label"]) for one in cut] == [
        (one["start"], one["end"], one["emotion"]["label"]) for one in final
    ]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("model=nobody", "There is no 'nobody' among the models of this service"),
        ("rate=fast", "rate takes samples per second"),
        ("rate=7", "7"),
        ("format=midi", "format takes s16le, f32le, webm"),
        ("tasks=mood", "There is no 'mood' among the tasks"),
        ("windw=2", "no parameter 'windw'"),
        ("asr=true", "has no recogniser here"),
        ("unsure=2", "unsure"),
        ("hop=0.001&window=1", "begin every 0.001 s"),
        ("window=100000&vad=false", "takes 60 s at most"),
    ],
)
def test_what_is_asked_for_wrongly_is_a_problem(client: TestClient, query: str, said: str) -> None:
    with client.websocket_connect(f"/v1/stream?{query}", headers=LOCAL) as stream:
        message = stream.receive_json()
        assert message["type"] == "problem"
        assert message["status"] == 422
        assert said in message["detail"]
        assert stream.receive()["code"] == 1008


def test_what_is_sent_wrongly_is_a_problem(client: TestClient) -> None:
    with client.websocket_connect("/v1/stream", headers=LOCAL) as stream:
        assert stream.receive_json()["type"] == "ready"
        stream.send_text("hello")
        assert "binary messages" in stream.receive_json()["detail"]
    with client.websocket_connect("/v1/stream", headers=LOCAL) as stream:
        assert stream.receive_json()["type"] == "ready"
        for _ in range(61):
            stream.send_bytes(b"\0\0" * RATE)
        assert "longer than the 60 seconds" in stream.receive_json()["detail"]


def streams(client: TestClient) -> int:
    text = client.get("/metrics").text
    return int(
        float(next(line.split()[1] for line in text.splitlines() if line.startswith("affuse_streams ")))
    )


def test_no_more_streams_than_there_is_room_for(client: TestClient, sound: np.ndarray) -> None:
    with (
        client.websocket_connect("/v1/stream", headers=LOCAL) as one,
        client.websocket_connect("/v1/stream", headers=LOCAL) as two,
    ):
        assert one.receive_json()["type"] == two.receive_json()["type"] == "ready"
        assert streams(client) == 2
        with client.websocket_connect("/v1/stream", headers=LOCAL) as three:
            message = three.receive_json()
            assert (message["type"], message["status"]) == ("problem", 429)
            assert message["detail"].startswith(
                "As many live streams are open as the service takes; try again"
            )
    for _ in range(100):  # their ends are heard a moment later
        if streams(client) == 0:
            break
        client.get("/healthz")
    assert streams(client) == 0
    with client.websocket_connect("/v1/stream", headers=LOCAL) as stream:
        assert feed(stream, sound[:RATE], 4000)[1][-1]["type"] == "end"


def test_a_stream_that_waits_for_its_container_has_a_place(client: TestClient) -> None:
    """Else anybody could start any number of processes that wait for a first byte."""
    asked = "/v1/stream?format=webm"
    with (
        client.websocket_connect(asked, headers=LOCAL),
        client.websocket_connect(asked, headers=LOCAL),
        client.websocket_connect(asked, headers=LOCAL) as three,
    ):
        assert three.receive_json()["status"] == 429
        assert streams(client) == 2
    wait_until(lambda: streams(client) == 0)


@pytest.mark.parametrize("format", ["s16le", "webm"])
def test_a_stream_that_sends_nothing_ends(client: TestClient, format: str) -> None:
    with client.websocket_connect(f"/v1/stream?format={format}", headers=LOCAL) as stream:
        message = stream.receive_json()
        if format == "s16le":
            assert message["type"] == "ready"
            message = stream.receive_json()
        assert (message["type"], message["status"]) == ("problem", 408)
        assert message["detail"] == "The stream sent nothing for 3 seconds and was ended; open another one."
    wait_until(lambda: streams(client) == 0)


def in_container(sound: np.ndarray, format: str, codec: str, rate: int) -> bytes:
    held = io.BytesIO()
    with av.open(held, "w", format=format) as container:
        track = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(sound[None].astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(
            format=track.codec_context.format, layout="mono", rate=rate, frame_size=960
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(track.encode(part))
        container.mux(track.encode(None))
    return held.getvalue()


@pytest.mark.parametrize(("format", "codec"), [("webm", "libopus"), ("ogg", "libopus"), ("wav", "pcm_s16le")])
def test_a_container_is_decoded_as_it_arrives(
    client: TestClient, sound: np.ndarray, format: str, codec: str
) -> None:
    data = in_container(sound, format, codec, 48_000)
    with PipedSound(io.BytesIO(data).read) as decoded:
        samples = np.concatenate(list(decoded.blocks(0, None)))
    with client.websocket_connect("/v1/stream?rate=48000&format=f32le", headers=LOCAL) as stream:
        expected, _ = feed(stream, samples.astype("<f4"), 9_600)
    assert len(expected) > 1
    with client.websocket_connect(f"/v1/stream?format={format}", headers=LOCAL) as stream:
        final, messages = feed(stream, np.frombuffer(data, np.uint8), 3000)
    assert messages[0]["rate"] == 48_000
    assert final == expected


def test_a_container_that_is_none_is_a_problem(client: TestClient) -> None:
    with client.websocket_connect("/v1/stream?format=webm", headers=LOCAL) as stream:
        stream.send_bytes(b"not a container at all" * 1000)
        stream.send_text('{"type": "end"}')
        message = stream.receive_json()
        assert message["type"] == "problem"
        assert message["detail"].startswith("The stream is not sound that can be read as it arrives")
    with client.websocket_connect("/v1/stream?format=webm", headers=LOCAL) as stream:
        stream.send_text('{"type": "end"}')
        assert "empty" in stream.receive_json()["detail"]


@pytest.mark.parametrize("format", ["s16le", "webm"])
def test_a_service_that_ends_tells_what_it_has_heard_then_why(
    client: TestClient, engine: Engine, sound: np.ndarray, format: str
) -> None:
    part = sound[: 6 * RATE]  # in the middle of a word: nothing ends it but the service
    data = part.tobytes() if format == "s16le" else in_container(part, "webm", "libopus", 48_000)
    assert client.portal is not None
    try:
        with client.websocket_connect(f"/v1/stream?format={format}", headers=LOCAL) as stream:
            for at in range(0, len(data), 4000):
                stream.send_bytes(data[at : at + 4000])
            message = stream.receive_json()
            while not message.get("partial"):
                message = stream.receive_json()
            client.portal.call(engine.streams.leaving.set)
            stream.send_bytes(data[:4000])  # is not answered, and holds nothing up
            messages = [stream.receive_json()]
            while messages[-1]["type"] == "segments":
                messages.append(stream.receive_json())
            end = stream.receive()
    finally:
        client.portal.call(engine.streams.leaving.clear)
    final = [one for message in messages[:-1] for one in message["final"]]
    assert 1 < final[-1]["end"] <= 6
    assert not messages[-2]["partial"]
    assert (messages[-1]["type"], messages[-1]["status"]) == ("problem", 503)
    assert messages[-1]["detail"] == str(Draining())
    assert end["code"] == 1012  # IANA: the service restarts


@pytest.mark.parametrize("format", ["s16le", "webm"])
def test_a_stream_that_has_said_nothing_hears_why_it_ends(
    client: TestClient, engine: Engine, format: str
) -> None:
    assert client.portal is not None
    try:
        with client.websocket_connect(f"/v1/stream?format={format}", headers=LOCAL) as stream:
            client.portal.call(engine.streams.leaving.set)
            message = stream.receive_json()
            if message["type"] == "ready":
                message = stream.receive_json()
            assert (message["type"], message["status"]) == ("problem", 503)
            assert stream.receive()["code"] == 1012
    finally:
        client.portal.call(engine.streams.leaving.clear)


def test_a_client_that_takes_nothing_is_not_remembered_for_ever(
    service: RunningService, sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is told waits in memory, so no more sound is taken until it takes that."""
    monkeypatch.setattr(live, "BEHIND", 3)

    async def flood() -> int:
        owner = service.engine.open_stream()
        session = LiveSession(service.engine, owner, "starter", RATE, Settings(), ("emotion",), "flood")
        pushed = 0

        async def push() -> None:
            nonlocal pushed
            for _ in range(20):
                await session.push(sound)
                pushed += 1
            await session.end()

        pushing = asyncio.create_task(push())
        try:
            seen = -1
            while seen < pushed < 20:
                seen = pushed
                await asyncio.sleep(2.0)
            count = pushed
            found = [one async for news in session.told() for one in news if one.final]
            await pushing
            assert len(found) > 40
            return count
        finally:
            pushing.cancel()
            session.close()
            service.engine.close_stream(owner)

    assert asyncio.run_coroutine_threadsafe(flood(), service.loop).result(120) < 20


def test_sound_without_a_pause_does_not_fill_the_memory(
    client: TestClient, sound: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEPT", 4 * 8 * RATE)
    with client.websocket_connect("/v1/stream?vad=false&window=5", headers=LOCAL) as stream:
        assert feed(stream, sound, 200_000)[1][-1]["type"] == "end"  # a window and a second are kept
    with client.websocket_connect("/v1/stream?vad=false&window=20", headers=LOCAL) as stream:
        assert stream.receive_json()["type"] == "ready"
        stream.send_bytes(sound.tobytes())
        while (message := stream.receive_json())["type"] == "segments":
            continue
        assert "goes on without a pause for longer than the service can keep its sound" in message["detail"]


def test_a_fault_of_ours_ends_the_stream(service: RunningService, sound: np.ndarray) -> None:
    """Segments that are missing without a word would be taken for silence."""
    url = f"ws{service.address.removeprefix('http')}/v1/stream"
    real = service.engine.answer_sound

    async def half(*args: Any) -> list[Any]:
        return (await real(*args))[1:]

    service.engine.answer_sound = half
    try:
        with connect(url, proxy=None) as opened:
            assert json.loads(opened.recv())["type"] == "ready"
            for at in range(0, len(sound), RATE):
                opened.send(sound[at : at + RATE].tobytes())
            opened.send(json.dumps({"type": "end"}))
            while (told := json.loads(opened.recv(60)))["type"] not in ("problem", "end"):
                continue
    finally:
        del service.engine.answer_sound
    assert told["type"] == "problem"
    assert (told["status"], told["detail"]) == (500, "The service failed (ValueError).")


def test_a_page_of_another_site_hears_nothing(client: TestClient) -> None:
    for headers, status in (({"Origin": "http://evil.example"}, 403), ({"Host": "evil.example"}, 421)):
        with (
            pytest.raises(WebSocketDenialResponse) as caught,
            client.websocket_connect("/v1/stream", headers=LOCAL | headers),
        ):
            pass
        assert caught.value.status_code == status
        assert caught.value.json()["status"] == status
