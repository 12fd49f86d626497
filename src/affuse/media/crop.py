"""Which part of a picture is the speaker's: the crop side, letterbox bars, and the fixed square in it.

Pictures are RGB, (height, width, 3) uint8. A region is the part of the picture that belongs to the speaker (the half on
the crop side, without letterbox bars); a window is a square inside it.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

# The second paper's code crops 224 x 224 of a letterboxed 720 x 480 picture: rows 128 to 352, and columns from 87
# in the left half but from 78 (438 - 360) in the right one. One place for both halves, midway between the two, so
# that the window cannot tell which half it was taken from.
_WINDOW = 224 / 256  # of the active rows
_OFFSET = 82 / 360  # of the half's columns, left of the window
_DARK = 40  # largest channel value of a letterbox row: video black is 16, and codecs ring next to the picture


class Region(NamedTuple):
    """Rows top to bottom and columns left to right, the ends excluded."""

    top: int
    bottom: int
    left: int
    right: int

    def cut(self, picture: np.ndarray) -> np.ndarray:
        """The region of a picture, without a copy."""
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


class CropSide:
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
