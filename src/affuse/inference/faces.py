"""The speaker's face in every window of a video, in one pass over its pictures (two where faces are looked for).

A window's frames are those of ``media.video.read_faces``: the pictures nearest to start + (k + 0.5) / fps, each window
with letterbox bars and a place of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.inference.face_tracks import FilmFaces, look_for_faces
from affuse.inference.pictures import Frame, Pictures, frame_times
from affuse.inference.watching import unwatched
from affuse.inference.windows import Window
from affuse.media.clock import not_begun
from affuse.media.crop import CropSide, Region, resize


class FaceOptions(NamedTuple):
    """What an encoder asks of faces, and where they are."""

    fps: float
    seconds: float | None  # of a window's beginning; None: all of it
    size: int
    side: str | None
    detector: Path | None  # None: a fixed place
    point: tuple[float, float] | None  # of the chosen face, 0 to 1 across and down; None: the largest


class FaceWindows:
    """Iterate over it once: per window (frames, size, size, 3) uint8 RGB, or None where no face is seen.

    Memory holds the frames of the windows that overlap, one picture, and four numbers per face and look.
    ``fault`` says afterwards what could not be decoded, or that no window has a face, else it is "".
    """

    def __init__(
        self,
        path: Path,
        windows: Sequence[Window],
        options: FaceOptions,
        beat: Callable[[], None] = unwatched,
    ) -> None:
        self.path, self.windows, self.options, self._beat = path, windows, options, beat
        self.fault = ""
        self._seen = False

    def __iter__(self) -> Iterator[np.ndarray | None]:
        tracks = None
        if self.options.detector is not None and self.windows:
            tracks = look_for_faces(
                self.path, self.windows, self.options.detector, self.options.side, self._beat
            )
        waiting: dict[int, list[np.ndarray]] = {}
        following = 0  # the next window to be given
        places: dict[int, CropSide] = {}
        pictures = Pictures(self.path, frame_times(self.windows, self.options.fps, self.options.seconds))
        for frame, picture in pictures:
            self._beat()
            if picture is not None:
                place = places.setdefault(frame.window, CropSide(self.options.side))
                square = self._square(tracks, frame, picture, place)
                if square is not None:
                    face = resize(square.cut(picture), self.options.size)
                    waiting.setdefault(frame.window, []).append(face)
            while following < frame.window and self.windows[following].end <= frame.time:
                places.pop(following, None)
                yield self._given(following, waiting, pictures.begin)
                following += 1
        # all is known before the last window is given: who asks for no more than there are sees no further
        rest = [self._given(i, waiting, pictures.begin) for i in range(following, len(self.windows))]
        self.fault = pictures.fault
        if tracks is not None and not self._seen and not self.fault:
            self.fault = f"{self.path} shows no face where it is predicted, so its faces are missing."
        yield from rest

    def _given(self, i: int, waiting: dict[int, list[np.ndarray]], begin: float | None) -> np.ndarray | None:
        """The faces of window ``i``; None without any, and where all lie before the first picture."""
        faces = waiting.pop(i, [])
        if not faces or not_begun(self.windows[i].start + (len(faces) - 0.5) / self.options.fps, begin):
            return None
        self._seen = True
        return np.stack(faces)

    def _square(
        self, tracks: FilmFaces | None, frame: Frame, picture: np.ndarray, place: CropSide
    ) -> Region | None:
        if tracks is None:
            square = place.window(picture)
            return square if min(square.bottom - square.top, square.right - square.left) >= 1 else None
        window = self.windows[frame.window]
        return tracks.square(window.start, window.end, frame.time, picture, self.options.point)
