"""Faces of overlapping windows in one pass, and people told apart by their boxes."""

from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.generated.people import make_actor, make_room
from affuse.inference.face_tracks import LOOKS, FaceTracks, FilmFaces
from affuse.inference.faces import FaceOptions, FaceWindows
from affuse.inference.pictures import frame_times
from affuse.inference.windows import Window
from affuse.media.crop import Region
from affuse.media.video import read_faces
from affuse.media.yunet import packaged_detector
from video_files import write_video

YUNET = packaged_detector()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory):
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(150)]
    return write_video(tmp_path_factory.mktemp("film") / "film.mp4", pictures)


@pytest.mark.parametrize("side", [None, "right"])
@pytest.mark.parametrize("seconds", [None, 0.9])
def test_windows_are_what_reading_each_of_them_gives(
    film: Path, side: str | None, seconds: float | None
) -> None:
    windows = [Window(0, 2, 0), Window(0.7, 2.7, 0), Window(1.3, 3.3, 0), Window(4.02, 5.5, 1)]
    found = list(FaceWindows(film, windows, FaceOptions(10, seconds, 48, side, None, None)))
    for window, faces in zip(windows, found, strict=True):
        alone = read_faces(
            film, start=window.start, end=window.end, side=side, fps=10, seconds=seconds, size=48
        ).frames
        np.testing.assert_array_equal(faces, alone)


def test_a_film_that_begins_in_the_dark_is_cropped_as_its_utterances_are(tmp_path: Path) -> None:
    """Letterbox bars cannot be told of a black picture; those of a later window can."""
    picture = np.full((96, 96, 3), 180, np.uint8)
    picture[:24] = picture[72:] = 0
    path = write_video(tmp_path / "film.mp4", [np.zeros_like(picture)] * 20 + [picture] * 30)
    windows = [Window(0, 0.6, 0), Window(1, 1.6, 0)]
    found = list(FaceWindows(path, windows, FaceOptions(10, None, 48, None, None, None)))
    for window, faces in zip(windows, found, strict=True):
        alone = read_faces(path, start=window.start, end=window.end, fps=10, size=48).frames
        np.testing.assert_array_equal(faces, alone)
    assert found[1].min() > 150, "no bar is in the square"


def test_a_window_behind_the_film_has_no_face(film: Path) -> None:
    windows = [Window(5, 7, 0), Window(6.5, 7.5, 1), Window(8, 9, 2)]
    found = FaceWindows(film, windows, FaceOptions(10, None, 48, None, None, None))
    faces = list(found)
    assert len(faces[0]) == 10
    assert faces[1:] == [None, None]
    assert found.fault == ""


def test_times_of_all_windows_rise_and_each_window_has_its_own() -> None:
    windows = [Window(0, 2, 0), Window(0.5, 2.5, 0), Window(2.5, 2.55, 1), Window(7, 8, 2)]
    frames = list(frame_times(windows, 10, None))
    assert [f.time for f in frames] == sorted(f.time for f in frames)
    for i, window in enumerate(windows):
        own = [f.time for f in frames if f.window == i]
        np.testing.assert_allclose(own, window.start + (np.arange(len(own)) + 0.5) / 10)
        assert len(own) == int((window.end - window.start) * 10 + 1e-6)


def people():
    """A large face that moves right and leaves at 2 s, a small one that stays; looks from 0 to 4 s."""
    tracks = FaceTracks(Region(0, 200, 0, 400), 200, 400)
    for i in range(int(4 * LOOKS)):
        time = (i + 0.5) / LOOKS
        faces = [(300, 100, 30)]
        if time < 2:
            faces.append((60 + 20 * time, 80, 60))
        tracks.see(time, np.array(faces[:: 1 if i % 2 else -1], float))  # in no order
    return tracks


def test_the_largest_face_is_followed_and_its_window_has_one_size() -> None:
    tracks = people()
    squares = [tracks.square(0, 2, t, None) for t in np.arange(0.3, 1.7, 0.1)]
    assert {s.right - s.left for s in squares} == {78}  # 60 x 1.3
    for t, square in zip(np.arange(0.3, 1.7, 0.1), squares, strict=True):
        assert (square.left + square.right) / 2 == pytest.approx(60 + 20 * t, abs=3)
    alone = tracks.square(2.5, 4, 3.0, None)
    assert (alone.left + alone.right) / 2 == pytest.approx(300, abs=1)


def test_a_point_chooses_the_nearest_face_and_an_empty_window_has_none() -> None:
    tracks = people()
    assert tracks.square(0, 2, 1.0, (0.75, 0.5)).left > 250
    assert tracks.square(0, 2, 1.0, (0.0, 0.0)).left < 120
    assert tracks.square(10, 12, 11.0, None) is None


def test_a_break_of_more_than_a_second_ends_a_track() -> None:
    tracks = FaceTracks(Region(0, 100, 0, 100), 100, 100)
    for time in (0.1, 0.3, 3.0, 3.2):
        tracks.see(time, np.array([[50.0, 50.0, 20.0]]))
    assert tracks.square(0, 1, 0.2, None) is not None
    assert tracks.square(1, 2.5, 2.0, None) is None


def test_a_film_whose_pictures_change_their_size_has_the_faces_of_each_part() -> None:
    """A frame between the last look at one size and the first at another is known by its own size."""
    film, parts = FilmFaces(), []
    for begin, (height, width), face in ((0.1, (200, 400), (300, 100, 30)), (1.1, (120, 90), (40, 50, 20))):
        parts.append(FaceTracks(Region(0, height, 0, width), height, width))
        film.begin(begin, parts[-1])
        for i in range(5):
            parts[-1].see(begin + i / LOOKS, np.array([face], float))
    large, small = np.zeros((200, 400, 3), np.uint8), np.zeros((120, 90, 3), np.uint8)
    for time in (0.5, 0.95, 1.05):
        assert film.square(0, 2, time, large, None) == parts[0].square(0, 2, time, None)
    for time in (0.95, 1.05, 1.5):
        assert film.square(0, 2, time, small, None) == parts[1].square(0, 2, time, None)
    assert film.square(0, 2, 0.5, np.zeros((9, 9, 3), np.uint8), None) is None


def test_a_drawn_face_is_found_and_an_empty_room_has_none(tmp_path: Path) -> None:
    import cv2

    from affuse.corpora.generated.face import expressions
    from affuse.corpora.generated.head import Head, draw_body

    actor, room = make_actor(0, 1, "F"), make_room(0, 1)
    body = draw_body(actor.look, room)
    still = expressions(1, 25.0, [], np.random.default_rng(0))
    drawn = cv2.cvtColor(Head(actor.look, room, still, False).draw(body, 0), cv2.COLOR_BGR2RGB)
    height, width = 256, 512
    with_face = np.full((height, width, 3), 128, np.uint8)
    with_face[: drawn.shape[0], -drawn.shape[1] :] = drawn[:height]
    without = np.full((height, width, 3), 128, np.uint8)
    path = write_video(tmp_path / "film.mp4", [with_face] * 50 + [without] * 50)
    windows = [Window(0, 1.6, 0), Window(2.4, 4, 1)]
    first, second = FaceWindows(path, windows, FaceOptions(5, None, 48, None, YUNET, None))
    assert first is not None
    assert second is None
