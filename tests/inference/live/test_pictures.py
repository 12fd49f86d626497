"""``model.stream`` with pictures against ``model.predict`` on the film of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest

from affuse.errors import AffuseError, ClipError
from affuse.inference.faces import FaceOptions, FaceWindows
from affuse.inference.live.pictures import PATIENCE, LivePictures
from affuse.inference.live.stream import LiveSegment, LiveStream
from affuse.inference.timeline import Segment
from affuse.inference.windows import Window
from affuse.media.jpeg import decode_jpeg, jpeg_size
from affuse.media.yunet import packaged_detector
from talking_film import FACE, FIXED, VOICE, Film, make_film, make_model
from voices import RATE

YUNET = packaged_detector()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return make_film(tmp_path_factory.mktemp("film"))


def streamed(
    stream: LiveStream, film: Film, size: int = 320, late: float = 0.0, until: float = np.inf
) -> list[LiveSegment]:
    """Sound and pictures as they come; each picture so many seconds later than its sound."""
    found: list[LiveSegment] = []
    coming: Iterator[tuple[float, np.ndarray]] = zip(film.times, film.pictures, strict=True)
    following = next(coming, None)
    for at in range(0, len(film.wave), size):
        found += stream.push(film.wave[at : at + size])
        while following is not None and following[0] + late <= stream.seconds and following[0] < until:
            found += stream.push_picture(following[1], following[0])
            following = next(coming, None)
    while following is not None and following[0] < until:
        found += stream.push_picture(following[1], following[0])
        following = next(coming, None)
    return found + stream.close()


def finals(found: list[LiveSegment]) -> list[Segment]:
    return [segment for segment, final in found if final]


def assert_same(found: list[Segment], expected: list[Segment]) -> None:
    assert [(one.start, one.end) for one in found] == [(one.start, one.end) for one in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.modalities == theirs.modalities
        one, other = mine.answers["emotion"], theirs.answers["emotion"]
        assert one.label == other.label
        np.testing.assert_allclose(
            list(one.probabilities.values()), list(other.probabilities.values()), atol=1.01e-4
        )


@pytest.mark.parametrize(
    ("face", "settings", "late"),
    [
        (FACE, {"window": 1.5}, 0.0),
        (FACE, {"window": 1.5, "hop": 0.4, "face": (0.9, 0.5)}, 0.6),
        (FACE, {"window": 2.0, "side": "right", "detector": YUNET, "vad": False}, 0.2),
        (FIXED, {"window": 2.0}, 0.0),
        (FIXED, {"window": 0.2, "hop": 0.2, "side": "left"}, 0.3),
    ],
)
def test_final_segments_are_those_of_the_film(
    film: Film, face: dict[str, Any], settings: dict[str, Any], late: float
) -> None:
    model = make_model(VOICE | face)
    expected = model.predict(film.path, **settings).segments
    assert len(expected) > 1
    assert len({one.answers["emotion"].label for one in expected}) > 1
    assert any("face" in one.modalities for one in expected)
    for partial, size in ((False, 320), (True, 5_000)):
        stream = model.stream(RATE, pictures=True, partial=partial, **settings)
        assert "modality" not in stream.warning
        assert_same(finals(streamed(stream, film, size, late)), expected)
        assert stream.faults == []
        assert stream.squares["face"] is not None


def test_faces_have_a_say(film: Film) -> None:
    """Else the comparison above would compare voices."""
    model = make_model(VOICE | FACE)
    seen = model.predict(film.path, window=1.5).segments
    heard = model.predict((film.wave, RATE), window=1.5).segments
    assert seen[0].answers["emotion"].probabilities != heard[0].answers["emotion"].probabilities


def test_a_model_of_faces_alone_is_given_sound_as_its_clock(film: Film) -> None:
    model = make_model(FACE)
    expected = model.predict(film.path, window=1.5).segments
    stream = model.stream(RATE, pictures=True, partial=False, window=1.5)
    assert_same(finals(streamed(stream, film)), expected)


def test_pictures_that_come_too_late_are_not_waited_for(film: Film) -> None:
    model = make_model(VOICE | FACE)
    stream = model.stream(RATE, pictures=True, partial=False, window=1.5)
    found: list[tuple[float, Segment]] = []
    for at in range(0, len(film.wave), 320):
        found += [(stream.seconds, one.segment) for one in stream.push(film.wave[at : at + 320])]
    found += [(stream.seconds, one.segment) for one in stream.close()]
    assert len(found) > 1
    assert all(one.modalities == ("voice",) for _, one in found[:-1])
    assert max(told - one.end for told, one in found[:-1]) < PATIENCE + 2 * 1.5


def test_a_camera_that_ends_is_missing_from_then_on(film: Film) -> None:
    model = make_model(VOICE | FIXED)
    stream = model.stream(RATE, pictures=True, partial=False, window=1.0)
    found = finals(streamed(stream, film, until=2.0))
    first = [one for one in found if one.end < 2.0]
    assert [one for one in found if "face" in one.modalities]
    assert all("face" in one.modalities for one in first)
    assert all("face" not in one.modalities for one in found if one.start > 3.0)


def test_nobody_in_the_pictures_is_said(film: Film) -> None:
    model = make_model(VOICE | FACE)
    empty = film._replace(pictures=[np.full((96, 96, 3), 120, np.uint8)] * len(film.times))
    stream = model.stream(RATE, pictures=True, partial=False, window=1.5)
    assert all(one.modalities == ("voice",) for one in finals(streamed(stream, empty)))
    assert stream.faults == ["The stream shows no face where it is predicted, so its faces are missing."]


def jpeg(picture: np.ndarray) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    return data.tobytes()


def test_jpegs_are_the_pictures_that_they_hold_and_damaged_ones_are_none(film: Film) -> None:
    model = make_model(VOICE | FIXED)
    packed = [jpeg(one) for one in film.pictures]
    unpacked = [decode_jpeg(one) for one in packed]
    as_arrays = model.stream(RATE, pictures=True, window=1.5)
    expected = finals(streamed(as_arrays, film._replace(pictures=unpacked)))
    stream = model.stream(RATE, pictures=True, window=1.5)
    assert_same(finals(streamed(stream, film._replace(pictures=packed))), expected)  # type: ignore[arg-type]
    assert stream.faults == []
    broken = [one if i % 2 else jpeg_without_content(one) for i, one in enumerate(packed)]
    stream = model.stream(RATE, pictures=True, window=1.5)
    found = finals(streamed(stream, film._replace(pictures=broken)))  # type: ignore[arg-type]
    assert all("face" in one.modalities for one in found)
    (fault,) = stream.faults
    assert re.fullmatch(r"The stream has pictures that cannot be decoded, from 0\.\d\d s on\.", fault)


def jpeg_without_content(data: bytes) -> bytes:
    """It says how large it is, and holds nothing."""
    start = data.index(b"\xff\xc0")
    return data[: start + 19]


def test_memory_holds_what_a_window_may_ask_for() -> None:
    pictures = LivePictures({"face": FaceOptions(5, None, 48, None, None, None)})
    one = np.zeros((48, 64, 3), np.uint8)
    for i in range(1000):
        pictures.push(i / 10, one)
        pictures.hear(i / 10, max(0.0, i / 10 - 2))
        if i % 10 == 9:
            pictures.ask(i, Window(max(0.0, i / 10 - 2), i / 10, 0))
        list(pictures.ready())
        assert pictures.kept <= 23 * one.nbytes
    small = LivePictures({}, kept=3 * one.nbytes)
    for i in range(3):
        small.push(i, one)
    with pytest.raises(AffuseError, match=r"take more than 0 MB before a window of them ends; send fewer"):
        small.push(3, one)


def test_overlapping_windows_have_the_faces_that_each_has_alone(film: Film) -> None:
    """In a film too: so a stream need not know what comes behind a window."""
    windows = [
        Window(0.1, 1.9, 0),
        Window(0.77, 2.57, 0),
        Window(1.5, 3.3, 0),
        Window(7.0, 8.3, 1),
        Window(8, 8.1, 1),
    ]
    options = FaceOptions(10, None, 48, None, YUNET, None)
    together = list(FaceWindows(film.path, windows, options))
    alone = [next(iter(FaceWindows(film.path, [window], options))) for window in windows]
    assert sum(one is not None for one in together) > 3
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_without_faces_refuses_pictures_and_a_stream_without_them_too(film: Film) -> None:
    with pytest.raises(
        AffuseError, match="This model does not read faces, so a stream of it has no pictures"
    ):
        make_model(VOICE).stream(RATE, pictures=True)
    stream = make_model(VOICE | FACE).stream(RATE)
    with pytest.raises(AffuseError, match="This stream has no pictures; open it with pictures=True"):
        stream.push_picture(film.pictures[0])
    with pytest.raises(AffuseError, match="side does not go with a stream of sound"):
        make_model(VOICE | FACE).stream(RATE, side="left")


@pytest.mark.parametrize(
    ("picture", "seconds", "said"),
    [
        (
            np.zeros((9, 9)),
            1.0,
            r"\(height, width, 3\) uint8 RGB or the bytes of a JPEG, not float64 of shape",
        ),
        (b"GIF89a", 1.0, "no JPEG"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", 1.0, "does not say how large"),
        (np.zeros((9, 9, 3), np.uint8), 0.0, r"in order of time, and 0\.000 s is not later than 0\.500 s"),
        (np.zeros((9, 9, 3), np.uint8), float("nan"), "not at nan"),
    ],
)
def test_other_pictures_are_refused(picture: Any, seconds: float, said: str) -> None:
    stream = make_model(FACE).stream(RATE, pictures=True)
    stream.push_picture(np.zeros((9, 9, 3), np.uint8), 0.5)
    with pytest.raises((AffuseError, ClipError), match=said):
        stream.push_picture(picture, seconds)
    stream.close()
    with pytest.raises(AffuseError, match="was closed"):
        stream.push_picture(np.zeros((9, 9, 3), np.uint8), 2.0)


@pytest.mark.parametrize("shape", [(1, 1), (17, 300), (480, 640)])
def test_the_size_of_a_jpeg_is_known_without_decoding_it(shape: tuple[int, int]) -> None:
    data = jpeg(np.zeros((*shape, 3), np.uint8))
    assert jpeg_size(data) == shape[::-1]
    # a thumbnail within the file's own data is not the picture
    inside = b"\xff\xe1" + (2 + len(data)).to_bytes(2, "big") + data
    assert jpeg_size(data[:2] + inside + data[2:]) == shape[::-1]
    # nor do many fill bytes hide it
    assert jpeg_size(data[:2] + b"\xff" * 9 + data[2:]) == shape[::-1]
