"""The pictures that overlapping windows of a video ask for, in one pass, past damaged places."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.inference.windows import Window
from affuse.media.picture_track import PictureTrack

_SLACK = 1e-6
_STRIDE = 1.0  # seconds to go on behind a place that cannot be decoded
_TRIES = 30  # such places in a row, after which the rest of the video counts as lost


class Frame(NamedTuple):
    """Frame ``k`` of ``window`` is at ``time`` seconds."""

    time: float
    window: int
    k: int


def frame_times(windows: Sequence[Window], fps: float, seconds: float | None) -> Iterator[Frame]:
    """Every frame of every window, in order of time. Windows come in order of their starts."""
    return in_order(windows, lambda window: times_in(window, fps, seconds))


def times_in(window: Window, fps: float, seconds: float | None) -> list[float]:
    """When the frames of a window are; ``seconds``: of its beginning, None: of all of it."""
    length = window.end - window.start
    count = int((length if seconds is None else min(length, seconds)) * fps + _SLACK)
    return [window.start + (k + 0.5) / fps for k in range(count)]


def in_order(windows: Sequence[Window], times: Callable[[Window], Sequence[float]]) -> Iterator[Frame]:
    """What ``times`` gives for every window (rising, none before its start), of all of them in order of time."""
    queue: list[Frame] = []
    own: dict[int, Sequence[float]] = {}
    begun = 0
    while queue or begun < len(windows):
        while begun < len(windows) and (not queue or windows[begun].start <= queue[0].time):
            own[begun] = times(windows[begun])
            if own[begun]:
                heapq.heappush(queue, Frame(own[begun][0], begun, 0))
            begun += 1
        if not queue:
            continue
        frame = heapq.heappop(queue)
        yield frame
        following = frame.k + 1
        if following < len(own[frame.window]):
            heapq.heappush(queue, Frame(own[frame.window][following], frame.window, following))
        else:
            del own[frame.window]


class Pictures:
    """(frame, picture) for every frame asked for, in order; the picture is None where none can be decoded.

    Behind a damaged place decoding begins anew, which ``media.video.read_faces`` has no need for. ``fault``: the
    first such place, in one sentence. ``begin``: when the first picture is shown, if that is after a frame asked for.
    """

    def __init__(self, path: Path, frames: Iterator[Frame]) -> None:
        self.path, self._frames = path, frames
        self._asked: list[Frame] = []  # given to the decoder, not answered yet
        self.fault = ""
        self.begin: float | None = None

    def __iter__(self) -> Iterator[tuple[Frame, np.ndarray | None]]:
        tries, ready = 0, next(self._frames, None)
        while ready is not None:
            with PictureTrack(self.path) as track:
                self._asked = []
                for picture in track.pictures(self._times(ready)):
                    tries, self.begin = 0, track.begin if self.begin is None else self.begin
                    yield self._asked.pop(0), picture
                lost = self._asked.pop(0) if self._asked else None
                if lost is None:
                    return
                tries += 1
                over = not track.fault or tries > _TRIES
                if track.fault and not self.fault:
                    self.fault = (
                        f"{self.path}: pictures at {lost.time:.2f} s cannot be decoded ({track.fault})."
                    )
            yield lost, None
            ready = next(self._frames, None)
            while ready is not None and (over or ready.time < lost.time + _STRIDE):
                yield ready, None
                ready = next(self._frames, None)

    def _times(self, first: Frame) -> Iterator[float]:
        frame: Frame | None = first
        while frame is not None:
            self._asked.append(frame)
            yield frame.time
            frame = next(self._frames, None)
