"""The speaker's face through one utterance: a square of every picture that is asked for, and no more of it.

Pictures are decoded one after another and only their squares are kept, so memory does not depend on the
video's size. Seconds count as in ``media/picture_track.py``; pixels are taken as square.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.errors import ClipError
from affuse.media.clock import not_begun
from affuse.media.crop import CropSide, Region, face_window, resize
from affuse.media.face_detector import FaceDetector, FaceTracker
from affuse.media.picture_track import PictureTrack

_SLACK = 1e-6  # seconds: a duration that is a whole number of frames but for rounding
_SHORT = 0.1  # seconds by which an utterance's times and its video may differ without a word


class FaceClip(NamedTuple):
    """Faces of an utterance.

    Attributes:
        frames: (n, size, size, 3) uint8 RGB; n = 0 where a detector was given and found no face in any picture.
        fault: Why there are fewer frames than the utterance's times ask for, and what else is particular about the
            pictures; "" where nothing is.
    """

    frames: np.ndarray
    fault: str


def read_faces(
    path: str | Path,
    *,
    start: float | None = None,
    end: float | None = None,
    side: str | None = None,
    fps: float = 25.0,
    seconds: float | None = None,
    size: int = 96,
    detector: str | Path | None = None,
) -> FaceClip:
    """The face at t = start + (k + 0.5) / fps for k = 0 ... floor(duration * fps) - 1, by the nearest picture.

    start, end: seconds; None is the file's own. ``seconds``: at most so many from the start
    side: ``left`` or ``right`` half of the picture, None for the whole of it. Letterbox bars are left out
    detector: path of YuNet's ONNX file; None takes the fixed window (``media.crop.face_window``)

    Variable frame rates, display rotation and odd sizes are as good as any. Where pictures change their size, place and
    letterbox bars are found anew, as if another file began there. A video that ends early, or whose
    decoder fails on the way, gives the frames before that, and ``fault``; one whose pictures begin after ``start`` has
    the first of them in every frame before it, and ``fault``.

    Raises:
        ClipError: For a file that is missing or not media, without a picture track, with nothing to decode at
            ``start``, or with less than one frame of time.
    """
    path = Path(path)
    begin = start or 0.0
    if begin < 0 or (end is not None and end <= begin):
        raise ClipError(f"{path}: the range from {begin:g} to {end} s is empty; correct the row's times.")
    asked = None if end is None else end - begin
    if seconds is not None:
        asked = seconds if asked is None else min(asked, seconds)
    wanted = None if asked is None else int(asked * fps + _SLACK)
    if wanted == 0:
        raise ClipError(
            f"{path} from {begin:g} s: {asked:.3f} s are less than one frame at {fps:g} frames a second; "
            "leave the utterance out or give it more time."
        )

    # Two passes: a detector's places need the whole clip, and decoding it twice is cheaper than keeping its pictures.
    windows = None
    if detector is not None:
        windows = _found_windows(path, _times(begin, fps, wanted), side, FaceDetector(detector))
        if windows is None:
            until = "its end" if asked is None else f"{begin + asked:.2f} s"
            none = np.zeros((0, size, size, 3), np.uint8)
            return FaceClip(
                none, f"{path} shows no face from {begin:.2f} s to {until}, so its faces are missing."
            )
    place = CropSide(side)
    kept = bytearray()
    n = 0
    last: tuple[np.ndarray, Region] | None = None
    small = ""
    with PictureTrack(path) as track:
        for picture in track.pictures(_times(begin, fps, wanted)):
            window = windows[min(n, len(windows) - 1)] if windows else place.window(picture)
            if min(window.bottom - window.top, window.right - window.left) < 1:
                small = f"pictures of {picture.shape[1]} x {picture.shape[0]}, too small for a face"
                break
            if last is not None and last[0] is picture and last[1] == window:  # the same picture again
                kept += kept[-3 * size * size :]
            else:
                kept += resize(window.cut(picture), size).tobytes()
            last = (picture, window)
            n += 1
        begun, stopped, fault = track.begin, track.end, track.fault or small
        notes = [f"{path} {note}." for note in track.notes]
    if stopped is not None and not fault:
        n = min(n, max(0, int((stopped - begin) * fps + _SLACK)))  # whole frames of what is there
    if n == 0 and small:
        raise ClipError(f"{path} has {small}.")
    if n == 0:
        raise ClipError(_nothing(path, begin, stopped, fault, fps))
    if not_begun(begin + (n - 0.5) / fps, begun):
        raise ClipError(
            f"{path} shows its first picture at {begun:.2f} s, so there is none from {begin:g} s to "
            f"{begin + n / fps:g} s; correct the row's times."
        )
    late = ""
    if begun is not None and begun - begin > _SHORT:
        late = f"{path} shows its first picture at {begun:.2f} s; it stands for the time before."
    frames = np.frombuffer(kept, np.uint8).reshape(-1, size, size, 3)[:n]
    missing = 0.0 if stopped is None or end is None or asked is None else begin + asked - stopped
    told = _shortfall(path, begin + n / fps, missing, fault) or late
    return FaceClip(frames, " ".join([*notes, told] if told else notes))


def _found_windows(
    path: Path, times: Iterable[float], side: str | None, detector: FaceDetector
) -> list[Region] | None:
    """The square of every frame, and None where pictures have no face.

    A stretch of pictures of one size has a face of its own; one without, beside others that have one, has the fixed
    window: frames keep their places in time.
    """
    place = CropSide(side)
    stretches: list[tuple[Region, FaceTracker]] = []
    with PictureTrack(path) as track:
        for picture in track.pictures(times):
            region = place.region(picture)
            if not stretches or stretches[-1][0] is not region:
                stretches.append((region, FaceTracker(detector)))
            stretches[-1][1].see(region.cut(picture))
    found = [tracker.windows(region) for region, tracker in stretches]
    if found and not any(found):
        return None
    windows: list[Region] = []
    for (region, tracker), own in zip(stretches, found, strict=True):
        windows += own or [face_window(region, side)] * tracker.seen
    return windows


def _times(begin: float, fps: float, wanted: int | None) -> Iterator[float]:
    for k in count() if wanted is None else range(wanted):
        yield begin + (k + 0.5) / fps


def _nothing(path: Path, begin: float, stopped: float | None, fault: str, fps: float) -> str:
    if fault:
        return f"{path} cannot be decoded from {begin:g} s on ({fault}); convert it or fetch it again."
    if stopped is None:
        return f"{path} has a video track without a single picture; convert it or fetch it again."
    if stopped <= begin:
        return f"{path} has pictures until {stopped:.2f} s, so nothing starts at {begin:g} s; correct the row's start."
    return (
        f"{path} has {stopped - begin:.3f} s of pictures from {begin:g} s, less than one frame at {fps:g} frames "
        "a second; leave the utterance out or give it more time."
    )


def _shortfall(path: Path, until: float, missing: float, fault: str) -> str:
    if fault:
        return f"{path} cannot be decoded beyond {until:.2f} s ({fault}); the frames before it are used."
    if missing > _SHORT:
        return f"{path} ends {missing:.2f} s before the utterance does; the frames before it are used."
    return ""
