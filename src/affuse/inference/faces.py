"""The speaker's face in every window of a video, in one pass over its pictures (two where faces are looked for).

A window's frames are those of ``media.video.read_faces``: the pictures nearest to start + (k + 0.5) / fps, each window
with letterbox bars and a place of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.inference.face_tracks import WindowLooks, look_for_faces
from affuse.inference.pictures import Pictures, frame_times
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


class WindowFaces:
    """The faces of one window: ``see`` the pictures of its frames in order, then they are ``given``.

    Args:
        window: Seconds.
        options: How faces are read.
        looks: Of the window, where faces are looked for; None: a fixed place.

    Attributes:
        square: Where the last frame's face is, in pixels of its picture.
        shape: Height and width of that picture.
    """

    def __init__(self, window: Window, options: FaceOptions, looks: WindowLooks | None) -> None:
        self.square: Region | None = None
        self.shape = (0, 0)
        self._window, self._options, self._looks = window, options, looks
        self._place = CropSide(options.side)
        self._faces: list[np.ndarray] = []

    def see(self, time: float, picture: np.ndarray) -> None:
        """The picture nearest to ``time``, (height, width, 3) uint8 RGB."""
        if self._looks is not None:
            square = self._looks.square(self._window, time, picture, self._options.point)
        else:
            square = self._place.window(picture)
            if min(square.bottom - square.top, square.right - square.left) < 1:
                square = None
        if square is not None:
            self._faces.append(resize(square.cut(picture), self._options.size))
            self.square, self.shape = square, picture.shape[:2]

    def given(self, begin: float | None) -> np.ndarray | None:
        """(frames, size, size, 3) uint8 RGB; None without any, and where all lie before the first picture.

        begin: when the first picture is shown, if that is after a frame asked for
        """
        last = self._window.start + (len(self._faces) - 0.5) / self._options.fps
        return None if not self._faces or not_begun(last, begin) else np.stack(self._faces)


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

    def __iter__(self) -> Iterator[np.ndarray | None]:
        options = self.options
        looks = None
        if options.detector is not None and self.windows:
            looks = look_for_faces(self.path, self.windows, options.detector, options.side, self._beat)
        open_: dict[int, WindowFaces] = {}
        following = 0  # the next window to be given
        seen = False

        def given(i: int) -> np.ndarray | None:
            nonlocal seen
            faces = open_.pop(i).given(pictures.begin) if i in open_ else None
            seen = seen or faces is not None
            return faces

        pictures = Pictures(self.path, frame_times(self.windows, options.fps, options.seconds))
        for frame, picture in pictures:
            self._beat()
            if picture is not None:
                i = frame.window
                if i not in open_:
                    open_[i] = WindowFaces(self.windows[i], options, None if looks is None else looks[i])
                open_[i].see(frame.time, picture)
            while following < frame.window and self.windows[following].end <= frame.time:
                yield given(following)
                following += 1
        # all is known before the last window is given: who asks for no more than there are sees no further
        rest = [given(i) for i in range(following, len(self.windows))]
        self.fault = pictures.fault
        if looks is not None and not seen and not self.fault:
            self.fault = f"{self.path} shows no face where it is predicted, so its faces are missing."
        yield from rest
