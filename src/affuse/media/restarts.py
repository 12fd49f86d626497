"""Streams that were joined byte by byte, or a broadcast's whose clock was set anew: times begin again on the way.

FFmpeg passes such times on as they are, and reads the length off the last ones.
"""

# pyright: reportUnnecessaryComparison=false
# PyAV's types do not know that codecs and times may be missing.

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.media.container import open_container, path_of

if TYPE_CHECKING:
    from av.container import InputContainer

# Seconds by which packets lie out of order, or a field behind its other half: no new beginning.
OUT_OF_ORDER = 0.25
_MAY_BEGIN_ANEW = 0x0200  # FFmpeg's AVFMT_TS_DISCONT: MPEG's streams, raw ones too


class _Times(NamedTuple):
    """Of one track. back: whether its times ever go back, however little; seconds: see ``joined_seconds``."""

    back: bool
    seconds: float | None


_STEADY = _Times(False, None)


def may_begin_anew(container: InputContainer) -> bool:
    """Whether files of this format may: in others, times that go back are damage."""
    return bool(container.format.flags & _MAY_BEGIN_ANEW)


def begins_anew(container: InputContainer) -> bool:
    """Whether the times of a film's pictures go back."""
    return joined_seconds(container) is not None


def goes_back(container: InputContainer, sound: int) -> bool:
    """Whether the times of an audio track (from 0) ever go back: then only counting finds a place in it."""
    return _times(container, sound).back


def joined_seconds(container: InputContainer, sound: int | None = None) -> float | None:
    """How long the pictures of such a film last, one part after the other; None where times never go back.

    Reads the whole file, once, where its format allows it. sound: of this audio track, from 0, not of the pictures
    """
    return _times(container, sound).seconds


def _times(container: InputContainer, sound: int | None) -> _Times:
    streams = container.streams.video[:1] if sound is None else container.streams.audio[sound : sound + 1]
    if not may_begin_anew(container) or not streams:
        return _STEADY
    try:
        path = path_of(container)
        status = path.stat()
    except OSError:
        return _STEADY  # reading it will say why
    return _measured(path, status.st_size, status.st_mtime_ns).get(streams[0].index, _STEADY)


@lru_cache(maxsize=10_000)
def _measured(path: Path, size: int, changed: int) -> dict[int, _Times]:
    """Of every track, by its number in the file. Size and date are for the memory of it."""
    import av  # slow to import

    found: dict[int, _Track] = {}
    with open_container(path) as container:
        streams = [*container.streams.video, *container.streams.audio]
        try:
            for packet in container.demux(streams):
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                ticks = packet.dts, packet.pts, packet.duration or 0
                time, shown, lasts = (float(count * packet.time_base) for count in ticks)
                found.setdefault(packet.stream.index, _Track()).see(time, shown, lasts)
        except av.FFmpegError:  # cut off: what was read so far counts
            pass
    return {index: track.times for index, track in found.items()}


class _Track:
    """Hears of the packets of one track in order, in seconds."""

    def __init__(self) -> None:
        self._back = False
        self._last: float | None = None
        self._parts: list[tuple[float, float]] = []  # begin and end of each

    def see(self, time: float, shown: float, lasts: float) -> None:
        earlier = 0.0 if self._last is None else self._last - time
        self._back = self._back or earlier > 0
        if self._last is None or earlier > OUT_OF_ORDER:
            self._parts.append((shown, shown))
        self._last = time
        begin, end = self._parts[-1]
        self._parts[-1] = min(begin, shown), max(end, shown + lasts)

    @property
    def times(self) -> _Times:
        joined = sum(end - begin for begin, end in self._parts) if len(self._parts) > 1 else None
        return _Times(self._back, joined)
