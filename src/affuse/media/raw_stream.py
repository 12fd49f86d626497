"""Streams whose clock is no clock of the file: two of them joined (``cat``) are one again.

Those without a container (mp3, ADTS, AC-3) count packets, of whatever rate, and whatever tag the second began with;
their length is estimated. MPEG's own begin anew with the second file. A place in them is found by counting only.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from affuse.media.container import open_container

RAW = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "loas", "truehd", "mlp"})  # FFmpeg's names
_TIMED = frozenset({"mpegts", "mpeg"})
# bits of the first bytes that tell the sampling rate
_RATE = {"mp3": (0xFF, 0xFE, 0x0C), "aac": (0xFF, 0xF6, 0x3C)}
_TAG_SEARCH = 4096  # bytes behind an ID3 tag in which the first frame lies


def is_frame(head: bytes, name: str) -> bool:
    """Whether a packet begins like sound; known of mp3 and ADTS."""
    if name not in _RATE or len(head) < 2:
        return True
    return head[0] == 0xFF and head[1] & 0xE0 == 0xE0


def is_steady(path: Path, name: str) -> bool:
    """Whether the clock counts time, all through the file ``path`` of format ``name``. Raises OSError."""
    if name not in _RATE and name not in _TIMED:
        return True
    status = path.stat()
    return _is_steady(path, name, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _is_steady(path: Path, name: str, size: int, changed: int) -> bool:
    """A twentieth of the time that decoding takes. Size and date are for the memory of it."""
    import av  # slow to import

    first: list[int] | None = None
    last: int | None = None
    try:
        with open_container(path) as container:
            for packet in container.demux(container.streams.audio[0]):
                if name in _TIMED:
                    if packet.dts is not None and packet.dts < (last if last is not None else packet.dts):
                        return False
                    last = packet.dts if packet.dts is not None else last
                    continue
                head = bytes(packet)[:4]
                if not head:
                    continue
                rate = [byte & bits for byte, bits in zip(head, _RATE[name], strict=False)]
                if not is_frame(head, name) or rate != (first or rate):
                    return False
                first = rate
    except av.FFmpegError:
        return False
    return True


def length_is_told(path: Path) -> bool:
    """Whether an mp3 says itself how many frames it has (Xing, Info), and has not grown since."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(10)
        begin = 0
        if head[:3] == b"ID3" and len(head) == 10:
            begin = 10 + sum(
                (byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)
            )
        file.seek(begin)
        data = file.read(_TAG_SEARCH)
    places = [at for name in (b"Xing", b"Info") if (at := data.find(name)) >= 0]
    if not places:
        return False
    at = min(places)
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    if flags & 3 != 3:
        return bool(flags & 1)
    told = int.from_bytes(data[at + 12 : at + 16], "big")
    return not told or size - begin <= told + (told >> 4)  # FFmpeg takes more for joined files, and estimates
