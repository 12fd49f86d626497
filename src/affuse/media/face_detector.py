"""Faces in pictures: YuNet's boxes, and one face followed through a clip.

Pictures are RGB, (height, width, 3) uint8.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from affuse.errors import AffuseError
from affuse.media.crop import Region

_DETECT_SIDE = 320  # the detector sees a region scaled down to this longer side
_LEAST_SIDE = 32  # pixels: YuNet's coarsest step; its boxes of less are infinite
_SCORE = 0.6  # least score of a face
MARGIN = 1.3  # side of the window in sides of the face's box: forehead, chin and ears stay in
_SMOOTH = 2  # frames to each side over which a face's place is the median


class FaceDetector:
    """YuNet (OpenCV).

    Raises:
        AffuseError: Where its ONNX file is missing or is none.
    """

    def __init__(self, path: str | Path) -> None:
        if not Path(path).is_file():
            raise AffuseError(
                f"There is no face detector {path}; give the path of a YuNet ONNX file (OpenCV's model zoo has "
                "face_detection_yunet), or none: one comes with affuse."
            )
        try:
            self._detector: Any = cv2.FaceDetectorYN.create(str(path), "", (320, 320), _SCORE)
        except cv2.error as error:
            raise AffuseError(f"{path} is not a face detector that OpenCV can load ({error.err}).") from None

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
