"""The picture track of one media file through PyAV (FFmpeg): the pictures nearest to given times."""

# pyright: reportUnnecessaryComparison=false
# PyAV's types do not know that codecs and times may be missing.

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from affuse.errors import ClipError
from affuse.media.clock import clock_start, picture_tracks
from affuse.media.container import open_container, path_of
from affuse.media.joined import films_in
from affuse.media.restarts import OUT_OF_ORDER, begins_anew

# Below this it is quicker to decode from the beginning than to seek.
_SEEK_FROM_SECONDS = 1.0
_NARROW = 1.15  # of a pixel's sides: more than that of television's 4:3 pictures (1.07 and 1.10)
_TIE = 1e-6  # seconds: at the picture's own rate every time asked for lies midway, but for rounding


class PictureTrack:
    """The first picture track of a file, opened. Use it in a ``with`` block.

    Seconds count from where the container's own clock begins (``media/clock.py``), as those of its sound do; where
    that clock is set back on the way (files joined byte by byte), they count on.
    ``begin`` is the time of the first picture, where decoding went past it: the picture before it is that one too.
    ``fault`` is the decoder's complaint where it stopped before the end of the file, else "". ``notes``: what is
    particular about the pictures, as ``picture_notes``.
    ``end`` is the time at which the last picture decoded goes dark; None before the end is reached.

    Raises:
        ClipError: If the file is missing, is not media, or has no picture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault = ""
        self.begin: float | None = None
        self.end: float | None = None
        self._container, self._stream = _open(path)
        self._origin = float(clock_start(self._container))
        self.notes = picture_notes(self._container)

    def __enter__(self) -> PictureTrack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def pictures(self, times: Iterable[float]) -> Iterator[np.ndarray]:
        """The picture nearest to each time (rising), (height, width, 3) uint8 RGB, upright.

        Sizes may change on the way. Of two pictures as near, the earlier. The same array comes again where pictures
        are fewer than times. Stops at the end of the track, or where the decoder fails: ``fault`` then says why.
        Pictures between those asked for are decoded, as the codec needs them, but never converted.
        """
        before: _Timed | None = None
        after: _Timed | None = None
        frames: Iterator[_Timed] | None = None
        for time in times:
            if frames is None:
                frames = self._from(time)
            while after is None or after.time < time:
                following = next(frames, None)
                if following is None:
                    break
                before, after = after, following
            if after is None:
                return
            if before is None and time < after.time:
                self.begin = after.time
            chosen = after
            if after.time < time:  # the track is over: its last picture lasts until its end
                if self.fault or self.end is None or time >= self.end:
                    return
            elif before is not None and time - before.time <= after.time - time + _TIE:
                chosen = before
            try:
                picture = chosen.picture()
            except (av.FFmpegError, ValueError, MemoryError) as error:
                self.fault = f"its {chosen.form} pictures cannot be converted: {_reason(error)}"
                return
            yield picture

    def _from(self, time: float) -> Iterator[_Timed]:
        """Decoded frames from a key frame at or before ``time``."""
        may_seek = time >= _SEEK_FROM_SECONDS and self._stream.time_base is not None
        if may_seek and not begins_anew(self._container):
            assert self._stream.time_base is not None
            try:
                target = int((time + self._origin) / self._stream.time_base)
                self._container.seek(target, stream=self._stream, backward=True)
                frames = self._frames()
                first = next(frames, None)
            except av.FFmpegError:
                first, frames = None, iter(())
            if first is not None and first.told and first.time <= time:
                yield first
                yield from frames
                return
            # the container has no index, or a wrong one
            self._container.close()
            self.fault, self.end = "", None
            self._container, self._stream = _open(self.path)
        yield from self._frames()

    def _frames(self) -> Iterator[_Timed]:
        """Decoded frames in order of time."""
        rate = self._stream.average_rate or self._stream.guessed_rate or 25
        step = 1 / float(rate)
        last: float | None = None
        joined = 0.0  # seconds that passed before the clock was set back
        frames = self._container.decode(self._stream)
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                break
            except (av.FFmpegError, ValueError) as error:
                self.fault = _reason(error)
                break
            assert isinstance(frame, VideoFrame)
            if frame.time is not None:
                time = frame.time - self._origin + joined
            else:  # some old files leave frames without a time: they follow at the nominal rate
                time = 0.0 if last is None else last + step
            if last is not None and last - time > OUT_OF_ORDER:
                joined += last + step - time
                time = last + step
            if last is not None and time <= last:
                continue  # a second field
            last = time
            if frame.duration and frame.time_base:
                step = float(frame.duration * frame.time_base)
            yield _Timed(time, frame)
        if last is not None:
            self.end = last + step


class _Timed:
    """A decoded frame, converted when it is asked for, once."""

    def __init__(self, time: float, frame: VideoFrame) -> None:
        self.time = time
        self.told = frame.time is not None  # the time is the file's, not counted
        self.form = f"{frame.width} x {frame.height} {frame.format.name}"
        self._frame: VideoFrame | None = frame
        self._picture: np.ndarray | None = None

    def picture(self) -> np.ndarray:
        if self._picture is None:
            assert self._frame is not None
            self._picture = upright(self._frame)
            self._frame = None
        return self._picture


def upright(frame: VideoFrame) -> np.ndarray:
    """(height, width, 3) uint8 RGB, turned as its display matrix says, by the nearest quarter."""
    picture = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4  # counter-clockwise, as np.rot90 turns
    return np.ascontiguousarray(np.rot90(picture, quarters)) if quarters else picture


def _open(path: Path) -> tuple[InputContainer, VideoStream]:
    if not path.is_file():
        raise ClipError(f"There is no video file {path}; correct the row's video or restore the file.")
    try:
        container = open_container(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ClipError(
            f"{path} is not a video file that can be read ({_reason(error)}); convert it or fetch it again."
        ) from None
    try:
        stream = picture_stream(container, path)
    except ClipError:
        container.close()
        raise
    stream.thread_type = "SLICE"  # clips are read in parallel; a frame thread each would only add delay
    return container, stream


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The track that is read for a file's pictures.

    Raises:
        ClipError: Where there is none.
    """
    tracks = picture_tracks(container)
    for track in tracks:
        if track.codec_context is not None:
            return track
    if tracks:
        raise ClipError(
            f"{path} has pictures in a codec that FFmpeg does not know, or that are protected (DRM); convert it."
        )
    raise ClipError(
        f"{path} {no_pictures(container)}; name a file with a picture or leave the row's video blank."
    )


def no_pictures(container: InputContainer) -> str:
    """Why a file without a picture track has none, in words that follow its name."""
    if not container.streams.video:
        return "has no video track"
    cover = any(stream.disposition & Disposition.attached_pic for stream in container.streams.video)
    return "has a cover picture, but no video track" if cover else "is a still picture, not a video"


def picture_notes(container: InputContainer) -> list[str]:
    """What is particular about the pictures that are read, in words that follow the file's name."""
    tracks = [track for track in picture_tracks(container) if track.codec_context is not None]
    notes = []
    if len(tracks) > 1:
        notes.append(f"has {len(tracks)} picture tracks, of which the first is read")
    if tracks and "mp4" in container.format.name and (count := films_in(path_of(container))) > 1:
        notes.append(f"holds {count} films joined byte by byte, of which only the first is read")
    aspect = tracks[0].sample_aspect_ratio if tracks else None
    if aspect and not 1 / _NARROW < aspect < _NARROW:
        shape = f"{aspect.numerator} to {aspect.denominator}"
        notes.append(f"has pixels of {shape}, which are taken as square: faces are out of proportion")
    return notes


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
