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

from affuse.corpora.generated.face import expressions
from affuse.corpora.generated.head import PATCH_HEIGHT, Head, draw_body
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
    canvas = _Canvas(room)
    seats = [_Seat(canvas, dialog, actor, room, frames, seed) for actor in actors.values()]
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
            for seat in seats:
                seat.show(i)
            container.mux(pictures.encode(canvas.frame(i)))
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
    """One frame as YUV 4:2:0, used again for every picture: only what moves is written anew.

    The encoder is done with a picture when it returns: it has no pictures ahead, and copies what it keeps.
    """

    def __init__(self, room: Room) -> None:
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        shade = np.linspace(1.06, 0.9, PATCH_HEIGHT)[:, None, None]
        picture[TOP : TOP + PATCH_HEIGHT] = np.clip(np.array(room.wall) * shade, 0, 255)
        picture[TOP : TOP + PATCH_HEIGHT, WIDTH // 2 - 2 : WIDTH // 2 + 2] = 0  # the seam between the halves
        planes = cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).astype(np.uint8)
        self._frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        self._planes = [
            np.asarray(memoryview(plane)).reshape(plane.height, plane.line_size)
            for plane in self._frame.planes
        ]

    def frame(self, i: int) -> av.VideoFrame:
        """What was pasted, as picture ``i`` of the film."""
        self._frame.pts, self._frame.time_base = i, 1 / FRAME_RATE
        return self._frame

    def paste(self, x: int, y: int, patch: NDArray[np.uint8]) -> None:
        """Put a BGR patch at column ``x`` and row ``y``; all its sides are even."""
        rows, columns = patch.shape[:2]
        yuv = cv2.cvtColor(patch, cv2.COLOR_BGR2YUV_I420)
        chroma = yuv[rows:].reshape(2, rows // 2, columns // 2)
        for plane, values in zip(self._planes, (yuv[:rows], *chroma), strict=True):
            step = rows // len(values)
            plane[y // step : (y + rows) // step, x // step : (x + columns) // step] = values


class _Seat:
    """An actor's place in the picture; what moves there is the head."""

    def __init__(
        self, canvas: _Canvas, dialog: Dialog, actor: Actor, room: Room, frames: int, seed: int
    ) -> None:
        spans = [(t.start, t.end, t.shown["video"]) for t in dialog.turns if t.gender == actor.gender]
        rng = stream(seed, "face", dialog.name, actor.gender)
        marker = actor.gender == dialog.marker
        self._canvas, self._x = canvas, LEFT if marker else RIGHT
        self._body = draw_body(actor.look, room)
        self._head = Head(actor.look, room, expressions(frames, float(FRAME_RATE), spans, rng), marker)
        canvas.paste(self._x, TOP, self._body)

    def show(self, i: int) -> None:
        """Put what the actor does in picture ``i`` on the canvas."""
        rows, columns = place = self._head.place
        self._canvas.paste(self._x + columns.start, TOP + rows.start, self._head.draw(self._body, i)[place])
