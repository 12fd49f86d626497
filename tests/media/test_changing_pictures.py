"""Pictures whose size changes on the way, films joined byte by byte, what is no picture: one track for every reader."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from affuse.corpora.validation.media import Span, check_picture
from affuse.errors import ClipError
from affuse.inference.faces import FaceOptions, FaceWindows
from affuse.inference.tracks import find_tracks
from affuse.inference.windows import Window
from affuse.media.clock import picture_tracks
from affuse.media.container import open_container
from affuse.media.crop import CropSide, Region
from affuse.media.face_detector import FaceTracker
from affuse.media.video import read_faces
from affuse.media.yunet import packaged_detector
from video_files import cover_first, grey, id3_cover, join_sizes, write_tracks, write_video
from voices import RATE, recording

YUNET = packaged_detector()


def pattern(height: int, width: int, count: int, seed: int, bar: int = 0) -> list[np.ndarray]:
    """Pictures of coarse squares that change their colours, between letterbox bars."""
    first, last = np.random.default_rng(seed).integers(60, 220, (2, 4, 8, 3))
    blocks = np.ones((height // 4, width // 8, 1))
    shown = [np.kron(first + (last - first) * i / count, blocks).astype(np.uint8) for i in range(count)]
    for picture in shown:
        picture[:bar] = picture[height - bar :] = 0
    return shown


WIDE, TALL = pattern(160, 240, 25, 0, bar=40), pattern(120, 64, 30, 1)


@pytest.mark.parametrize(
    ("suffix", "codec", "side"),
    [
        (".webm", "libvpx", "right"),
        (".mkv", "libvpx-vp9", None),
        (".ts", "libx264", "left"),
        (".flv", "flv", None),
    ],
)
def test_each_part_is_what_the_part_alone_gives(
    tmp_path: Path, suffix: str, codec: str, side: str | None
) -> None:
    """As in a browser's recording that goes from 1280 x 720 to 240 x 426."""
    path = tmp_path / f"film{suffix}"
    parts = join_sizes(path, [WIDE, TALL, WIDE], codec)
    ends = (1.0, 1.2, 1.0)
    alone = [
        read_faces(part, end=end, side=side, size=48).frames for part, end in zip(parts, ends, strict=True)
    ]
    film = read_faces(path, end=3.2, side=side, size=48)
    assert film.fault == ""
    np.testing.assert_array_equal(film.frames, np.concatenate(alone))
    assert alone[0].min() > 30  # no letterbox bar is in the square

    windows = [Window(0, 1, 0), Window(0.6, 1.8, 0), Window(2.2, 3.2, 1)]
    found = list(FaceWindows(path, windows, FaceOptions(25, None, 48, side, None, None)))
    for window, faces in zip(windows, found, strict=True):
        np.testing.assert_array_equal(
            faces, read_faces(path, start=window.start, end=window.end, side=side, size=48).frames
        )


def test_a_smaller_picture_after_a_larger_one_is_turned_too(tmp_path: Path) -> None:
    """Upright pictures of a phone that is turned: rows and columns change places."""
    parts = join_sizes(tmp_path / "film.webm", [pattern(64, 120, 10, 2), pattern(120, 64, 10, 2)], "libvpx")
    both = read_faces(tmp_path / "film.webm", size=48).frames
    np.testing.assert_array_equal(both[:10], read_faces(parts[0], size=48).frames)
    np.testing.assert_array_equal(both[10:20], read_faces(parts[1], size=48).frames)


@pytest.mark.parametrize(("suffix", "codec"), [(".ts", "libx264"), (".ts", "mpeg4"), (".h264", "libx264")])
def test_films_joined_byte_by_byte_go_on(tmp_path: Path, suffix: str, codec: str) -> None:
    """The second film's clock begins at 0 again, or there is none: its pictures come after the first one's."""
    options = {"tune": "zerolatency"} if codec == "libx264" else None
    parts = [
        write_video(tmp_path / f"{name}{suffix}", pictures, codec=codec, options=options)
        for name, pictures in (("a", WIDE), ("b", TALL))
    ]
    path = tmp_path / f"both{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    first, second = (read_faces(part, size=48).frames for part in parts)
    np.testing.assert_array_equal(read_faces(path, end=2.2, size=48).frames, np.concatenate([first, second]))
    np.testing.assert_array_equal(read_faces(path, start=1.4, end=2.2, size=48).frames, second[10:])
    if suffix == ".ts":  # the headers tell the second film's length
        assert find_tracks(path).seconds == pytest.approx(2.2)
    assert check_picture(path, [Span(0, 1.4, 2.2)], decode=False) == []


def test_the_place_is_found_anew_with_every_change_of_size() -> None:
    place = CropSide(None)
    wide = place.region(WIDE[0])
    assert place.region(WIDE[1]) is wide == Region(40, 120, 0, 240)
    assert place.region(TALL[0]) == Region(0, 120, 0, 64)
    assert place.window(TALL[0]) == Region(28, 92, 0, 64)
    assert place.region(np.zeros_like(WIDE[0])) == Region(0, 160, 0, 240)  # a film that is dark there


def test_a_detector_follows_the_face_of_each_part(tmp_path: Path) -> None:
    from affuse.corpora.generated.face import expressions
    from affuse.corpora.generated.head import Head, draw_body
    from affuse.corpora.generated.people import make_actor, make_room

    actor, room = make_actor(0, 1, "F"), make_room(0, 1)
    still = expressions(1, 25.0, [], np.random.default_rng(0))
    drawn = Head(actor.look, room, still, False).draw(draw_body(actor.look, room), 0)
    drawn = cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB)[:256]
    rows, columns = drawn.shape[:2]
    large = np.full((256, 640, 3), 128, np.uint8)
    large[:rows, -columns:] = drawn
    small = np.full((192, 320, 3), 128, np.uint8)
    half = cv2.resize(drawn, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    small[: half.shape[0], : half.shape[1]] = half
    path = tmp_path / "film.webm"
    parts = join_sizes(path, [[large] * 20, [small] * 20], "libvpx")
    alone = [read_faces(part, end=0.8, size=48, detector=YUNET).frames for part in parts]
    assert np.abs(alone[0].mean((0, 1)) - 128).max() > 10, "a face, no wall"
    film = read_faces(path, end=1.6, size=48, detector=YUNET).frames
    np.testing.assert_array_equal(film, np.concatenate(alone))
    windows = [Window(0, 0.8, 0), Window(0.8, 1.6, 0), Window(0, 1.6, 0)]
    options = FaceOptions(25, None, 48, None, YUNET, None)
    first, second = FaceWindows(path, windows[:2], options)
    (both,) = FaceWindows(path, windows[2:], options)
    np.testing.assert_array_equal(both, np.concatenate([first, second]))
    assert np.abs(both[0].astype(int) - film[0]).mean() < 25, "the same face as in training"


@pytest.mark.parametrize("shape", [(1, 320, 3), (31, 320, 3), (0, 9, 3), (3, 2000, 3), (16, 16, 3)])
def test_pictures_too_small_for_the_detector_have_no_face(shape: tuple[int, int, int]) -> None:
    """YuNet answers with infinite boxes there."""
    from affuse.media.face_detector import FaceDetector

    noise = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    tracker = FaceTracker(FaceDetector(YUNET))
    tracker.see(noise)
    assert tracker.windows(Region(0, shape[0], 0, shape[1])) is None


# ---- what is no picture track


def cover_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mp3", rate=RATE, layout="mono")
        wave = recording(0.2, ("neu", 1.0), 0.2).astype(np.float32)[None]
        block = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
        block.sample_rate = RATE
        container.mux(stream.encode(block))
        container.mux(stream.encode(None))
    path.write_bytes(id3_cover(grey(200)) + path.read_bytes())
    return path


def still(path: Path) -> Path:
    cv2.imwrite(str(path), grey(90))
    return path


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (cover_only, "talk.mp3", "has a cover picture, but no video track"),
        (still, "face.jpg", "is a still picture, not a video"),
        (still, "face.png", "is a still picture, not a video"),
    ],
)
def test_a_cover_or_a_still_picture_is_no_video_to_any_reader(
    tmp_path: Path, make: Callable[..., Any], name: str, words: str
) -> None:
    path = make(tmp_path / name)
    with pytest.raises(ClipError, match=words):
        read_faces(path, size=48)
    spans = [Span(0, None, None), Span(1, 0.0, 0.5)]
    for decode in (True, False):
        faults = check_picture(path, spans, decode)
        assert [(fault.row, fault.field, fault.severity) for fault in faults] == [
            (i, "video", "error") for i in (0, 1)
        ]
        assert all(words in fault.message for fault in faults)
    if name == "talk.mp3":
        assert not find_tracks(path).picture
    else:
        with pytest.raises(ClipError, match=words):
            find_tracks(path)


def test_pictures_behind_a_cover_are_read(tmp_path: Path) -> None:
    path = cover_first(tmp_path / "film.mp4", TALL)
    with open_container(path) as container:
        assert [stream.codec_context.name for stream in container.streams.video] == ["mjpeg", "mpeg4"]
        assert [track.index for track in picture_tracks(container)] == [1]
    plain = write_video(tmp_path / "plain.mp4", TALL)
    difference = read_faces(path, size=48).frames.astype(int) - read_faces(plain, size=48).frames
    assert np.abs(difference).mean() < 8
    assert find_tracks(path).picture
    assert check_picture(path, [Span(0, 0.2, 1.0)], decode=True) == []


def test_several_picture_tracks_are_told(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "two.mkv", {"mpeg4": [grey(60)] * 10, "mpeg2video": [grey(200)] * 10})
    (note,) = find_tracks(path).notes
    assert "has 2 picture tracks, of which the first is read" in note
    (fault,) = check_picture(path, [Span(0, None, None), Span(1, 0.0, 0.2)], decode=True)
    assert fault.severity == "warning"
    assert "has 2 picture tracks" in fault.message
    clip = read_faces(path, size=48)
    assert abs(clip.frames.mean() - 60) < 6
    assert "has 2 picture tracks" in clip.fault  # training says it too


def test_films_that_mp4_joins_are_told(tmp_path: Path) -> None:
    film = write_video(tmp_path / "one.mp4", [grey(60)] * 10).read_bytes()
    path = tmp_path / "two.mp4"
    path.write_bytes(film + film)
    (fault,) = check_picture(path, [Span(0, None, None)], decode=True)
    for said in (read_faces(path, size=48).fault, fault.message, *find_tracks(path).notes):
        assert "holds 2 films joined byte by byte, of which only the first is read" in said


def test_a_file_that_cannot_seek_to_its_beginning_has_no_fault(tmp_path: Path) -> None:
    times = [0.3 + i / 25 for i in range(10)]  # FLV refuses to seek to before its first picture
    path = write_video(tmp_path / "late.flv", [grey(60)] * 10, codec="flv", times=times, sound_seconds=0.7)
    with open_container(path) as container, pytest.raises(av.FFmpegError):
        container.seek(0)
    assert check_picture(path, [Span(0, None, None), Span(1, 0.1, 0.5)], decode=True) == []
