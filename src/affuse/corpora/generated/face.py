"""What a face does through a dialog: brows, eyes, mouth and head by what the video shows."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter


@dataclass(frozen=True)
class Expression:
    """A face in every frame, (frames,) each. Lengths are pixels, angles degrees, shares from 0 to 1."""

    brow_raise: NDArray[np.float64]  # up
    brow_slant: NDArray[np.float64]  # inner ends up: sad; below 0: inner ends down, angry
    eye_open: NDArray[np.float64]  # 1 at rest
    smile: NDArray[np.float64]  # corners of the mouth up; below 0: down
    mouth_open: NDArray[np.float64]
    mouth_width: NDArray[np.float64]  # half
    cheek: NDArray[np.float64]  # share of the blush and of the lines beside the mouth
    nod: NDArray[np.float64]  # down
    turn: NDArray[np.float64]  # right
    tilt: NDArray[np.float64]  # clockwise


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
