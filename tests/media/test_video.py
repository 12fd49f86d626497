"""Face frames against a full decode, and every bad video."""

import itertools
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import soundfile

from affuse.errors import AffuseError, ClipError
from affuse.media.crop import Region, bar_height, face_window, speaker_region
from affuse.media.face_detector import FaceTracker
from affuse.media.picture_track import PictureTrack
from affuse.media.video import read_faces
from affuse.media.yunet import packaged_detector
from video_files import decode_all, grey, turn_quarter, write_video


@pytest.fixture(scope="module")
def moving() -> list[np.ndarray]:
    """90 pictures, each of its own colours in a coarse pattern that survives compression."""
    random = np.random.default_rng(0)
    first, last = random.integers(30, 220, (2, 4, 6, 3))
    return [
        np.kron(first + (last - first) * i // 89, np.ones((16, 16, 1))).astype(np.uint8) for i in range(90)
    ]


@pytest.fixture(scope="module")
def clip(moving: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "moving.avi", moving, fps=30, sound_seconds=3.0)


def expected(path: Path, begin: float, end: float, fps: float, size: int) -> np.ndarray:
    """Frame by frame from a full decode: the nearest picture's centre square."""
    times, pictures = decode_all(path)
    frames = []
    for k in itertools.count():
        if (k + 1) / fps > end - begin + 1e-6:
            break
        time = begin + (k + 0.5) / fps
        nearest = min(range(len(times)), key=lambda i: (round(abs(times[i] - time), 6), i))
        square = pictures[nearest][:, 16:80]
        frames.append(cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA))
    return np.stack(frames)


@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv"])
@pytest.mark.parametrize(
    ("begin", "end", "fps"), [(0.0, 3.0, 25), (1.37, 2.81, 25), (2.5, 2.9, 5), (1.0, 2.0, 60)]
)
def test_frames_are_those_of_a_full_decode(
    moving: list[np.ndarray], tmp_path: Path, suffix: str, begin: float, end: float, fps: int
) -> None:
    path = write_video(tmp_path / f"a{suffix}", moving, fps=30)
    clip = read_faces(path, start=begin, end=end, fps=fps, size=48)
    assert clip.fault == ""
    assert clip.frames.dtype == np.uint8
    np.testing.assert_array_equal(clip.frames, expected(path, begin, end, fps, 48))


def test_without_times_it_is_the_whole_file(clip: Path) -> None:
    got = read_faces(clip, fps=25, size=48).frames
    assert len(got) == 75  # floor(3 s x 25)
    np.testing.assert_array_equal(got, expected(clip, 0, 3, 25, 48))
    np.testing.assert_array_equal(read_faces(clip, fps=25, size=48, seconds=1.0).frames, got[:25])


def test_only_the_frames_needed_are_decoded(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from affuse.media import picture_track

    times = []
    kept = picture_track._Timed.__init__

    def note(self: Any, time: Any, frame: Any):
        times.append(time)
        kept(self, time, frame)

    monkeypatch.setattr(picture_track._Timed, "__init__", note)
    read_faces(clip, start=2.0, end=2.2, size=48)
    assert times[0] > 1.5  # a key frame is at most 12 pictures back
    assert times[-1] < 2.3


# ---- where the face is


def halves(left: int, right: int, bar: int = 112) -> np.ndarray:
    picture = np.zeros((480, 720, 3), np.uint8)
    picture[bar : 480 - bar, :360] = left
    picture[bar : 480 - bar, 360:] = right
    return picture


def test_the_window_is_the_papers_size_and_the_same_place_in_both_halves() -> None:
    picture = halves(90, 200)
    left, right = (face_window(speaker_region(picture, side), side) for side in ("left", "right"))
    assert left == Region(128, 352, 82, 306)  # the paper's rows; its columns 87 and 438 - 360 = 78
    assert right == Region(128, 352, 82 + 360, 306 + 360)


@pytest.mark.parametrize(("side", "levels"), [("left", {90}), ("right", {200}), (None, {90, 200})])
def test_each_side_sees_its_own_half(tmp_path: Path, side: str | None, levels: set[int]) -> None:
    path = write_video(tmp_path / "sides.avi", [halves(90, 200)] * 4)
    frames = read_faces(path, side=side, size=96).frames.astype(int)
    assert frames.min() > 80, "no letterbox row may be in the square"
    for level in levels:
        assert (abs(frames - level) < 8).any()
    assert all(any(abs(int(v) - level) < 8 for level in levels) for v in frames[:, ::13, (10, 80)].ravel())


def test_letterbox_bars_are_what_top_and_bottom_both_have() -> None:
    assert bar_height(halves(90, 200)) == 112
    assert bar_height(halves(90, 200, bar=0)) == 0
    dark_top = halves(90, 200, bar=0)
    dark_top[:100] = 0  # a dark wall behind the head is no letterbox
    assert bar_height(dark_top) == 0
    assert bar_height(np.zeros((480, 720, 3), np.uint8)) == 0
    np.testing.assert_array_equal(speaker_region(halves(1, 1), None), (0, 480, 0, 720))


@pytest.mark.parametrize(("width", "height"), [(97, 51), (35, 81), (1, 3)])
@pytest.mark.parametrize("side", ["left", "right", None])
def test_windows_stay_inside_pictures_of_any_size(width: int, height: int, side: str | None) -> None:
    if width == 1 and side is not None:
        return
    region = speaker_region(np.full((height, width, 3), 99, np.uint8), side)
    window = face_window(region, side)
    assert window.bottom - window.top == window.right - window.left >= 1
    assert region.top <= window.top
    assert window.bottom <= region.bottom
    assert region.left <= window.left
    assert window.right <= region.right


# ---- odd videos that work


def test_odd_sizes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "odd.avi", [grey(120, 51, 97)] * 5)
    frames = read_faces(path, side="right", size=48).frames
    assert frames.shape == (5, 48, 48, 3)
    assert abs(int(frames.mean()) - 120) < 4


def test_variable_frame_rate(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.08, 0.6, 0.64, 1.2, 1.24]
    path = write_video(tmp_path / "vfr.mkv", [grey(40 + 25 * i) for i in range(7)], times=times)
    found, _ = decode_all(path)
    np.testing.assert_allclose(found, times, atol=2e-3)
    got = read_faces(path, end=1.2, fps=10, size=48).frames[:, 24, 24, 0].astype(int)
    shown = [min(range(7), key=lambda i, k=k: abs(times[i] - (k + 0.5) / 10)) for k in range(12)]
    assert np.abs(got - (40 + 25 * np.array(shown))).max() < 6


@pytest.mark.parametrize(("degrees", "dark"), [(0, "left"), (90, "top"), (180, "right"), (270, "bottom")])
def test_rotated_video_is_upright(tmp_path: Path, degrees: int, dark: str) -> None:
    ramp = np.repeat(np.tile(np.linspace(40, 220, 96), (64, 1))[..., None], 3, axis=2).astype(np.uint8)
    path = turn_quarter(write_video(tmp_path / "phone.mp4", [ramp] * 3), degrees)
    with PictureTrack(path) as track:
        picture = next(track.pictures([0.0])).astype(int)
    assert picture.shape[:2] == ((64, 96) if degrees % 180 == 0 else (96, 64))
    edges = {
        "top": picture[:8], "bottom": picture[-8:], "left": picture[:, :8], "right": picture[:, -8:],
    }  # fmt: skip
    assert min(edges, key=lambda edge: edges[edge].mean()) == dark
    assert read_faces(path, size=48).frames.shape == (3, 48, 48, 3)


def test_pictures_end_before_the_sound(tmp_path: Path) -> None:
    path = write_video(tmp_path / "short.avi", [grey(100)] * 25, sound_seconds=2.0)
    clip = read_faces(path, start=0.2, end=1.8, size=48)
    assert len(clip.frames) == 20
    assert "ends 0.80 s before the utterance does" in clip.fault
    assert read_faces(path, size=48).fault == ""  # no times: what is there is all there is


# ---- bad input


def broken(path: Path, keep: float) -> Path:
    """Cut the file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def test_a_truncated_file_gives_the_frames_before_the_cut(moving: list[np.ndarray], tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.avi", moving, fps=30)
    reference = read_faces(whole, end=3.0, size=48).frames
    clip = read_faces(broken(whole, 0.6), end=3.0, size=48)
    assert 20 < len(clip.frames) < 70
    np.testing.assert_array_equal(clip.frames[:-1], reference[: len(clip.frames) - 1])
    assert "the frames before it are used" in clip.fault


def test_a_decoder_error_half_way_gives_the_frames_before_it(
    moving: list[np.ndarray], tmp_path: Path
) -> None:
    """H.264 packets full of zeros are no pictures: the decoder refuses them."""
    path = write_video(tmp_path / "a.mp4", moving, fps=30, codec="libx264")
    with av.open(str(path)) as container:
        packets = [(p.pos, p.size, p.pts) for p in container.demux(video=0) if p.size]
    reference = read_faces(path, end=3.0, size=48).frames
    data = bytearray(path.read_bytes())
    for position, size, _ in packets[45:]:
        data[position : position + size] = bytes(size)
    path.write_bytes(data)
    clip = read_faces(path, end=3.0, size=48)
    assert 10 < len(clip.frames) < 40
    np.testing.assert_array_equal(clip.frames, reference[: len(clip.frames)])
    assert "cannot be decoded beyond" in clip.fault
    assert "\n" not in clip.fault


def make_bad(kind: str, folder: Path) -> tuple[Path, dict]:
    path = folder / "bad.avi"
    times: dict[str, float] = {}
    if kind == "missing":
        return path, times
    if kind == "sound only":
        path = folder / "bad.wav"
        soundfile.write(path, np.ones(1600) * 0.1, 16_000)
    elif kind == "text":
        path.write_text("this is no video")
    elif kind == "empty":
        path.write_bytes(b"")
    else:
        write_video(
            path, [grey(99)] * (1 if kind == "one short picture" else 10), fps=50 if "one" in kind else 25
        )
    if kind == "range too short":
        times = {"start": 0.1, "end": 0.13}
    if kind == "start beyond the end":
        times = {"start": 2.0, "end": 3.0}
    if kind == "end before start":
        times = {"start": 0.3, "end": 0.2}
    return path, times


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "There is no video file"),
        ("sound only", "has no video track"),
        ("text", "not a video file that can be read"),
        ("empty", "not a video file that can be read"),
        ("one short picture", "less than one frame at 25 frames a second"),
        ("range too short", "less than one frame at 25 frames a second"),
        ("start beyond the end", "nothing starts at 2 s"),
        ("end before start", "is empty"),
    ],
)
def test_bad_input_is_one_sentence(kind: str, message: str, tmp_path: Path) -> None:
    path, times = make_bad(kind, tmp_path)
    with pytest.raises(ClipError, match=message) as caught:
        read_faces(path, size=48, **times)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


# ---- the detector


def test_a_missing_or_foreign_detector_is_one_sentence(clip: Path, tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="There is no face detector"):
        read_faces(clip, detector=tmp_path / "gone.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    with pytest.raises(AffuseError, match="is not a face detector"):
        read_faces(clip, detector=tmp_path / "bad.onnx")


class _Found(FaceTracker):
    """Boxes given by hand; everything else is the tracker's own."""

    def __init__(self, boxes: list[tuple[int, int, int] | None]):
        self._boxes = [None if box is None else np.array(box, float) for box in boxes]


def test_windows_follow_the_face_and_fall_back_on_the_median_box() -> None:
    region = Region(10, 210, 100, 400)
    assert _Found([None] * 4).windows(region) is None
    boxes = [(50, 60, 40)] * 5 + [None] * 5 + [(90, 80, 40)] * 6
    windows = _Found(boxes).windows(region)
    assert {w.bottom - w.top for w in windows} == {52}  # 40 x 1.3
    assert windows[0] == Region(10 + 34, 10 + 86, 100 + 24, 100 + 76)
    assert windows[-1] == Region(10 + 54, 10 + 106, 100 + 64, 100 + 116)
    middle = windows[7]  # no face within two frames: the clip's median
    x = np.median([b[0] for b in boxes if b is not None])
    assert middle.left == 100 + round(x - 26)


def test_another_face_does_not_take_over() -> None:
    tracker = _Found([(50, 60, 40)])
    faces = np.array(
        [[240, 80, 80, 0.9 * 6400], [54, 62, 40, 0.7 * 1600]]
    )  # the first is bigger, but far away
    np.testing.assert_allclose(tracker._choose(faces), (54, 62, 40))
    assert tracker._choose(faces[:1]) is None


def test_yunet_runs_and_pictures_without_a_face_give_none(clip: Path) -> None:
    found = read_faces(clip, end=0.4, size=48, detector=packaged_detector())
    assert found.frames.shape == (0, 48, 48, 3)
    assert found.fault == f"{clip} shows no face from 0.00 s to 0.40 s, so its faces are missing."
