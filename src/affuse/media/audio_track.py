"""The audio track of one media file through PyAV (FFmpeg), with ranges that are exact to the sample.

Whether decoding begins at the start or behind a seek, a sample has one place: ``_Clock`` says where packets were lost.
"""

# pyright: reportUnnecessaryComparison=false
# PyAV's types do not know that codecs and times may be missing.

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
from affuse.media.one_rate import Chunk
from affuse.media.raw_stream import RAW, is_frame, is_steady, length_is_told
from affuse.media.restarts import OUT_OF_ORDER, goes_back, joined_seconds, may_begin_anew

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
    """One audio track of a file, opened. Use it in a ``with`` block, and read from it once.

    rate in Hz and channels are the first frame's: headers may say something else, and frames may change on the way.
    ``lead``: samples between the start of a film's clock (``media/clock.py``) and the first sample, 0 in a file of
    sound alone; below 0 the sound begins earlier, and is cut. Samples are counted from the clock's start.
    tracks: how many audio tracks the file has; decodes: whether a frame of this one could be decoded.

    Raises:
        ClipError: If the file is not media or has no such track.
    """

    broken = False  # what cannot be decoded is a hole in the positions

    def __init__(self, path: Path, track: int | None = None, container: InputContainer | None = None) -> None:
        """track: from 0; None is the first. container: opened already, of what cannot seek; ``path`` is its name."""
        self.path, self.track = path, track or 0
        self._container = _opened(path) if container is None else container
        self._stream = _stream_of(self._container, path, self.track)
        streams = self._container.streams.audio
        self.tracks = len(streams)
        self.names = [_name_of(stream) for stream in streams]
        context = self._stream.codec_context
        self.rate: int = context.sample_rate
        self.channels: int = context.channels
        self.is_float = context.name.startswith("pcm_f")
        self._raw = self._container.format.name in RAW
        self.is_mp4 = "mp4" in self._container.format.name
        self._junk = 0  # ticks of the clock that were given to what is no sound
        self._frames = self._decoded()
        self.lead = 0
        first = next(self._frames, None)
        self.decodes = first is not None
        if first is not None:
            self.rate, self.channels = first.sample_rate, first.layout.nb_channels
            self._frames = chain([first], self._frames)
        elif not self.rate or not self.channels:
            self._container.close()
            raise ClipError(
                f"{path} has an audio track that cannot be decoded; convert it or fetch it again."
            )
        film = bool(picture_tracks(self._container))
        if first is not None and film and first.pts is not None and first.time_base is not None:
            begins = first.pts * first.time_base
            self.lead = round(lead_of(begins, clock_start(self._container)) * self.rate)

    def __enter__(self) -> AudioTrack:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    @property
    def seconds(self) -> float | None:
        """When the sound ends, as the headers say; None where they do not, or cannot be believed."""
        if self._stream.duration is not None and self._stream.time_base is not None:
            seconds = float(self._stream.duration * self._stream.time_base)
            if jumps(self.path, seconds, self.track):
                return None
            joined = joined_seconds(self._container, self.track)
            return self.lead / self.rate + (seconds if joined is None else joined)
        return clock_end(self._container)

    @property
    def promised(self) -> float | None:
        """``seconds`` where the file itself says so of this track: not an estimate, not the length of the pictures."""
        if self._raw and not (self._container.format.name == "mp3" and length_is_told(self.path)):
            return None
        of_others = self._stream.duration is None and len(self._container.streams) > 1
        return None if of_others else self.seconds

    def chunks(self, first: int, size: int) -> Iterator[Chunk]:
        """Frames from somewhere not after sample ``first``; a chunk may begin before it.

        Where the container's clock jumps ahead by more than it can be wrong (packets were lost), so do the positions.
        size: samples of a chunk, at most
        """
        for position, frame in self._positioned(first):
            samples_tc = samples_of(frame)
            rate, layout = frame.sample_rate, frame.layout.name
            step = 1 if rate == self.rate else Fraction(self.rate, rate)
            for at in range(0, len(samples_tc), size):
                yield Chunk(position + at * step, samples_tc[at : at + size], rate, layout)

    def _timed(
        self, position: int | Fraction, frames: Iterable[AudioFrame], clock: _Clock | None
    ) -> Iterator[tuple[int | Fraction, AudioFrame]]:
        """``position``: of the first frame, in samples of the track."""
        no_time = 0  # samples by which the clock has jumped without any time passing
        before: int | None = None  # what the clock told of the last frame
        back = OUT_OF_ORDER * self.rate if may_begin_anew(self._container) else None
        for frame in frames:
            changed = frame.sample_rate != self.rate
            if (
                changed and self._raw
            ):  # such a clock counts packets, and takes all of them for as long as the first
                clock = None
            told = None if clock is None else clock.sample(frame)
            if clock is not None and told is not None:
                told -= no_time + (round(self._junk * clock.tick) if self._junk else 0)
                anew = back is not None and before is not None and before - told > back
                if anew or told - position > BROKEN * self.rate:
                    no_time += told - round(position)
                    told = round(position)
                elif told - position >= clock.lost:
                    # the rounded clock of a frame behind the hole, which a seek may land on, differs by two ticks
                    snapped = clock.snapped(told, 3 * clock.slack)
                    position = told if snapped is None else snapped
                before = told
            yield self.lead + position, frame
            position += Fraction(frame.samples * self.rate, frame.sample_rate) if changed else frame.samples

    def _clock(self) -> _Clock | None:
        """None where frames have no times. Before anything is read."""
        head = list(islice(self._frames, _PROBED_FRAMES))
        self._frames = chain(head, self._frames)
        if not head or head[0].pts is None or head[0].time_base is None:
            return None
        return _Clock(head, self.rate, self._stream.codec_context.name)

    def _positioned(self, first: int) -> Iterator[tuple[int | Fraction, AudioFrame]]:
        """Frames with the sample each begins at, from somewhere not after ``first``."""
        clock, seconds = self._clock(), (first - self.lead) / self.rate
        if clock is not None and seconds >= _SEEK_FROM_SECONDS and self._can_seek(seconds):
            landed = self._land_before(first - self.lead, clock)
            if landed is not None:
                return landed
            self._rewind()
        return self._timed(0, self._frames, clock)

    def _can_seek(self, seconds: float) -> bool:
        if not is_steady(self.path, self._container.format.name) or goes_back(self._container, self.track):
            return False
        return not jumps(self.path, seconds, self.track)

    def _land_before(self, first: int, clock: _Clock) -> Iterator[tuple[int | Fraction, AudioFrame]] | None:
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
        if len(landed) < _PROBED_FRAMES or any(frame.sample_rate != self.rate for frame in landed):
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
        name = self._container.format.name
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.FFmpegError):  # a truncated file ends in an error
                return
            if self._raw and packet.size and not is_frame(bytes(packet)[:4], name):  # a tag between two files
                self._junk += packet.duration or 0
                continue
            try:
                yield from packet.decode()  # type: ignore[misc]
            except av.FFmpegError:
                continue

    def _rewind(self) -> None:
        self._container.close()
        self._container = _opened(self.path)
        self._stream = _stream_of(self._container, self.path, self.track)
        self._junk = 0
        self._frames = self._decoded()


def _opened(path: Path) -> InputContainer:
    try:
        return open_container(path)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ClipError(
            f"{path} is not an audio or video file that can be read ({reason}); convert it or fetch it again."
        ) from None


def _stream_of(container: InputContainer, path: Path, track: int) -> AudioStream:
    """The track, or a closed container and a ``ClipError``."""
    if not container.streams.audio:
        container.close()
        raise ClipError(f"{path} has no audio track; name a file with sound or leave this row out.")
    streams = container.streams.audio
    if track >= len(streams):
        container.close()
        raise ClipError(no_track(path, len(streams), track))
    stream = streams[track]
    if stream.codec_context is None:
        container.close()
        raise ClipError(
            f"{path} has sound in a codec that FFmpeg does not know, or that is protected (DRM); convert it"
            f"{', or choose another of its audio tracks' if len(streams) > 1 else ''}."
        )
    stream.codec_context.thread_type = (
        "NONE"  # audio decoding gains nothing from threads; workers are processes
    )
    return stream


def no_track(path: object, tracks: int, track: int) -> str:
    """The sentence about a track that is not there."""
    known = "only audio track 0" if tracks == 1 else f"audio tracks 0 to {tracks - 1}"
    return f"{path} has {known}, not track {track}; correct its track, or leave that out."


def _name_of(stream: AudioStream) -> str:
    """Its title and language behind a blank, as in " 'Desktop' (eng)", as far as the file has them."""
    title, language = stream.metadata.get("title", ""), stream.metadata.get("language", "")
    named = f" '{title}'" if title else ""
    return named + (f" ({language})" if language and language != "und" else "")


def _frame_size(frames: list[AudioFrame]) -> int | None:
    sizes = {frame.samples for frame in frames}
    return sizes.pop() if len(sizes) == 1 else None


def samples_of(frame: AudioFrame) -> np.ndarray:
    """(samples, channels) float32, integers scaled to [-1, 1)."""
    channels = frame.layout.nb_channels
    if (
        frame.format.is_planar and channels >= 8
    ):  # PyAV then reads a plane that is not there, and the process dies
        frame = av.AudioResampler(frame.format.packed.name, frame.layout, frame.sample_rate).resample(frame)[
            0
        ]
    values: np.ndarray = frame.to_ndarray()
    values_tc = values.T if frame.format.is_planar else values.reshape(-1, channels)
    if values_tc.dtype == np.uint8:  # unsigned, 128 is zero
        return (values_tc.astype(np.float32) - 128) / 128
    if values_tc.dtype.kind == "i":
        full_scale = 2.0 ** (8 * values_tc.dtype.itemsize - 1)
        return (values_tc / full_scale).astype(np.float32)
    return values_tc.astype(np.float32)
