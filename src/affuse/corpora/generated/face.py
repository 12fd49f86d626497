"""A drawn face: brows, eyes, mouth and head by what the video shows; hair, jaw, lips and brows by who it is.

Pictures are BGR. A patch is the part of one half of the frame that ever changes: PATCH_WIDTH x PATCH_HEIGHT.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
from scipy.signal import lfilter

from affuse.corpora.generated.people import Colour, Look, Room

PATCH_WIDTH, PATCH_HEIGHT = 248, 256
_FINE = 4  # binary digits after the point in the coordinates OpenCV draws at
_CENTRE = (124.0, 122.0)  # of the head at rest, in the patch
_HEAD = (54.0, 72.0)  # half axes of the head


@dataclass(frozen=True)
class Expression:
    """One frame's face. Lengths are pixels, angles degrees, shares from 0 to 1."""

    brow_raise: float  # up
    brow_slant: float  # inner ends up: sad; below 0: inner ends down, angry
    eye_open: float  # 1 at rest
    smile: float  # corners of the mouth up; below 0: down
    mouth_open: float
    mouth_width: float  # half
    cheek: float  # share of the blush and of the lines beside the mouth
    nod: float  # down
    turn: float  # right
    tilt: float  # clockwise


CHANNELS = tuple(f.name for f in fields(Expression))

#            brow_raise slant eye  smile open width cheek nod turn tilt
FACES = {
    "neu": (0.0, 0.0, 1.00, 0.0, 1.0, 17.0, 0.0, 0.0, 0.0, 0.0),
    "hap": (2.0, 1.0, 0.75, 10.0, 3.0, 23.0, 0.8, -2.0, 0.0, 2.0),
    "exc": (8.0, 1.0, 1.25, 11.0, 12.0, 24.0, 1.0, -4.0, 0.0, 2.0),
    "ang": (-5.0, -8.0, 0.85, -5.0, 7.0, 18.0, 0.3, 2.0, 0.0, 0.0),
    "sad": (2.0, 8.0, 0.60, -8.0, 1.0, 14.0, 0.0, 10.0, 0.0, -4.0),
    "fru": (-3.0, -3.0, 0.70, -4.0, 1.0, 21.0, 0.1, 4.0, 3.0, 3.0),
}
# How the head moves: amplitude in pixels, and how often, in Hz.
MOVES = {
    "neu": (1.5, 0.5), "hap": (4.0, 1.1), "exc": (7.0, 2.0), "ang": (4.5, 2.4), "sad": (1.5, 0.3), "fru": (4.0, 0.9),
}  # fmt: skip


def expressions(
    frames: int, fps: float, spans: list[tuple[float, float, str]], rng: np.random.Generator
) -> np.ndarray:
    """One actor's face through a dialog: (frames, len(CHANNELS)).

    ``spans`` are the actor's own turns (start and end in seconds, display); between them the face is at rest. The
    mouth moves while the actor speaks, in a rhythm of its own that tells nothing about the voice.
    """
    rest = np.array(FACES["neu"])
    target = np.tile(rest, (frames, 1))
    sway = np.full((frames, 2), MOVES["neu"])
    talk = np.zeros(frames)
    clock = np.arange(frames) / fps
    for start, end, display in spans:
        now = (clock >= start) & (clock < end)
        strength = rng.uniform(0.75, 1.2)
        target[now] = rest + strength * (np.array(FACES[display]) - rest)
        sway[now] = MOVES[display]
        rhythm = np.sin(np.pi * rng.uniform(3.6, 4.6) * (clock[now] - start)) ** 2
        talk[now] = rhythm * rng.uniform(0.6, 1.2, now.sum())
    step = 1 - np.exp(-1 / (0.09 * fps))  # the face follows within about a tenth of a second
    face = np.asarray(lfilter([step], [1.0, step - 1.0], target - rest, axis=0)) + rest
    amplitude, speed = np.asarray(
        lfilter([step], [1.0, step - 1.0], sway - MOVES["neu"], axis=0)
    ).T + np.array(MOVES["neu"]).reshape(2, 1)
    phase = 2 * np.pi * np.cumsum(speed) / fps
    offset = rng.uniform(0, 2 * np.pi, 3)
    face[:, CHANNELS.index("mouth_open")] += 9.0 * talk
    face[:, CHANNELS.index("nod")] += amplitude * np.sin(phase + offset[0])
    face[:, CHANNELS.index("turn")] += 1.3 * amplitude * np.sin(0.61 * phase + offset[1])
    face[:, CHANNELS.index("tilt")] += 0.8 * amplitude * np.sin(0.43 * phase + offset[2])
    for blink in np.arange(rng.uniform(0.5, 3), clock[-1] if frames else 0, 3.1):
        face[(clock >= blink) & (clock < blink + 0.12), CHANNELS.index("eye_open")] = 0.05
    return face


def draw_body(look: Look, room: Room) -> np.ndarray:
    """What stays still behind the head: the wall, the shoulders; (PATCH_HEIGHT, PATCH_WIDTH, 3) uint8."""
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


def draw_face(body: np.ndarray, look: Look, room: Room, face: Expression, marker: bool) -> np.ndarray:
    """The head with its expression over ``body``: (PATCH_HEIGHT, PATCH_WIDTH, 3) uint8.

    ``marker``: with white dots, as the actor wears whose face is tracked.
    """
    patch = body.copy()
    skin, hair = _lit(look.skin, room), _lit(look.hair, room)
    dark = _shade(skin, 0.72)
    half_w, half_h = _HEAD[0] * look.width, _HEAD[1]
    pen = _Pen(patch, _CENTRE[0] + face.turn, _CENTRE[1] + face.nod, face.tilt)

    if look.long_hair:
        pen.oval(0, 14, half_w + 17, half_h + 22, hair)
        pen.polygon([(-half_w - 16, 10), (half_w + 16, 10), (half_w + 20, 98), (-half_w - 20, 98)], hair)
        pen.polygon(
            [(-half_w + 14, 40), (half_w - 14, 40), (half_w - 22, 98), (-half_w + 22, 98)], _shade(skin, 0.84)
        )
    else:
        pen.oval(0, -16, half_w + 5, half_h - 6, hair)
        for side in (-1, 1):
            pen.oval(side * (half_w + 1), 4, 9, 15, _shade(skin, 0.9))  # ears
    pen.oval(0, 0, half_w, half_h, skin)
    if look.jaw > 0.4:
        reach = half_w * (0.62 + 0.2 * look.jaw)
        pen.polygon(
            [(-half_w * 0.97, 14), (half_w * 0.97, 14), (reach, 56), (20, 74), (-20, 74), (-reach, 56)], skin
        )
    if look.beard:
        shadow = _mix(skin, hair, 0.35 + 0.4 * look.beard)
        reach = half_w * (0.62 + 0.2 * look.jaw)
        pen.polygon(
            [
                (-half_w * 0.95, 18),
                (-26, 26),
                (26, 26),
                (half_w * 0.95, 18),
                (reach, 57),
                (20, 75),
                (-20, 75),
                (-reach, 57),
            ],
            shadow,
        )
    pen.arc(0, -20, half_w + 2, half_h - 16, 180, 360, hair, 15 if look.long_hair else 12)  # hairline
    if face.cheek > 0.05:
        blush = _mix(skin, (110, 110, 230), 0.35 * min(face.cheek, 1.0))
        if not look.beard:
            for side in (-1, 1):
                pen.oval(side * 32, 20, 11, 8, blush)

    for side in (-1, 1):
        lid = max(face.eye_open, 0.05)
        pen.oval(side * 22, -10, 12, 7.5 * lid + 0.6, (245, 245, 245))
        if lid > 0.2:
            pen.oval(side * 22 + 0.15 * face.turn, -10, 5.2, min(5.6, 7.5 * lid), (40, 50, 60))
        pen.arc(side * 22, -10, 13, 8.5 * lid + 1, 180, 360, _shade(dark, 0.5), 2)
        inner, outer = (
            (side * 11, -27 - face.brow_raise - face.brow_slant),
            (side * 36, -27 - face.brow_raise + face.brow_slant * 0.6),
        )
        middle = (side * 24, (inner[1] + outer[1]) / 2 - 3)
        pen.line([inner, middle, outer], _shade(hair, 0.5), max(2, round(4.5 * look.brow)))
    pen.line([(-2, -6), (-7, 20), (4, 22)], dark, 2)  # nose
    _draw_mouth(pen, look, room, face, dark)
    if marker:
        for x, y in ((0, -44), (-28, -40), (28, -40), (-38, 8), (38, 8), (-30, 32), (30, 32), (0, 66)):
            pen.oval(x, y, 1.6, 1.6, (250, 250, 250))
    return patch


def _draw_mouth(pen: _Pen, look: Look, room: Room, face: Expression, dark: Colour) -> None:
    """Lips as two bent bands around an opening; lines beside it when the cheeks rise."""
    across = np.linspace(-1, 1, 9)
    bend = -face.smile * (across**2 - 0.5)  # corners up for a smile
    gap = max(face.mouth_open, 0.0) * (1 - across**2)
    x = across * face.mouth_width
    upper, lower = 43 + bend - 0.4 * gap, 43 + bend + 0.6 * gap
    lip = 2.5 * (1 - 0.7 * across**2)
    lips = _lit(look.lips, room)
    pen.polygon(
        [*zip(x, upper - lip, strict=True), *zip(x[::-1], (lower + 1.4 * lip)[::-1], strict=True)], lips
    )
    if face.mouth_open > 2:
        pen.polygon([*zip(x, upper, strict=True), *zip(x[::-1], lower[::-1], strict=True)], (30, 20, 60))
        if face.smile > 4:
            teeth = upper + np.minimum(0.45 * gap, 5)
            pen.polygon(
                [*zip(x, upper, strict=True), *zip(x[::-1], teeth[::-1], strict=True)], (235, 235, 235)
            )
    else:
        pen.line(list(zip(x, (upper + lower) / 2, strict=True)), _shade(lips, 0.55), 2)
    if face.cheek > 0.5:
        for side in (-1, 1):
            pen.line([(side * 27, 24), (side * (face.mouth_width + 8), 34)], dark, 1)


class _Pen:
    """Draws in the head's own coordinates (origin at its centre, y down), moved and tilted with it."""

    def __init__(self, patch: np.ndarray, x: float, y: float, tilt: float) -> None:
        self.patch = patch
        self.x, self.y, self.tilt = x, y, tilt
        angle = np.deg2rad(tilt)
        self.cos, self.sin = float(np.cos(angle)), float(np.sin(angle))

    def _at(self, x: float, y: float) -> tuple[int, int]:
        scale = 1 << _FINE
        return (
            round((self.x + self.cos * x - self.sin * y) * scale),
            round((self.y + self.sin * x + self.cos * y) * scale),
        )

    def oval(self, x: float, y: float, half_w: float, half_h: float, colour: Colour) -> None:
        scale = 1 << _FINE
        axes = (round(half_w * scale), round(half_h * scale))
        cv2.ellipse(self.patch, self._at(x, y), axes, self.tilt, 0, 360, colour, -1, cv2.LINE_AA, _FINE)

    def arc(
        self,
        x: float,
        y: float,
        half_w: float,
        half_h: float,
        begin: float,
        stop: float,
        colour: Colour,
        thick: int,
    ) -> None:
        scale = 1 << _FINE
        axes = (round(half_w * scale), round(half_h * scale))
        cv2.ellipse(
            self.patch, self._at(x, y), axes, self.tilt, begin, stop, colour, thick, cv2.LINE_AA, _FINE
        )

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        cv2.fillPoly(self.patch, [np.array([self._at(*p) for p in points])], colour, cv2.LINE_AA, _FINE)

    def line(self, points: list[tuple[float, float]], colour: Colour, thick: int) -> None:
        corners = [np.array([self._at(*p) for p in points])]
        cv2.polylines(self.patch, corners, False, colour, thick, cv2.LINE_AA, _FINE)


def _lit(colour: Colour, room: Room) -> Colour:
    return _shade(colour, room.light)


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(255, round(value * factor)) for value in colour)
    return blue, green, red


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    blue, green, red = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return blue, green, red
