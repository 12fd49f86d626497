"""Live streams of the service with a camera's pictures: what they tell is what the library tells of the same."""

from __future__ import annotations

import json
import struct
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import cv2
import numpy as np
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import affuse
from affuse.errors import AffuseError
from affuse.inference.faces import FaceOptions
from affuse.inference.live.pictures import FacesRead, Square
from affuse.inference.live.stream import LiveSegment
from affuse.inference.timeline import Segment
from affuse.media.jpeg import encode_jpeg
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.serving import live
from affuse.serving.about.about import About
from affuse.serving.engine.face_decoder import packed, unpacked
from affuse.serving.limits import Limits
from serving.running_service import RunningService, running_service, wait_until
from talking_film import FACE, FIXED, VOICE, Film, make_film, make_model
from voices import RATE


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """As a browser would send it: JPEG."""
    made = make_film(tmp_path_factory.mktemp("film"))
    return made._replace(pictures=[encode_jpeg(one) for one in made.pictures])  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    return {"both": make_model(VOICE | FACE), "face": make_model(FIXED), "voice": make_model(VOICE)}


@pytest.fixture(scope="module")
def served(models: dict[str, Model], tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningService]:
    folder = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        save_model(model, folder / name)
    limits = Limits(decoders=2, idle_seconds=20, pixels=700 * 500)
    with running_service(limits, {name: About(folder / name) for name in models}) as found:
        yield found
        wait_until(lambda: found.engine.counts.streams == 0)


def in_order(film: Film, size: int, late: float) -> list[tuple[float | None, Any]]:
    """Blocks of sound (None), and pictures at their seconds: each so much later than its sound."""
    blocks = [(at / RATE, None, film.wave[at : at + size]) for at in range(0, len(film.wave), size)]
    shown = [(time + late, time, one) for time, one in zip(film.times, film.pictures, strict=True)]
    return [(time, one) for _, time, one in sorted([*blocks, *shown], key=lambda item: item[0])]


def stream_all(stream: Any, film: Film, size: int = 3200, late: float = 0.1) -> list[Segment]:
    found: list[LiveSegment] = []
    with stream:
        for time, one in in_order(film, size, late):
            found += stream.push(one) if time is None else stream.push_picture(one, time)
        found += stream.close()
    return [segment for segment, final in found if final]


def assert_same(found: Sequence[Segment], expected: Sequence[Segment]) -> None:
    assert len(found) == len(expected) > 0
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.start, mine.end) == pytest.approx((theirs.start, theirs.end), abs=1e-3)
        assert mine.modalities == theirs.modalities
        one, other = mine.answers["emotion"], theirs.answers["emotion"]
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=2.01e-4)


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("both", {"window": 1.5}),
        ("both", {"window": 1.5, "face": (0.9, 0.5)}),
        ("face", {"window": 1.0, "side": "left"}),
    ],
)
def test_segments_are_those_of_the_library(
    served: RunningService, models: dict[str, Model], film: Film, model: str, asked: dict[str, Any]
) -> None:
    expected = stream_all(models[model].stream(RATE, pictures=True, partial=False, **asked), film)
    assert any("face" in one.modalities for one in expected)
    with affuse.Client(served.address) as client:
        stream = client.stream(RATE, model=model, pictures=True, **asked)
        assert "modality" not in stream.warning
        assert_same(stream_all(stream, film), expected)
        square = stream.squares["face"]
        assert square is not None
        assert 0 <= square.left < square.right <= 1
        assert 0 <= square.top < square.bottom <= 1
        assert stream.faults == []


def test_a_client_may_push_arrays_and_leaves_the_seconds_out(served: RunningService, film: Film) -> None:
    picture = cv2.imdecode(np.frombuffer(film.pictures[0], np.uint8), cv2.IMREAD_COLOR)
    with affuse.Client(served.address) as client, client.stream(RATE, model="face", pictures=True) as stream:
        found: list[LiveSegment] = []
        for _ in range(40):
            found += stream.push_picture(picture)
            found += stream.push(np.zeros(RATE // 10, np.float32))
        found += stream.close()
    assert [one.segment.modalities for one in found if one.final][-1] == ("face",)


def test_nobody_in_the_pictures_is_said(served: RunningService, film: Film) -> None:
    with affuse.Client(served.address) as client, client.stream(RATE, model="both", pictures=True) as stream:
        stream.push_picture(np.zeros((90, 90, 3), np.uint8), 0.1)
        stream.push(film.wave[: 4 * RATE])
        stream.close()
    assert stream.faults == ["The stream shows no face where it is predicted, so its faces are missing."]


def test_what_takes_no_pictures_says_so(served: RunningService) -> None:
    with affuse.Client(served.address) as client:
        with pytest.raises(
            AffuseError, match="This model does not read faces, so a stream of it has no pictures"
        ):
            client.stream(RATE, model="voice", pictures=True)
        with pytest.raises(
            AffuseError, match="this stream has nothing else; send a file, or the pictures too"
        ):
            client.stream(RATE, model="face")
        with pytest.raises(AffuseError, match="side goes with pictures alone"):
            client.stream(RATE, model="both", side="left")
        with client.stream(RATE, model="both") as stream:
            assert "The modality 'face' is pictures, which a stream of sound has not" in stream.warning
            with pytest.raises(AffuseError, match="This stream has no pictures; open it with pictures=True"):
                stream.push_picture(np.zeros((9, 9, 3), np.uint8))
    told = {one["name"]: one["pictures"] for one in served.http.get("/v1/models").json()["models"]}
    assert told == {"both": 5, "face": 5, "voice": 0}


@contextmanager
def opened(served: RunningService, query: str = "model=both&pictures=true") -> Generator[ClientConnection]:
    with connect(f"ws{served.address.removeprefix('http')}/v1/stream?{query}", proxy=None) as stream:
        assert json.loads(stream.recv(60))["type"] == "ready"
        yield stream


def told_last(stream: ClientConnection) -> dict[str, Any]:
    while (message := json.loads(stream.recv(60)))["type"] not in ("problem", "end"):
        continue
    return message


def announce(stream: ClientConnection, seconds: object) -> None:
    stream.send(json.dumps({"type": "picture", "seconds": seconds}))


@pytest.mark.parametrize(
    ("seconds", "jpeg", "said"),
    [
        (0.5, b"GIF89a", "A picture is no JPEG."),
        (0.5, b"\xff\xd8\xff", "damaged JPEG"),
        (0.5, encode_jpeg(np.zeros((600, 800, 3), np.uint8)), "pictures of 800 x 600 pixels, and the service takes"),
        (0.0, encode_jpeg(np.zeros((60, 80, 3), np.uint8)), "0.000 s is not later than 0.100 s"),
        ("soon", b"", "announced with its second"),
        (True, b"", "announced with its second"),
        (10**400, b"", "announced with its second"),  # too long for a float
    ],
)  # fmt: skip
def test_a_picture_that_is_none_is_a_problem(
    served: RunningService, seconds: object, jpeg: bytes, said: str
) -> None:
    with opened(served) as stream:
        announce(stream, 0.1)
        stream.send(encode_jpeg(np.zeros((60, 80, 3), np.uint8)))
        announce(stream, seconds)
        if isinstance(seconds, float):
            stream.send(jpeg)
        with suppress(ConnectionClosed):  # it has been refused already
            for _ in range(3):
                stream.send(b"\0\0" * RATE)
            stream.send(json.dumps({"type": "end"}))
        message = told_last(stream)
    assert (message["type"], message["status"]) == ("problem", 422)
    assert said in message["detail"]


def test_two_announcements_or_other_texts_are_a_problem(served: RunningService) -> None:
    for texts in (['{"type": "picture", "seconds": 1}'] * 2, ["hello"], ['["picture"]'], ["[" * 100_000]):
        with opened(served) as stream:
            for text in texts:
                stream.send(text)
            assert "A stream takes sound as binary messages" in told_last(stream)["detail"]
    with opened(served, "model=both") as stream:
        announce(stream, 1)
        assert told_last(stream)["detail"] == "This stream has no pictures; open it with pictures=true."
    url = f"ws{served.address.removeprefix('http')}/v1/stream?model=both&pictures=true&format=webm"
    with connect(url, proxy=None) as stream:
        assert "Pictures go beside plain samples" in told_last(stream)["detail"]


def test_a_decoder_that_dies_takes_one_stream_along(served: RunningService, film: Film) -> None:
    before = alive()
    with opened(served) as stream, opened(served) as other:
        for one in (stream, other):
            announce(one, 0.1)
            one.send(film.pictures[0])
        wait_until(lambda: len(alive() - before) == 2)
        (alive() - before).pop().kill()
        for one in (stream, other):
            for _ in range(6):
                one.send((film.wave[: RATE // 2] * 2**15).astype("<i2").tobytes())
            one.send(json.dumps({"type": "end"}))
        ends = [told_last(one) for one in (stream, other)]
    problem = next(one for one in ends if one["type"] == "problem")
    assert problem["detail"].startswith("Decoding the pictures ended the process that did it")
    assert [one["type"] for one in ends].count("end") == 1


def alive() -> set[psutil.Process]:
    """The processes of this one that have not ended."""
    return {one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE}


def test_windows_do_not_wait_for_pictures_that_have_no_room(
    served: RunningService, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures behind sound that is not taken in: the two would wait for each other for ever."""
    monkeypatch.setattr(live, "WAITING", 1000)
    monkeypatch.setattr(live, "STALLED", 0.2)
    with opened(served, "model=face&pictures=true&window=0.5&hop=0.1") as stream:
        for at in range(0, 3 * RATE, RATE):
            stream.send((film.wave[at : at + RATE] * 2**15).astype("<i2").tobytes())
        stream.send(json.dumps({"type": "end"}))
        assert told_last(stream)["type"] == "end"


def test_faces_come_back_as_they_were_sent_and_nonsense_is_refused() -> None:
    options = {name: FaceOptions(5, None, 8, None, None, None) for name in ("one", "two")}
    faces = np.random.default_rng(0).integers(0, 255, (3, 8, 8, 3), dtype=np.uint8)
    read = FacesRead(7, {"one": faces, "two": None}, {"one": Square(0, 0.25, 0.5, 1), "two": None})
    message = packed(read)[1:]
    found = unpacked(message, options)
    assert (found.number, found.squares) == (7, read.squares)
    np.testing.assert_array_equal(found.faces["one"], faces)
    assert found.faces["two"] is None
    for nonsense in (message[:-1], message[:9], b"\xff" * 9, b"", message.replace(b"3", b"-", 1)):
        with pytest.raises((ValueError, TypeError, KeyError, struct.error)):
            unpacked(nonsense, options)


def test_the_decoder_is_small() -> None:
    """A stream with pictures has a process of its own: torch would make it ten times as large, and slow to begin."""
    import subprocess
    import sys

    code = "import sys, affuse.serving.engine.face_decoder; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
