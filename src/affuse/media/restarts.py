"""Films that were joined byte by byte, or a broadcast's stream whose clock was set anew: times begin again on the way.

FFmpeg passes such times on as they are, and reads the film's length off its last ones.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.media.container import open_container, path_of

if TYPE_CHECKING:
    from av.container import InputContainer

# Seconds by which pictures lie out of order, or a field behind its other half: no new beginning.
OUT_OF_ORDER = 0.25
_MAY_BEGIN_ANEW = 0x0200  # FFmpeg's AVFMT_TS_DISCONT: MPEG's streams, raw ones too


def begins_anew(container: InputContainer) -> bool:
    """Whether the times of a film's pictures go back."""
    return joined_seconds(container) is not None


def joined_seconds(container: InputContainer) -> float | None:
    """How long the pictures of such a film last, one part after the other; None where times never go back.

    Reads the whole file, once, where its format allows it.
    """
    if not container.format.flags & _MAY_BEGIN_ANEW or not container.streams.video:
        return None
    try:
        path = path_of(container)
        status = path.stat()
    except OSError:
        return None  # reading it will say why
    return _measured(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _measured(path: Path, size: int, changed: int) -> float | None:
    """Size and date are for the memory of it."""
    import av  # slow to import

    parts: list[tuple[float, float]] = []  # begin and end of each
    last: float | None = None
    with open_container(path) as container:
        stream = container.streams.video[0]
        try:
            for packet in container.demux(stream):
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                time, shown = (float(ticks * packet.time_base) for ticks in (packet.dts, packet.pts))
                if last is None or last - time > OUT_OF_ORDER:
                    parts.append((shown, shown))
                last = time
                dark = shown + float((packet.duration or 0) * packet.time_base)
                parts[-1] = min(parts[-1][0], shown), max(parts[-1][1], dark)
        except av.FFmpegError:  # cut off: what was read so far counts
            pass
    return sum(end - begin for begin, end in parts) if len(parts) > 1 else None
