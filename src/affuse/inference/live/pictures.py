"""The pictures of a stream -> the faces of its windows, each as soon as the pictures that it needs are there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import NamedTuple

import numpy as np

from affuse.errors import AffuseError
from affuse.inference.face_tracks import WindowLooks, looks_in
from affuse.inference.faces import FaceOptions, WindowFaces
from affuse.inference.pictures import times_in
from affuse.inference.windows import Window
from affuse.media.crop import Region
from affuse.media.face_detector import FaceDetector
from affuse.media.jpeg import decode_jpeg, jpeg_size

PATIENCE = 1.0  # seconds of sound behind a window, after which no picture of it is waited for any more
KEPT = 1 << 28  # bytes of pictures for windows that are not there yet
_DECODED = 1 << 26  # bytes of pictures that are held decoded too
_STEP = 1 / 25  # seconds that the only picture lasts
_TIE = 1e-6  # seconds, as in media.picture_track


class Square(NamedTuple):
    """Where a face is, as shares of its picture: 0 to 1 across and down."""

    left: float
    top: float
    right: float
    bottom: float


class FacesRead(NamedTuple):
    """The faces of one window.

    Attributes:
        number: Of the window.
        faces: Modality -> (frames, size, size, 3) uint8 RGB, None where no face is seen.
        squares: Modality -> where the face of the last frame is.
    """

    number: int
    faces: dict[str, np.ndarray | None]
    squares: dict[str, Square | None]


class _Picture:
    """One picture, and the faces that were found in it."""

    def __init__(self, content: np.ndarray | bytes) -> None:
        self.content = content
        self.faces: dict[tuple[object, Region], np.ndarray] = {}

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.nbytes


class LivePictures:
    """Pictures of a stream, of which those are kept that a window may still ask for.

    A window has the faces that ``FaceWindows`` gives it in a film of the same pictures at the same times. Three things
    must be known of a whole film: a picture that comes more than ``PATIENCE`` later than the sound of its window, or
    behind a gap that is longer, is not waited for; and how long the last picture lasts, which is as long as
    the one before it did.

    Args:
        options: Modality -> what its encoder asks of faces.
        kept: Bytes of pictures that may be kept.

    Raises:
        AffuseError: A detector is not YuNet's ONNX file.
    """

    def __init__(self, options: Mapping[str, FaceOptions], kept: int = KEPT) -> None:
        self._options = dict(options)
        detectors = {one.detector for one in options.values() if one.detector is not None}
        self._detectors = {path: FaceDetector(path) for path in detectors}
        self._most = kept
        self._times: list[float] = []
        self._pictures: list[_Picture] = []
        # by the picture's id, the latest used last
        self._decoded: OrderedDict[int, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._begin: float | None = None
        self._step = _STEP
        self._heard = self._needed = 0.0
        self._ended = False
        # by number, with the time of the last picture that is needed
        self._waiting: dict[int, tuple[Window, float]] = {}
        self._seen = False  # whether any window had a face
        self._asked = False
        self._bad: float | None = None  # seconds of the first picture that could not be decoded

    @property
    def kept(self) -> int:
        """Bytes of pictures that are kept."""
        return self._bytes

    @property
    def fault(self) -> str:
        """What of the pictures could not be used, in a sentence, or ""; known afterwards."""
        if self._bad is not None:
            return f"The stream has pictures that cannot be decoded, from {self._bad:.2f} s on."
        looked_for = bool(self._detectors) and self._asked and not self._seen
        return (
            "The stream shows no face where it is predicted, so its faces are missing." if looked_for else ""
        )

    def push(self, seconds: float, content: np.ndarray | bytes) -> None:
        """The next picture: (height, width, 3) uint8 RGB, which nobody changes afterwards, or a JPEG.

        Raises:
            AffuseError: It is not later than the one before, or there is no room for it.
        """
        if not isfinite(seconds):
            raise AffuseError(f"A picture of a stream is at some second of it, not at {seconds}.")
        if self._times and seconds <= self._times[-1]:
            raise AffuseError(
                f"Pictures of a stream come in order of time, and {seconds:.3f} s is not later than "
                f"{self._times[-1]:.3f} s."
            )
        if self._times:
            self._step = seconds - self._times[-1]
        self._begin = seconds if self._begin is None else self._begin
        self._times.append(seconds)
        self._pictures.append(_Picture(content))
        self._bytes += self._pictures[-1].size
        self._give_up()
        if self._bytes > self._most:
            raise AffuseError(
                f"The pictures of the stream take more than {self._most // 10**6} MB before a window of them ends; "
                "send fewer or smaller ones, or JPEG, or ask for shorter windows."
            )

    def ask(self, number: int, window: Window) -> None:
        """The faces of a window are wanted; ``ready`` gives them."""
        self._asked, last = True, window.start
        for one in self._options.values():
            times = times_in(window, one.fps, one.seconds)
            looks = looks_in(window) if one.detector is not None else []
            last = max([last, *times[-1:], *looks[-1:]])
        self._waiting[number] = (window, last)

    def hear(self, seconds: float, needed: float) -> None:
        """How far the sound is, and before which second nobody will ask for anything any more."""
        self._heard, self._needed = seconds, needed
        self._give_up()

    def end(self) -> None:
        """No more pictures come."""
        self._ended = True

    def ready(self, now: bool = False) -> Iterator[FacesRead]:
        """The windows that were asked for and whose pictures are there, or will not come; ``now``: all of them."""
        until = self._times[-1] if self._times else -np.inf
        for number, (window, last) in list(self._waiting.items()):
            if now or self._ended or until >= last or self._heard >= last + PATIENCE:
                del self._waiting[number]
                yield self._read(number, window)
        self._give_up()

    def _read(self, number: int, window: Window) -> FacesRead:
        faces: dict[str, np.ndarray | None] = {}
        squares: dict[str, Square | None] = {}
        for name, options in self._options.items():
            looks = None if options.detector is None else self._look(window, options)
            cut = WindowFaces(window, options, looks)
            for time in times_in(window, options.fps, options.seconds):
                found = self._nearest(time)
                if found is None:
                    break
                cut.see(time, found[1])
            faces[name] = cut.given(self._begin)
            squares[name] = None if cut.square is None else _shares(cut.square, cut.shape)
            self._seen = self._seen or faces[name] is not None
        return FacesRead(number, faces, squares)

    def _look(self, window: Window, options: FaceOptions) -> WindowLooks:
        shown: list[_Picture] = []
        looks = WindowLooks(options.side, lambda picture, region: find(shown[-1], picture, region))
        find = self._find_by(options)
        for time in looks_in(window):
            found = self._nearest(time)
            if found is None:
                break
            shown.append(found[0])
            looks.see(time, found[1])
        return looks

    def _find_by(self, options: FaceOptions) -> Callable[[_Picture, np.ndarray, Region], np.ndarray]:
        path = options.detector
        assert path is not None

        def find(one: _Picture, picture: np.ndarray, region: Region) -> np.ndarray:
            """Once, although windows overlap."""
            if (path, region) not in one.faces:
                one.faces[path, region] = self._detectors[path].find(region.cut(picture))
            return one.faces[path, region]

        return find

    def _nearest(self, time: float) -> tuple[_Picture, np.ndarray] | None:
        """As ``PictureTrack.pictures``: of two as near the earlier; the last one only until it goes dark."""
        while (i := self._place(time)) is not None:
            one = self._pictures[i]
            picture = self._decode(one)
            if picture is not None:
                return one, picture
            self._bad = self._times[i] if self._bad is None else self._bad
            self._bytes -= one.size
            del self._times[i], self._pictures[i]
        return None

    def _place(self, time: float) -> int | None:
        after = bisect_left(self._times, time)
        if after == len(self._times):
            return after - 1 if after and time < self._times[-1] + self._step else None
        before = after - 1
        near = before >= 0 and time - self._times[before] <= self._times[after] - time + _TIE
        return before if near else after

    def _decode(self, one: _Picture) -> np.ndarray | None:
        if not isinstance(one.content, bytes):
            return one.content
        known = self._decoded.pop(id(one), None)
        picture = decode_jpeg(one.content) if known is None else known
        if picture is not None:
            self._decoded[id(one)] = picture
            while sum(held.nbytes for held in self._decoded.values()) > _DECODED and len(self._decoded) > 1:
                self._decoded.popitem(last=False)
        return picture

    def _give_up(self) -> None:
        """Pictures before the last one at or before whatever may be asked for."""
        needed = min([self._needed, *(window.start for window, _ in self._waiting.values())])
        first = max(0, bisect_right(self._times, needed) - 1)
        for one in self._pictures[:first]:
            self._bytes -= one.size
            self._decoded.pop(id(one), None)
        del self._times[:first], self._pictures[:first]


def checked_picture(picture: object) -> np.ndarray | bytes:
    """A picture as ``LivePictures`` takes it, of its own memory.

    Raises:
        AffuseError: It is neither (height, width, 3) uint8 nor a JPEG.
    """
    if isinstance(picture, bytes | bytearray | memoryview):
        data = bytes(picture)
        jpeg_size(data)
        return data
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise AffuseError(
            f"A picture of a stream is (height, width, 3) uint8 RGB or the bytes of a JPEG, not {array.dtype} of shape "
            f"{array.shape}."
        )
    return array.copy()


def _shares(square: Region, shape: tuple[int, int]) -> Square:
    height, width = shape
    return Square(square.left / width, square.top / height, square.right / width, square.bottom / height)
