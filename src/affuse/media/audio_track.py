"""The audio track of one media file through PyAV (FFmpeg), with ranges that are exact to the sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from affuse.errors import ClipError
from affuse.media.clock import BROKEN, clock_end, clock_start, lead_of, picture_tracks

# Decoders need a run-up after a seek: mp3 up to 9 earlier packets (its bit reservoir), AAC one, Opus 80 ms.
_RUN_UP_SECONDS = 0.5
# Below this it is quicker to decode from the beginning than to seek.
_SEEK_FROM_SECONDS = 3.0
_PROBED_FRAMES = 4
# Clocks of containers are coarse (mkv 1 ms, avi a packet) and may drift a little; lost packets make a jump.
_LOST_SECONDS = 0.1


class _Landing(NamedTuple):
    """Where a seek came down: the sample of the track that ``frames`` begin with."""

    position: int
    frames: Iterator[AudioFrame]


class AudioTrack:
    """The first audio track of a file, opened. Use it in a ``with`` block, and read from it once.

    rate in Hz, channels. ``lead``: samples between the start of a film's clock (``media/clock.py``) and the first
    sample, 0 in a file of sound alone; below 0 the sound begins earlier, and is cut. Samples are counted from the
    clock's start.
    Raises ClipError if the file is not media or has no audio track.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._container, self._stream = _open(path)
        self._frames = self._decoded()
        self.rate: int = self._stream.codec_context.sample_rate
        self.channels: int = self._stream.codec_context.channels
        self._film = bool(picture_tracks(self._container))
        self.lead = 0
        if self.rate and self.channels and not self._film:
            return
        first = next(self._frames, None)
        if not self.rate or not self.channels:  # headers without them: broadcast streams, damaged files
            if first is None:
                self._container.close()
                raise ClipError(
                    f"{path} has an audio track that cannot be decoded; convert it or fetch it again."
                )
            self.rate, self.channels = first.sample_rate, first.layout.nb_channels
        if first is not None:
            self._frames = chain([first], self._frames)
            if self._film and first.pts is not None and first.time_base is not None:
                begins = first.pts * first.time_base
                self.lead = round(lead_of(begins, clock_start(self._container)) * self.rate)

    def __enter__(self) -> AudioTrack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    @property
    def seconds(self) -> float | None:
        """When the sound ends, as the headers say; None where they do not."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            return self.lead / self.rate + float(self._stream.duration * self._stream.time_base)
        return clock_end(self._container)

    def read(self, first: int, last: int | None) -> np.ndarray:
        """(samples, channels) float32: samples ``first`` up to ``last`` (None: the end), fewer at the end.

        Zeros where a film has no sound yet, or for a while none.
        """
        blocks: list[np.ndarray] = []
        have = first
        for position, frame in self._positioned(first):
            block_tc = samples_of(frame)
            if last is not None and position >= last:
                if last > have:  # nothing sounds until behind the range
                    blocks.append(np.zeros((last - have, block_tc.shape[1]), np.float32))
                break
            if position + len(block_tc) <= first:
                continue
            if blocks and block_tc.shape[1] != blocks[0].shape[1]:
                continue  # a stream may change its layout on the way (broken broadcasts do): keep to the first one
            if position > have:
                blocks.append(np.zeros((position - have, block_tc.shape[1]), np.float32))
            stop = len(block_tc) if last is None else min(len(block_tc), last - position)
            blocks.append(block_tc[max(0, first - position) : stop])
            have = position + stop
        return np.concatenate(blocks) if blocks else np.zeros((0, self.channels), np.float32)

    def timed_frames(self) -> Iterator[tuple[int, AudioFrame]]:
        """All frames from the first, each with the sample it begins at.

        Where the container's clock jumps ahead by more than it can be wrong (packets were lost), so does that sample.
        """
        return self._timed(self.lead, self._frames)

    def _timed(self, position: int, frames: Iterable[AudioFrame]) -> Iterator[tuple[int, AudioFrame]]:
        behind = None
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                clock = round(frame.pts * frame.time_base * self.rate)
                if behind is None or clock - behind - position > BROKEN * self.rate:
                    behind = clock - position
                if clock - behind - position > _LOST_SECONDS * self.rate:
                    position = clock - behind
            yield position, frame
            position += frame.samples

    def _positioned(self, first: int) -> Iterator[tuple[int, AudioFrame]]:
        """Frames with the sample each begins at, from somewhere not after ``first``.

        Sound alone is counted through, whatever its container's clock does.
        """
        position, frames = self.lead, self._frames
        if first - self.lead >= _SEEK_FROM_SECONDS * self.rate:
            landing = self._land_before(first - self.lead)
            if landing is not None:
                position, frames = self.lead + landing.position, landing.frames
            else:
                self._rewind()
                frames = self._frames
        return self._timed(position, frames) if self._film else _counted(position, frames)

    def _land_before(self, first: int) -> _Landing | None:
        """Seek to a run-up before sample ``first`` of the track; None where the container's clock cannot tell it."""
        head = list(islice(self._frames, _PROBED_FRAMES))
        if not head or head[0].pts is None or head[0].time_base is None:
            return None
        origin, tick = head[0].pts, head[0].time_base * self.rate  # samples per tick of the container's clock
        stream_tick = self._stream.time_base
        if stream_tick is None:
            return None
        target = Fraction(first, self.rate) - Fraction(_RUN_UP_SECONDS) + origin * head[0].time_base
        try:
            self._container.seek(int(target / stream_tick), stream=self._stream, backward=True)
        except av.FFmpegError:
            return None
        frames = self._decoded()
        landed = list(islice(frames, _PROBED_FRAMES))
        if len(landed) < _PROBED_FRAMES or landed[0].pts is None:
            return None
        estimate = (landed[0].pts - origin) * tick
        position = round(estimate)
        if tick > 1:  # the clock is coarser than a sample (mkv: 1 ms): find the packet grid it rounds
            grid = _frame_size(head[1:] + landed[1:])
            if grid is None:
                return None
            offset = head[0].samples  # the first frame may be cut by the codec's delay, the others are whole
            position = offset + round((estimate - offset) / grid) * grid
            if abs(position - estimate) > tick:
                return None
        return _Landing(position, chain(landed, frames)) if 0 < position <= first else None

    def _decoded(self) -> Iterator[AudioFrame]:
        """Decoded frames in order; packets that cannot be decoded are passed over, as players do."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):  # a truncated file ends in an error
                return
            try:
                yield from packet.decode()  # type: ignore[misc]
            except av.FFmpegError:
                continue

    def _rewind(self) -> None:
        self._container.close()
        self._container, self._stream = _open(self.path)
        self._frames = self._decoded()


def _open(path: Path) -> tuple[InputContainer, AudioStream]:
    try:
        # Only local files: a playlist must not make FFmpeg fetch what it names.
        container = av.open(str(path), options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ClipError(
            f"{path} is not an audio or video file that can be read ({reason}); convert it or fetch it again."
        ) from None
    if not container.streams.audio:
        container.close()
        raise ClipError(f"{path} has no audio track; name a file with sound or leave this row out.")
    stream = container.streams.audio[0]
    if stream.codec_context is None:
        container.close()
        raise ClipError(
            f"{path} has sound in a codec that FFmpeg does not know, or that is protected (DRM); convert it."
        )
    stream.codec_context.thread_type = (
        "NONE"  # audio decoding gains nothing from threads; workers are processes
    )
    return container, stream


def _counted(position: int, frames: Iterable[AudioFrame]) -> Iterator[tuple[int, AudioFrame]]:
    for frame in frames:
        yield position, frame
        position += frame.samples


def _frame_size(frames: list[AudioFrame]) -> int | None:
    sizes = {frame.samples for frame in frames}
    return sizes.pop() if len(sizes) == 1 else None


def samples_of(frame: AudioFrame) -> np.ndarray:
    """(samples, channels) float32, integers scaled to [-1, 1)."""
    values: np.ndarray = frame.to_ndarray()
    channels = frame.layout.nb_channels
    values_tc = values.T if frame.format.is_planar else values.reshape(-1, channels)
    if values_tc.dtype == np.uint8:  # unsigned, 128 is zero
        return (values_tc.astype(np.float32) - 128) / 128
    if values_tc.dtype.kind == "i":
        full_scale = 2.0 ** (8 * values_tc.dtype.itemsize - 1)
        return (values_tc / full_scale).astype(np.float32)
    return values_tc.astype(np.float32)
