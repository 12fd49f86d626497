"""What the headers of uncompressed sound say of its length: wav, RF64, W64, AIFF, AU (avi: its first size).

Decoders pass over a missing end without a word. Writers to a pipe cannot come back to fill a size in: they leave 0, or
as much as it holds, and the sound goes on to the end of the file.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

# sox leaves 0x7FFFF000 rounded to whole samples, FFmpeg 0xFFFFFFFF, arecord 0x7FFFFFFF or 0x80000000.
UNKNOWN_SIZE = 0x7FFF0000
_UNKNOWN_LONG = 0x7FFF_FFFF_0000_0000  # the same of sizes of 64 bits
_WAVE_DATA, _WAVE = b"data\xf3\xac\xd3\x11", b"riff.\x91\xcf\x11"  # how W64's names begin


class Data(NamedTuple):
    """Where a file's samples are, in bytes from its beginning."""

    begin: int
    size: int | None  # None: not told
    end: int | None  # of all that the headers speak of; None: not told
    unfilled: dict[int, bytes]  # place -> what a writer that could seek would have left there


def is_cut(path: Path) -> bool:
    """Whether a RIFF file (wav, avi) is shorter than its first header says."""
    size = path.stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(8)
    if head[:4] != b"RIFF" or len(head) < 8:
        return False
    declared = int.from_bytes(head[4:], "little")
    return declared < UNKNOWN_SIZE and declared + 8 > size


def promised_share(path: Path) -> float:
    """How many times as much sound as there is a file's headers promise.

    Above 1 where it was cut; below 1 where more follows than the headers speak of, which is no chunk either.
    """
    size = path.stat().st_size
    with open(path, "rb") as stream:
        data = find_data(stream, 0, size)
        if data is None or not data.size or data.begin >= size:
            return 1.0
        told = data.begin + data.size
        if told >= size:
            return data.size / (size - data.begin)
        end = told + data.size % 2
        stream.seek(end)
        name = stream.read(4)
        if len(name) == 4 and all(32 <= byte < 127 for byte in name):  # a chunk
            end = size if data.end is None else max(end, data.end)
        return data.size / (data.size + max(0, size - end))


def find_data(stream: BinaryIO, at: int, size: int) -> Data | None:
    """The samples of the file that begins at byte ``at`` of ``stream``, which has ``size`` bytes.

    None where it is of another kind, or has no samples.
    """
    stream.seek(at)
    head = stream.read(24)
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return _chunks(stream, at, size, "little")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _chunks(stream, at, size, "big")
    if head[:8] == _WAVE and len(head) == 24:
        return _wave64(stream, at, size)
    if head[:4] == b".snd" and len(head) == 24:
        begin, length = struct.unpack(">II", head[4:12])
        if length >= UNKNOWN_SIZE:
            return Data(at + begin, None, None, {})
        return Data(at + begin, length, at + begin + length, {})
    return None


def _chunks(stream: BinaryIO, at: int, size: int, order: str) -> Data | None:
    """Of wav, RF64 and AIFF: names and sizes of 4 bytes."""

    def number(data: bytes) -> int:
        return int.from_bytes(data, order)  # type: ignore[arg-type]

    stream.seek(at)
    head = stream.read(12)
    told = number(head[4:8])
    long: tuple[int, int, int] | None = (
        None  # RF64's own chunk: its place, and the sizes of all and of the samples
    )
    place = at + 12
    while place + 8 <= size:
        stream.seek(place)
        name, length = (found := stream.read(8))[:4], number(found[4:])
        begin = place + 8
        if name == b"ds64" and head[:4] == b"RF64":
            sizes = stream.read(16)
            long = begin, number(sizes[:8]), number(sizes[8:])
        elif name in (b"data", b"SSND"):
            if long is not None:
                return _long(at, begin, long, size)
            end = None if told == 0 or told >= UNKNOWN_SIZE else at + 8 + told
            if length >= UNKNOWN_SIZE:
                return Data(begin, None, end if end is not None and end > begin else None, {})
            if length == 0 and name == b"data" and (end is None or end <= begin) and begin < size:
                filled = min(size - begin, 0xFFFFFFFF).to_bytes(4, "little")
                return Data(begin, None, None, {place + 4: filled})
            return Data(begin, length, end, {})
        place = begin + length + length % 2
    return None


def _long(at: int, begin: int, told: tuple[int, int, int], size: int) -> Data:
    place, whole, length = told
    if length == 0 and begin < size:  # FFmpeg to a pipe
        filled = (size - begin).to_bytes(8, "little")
        return Data(begin, None, None, {place: (size - at - 8).to_bytes(8, "little"), place + 8: filled})
    if length >= _UNKNOWN_LONG:
        return Data(begin, None, None, {})
    return Data(begin, length, max(at + 8 + whole, begin + length), {})


def _wave64(stream: BinaryIO, at: int, size: int) -> Data | None:
    """W64: names of 16 bytes, sizes of 8 that count the 24 of both, places that are multiples of 8."""
    stream.seek(at + 16)
    whole = int.from_bytes(stream.read(8), "little")
    place = at + 40
    while place + 24 <= size:
        stream.seek(place)
        found = stream.read(24)
        length = int.from_bytes(found[16:], "little")
        if found[:8] == _WAVE_DATA:
            known = 24 <= length < _UNKNOWN_LONG
            begin, told = place + 24, length - 24 if known else None
            if told is None or not 40 <= whole < _UNKNOWN_LONG:
                return Data(begin, told, None, {})
            return Data(begin, told, max(at + whole, begin + told), {})
        place += max(24, length + -length % 8)
    return None
