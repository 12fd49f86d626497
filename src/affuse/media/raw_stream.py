"""Streams whose clock is no clock of the file: two of them joined (``cat``) are one again.

Those without a container (mp3, ADTS, AC-3) count packets, of whatever rate, and whatever tag the second began with;
their length is estimated. A place in them is found by counting only.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from affuse.media.container import open_container

RAW = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "loas", "truehd", "mlp"})  # FFmpeg's names
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
    if name not in _RATE:
        return True
    status = path.stat()
    return _is_steady(path, name, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _is_steady(path: Path, name: str, size: int, changed: int) -> bool:
    """A twentieth of the time that decoding takes. Size and date are for the memory of it."""
    import av  # slow to import

    first: list[int] | None = None
    try:
        with open_container(path) as container:
            for packet in container.demux(container.streams.audio[0]):
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


def tag_length(head: bytes) -> int:
    """Bytes of the ID3 tag that a file begins with, by its first 10; 0 without one."""
    if head[:3] != b"ID3" or len(head) < 10:
        return 0
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))


def length_is_told(path: Path) -> bool:
    """Whether an mp3 says itself how many frames it has (Xing, Info), and has not grown since."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = tag_length(file.read(10))
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
