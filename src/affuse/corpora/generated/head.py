"""A drawn head: hair, jaw, lips and brows by who it is; brows, eyes, mouth and place by what its face does.

Pictures are BGR. A patch is the part of one half of the frame that ever changes: PATCH_WIDTH x PATCH_HEIGHT.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.generated.face import Expression
from affuse.corpora.generated.pen import Pen
from affuse.corpora.generated.people import Colour, Look, Room

PATCH_WIDTH, PATCH_HEIGHT = 248, 256
_CENTRE = (124.0, 122.0)  # of the head at rest, in the patch
_HEAD = (54.0, 72.0)  # half axes of the head
_MARKERS = ((0, -44), (-28, -40), (28, -40), (-38, 8), (38, 8), (-30, 32), (30, 32), (0, 66))


def draw_body(look: Look, room: Room) -> NDArray[np.uint8]:
    """What stays still behind the head: the wall, the shoulders; (PATCH_HEIGHT, PATCH_WIDTH, 3)."""
    patch = np.empty((PATCH_HEIGHT, PATCH_WIDTH, 3), np.uint8)
    shade = np.linspace(1.06, 0.9, PATCH_HEIGHT)[:, None, None]
    patch[:] = np.clip(np.array(room.wall) * shade, 0, 255)
    wide = 78 + 22 * look.jaw
    cv2.ellipse(patch, (124, 262), (int(wide), 62), 0, 0, 360, _lit(look.cloth, room), -1, cv2.LINE_AA)
    neck = 17 + 9 * look.jaw
    cv2.ellipse(
        patch, (124, 196), (int(neck), 34), 0, 0, 360, _lit(_shade(look.skin, 0.86), room), -1, cv2.LINE_AA
    )
    return patch


class Head:
    """An actor's head through a dialog, drawn frame by frame over what ``draw_body`` gives.

    Args:
        look: The actor's.
        room: Whose light it is in.
        face: What the face does: (frames, len(CHANNELS)).
        marker: With white dots, as the actor wears whose face is tracked.

    Attributes:
        place: The patch's rows and columns in which anything ever moves; they begin and end at even ones.
    """

    def __init__(self, look: Look, room: Room, face: NDArray[np.float64], marker: bool) -> None:
        self._look, self._room = look, room
        self._face = shown = Expression(*face.T)
        self._pen = Pen(_CENTRE[0] + shown.turn, _CENTRE[1] + shown.nod, shown.tilt)
        self._skin, self._hair = _lit(look.skin, room), _lit(look.hair, room)
        self._dark = _shade(self._skin, 0.72)
        self._skull()
        self._eyes()
        self._pen.line((-2, -7, 4), (-6, 20, 22), self._dark, 2)  # nose
        self._mouth()
        for x, y in _MARKERS if marker else ():
            self._pen.oval(x, y, 1.6, 1.6, (250, 250, 250))
        self.place = self._pen.reach()

    def draw(self, body: NDArray[np.uint8], i: int) -> NDArray[np.uint8]:
        """Frame ``i``: (PATCH_HEIGHT, PATCH_WIDTH, 3)."""
        patch = body.copy()
        self._pen.draw(patch, i)
        return patch

    def _skull(self) -> None:
        pen, look, skin, hair = self._pen, self._look, self._skin, self._hair
        half_w, half_h = _HEAD[0] * look.width, _HEAD[1]
        reach = half_w * (0.62 + 0.2 * look.jaw)
        if look.long_hair:
            pen.oval(0, 14, half_w + 17, half_h + 22, hair)
            pen.polygon((-half_w - 16, half_w + 16, half_w + 20, -half_w - 20), (10, 10, 98, 98), hair)
            neck = (-half_w + 14, half_w - 14, half_w - 22, -half_w + 22)
            pen.polygon(neck, (40, 40, 98, 98), _shade(skin, 0.84))
        else:
            pen.oval(0, -16, half_w + 5, half_h - 6, hair)
            for side in (-1, 1):
                pen.oval(side * (half_w + 1), 4, 9, 15, _shade(skin, 0.9))  # ears
        pen.oval(0, 0, half_w, half_h, skin)
        if look.jaw > 0.4:
            jaw = (-half_w * 0.97, half_w * 0.97, reach, 20, -20, -reach)
            pen.polygon(jaw, (14, 14, 56, 74, 74, 56), skin)
        if look.beard:
            beard = (-half_w * 0.95, -26, 26, half_w * 0.95, reach, 20, -20, -reach)
            shadow = _mix(skin, hair, 0.35 + 0.4 * look.beard)
            pen.polygon(beard, (18, 26, 26, 18, 57, 75, 75, 57), shadow)
        pen.arc(0, -20, half_w + 2, half_h - 16, hair, 15 if look.long_hair else 12)  # hairline
        if not look.beard:
            blush = [
                _mix(skin, (110, 110, 230), 0.35 * min(share, 1.0)) for share in self._face.cheek.tolist()
            ]
            for side in (-1, 1):
                pen.oval(side * 32, 20, 11, 8, blush, shown=self._face.cheek > 0.05)

    def _eyes(self) -> None:
        pen, face = self._pen, self._face
        lid = np.maximum(face.eye_open, 0.05)
        brow = -27 - face.brow_raise
        inner, outer = brow - face.brow_slant, brow + face.brow_slant * 0.6
        for side in (-1, 1):
            pen.oval(side * 22, -10, 12, 7.5 * lid + 0.6, (245, 245, 245))
            pupil = np.minimum(5.6, 7.5 * lid)
            pen.oval(side * 22 + 0.15 * face.turn, -10, 5.2, pupil, (40, 50, 60), shown=lid > 0.2)
            pen.arc(side * 22, -10, 13, 8.5 * lid + 1, _shade(self._dark, 0.5), 2)
            heights = np.stack([inner, (inner + outer) / 2 - 3, outer], axis=1)
            thick = max(2, round(4.5 * self._look.brow))
            pen.line((side * 11, side * 24, side * 36), heights, _shade(self._hair, 0.5), thick)

    def _mouth(self) -> None:
        """Lips as two bent bands around an opening; lines beside it when the cheeks rise."""
        pen, face = self._pen, self._face
        across = np.linspace(-1, 1, 9)
        bend = -face.smile[:, None] * (across**2 - 0.5)  # corners up for a smile
        gap = np.maximum(face.mouth_open, 0.0)[:, None] * (1 - across**2)
        x = across * face.mouth_width[:, None]
        upper, lower = 43 + bend - 0.4 * gap, 43 + bend + 0.6 * gap
        lip = 2.5 * (1 - 0.7 * across**2)
        lips = _lit(self._look.lips, self._room)
        around = np.hstack([x, x[:, ::-1]])
        pen.polygon(around, np.hstack([upper - lip, (lower + 1.4 * lip)[:, ::-1]]), lips)
        is_open = face.mouth_open > 2
        pen.polygon(around, np.hstack([upper, lower[:, ::-1]]), (30, 20, 60), shown=is_open)
        teeth = upper + np.minimum(0.45 * gap, 5)
        bared = is_open & (face.smile > 4)
        pen.polygon(around, np.hstack([upper, teeth[:, ::-1]]), (235, 235, 235), shown=bared)
        pen.line(x, (upper + lower) / 2, _shade(lips, 0.55), 2, shown=~is_open)
        for side in (-1, 1):
            corner = np.stack([np.full(len(x), side * 27.0), side * (face.mouth_width + 8)], axis=1)
            pen.line(corner, (24, 34), self._dark, 1, shown=face.cheek > 0.5)


def _lit(colour: Colour, room: Room) -> Colour:
    return _shade(colour, room.light)


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255, round(value * factor)) for value in colour)
    return blue, green, red


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    blue, green, red = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return blue, green, red
