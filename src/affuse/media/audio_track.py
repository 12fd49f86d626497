"""The audio track of one media file through PyAV (FFmpeg), with ranges that are exact to the sample.

Whether decoding begins at the start or behind a seek, a sample has one place: ``_Clock`` says where packets were lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer

from affuse.errors import ClipError
from affuse.media.clock import BROKEN, UNNOTICED, clock_end, clock_start, jumps, lead_of, picture_tracks
from affuse.media.container import open_container

# Decoders need a run-up after a seek: mp3 up to 9 earlier packets (its bit reservoir), AAC one, Opus 80 ms.
_RUN_UP_SECONDS = 0.5
# Below this it is quicker to decode from the beginning than to seek.
_SEEK_FROM_SECONDS = 3.0
_PROBED_FRAMES = 4


class _Clock:
    """The container's clock, in samples of the track from its first one.

    It is coarse (mkv: 1 ms, avi: a packet) and may drift a little, so samples are counted on from one frame to the
    next, and follow the clock only where it is ahead by a lost packet or by what would be noticed (``lost``).
    """

    def __init__(self, head: list[AudioFrame], rate: int, codec: str) -> None:
        self._origin = head[0].pts
        self.tick = (head[0].time_base or Fraction(0)) * rate  # samples per tick
        # What starts of packets lie on. The first frame may be cut by the codec's delay, the others are whole.
        self._offset, self.packet = head[0].samples, _frame_size(head[1:])
        self.slack = max(1, self.tick)
        if self.tick <= 1 and codec.startswith("pcm"):  # no packets that could be lost: a demuxer's portions
            self.packet = None
        lost = UNNOTICED * rate
        if self.packet is not None:
            lost = min(lost, self.packet - 2 * self.slack)
        self.lost = max(lost, 2 * self.slack)

    def sample(self, frame: AudioFrame) -> int | None:
        if frame.pts is None or self._origin is None:
            return None
        return round((frame.pts - self._origin) * self.tick)

    def snapped(self, sample: int, slack: Fraction | int) -> int | None:
        """The start of a packet within ``slack`` of ``sample``."""
        if self.packet is None:
            return None
        start = self._offset + round((sample - self._offset) / self.packet) * self.packet
        return start if abs(start - sample) <= slack else None


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
        """When the sound ends, as the headers say; None where they do not, or cannot be believed."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            seconds = float(self._stream.duration * self._stream.time_base)
            return None if jumps(self.path, seconds, sound=True) else self.lead / self.rate + seconds
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
        clock = self._clock()
        return self._timed(0, self._frames, clock)

    def _timed(
        self, position: int, frames: Iterable[AudioFrame], clock: _Clock | None
    ) -> Iterator[tuple[int, AudioFrame]]:
        """``position``: of the first frame, in samples of the track."""
        no_time = 0  # samples by which the clock has jumped without any time passing
        for frame in frames:
            told = None if clock is None else clock.sample(frame)
            if clock is not None and told is not None:
                told -= no_time
                if told - position > BROKEN * self.rate:
                    no_time += told - position
                elif told - position >= clock.lost:
                    # the rounded clock of a frame behind the hole, which a seek may land on, differs by two ticks
                    snapped = clock.snapped(told, 3 * clock.slack)
                    position = told if snapped is None else snapped
            yield self.lead + position, frame
            position += frame.samples

    def _clock(self) -> _Clock | None:
        """None where frames have no times. Before anything is read."""
        head = list(islice(self._frames, _PROBED_FRAMES))
        self._frames = chain(head, self._frames)
        if not head or head[0].pts is None or head[0].time_base is None:
            return None
        return _Clock(head, self.rate, self._stream.codec_context.name)

    def _positioned(self, first: int) -> Iterator[tuple[int, AudioFrame]]:
        """Frames with the sample each begins at, from somewhere not after ``first``."""
        clock, seconds = self._clock(), (first - self.lead) / self.rate
        if clock is not None and seconds >= _SEEK_FROM_SECONDS and not jumps(self.path, seconds, sound=True):
            landed = self._land_before(first - self.lead, clock)
            if landed is not None:
                return landed
            self._rewind()
        return self._timed(0, self._frames, clock)

    def _land_before(self, first: int, clock: _Clock) -> Iterator[tuple[int, AudioFrame]] | None:
        """Seek to a run-up before sample ``first`` of the track; None where the clock cannot tell what counting would.

        A frame that is not where packets begin has a hole before it, or a clock that drifts. With a hole in it, a
        run-up is too short.
        """
        head = next(self._frames)
        stream_tick = self._stream.time_base
        if stream_tick is None or head.pts is None or head.time_base is None:
            return None
        target = Fraction(first, self.rate) - Fraction(_RUN_UP_SECONDS) + head.pts * head.time_base
        try:
            self._container.seek(int(target / stream_tick), stream=self._stream, backward=True)
        except av.FFmpegError:
            return None
        frames = self._decoded()
        landed = list(islice(frames, _PROBED_FRAMES))
        if len(landed) < _PROBED_FRAMES:
            return None
        position = clock.sample(landed[0])
        if position is None or (clock.packet is None and clock.tick > 1):
            return None
        if clock.packet is not None:
            if _frame_size(landed) != clock.packet:
                return None
            position = clock.snapped(position, clock.slack)
        if position is None or not 0 < position <= first:
            return None
        timed = self._timed(position, chain(landed, frames), clock)
        run_up = []
        for at, frame in timed:
            run_up.append((at, frame))
            if at + frame.samples > first + self.lead:
                break
        if any(at + frame.samples != after for (at, frame), (after, _) in pairwise(run_up)):
            return None
        return chain(run_up, timed)

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
        container = open_container(path)
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
