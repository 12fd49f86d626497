"""Where the speaker's face is in a picture: a fixed window in the speaker's half, or a detector's box.

Pictures are RGB, (height, width, 3) uint8. A region is the part of the picture that belongs to the speaker;
a window is a square inside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from affuse.errors import AffuseError

# The second paper's code crops 224 x 224 of a letterboxed 720 x 480 picture: rows 128 to 352, and columns from 87
# in the left half but from 78 (438 - 360) in the right one. One place for both halves, midway between the two, so
# that the window cannot tell which half it was taken from.
_WINDOW = 224 / 256  # of the active rows
_OFFSET = 82 / 360  # of the half's columns, left of the window
_DARK = 40  # largest channel value of a letterbox row: video black is 16, and codecs ring next to the picture
_DETECT_SIDE = 320  # the detector sees a region scaled down to this longer side
_LEAST_SIDE = 32  # pixels: YuNet's coarsest step; its boxes of less are infinite
_SCORE = 0.6  # least score of a face
MARGIN = 1.3  # side of the window in sides of the face's box: forehead, chin and ears stay in
_SMOOTH = 2  # frames to each side over which a face's place is the median


class Region(NamedTuple):
    """Rows top to bottom and columns left to right, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def cut(self, picture: np.ndarray) -> np.ndarray:
        return picture[self.top : self.bottom, self.left : self.right]


def bar_height(picture: np.ndarray) -> int:
    """Rows of each letterbox bar: the dark rows that top and bottom both have; 0 for a picture dark all over."""
    lit = np.flatnonzero(picture.max(axis=(1, 2)) > _DARK)
    return 0 if not len(lit) else min(int(lit[0]), picture.shape[0] - 1 - int(lit[-1]))


def speaker_region(picture: np.ndarray, side: str | None) -> Region:
    """The half (``left``, ``right``) or the whole (None) of the picture without its letterbox bars."""
    height, width = picture.shape[:2]
    bar = bar_height(picture)
    left = (width + 1) // 2 if side == "right" else 0  # of an odd width the middle column is nobody's
    right = width // 2 if side == "left" else width
    return Region(bar, height - bar, left, right)


class SpeakerPlace:
    """The speaker's region of a film's pictures in order, found anew where their size changes."""

    def __init__(self, side: str | None) -> None:
        self.side = side
        self._shape: tuple[int, ...] | None = None
        self._region = Region(0, 0, 0, 0)
        self._window = self._region

    def region(self, picture: np.ndarray) -> Region:
        """The same object as long as pictures are of one size."""
        if picture.shape != self._shape:
            self._shape, self._region = picture.shape, speaker_region(picture, self.side)
            self._window = face_window(self._region, self.side)
        return self._region

    def window(self, picture: np.ndarray) -> Region:
        """The fixed square of that region; empty where there is no room for one."""
        self.region(picture)
        return self._window


def face_window(region: Region, side: str | None) -> Region:
    """The fixed square: 224 of 256 rows at the same place of either half, or the largest one at the centre."""
    rows, columns = region.bottom - region.top, region.right - region.left
    if side is None:
        size = min(rows, columns)
        offset = (columns - size) // 2
    else:
        size = min(round(rows * _WINDOW), columns)
        offset = min(round(columns * _OFFSET), columns - size)
    top = region.top + (rows - size) // 2
    return Region(top, top + size, region.left + offset, region.left + offset + size)


def resize(square: np.ndarray, size: int) -> np.ndarray:
    """(size, size, 3) uint8; the mean over the source's area where the picture shrinks."""
    return cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)


class FaceDetector:
    """YuNet (OpenCV). Raises AffuseError where its ONNX file is missing or is none."""

    def __init__(self, path: str | Path) -> None:
        if not Path(path).is_file():
            raise AffuseError(
                f"There is no face detector {path}; give the path of YuNet's ONNX file (OpenCV's model zoo "
                "has face_detection_yunet), or crop by window."
            )
        try:
            self._detector: Any = cv2.FaceDetectorYN.create(str(path), "", (320, 320), _SCORE)
        except cv2.error as error:
            raise AffuseError(f"{path} is no face detector that OpenCV can load ({error.err}).") from None

    def find(self, region: np.ndarray) -> np.ndarray:
        """(faces, 4): centre x, centre y and side of the box in pixels of the region, then score x area."""
        scale = min(1.0, _DETECT_SIDE / max(1, *region.shape[:2]))
        if min(region.shape[:2]) * scale < _LEAST_SIDE:
            return np.zeros((0, 4))
        small = cv2.resize(region, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        self._detector.setInputSize((small.shape[1], small.shape[0]))
        faces = self._detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
        if faces is None:
            return np.zeros((0, 4))
        x, y, width, height = faces[:, :4].T / scale
        return np.stack(
            [x + width / 2, y + height / 2, np.maximum(width, height), faces[:, -1] * width * height], axis=1
        )


class FaceTracker:
    """One face through regions of one size by YuNet; give it every region in order, then ask for windows."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._boxes: list[
            np.ndarray | None
        ] = []  # per frame: centre x, centre y, side, in the region's pixels

    def see(self, region: np.ndarray) -> None:
        """Find the face of the next frame: the one nearest the last, or the best one to begin with."""
        faces = self._detector.find(region)
        self._boxes.append(self._choose(faces) if len(faces) else None)

    def _choose(self, faces: np.ndarray) -> np.ndarray | None:
        candidates = faces[:, :3]
        last = next((box for box in reversed(self._boxes) if box is not None), None)
        if last is None:
            return candidates[np.argmax(faces[:, 3])]
        distance = np.hypot(*(candidates[:, :2] - last[:2]).T)
        nearest = int(np.argmin(distance))
        return (
            candidates[nearest] if distance[nearest] < last[2] else None
        )  # another person's face is no face

    @property
    def seen(self) -> int:
        """Frames."""
        return len(self._boxes)

    def windows(self, region: Region) -> list[Region] | None:
        """One square per frame seen, all of one size, inside ``region``; None where no frame had a face.

        A frame's place is the median over the faces within two frames of it; where there are none, over all.
        """
        known = [box for box in self._boxes if box is not None]
        if not known:
            return None
        rows, columns = region.bottom - region.top, region.right - region.left
        everywhere = np.median(known, axis=0)
        size = max(1, min(round(everywhere[2] * MARGIN), rows, columns))
        windows = []
        for i in range(len(self._boxes)):
            near = [box for box in self._boxes[max(0, i - _SMOOTH) : i + _SMOOTH + 1] if box is not None]
            x, y, _ = np.median(near, axis=0) if near else everywhere
            left = region.left + int(np.clip(round(x - size / 2), 0, columns - size))
            top = region.top + int(np.clip(round(y - size / 2), 0, rows - size))
            windows.append(Region(top, top + size, left, left + size))
        return windows
