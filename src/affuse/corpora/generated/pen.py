"""A pen that draws one thing through a whole film: every picture's places are computed at once, then drawn one by one.

Shapes: f pictures of the film, p points of a line, 2 x and y.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.generated.people import Colour

_FINE = 4  # binary digits after the point in the coordinates OpenCV draws at
_STEPS = 1 << _FINE
_EDGE = 3  # pixels: a softened edge goes one or two beyond the line

Length: TypeAlias = float | NDArray[np.float64]  # of all pictures, or of each: (f,)
Shown: TypeAlias = NDArray[np.bool_] | None  # the pictures that have the stroke: (f,); None: all
_Stroke: TypeAlias = Callable[[NDArray[np.uint8], int], object]


class Pen:
    """Draws in the coordinates of something that moves and tilts (origin at its centre, y down).

    Args:
        x_f: Where its centre is in every picture.
        y_f: The same, downwards.
        tilt_f: Its angle, clockwise in degrees.
    """

    def __init__(
        self, x_f: NDArray[np.float64], y_f: NDArray[np.float64], tilt_f: NDArray[np.float64]
    ) -> None:
        angle_f = np.deg2rad(tilt_f)
        self._x_f1, self._y_f1 = x_f[:, None], y_f[:, None]
        self._cos_f1, self._sin_f1 = np.cos(angle_f)[:, None], np.sin(angle_f)[:, None]
        self._tilt: list[float] = tilt_f.tolist()
        self._strokes: list[tuple[_Stroke, list[bool] | None]] = []
        self._low, self._high = np.full(2, np.inf), np.full(2, -np.inf)  # of all that is drawn: x and y

    def draw(self, picture: NDArray[np.uint8], i: int) -> None:
        """Draw the film's picture ``i``: (rows, columns, 3)."""
        for stroke, shown in self._strokes:
            if shown is None or shown[i]:
                stroke(picture, i)

    def reach(self) -> tuple[slice, slice]:
        """The rows and columns that any picture's strokes touch, from an even one to an even one."""
        (left, top), (right, bottom) = self._low // 2 * 2, -(-self._high // 2) * 2
        return slice(max(int(top), 0), int(bottom)), slice(max(int(left), 0), int(right))

    def oval(
        self,
        x: Length,
        y: Length,
        half_w: Length,
        half_h: Length,
        colour: Colour | list[Colour],
        shown: Shown = None,
    ) -> None:
        """A filled ellipse; of one colour, or one of each picture."""
        each = colour if isinstance(colour, list) else [colour] * len(self._tilt)
        self._ellipse(x, y, half_w, half_h, (0, 360), each, -1, shown)

    def arc(self, x: Length, y: Length, half_w: Length, half_h: Length, colour: Colour, thick: int) -> None:
        """The line of an ellipse's upper half, with round ends."""
        self._ellipse(x, y, half_w, half_h, (180, 360), [colour] * len(self._tilt), thick, None)

    def polygon(
        self, x: Length | Sequence[float], y: Length | Sequence[float], colour: Colour, shown: Shown = None
    ) -> None:
        """A filled polygon; x and y: (p,) or (f, p)."""
        points_fp2 = self._fine(x, y)

        def draw(picture: NDArray[np.uint8], i: int) -> None:
            cv2.fillPoly(picture, [points_fp2[i]], colour, cv2.LINE_AA, _FINE)

        self._add(draw, shown, points_fp2, 0)

    def line(
        self,
        x: Length | Sequence[float],
        y: Length | Sequence[float],
        colour: Colour,
        thick: int,
        shown: Shown = None,
    ) -> None:
        """A line through points; x and y: (p,) or (f, p)."""
        points_fp2 = self._fine(x, y)

        def draw(picture: NDArray[np.uint8], i: int) -> None:
            cv2.polylines(picture, [points_fp2[i]], False, colour, thick, cv2.LINE_AA, _FINE)

        self._add(draw, shown, points_fp2, thick)

    def _ellipse(
        self,
        x: Length,
        y: Length,
        half_w: Length,
        half_h: Length,
        ends: tuple[int, int],
        colours: list[Colour],
        thick: int,
        shown: Shown,
    ) -> None:
        tilt, (begin, stop) = self._tilt, ends
        centre_f12 = self._fine(_column(x), _column(y))
        half_f2 = _in_steps(np.stack([np.broadcast_to(half, len(tilt)) for half in (half_w, half_h)], axis=1))
        centre, half = _pairs(centre_f12[:, 0]), _pairs(half_f2)

        def draw(picture: NDArray[np.uint8], i: int) -> None:
            cv2.ellipse(
                picture, centre[i], half[i], tilt[i], begin, stop, colours[i], thick, cv2.LINE_AA, _FINE
            )

        self._add(draw, shown, centre_f12, float(half_f2.max()) / _STEPS + max(thick, 0))

    def _add(self, stroke: _Stroke, shown: Shown, points_fp2: NDArray[np.int32], around: float) -> None:
        """``around``: pixels that the stroke reaches beyond its points, but for the softened edge."""
        self._strokes.append((stroke, None if shown is None else shown.tolist()))
        low_2, high_2 = points_fp2.min(axis=0).min(axis=0), points_fp2.max(axis=0).max(axis=0)
        self._low = np.minimum(self._low, low_2 / _STEPS - around - _EDGE)
        self._high = np.maximum(self._high, high_2 / _STEPS + around + _EDGE)

    def _fine(self, x: Length | Sequence[float], y: Length | Sequence[float]) -> NDArray[np.int32]:
        """Own coordinates, (p,) or (f, p), as the picture's, in OpenCV's steps: (f, p, 2)."""
        x, y = np.asarray(x), np.asarray(y)
        return _in_steps(
            np.stack(
                [
                    self._x_f1 + self._cos_f1 * x - self._sin_f1 * y,
                    self._y_f1 + self._sin_f1 * x + self._cos_f1 * y,
                ],
                axis=2,
            )
        )


def _pairs(values_f2: NDArray[np.int32]) -> list[tuple[int, int]]:
    first, second = values_f2.T.tolist()
    return list(zip(first, second, strict=True))


def _column(length: Length) -> NDArray[np.float64]:
    return np.reshape(np.asarray(length, np.float64), (-1, 1))


def _in_steps(pixels: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(pixels * _STEPS).astype(np.int32)
