"""Films that were joined byte by byte, or a broadcast's stream whose clock was set anew: times begin again on the way.

FFmpeg passes such times on as they are, and reads the film's length off its last ones.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.media.container import open_container

if TYPE_CHECKING:
    from av.container import InputContainer

# Seconds by which pictures lie out of order, or a field behind its other half: no new beginning.
OUT_OF_ORDER = 0.25
_MAY_BEGIN_ANEW = 0x0200  # FFmpeg's AVFMT_TS_DISCONT: MPEG's streams, raw ones too


def begins_anew(container: InputContainer) -> bool:
    """Whether the times of a film's pictures go back. Reads the whole file, once, where its format allows it."""
    if not container.format.flags & _MAY_BEGIN_ANEW or not container.streams.video:
        return False
    try:
        status = Path(container.name).stat()
    except OSError:
        return False  # reading it will say why
    return _goes_back(container.name, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=10_000)
def _goes_back(name: str, size: int, changed: int) -> bool:
    """Size and date are for the memory of it."""
    import av  # slow to import

    with open_container(name) as container:
        stream = container.streams.video[0]
        last: float | None = None
        try:
            for packet in container.demux(stream):
                if packet.dts is None or packet.time_base is None:
                    continue
                time = float(packet.dts * packet.time_base)
                if last is not None and last - time > OUT_OF_ORDER:
                    return True
                last = time
        except av.FFmpegError:  # cut off: what was read so far did not go back
            pass
    return False
