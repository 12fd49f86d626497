"""``affuse.Client`` against a real service: its answers are those of the library, its errors are its sentences."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import soundfile

import affuse
from affuse.errors import AffuseError, ClipError
from affuse.inference.timeline import Picture, Timeline
from affuse.media.samples import Samples
from affuse.serving.client import remote_job
from affuse.serving.client.client import Client
from affuse.serving.client.read_timeline import read_timeline
from affuse.serving.client.remote_job import RemoteJob
from affuse.serving.formats import timeline_dict
from serving.running_service import RunningService, wait_until
from voices import RATE, recording


@pytest.fixture(scope="module")
def client(service: RunningService) -> Generator[Client]:
    with affuse.Client(service.address) as one:
        yield one


def check_equal(mine: Timeline, other: Timeline) -> None:
    """The same but for the last digit of probabilities, and times in milliseconds."""
    told, expected = mine.to_dict(), other.to_dict()
    for part in (expected["summary"], *expected["segments"]):
        for answer in part.values():
            if isinstance(answer, dict):
                answer["confidence"] = pytest.approx(answer["confidence"], abs=1.01e-4)
                answer["probabilities"] = pytest.approx(answer["probabilities"], abs=1.01e-4)
    assert told == expected
    assert [one.text for one in mine.words] == [one.text for one in other.words]
    np.testing.assert_allclose(
        [one[:2] for one in mine.moments], [one[:2] for one in other.moments], atol=6e-4
    )
    for one, another in zip(mine.moments, other.moments, strict=True):
        for task, probabilities in another.probabilities.items():
            assert one.probabilities[task] == pytest.approx(probabilities, abs=1.01e-4)
    np.testing.assert_allclose(mine.peaks, other.peaks, atol=6e-4)


def test_a_clip_has_the_timeline_that_the_library_makes(client: Client, talk: Path, tmp_path: Path) -> None:
    expected = affuse.load("starter").predict(talk)
    found = client.predict(talk, tasks=["emotion", "gender"])
    check_equal(found, expected)
    assert found.clip == str(talk)
    assert found.to_frame().columns.tolist() == expected.to_frame().columns.tolist()
    for ending in ("srt", "vtt", "txt", "csv"):
        mine, other = (one.save(tmp_path / f"{i}.{ending}") for i, one in enumerate((found, expected)))
        assert len(mine.read_text().splitlines()) == len(other.read_text().splitlines()) > 1
    assert found.save(tmp_path / "talk.png").stat().st_size > 10_000


def test_settings_are_those_of_the_library(client: Client, talk: Path, tmp_path: Path) -> None:
    cues = tmp_path / "talk.csv"  # without its ending it would be plain text
    cues.write_text("start,end,text\n0,1.5,I am so happy\n5,7,this is wonderful\n")
    settings: dict[str, Any] = {"window": 2.0, "hop": 0.5, "unsure": 0.9, "start": 0.5, "end": 9.0,
                                "classes": ["anger", "neutral"], "text": cues}  # fmt: skip
    expected = affuse.load("starter").predict(talk, **settings)
    found = client.predict(talk, tasks=["emotion", "gender"], **settings)
    check_equal(found, expected)
    assert [one.text for one in found.words] == ["so", "happy", "this", "is", "wonderful"]  # after 0.5 s
    said = client.predict(talk, words="What a day.", vad=False)
    assert "".join(one.text for one in said.segments).count("day") >= 1
    assert "gender" not in said.spaces


@pytest.mark.parametrize("kind", ["float32", "float64", "int16", "int32", "uint8", "int8"])
def test_an_array_is_sent_as_the_file_that_it_would_be(kind: str, talk: Path) -> None:
    floats, _ = soundfile.read(talk, dtype="float32")
    scale = {"int16": 2**15, "int32": 2**31, "uint8": 128, "int8": 128}.get(kind, 1)
    values = np.clip(floats.astype(np.float64) * scale, -scale, scale - 1) + (128 if kind == "uint8" else 0)
    stereo = np.stack([values, values[::-1]]).astype(kind)
    held = io.BytesIO()
    samples = Samples(stereo, RATE)
    samples.write_wav(held)
    held.seek(0)
    found, rate = soundfile.read(held, dtype="float32", always_2d=True)
    assert rate == RATE
    np.testing.assert_array_equal(
        found, np.concatenate([one.samples_tc for one in samples.chunks(0, 10_000)])
    )


def test_an_array_has_the_timeline_that_the_library_makes(client: Client, talk: Path) -> None:
    samples, rate = soundfile.read(talk, dtype="int16")
    found = client.predict((samples, rate), tasks=["emotion", "gender"])
    check_equal(found, affuse.load("starter").predict((samples, rate)))


def test_a_job_tells_how_far_it_is(client: Client, talk: Path, whole: Timeline) -> None:
    job = client.submit(talk, tasks=["emotion", "gender"])
    states = list(job.events())
    assert [one.final for one in states] == [False] * (len(states) - 1) + [True]
    order = ["queued", "reading", "predicting", "done"]
    places = [order.index(one.state) for one in states]
    assert places == sorted(places)
    assert states[-1].windows_done == states[-1].windows == len(set(range(states[-1].windows or 0)))
    assert job.state == "done"
    check_equal(job.wait(), whole)
    check_equal(job.timeline(), whole)
    assert repr(job) == f"RemoteJob({str(talk)!r}: done)"
    job.cancel()
    with pytest.raises(AffuseError, match="There is no such job"):
        job.timeline()


def test_a_cancelled_job_has_no_timeline(client: Client, long_talk: Path, service: RunningService) -> None:
    job = client.submit(long_talk, window=1.0, hop=0.05)
    with pytest.raises(AffuseError, match="not finished"):
        job.timeline()
    job.cancel()
    job.cancel()
    assert job.state == "cancelled"
    assert not service.engine.active


def test_the_models_are_those_of_the_service(client: Client) -> None:
    (model,) = client.models()
    assert model.name == "starter"
    assert model.tasks["emotion"] == ["anger", "happiness", "sadness", "neutral"]
    assert set(model.modalities.values()) == {"audio", "text"}
    assert (model.window, model.recogniser) == (5.76, False)


def test_a_stream_has_the_segments_of_the_file(client: Client, talk: Path, whole: Timeline) -> None:
    samples, rate = soundfile.read(talk, dtype="int16")
    with client.stream(rate, tasks=["emotion", "gender"]) as stream:
        told = [one for at in range(0, len(samples), 4000) for one in stream.push(samples[at : at + 4000])]
        told += stream.close()
        assert stream.close() == []
        with pytest.raises(AffuseError, match="was closed"):
            stream.push(samples[:10])
    found = [one.segment for one in told if one.final]
    assert len(found) == len(whole.segments)
    for mine, other in zip(found, whole.segments, strict=True):
        assert mine[:2] == pytest.approx(other[:2], abs=1e-3)
        assert {task: one.label for task, one in mine.answers.items()} == {
            task: one.label for task, one in other.answers.items()
        }


def test_a_stream_of_a_service_that_ends_hears_why(
    client: Client, service: RunningService, talk: Path
) -> None:
    """Also where segments came before it, and the connection is closed when it is noticed."""
    samples, rate = soundfile.read(talk, dtype="float32")
    leaving = service.engine.streams.leaving
    try:
        with client.stream(rate) as stream:
            stream.push(samples)
            wait_until(lambda: bool(stream.push(samples[:0])))
            service.loop.call_soon_threadsafe(leaving.set)
            wait_until(lambda: service.engine.counts.streams == 0)
            with pytest.raises(AffuseError, match="about to end"):
                stream.close()
    finally:
        service.loop.call_soon_threadsafe(leaving.clear)


def test_a_long_block_is_sent_in_parts(client: Client) -> None:
    """A message of more than a megabyte is none that the service takes."""
    samples = np.tile(recording(("neu", 3.0), 1.0, ("ang", 5.0), 0.8), 4)  # 39 s
    with affuse.load("starter").stream(RATE, partial=False) as local:
        expected = [*local.push(samples), *local.close()]
    with client.stream(RATE, tasks=["emotion", "gender"]) as stream:
        found = [one for one in [*stream.push(samples), *stream.close()] if one.final]
    assert len(found) == len(expected) > 4
    for mine, other in zip(found, expected, strict=True):
        assert mine.segment.start == pytest.approx(other.segment.start, abs=1e-3)
        assert mine.segment.end == pytest.approx(other.segment.end, abs=1e-3)
        assert mine.segment.answers["emotion"].label == other.segment.answers["emotion"].label


def test_a_client_that_was_closed_says_so(service: RunningService, talk: Path) -> None:
    client = affuse.Client(service.address)
    job = client.submit(talk)
    client.close()
    asked = (lambda: client.predict(talk), client.models, lambda: client.stream(RATE), job.wait,
             job.timeline, job.cancel, lambda: job.state)  # fmt: skip
    for ask in asked:
        with pytest.raises(AffuseError, match="This client was closed; make another one"):
            ask()


def test_a_client_that_is_closed_by_another_thread_ends(service: RunningService, long_talk: Path) -> None:
    client = affuse.Client(service.address)
    job = client.submit(long_talk)
    events = job.events()
    next(events)
    client.close()
    with pytest.raises(AffuseError, match="This client was closed"):
        list(events)
    with affuse.Client(service.address) as other:
        RemoteJob(other._connection, {**_told("queued"), "id": job.id}, "long").cancel()


def test_what_is_wrong_is_the_services_own_sentence(client: Client, talk: Path, tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    noise.write_bytes(b"no sound at all" * 100)
    with pytest.raises(ClipError, match=r"^The clip ") as caught:
        client.predict(noise)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(ClipError, match=r"^The clip "):
        client.submit(noise).wait()
    with pytest.raises(ClipError, match="larger than the 8,000,000 bytes"):
        client.predict((np.zeros(5_000_000, np.int16), RATE))
    for asked, said in (
        ({"model": "nobody"}, "There is no 'nobody' among the models of this service"),
        ({"tasks": ["mood"]}, "There is no 'mood' among the tasks"),
        ({"window": -1.0}, "window takes seconds above 0"),
        ({"asr": True}, "has no recogniser here"),
    ):
        with pytest.raises(AffuseError, match=said) as wrong:
            client.predict(talk, **asked)
        assert not isinstance(wrong.value, ClipError)
    with pytest.raises(AffuseError, match="There is no 'mood' among the tasks"):
        client.stream(RATE, tasks=["mood"])


def test_what_is_wrong_here_is_never_sent(service: RunningService, talk: Path, tmp_path: Path) -> None:
    count = service.metric(r'affuse_requests_total\{method="POST",.*\}')
    with affuse.Client(service.address) as client:
        with pytest.raises(ClipError, match=r"gone\.wav does not exist"):
            client.predict("gone.wav")
        with pytest.raises(AffuseError, match=r"gone\.srt is no file"):
            client.predict(talk, text="gone.srt")
        with pytest.raises(AffuseError, match="did you mean 'window'"):
            client.predict(talk, windw=2)  # type: ignore[call-arg]
        with pytest.raises(AffuseError, match="sampling rate"):
            client.predict((np.zeros(16_000, np.int16), 3))
    assert service.metric(r'affuse_requests_total\{method="POST",.*\}') == count
    for address in ("here", "ftp://127.0.0.1", "http://", ""):
        with pytest.raises(AffuseError, match="address takes the URL"):
            affuse.Client(address)
    with pytest.raises(AffuseError, match="token takes"):
        affuse.Client(service.address, "ein Geheimnis")
    with affuse.Client("http://127.0.0.1:9") as nobody, pytest.raises(AffuseError, match="cannot be reached"):
        nobody.models()


class Strange(BaseHTTPRequestHandler):
    """Says 429, then 503, then what it was given."""

    asked = 0
    answers: ClassVar[list[tuple[int, str, bytes]]] = []  # or these, one after another

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        type(self).asked += 1
        if self.answers:
            self.answer(*self.answers.pop(0), {})
        elif type(self).asked < 3:
            status = 429 if type(self).asked == 1 else 503
            problem = {"status": status, "detail": "Too many clips wait already."}
            self.answer(
                status, "application/problem+json", json.dumps(problem).encode(), {"Retry-After": "0"}
            )
        else:
            self.answer(200, "text/html", b"<h1>it works</h1>", {})

    def do_GET(self) -> None:
        if self.answers:
            self.answer(*self.answers.pop(0), {})
            return
        self.answer(502, "text/html", b"<h1>Bad Gateway</h1>", {})

    def answer(self, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture
def strange() -> Generator[str]:
    Strange.asked, Strange.answers = 0, []
    with HTTPServer(("127.0.0.1", 0), Strange) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_where_there_is_no_room_it_asks_again(strange: str, talk: Path) -> None:
    with affuse.Client(strange) as client, pytest.raises(AffuseError, match="what is no JSON"):
        client.predict(talk)
    assert Strange.asked == 3
    Strange.asked = 0
    with (
        affuse.Client(strange, patience=-1) as client,
        pytest.raises(AffuseError, match="Too many clips wait"),
    ):
        client.predict(talk)
    assert Strange.asked == 1


def test_what_is_no_affuse_is_said_to_be_none(strange: str) -> None:
    with (
        affuse.Client(strange) as client,
        pytest.raises(AffuseError, match="answers 502 Bad Gateway, which affuse"),
    ):
        client.models()


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'"ok"', b"null", b'{"models": 3}', b'{"id": "a", "state": "done"}']
)
def test_json_of_others_is_no_answer(strange: str, talk: Path, body: bytes) -> None:
    with affuse.Client(strange) as client:
        for ask in (client.models, lambda: client.predict(talk), lambda: client.submit(talk)):
            Strange.answers = [(200, "application/json", body)]
            with pytest.raises(AffuseError, match=r"which affuse serve does not|no timeline of this version"):
                ask()
        for event in (b"no json", body):
            Strange.answers = [
                (202, "application/json", _job("queued")),
                (200, "text/event-stream", b"event: state\ndata: " + event + b"\n\n"),
            ]
            with pytest.raises(AffuseError, match="what is no job, which affuse serve does not"):
                client.submit(talk).wait()


def test_events_that_break_are_asked_for_again(
    strange: str, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_job, "_PAUSE", 0.0)
    Strange.answers = [
        (202, "application/json", _job("queued")),
        (200, "text/event-stream", b"event: state\ndata: " + _job("reading") + b"\n\n"),
        (200, "text/event-stream", b": still here\n\n"),
        (200, "text/event-stream", b"event: state\ndata: " + _job("predicting") + b"\n\n"),
        (200, "text/event-stream", b"event: done\ndata: " + _job("done") + b"\n\n"),
    ]
    with affuse.Client(strange) as client:
        job = client.submit(talk)
        assert [one.state for one in job.events()] == ["reading", "predicting", "done"]
        Strange.answers = [(202, "application/json", _job("queued"))]
        Strange.answers += [(200, "text/event-stream", b"")] * 9
        with pytest.raises(AffuseError, match="events end before the job does"):
            client.submit(talk).wait()
    assert len(Strange.answers) == 4


def _job(state: str) -> bytes:
    return json.dumps(_told(state)).encode()


def _told(state: str) -> dict[str, Any]:
    return {"id": "a", "state": state, "position": None, "windows_done": 0, "windows": None, "problem": None}


def test_faces_come_as_pictures() -> None:
    """Of a timeline that has some: the starter looks for none."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    timeline = Timeline("clip", 1.0, [], {}, {}, 1.0, 0.5, pictures=[Picture(0.5, pixels)])
    timeline.peaks = np.linspace(0, 1, 9001, dtype=np.float32)
    told = timeline_dict(timeline, "full")
    kind, _, data = told["faces"][0]["image"].partition(",")
    assert kind == "data:image/png;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded[:, :, ::-1], pixels)
    assert told["peaks"]["seconds"] == pytest.approx(0.15)
    back = read_timeline(json.loads(json.dumps(told)), "mine.wav")
    np.testing.assert_array_equal(back.pictures[0].pixels, pixels)
    np.testing.assert_allclose(back.peaks[:9001], timeline.peaks, atol=3.5 / 9001 + 6e-4)
