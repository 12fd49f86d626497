"""Dialog videos in the release's form: both actors side by side, letterboxed, marker actor left, stereo sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from affuse.corpora.generated.face import (
    PATCH_HEIGHT,
    PATCH_WIDTH,
    Expression,
    draw_body,
    draw_face,
    expressions,
)
from affuse.corpora.generated.people import Actor, Room
from affuse.corpora.generated.script import Dialog
from affuse.corpora.generated.seeding import stream
from affuse.corpora.generated.voice import RATE

WIDTH, HEIGHT = 720, 480
TOP = 112  # first active row; the last is TOP + PATCH_HEIGHT - 1 = 367
FRAME_RATE = Fraction(30_000, 1_001)  # 29.97 Hz
LEFT, RIGHT = 76, 436  # first column of each actor's patch: the same place within each half
_BIT_RATE = 600_000
_GROUP = 12  # frames from one key frame to the next: seeking is quick


def write_video(
    path: Path, dialog: Dialog, actors: dict[str, Actor], room: Room, sound_nc: np.ndarray, seed: int
) -> None:
    """Write ``dialog`` as MPEG-4 in AVI. ``sound_nc``: (samples, 2) int16 at RATE. Same input, same bytes."""
    frames = round(dialog.seconds * FRAME_RATE)
    faces = {
        gender: expressions(
            frames,
            float(FRAME_RATE),
            [(t.start, t.end, t.shown["video"]) for t in dialog.turns if t.gender == gender],
            stream(seed, "face", dialog.name, gender),
        )
        for gender in actors
    }
    bodies = {gender: draw_body(actor.look, room) for gender, actor in actors.items()}
    canvas = _Canvas(room)
    # bitexact: no encoder version and no time stamps in the file
    exact = {"fflags": "+bitexact"}
    with av.open(f"file:{path}", "w", format="avi", container_options=exact) as container:
        pictures = container.add_stream(
            "mpeg4", rate=FRAME_RATE, options={"flags": "+bitexact", "threads": "1"}
        )
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        pictures.bit_rate, pictures.gop_size = _BIT_RATE, _GROUP
        sounds = container.add_stream("pcm_s16le", rate=RATE, layout="stereo", options={"flags": "+bitexact"})
        heard = 0
        for i in range(frames):
            for gender, actor in actors.items():
                marker = gender == dialog.marker
                face = Expression(*faces[gender][i])
                canvas.paste(
                    LEFT if marker else RIGHT, draw_face(bodies[gender], actor.look, room, face, marker)
                )
            picture = av.VideoFrame.from_ndarray(canvas.planes, format="yuv420p")
            picture.pts, picture.time_base = i, 1 / FRAME_RATE
            container.mux(pictures.encode(picture))
            if i % _GROUP == _GROUP - 1 or i == frames - 1:
                stop = round((i + 1) / FRAME_RATE * RATE)
                heard = _mux_sound(container, sounds, sound_nc, heard, stop)
        container.mux(pictures.encode(None))
        container.mux(sounds.encode(None))


def _mux_sound(
    container: OutputContainer, sounds: AudioStream, samples: np.ndarray, start: int, stop: int
) -> int:
    """Write the samples from ``start`` to ``stop`` and return where the next ones begin."""
    piece = samples[start:stop]
    if len(piece):
        frame = av.AudioFrame.from_ndarray(piece.reshape(1, -1), format="s16", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        container.mux(sounds.encode(frame))
    return start + len(piece)


class _Canvas:
    """One frame as YUV 4:2:0 planes; only the actors' patches are converted anew."""

    def __init__(self, room: Room) -> None:
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        shade = np.linspace(1.06, 0.9, PATCH_HEIGHT)[:, None, None]
        picture[TOP : TOP + PATCH_HEIGHT] = np.clip(np.array(room.wall) * shade, 0, 255)
        picture[TOP : TOP + PATCH_HEIGHT, WIDTH // 2 - 2 : WIDTH // 2 + 2] = 0  # the seam between the halves
        self.planes: NDArray[np.uint8] = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.uint8)
        self._luma = self.planes[:HEIGHT]
        self._chroma = self.planes[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)

    def paste(self, x: int, patch: np.ndarray) -> None:
        """Put a BGR patch at column ``x`` (even) of the active rows."""
        planes = cv2.cvtColor(patch, cv2.COLOR_BGR2YUV_I420)
        self._luma[TOP : TOP + PATCH_HEIGHT, x : x + PATCH_WIDTH] = planes[:PATCH_HEIGHT]
        chroma = planes[PATCH_HEIGHT:].reshape(2, PATCH_HEIGHT // 2, PATCH_WIDTH // 2)
        self._chroma[:, TOP // 2 : (TOP + PATCH_HEIGHT) // 2, x // 2 : (x + PATCH_WIDTH) // 2] = chroma
