"""Whose faces are where in a window of a video: a detector's boxes, joined into one track per person.

A window is looked at by itself: nothing before it or behind it has a say, so that its answer is the same in a film and
while the film is being made.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from affuse.inference.pictures import Pictures, in_order
from affuse.inference.watching import unwatched
from affuse.inference.windows import Window
from affuse.media.crop import CropSide, Region
from affuse.media.face_detector import MARGIN, FaceDetector

LOOKS = 5.0  # a second: faces move little in between, and a look costs more than decoding
Find = Callable[[np.ndarray, Region], np.ndarray]  # picture, part of it -> ``FaceDetector.find`` there
_LOST = 1.0  # seconds without a face after which a track is over
_SMOOTH = 2  # looks to each side over which a face's place is the median, as in media.face_detector
_REACH = 1.0  # sides of its box that a face may move from look to look
_BETWEEN = 0.5  # looks by which a window may miss the nearest one: it lies between two


@dataclass
class _Track:
    """One person, without a break. Boxes: centre x, centre y, side."""

    times: list[float] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        boxes = np.array(self.boxes)
        smooth = [np.median(boxes[max(0, i - _SMOOTH) : i + _SMOOTH + 1], axis=0) for i in range(len(boxes))]
        return np.array(self.times), np.array(smooth)


class FaceTracks:
    """Of pictures of one size. Give it the faces of every look in order; then ask for squares."""

    def __init__(self, region: Region, height: int, width: int) -> None:
        """region: the part of the picture that was searched; height and width of the whole picture."""
        self.region, self.shape = region, (height, width)
        self._tracks: list[_Track] = []
        self._known: list[tuple[np.ndarray, np.ndarray]] | None = None
        self._choice: tuple[tuple[object, ...], int | None] = ((), None)

    def see(self, time: float, faces: np.ndarray) -> None:
        """faces: (faces, 3 or more), centre x, centre y and side in pixels of the region."""
        open_ = [one for one in self._tracks if time - one.times[-1] <= _LOST]
        pairs = sorted(
            (float(np.hypot(*(face[:2] - track.boxes[-1][:2])) / track.boxes[-1][2]), t, f)
            for t, track in enumerate(open_)
            for f, face in enumerate(faces)
        )
        taken_tracks: set[int] = set()
        taken_faces: set[int] = set()
        for distance, t, f in pairs:  # the nearest first, each track and face once
            if distance > _REACH or t in taken_tracks or f in taken_faces:
                continue
            open_[t].times.append(time)
            open_[t].boxes.append(np.array(faces[f, :3]))
            taken_tracks.add(t)
            taken_faces.add(f)
        for f, face in enumerate(faces):
            if f not in taken_faces:
                self._tracks.append(_Track([time], [np.array(face[:3])]))

    def square(
        self, start: float, end: float, time: float, point: tuple[float, float] | None
    ) -> Region | None:
        """Where the chosen face is at ``time``, in pixels of the picture; one size through start to end seconds.

        The largest face is the one with the most area over the window's looks; ``point`` (0 to 1 across and down the
        picture) chooses the nearest. None where no face is seen in the window.
        """
        if self._known is None:
            self._known = [track.arrays() for track in self._tracks]
        key = (start, end, point)
        if self._choice[0] != key:
            self._choice = (key, self._choose(start, end, point))
        chosen = self._choice[1]
        if chosen is None:
            return None
        times, boxes = self._known[chosen]
        side = float(np.median(boxes[_inside(times, start, end)][:, 2]))
        x, y = (float(np.interp(time, times, boxes[:, i])) for i in (0, 1))
        rows, columns = self.region.bottom - self.region.top, self.region.right - self.region.left
        size = max(1, min(round(side * MARGIN), rows, columns))
        left = self.region.left + int(np.clip(round(x - size / 2), 0, columns - size))
        top = self.region.top + int(np.clip(round(y - size / 2), 0, rows - size))
        return Region(top, top + size, left, left + size)

    def _choose(self, start: float, end: float, point: tuple[float, float] | None) -> int | None:
        assert self._known is not None
        best, choice = -np.inf, None
        for i, (times, boxes) in enumerate(self._known):
            inside = boxes[_inside(times, start, end)]
            if not len(inside):
                continue
            if point is None:
                score = float((inside[:, 2] ** 2).sum())
            else:
                x = inside[:, 0] + self.region.left - point[0] * self.shape[1]
                y = inside[:, 1] + self.region.top - point[1] * self.shape[0]
                score = -float(np.median(np.hypot(x, y)))
            if score > best:
                best, choice = score, i
        return choice


class FilmFaces:
    """The faces of stretches of pictures, each of one size and known by itself."""

    def __init__(self) -> None:
        self._begins: list[float] = []  # seconds of each stretch's first look
        self._stretches: list[FaceTracks] = []

    def begin(self, time: float, tracks: FaceTracks) -> None:
        """Looks from ``time`` on are those of ``tracks``."""
        self._begins.append(time)
        self._stretches.append(tracks)

    def square(
        self, start: float, end: float, time: float, picture: np.ndarray, point: tuple[float, float] | None
    ) -> Region | None:
        """``FaceTracks.square`` in ``picture``, the one at ``time``; None too where no look saw one of its size."""
        i = max(0, bisect_right(self._begins, time) - 1)
        for tracks in (
            self._stretches[i : i + 2] + self._stretches[max(0, i - 1) : i]
        ):  # one begins between two looks
            if tracks.shape == picture.shape[:2]:
                return tracks.square(start, end, time, point)
        return None


class WindowLooks:
    """The faces of one window: ``see`` the pictures of its looks in order, then ask for squares.

    Args:
        side: Half of the picture that is searched, None: all of it.
        find: Looks for faces.
    """

    def __init__(self, side: str | None, find: Find) -> None:
        self._place, self._find = CropSide(side), find
        self._film = FilmFaces()
        self._tracks: FaceTracks | None = None

    def see(self, time: float, picture: np.ndarray) -> None:
        """The picture nearest to ``time``, (height, width, 3) uint8 RGB."""
        region = self._place.region(picture)
        if self._tracks is None or self._tracks.region is not region:
            self._tracks = FaceTracks(region, *picture.shape[:2])
            self._film.begin(time, self._tracks)
        self._tracks.see(time, self._find(picture, region))

    def square(
        self, window: Window, time: float, picture: np.ndarray, point: tuple[float, float] | None
    ) -> Region | None:
        """As ``FilmFaces.square``."""
        return self._film.square(window.start, window.end, time, picture, point)


def looks_in(window: Window) -> list[float]:
    """When a window is looked at: those of the clip's looks that lie in it, its middle where none does."""
    first, last = math.floor(window.start * LOOKS), math.ceil(window.end * LOOKS)
    times = [(j + 0.5) / LOOKS for j in range(first, last + 1)]
    return [time for time in times if window.start <= time < window.end] or [(window.start + window.end) / 2]


def look_for_faces(
    path: Path,
    windows: Sequence[Window],
    detector: Path,
    side: str | None,
    beat: Callable[[], None] = unwatched,
) -> list[WindowLooks] | None:
    """One pass over the pictures of the windows, ``LOOKS`` a second. None where no picture can be decoded.

    ``beat`` is called at every look; what it raises ends the pass.

    Raises:
        AffuseError: Where ``detector`` is not YuNet's ONNX file.
    """
    finder = _Finder(FaceDetector(detector))
    looks = [WindowLooks(side, finder.find) for _ in windows]
    seen = False
    for frame, picture in Pictures(path, in_order(windows, looks_in)):
        beat()
        if picture is not None:
            looks[frame.window].see(frame.time, picture)
            seen = True
    return looks if seen else None


class _Finder:
    """Looks once at a picture that overlapping windows look at."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._picture: np.ndarray | None = None
        self._known: dict[Region, np.ndarray] = {}

    def find(self, picture: np.ndarray, region: Region) -> np.ndarray:
        if self._picture is not picture:
            self._picture, self._known = picture, {}
        if region not in self._known:
            self._known[region] = self._detector.find(region.cut(picture))
        return self._known[region]


def _inside(times: np.ndarray, start: float, end: float) -> slice:
    """Looks in [start, end); for a window between two looks, the nearest one if it is near."""
    first, last = np.searchsorted(times, [start, end])
    if first < last or not len(times):
        return slice(int(first), int(last))
    middle = (start + end) / 2
    nearest = int(np.abs(times - middle).argmin())
    near = abs(times[nearest] - middle) <= (end - start) / 2 + _BETWEEN / LOOKS
    return slice(nearest, nearest + 1) if near else slice(0, 0)
