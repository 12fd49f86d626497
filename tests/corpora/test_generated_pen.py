"""The pen: places worked out for a whole film are those of every picture on its own."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from affuse.corpora.generated.pen import Pen

X, Y, TILT = np.array([40.3, 52.8]), np.array([35.1, 30.0]), np.array([12.0, -7.5])
RED, BLUE = (0, 0, 255), (255, 0, 0)


def paper() -> np.ndarray:
    return np.full((80, 90, 3), 200, np.uint8)


def place(i: int, x: float, y: float) -> tuple[int, int]:
    """Turned by the tilt, moved, in sixteenths of a pixel."""
    angle = math.radians(TILT[i])
    return (
        round((X[i] + math.cos(angle) * x - math.sin(angle) * y) * 16),
        round((Y[i] + math.sin(angle) * x + math.cos(angle) * y) * 16),
    )


@pytest.mark.parametrize("i", [0, 1])
def test_strokes_lie_where_each_picture_has_them(i: int) -> None:
    corners, heights = [(-9.0, -4.0), (8.0, -5.5), (3.0, 7.0)], np.array([[1.0, 2.0], [-3.0, 4.5]])
    sizes = np.array([5.2, 8.1])
    pen = Pen(X, Y, TILT)
    pen.oval(np.array([-3.0, 2.0]), 1.5, sizes, 6.0, [RED, BLUE])
    pen.polygon([x for x, _ in corners], [y for _, y in corners], RED)
    pen.line((-12, 12), heights, BLUE, 3)
    pen.oval(0, 0, 2, 2, BLUE, shown=np.array([False, True]))
    drawn = paper()
    pen.draw(drawn, i)

    expected = paper()
    half = (round(sizes[i] * 16), 96)
    centre = place(i, (-3.0, 2.0)[i], 1.5)
    cv2.ellipse(expected, centre, half, TILT[i], 0, 360, (RED, BLUE)[i], -1, cv2.LINE_AA, 4)
    cv2.fillPoly(expected, [np.array([place(i, *corner) for corner in corners])], RED, cv2.LINE_AA, 4)
    ends = np.array([place(i, -12, heights[i, 0]), place(i, 12, heights[i, 1])])
    cv2.polylines(expected, [ends], False, BLUE, 3, cv2.LINE_AA, 4)
    if i == 1:
        cv2.ellipse(expected, place(i, 0, 0), (32, 32), TILT[i], 0, 360, BLUE, -1, cv2.LINE_AA, 4)
    np.testing.assert_array_equal(drawn, expected)


def test_an_arc_is_all_that_is_near_to_half_an_ellipse() -> None:
    pen = Pen(X, Y, TILT)
    pen.arc(1, 2, np.array([20.0, 25.0]), 15, RED, 6)
    angles = np.linspace(math.pi, 2 * math.pi, 4000)
    for i, half_w in enumerate((20.0, 25.0)):
        drawn = paper()
        pen.draw(drawn, i)
        tilt = math.radians(TILT[i])
        x, y = 1 + half_w * np.cos(angles), 2 + 15 * np.sin(angles)
        curve = np.stack([X[i] + math.cos(tilt) * x - math.sin(tilt) * y,
                          Y[i] + math.sin(tilt) * x + math.cos(tilt) * y], axis=1)  # fmt: skip
        for row in range(0, 80, 2):
            for column in range(0, 90, 2):
                distance = np.hypot(*(curve - (column, row)).T).min()
                if distance < 3 - 1:
                    assert tuple(drawn[row, column]) == RED
                elif distance > 3 + 2.5:  # a soft edge
                    assert tuple(drawn[row, column]) == (200, 200, 200)


def test_reach_holds_all_that_is_drawn() -> None:
    pen = Pen(X, Y, TILT)
    pen.arc(0, 0, 14, 11, RED, 5)
    pen.line((-10, 16), (3, 12), BLUE, 4)
    rows, columns = pen.reach()
    assert (rows.start % 2, rows.stop % 2, columns.start % 2, columns.stop % 2) == (0, 0, 0, 0)
    assert (rows.stop - rows.start) * (columns.stop - columns.start) < 60 * 62
    for i in range(2):
        drawn = paper()
        pen.draw(drawn, i)
        assert (drawn != 200).any()
        drawn[rows, columns] = 200
        assert (drawn == 200).all()
