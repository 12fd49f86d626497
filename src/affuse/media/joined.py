"""Files that are several, one behind the other (``cat a.flac b.flac > c.flac``), and headers that a pipe left unfilled.

Decoders read the first of them and stop without a word. Here each is a file of its own for soundfile.
"""

from __future__ import annotations

import io
import mmap
import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from affuse.media.raw_stream import tag_length
from affuse.media.riff import find_data

_FLAC = b"fLaC\x00\x00\x00\x22"  # how a FLAC file begins; frames hold it by chance once in 2 ** 64 places
_UNCOMPRESSED = (b"RIFF", b"RF64", b"FORM", b".snd", b"riff")


class Part(NamedTuple):
    """One file within a file: bytes ``begin`` up to ``end``; unfilled: place -> what belongs there."""

    begin: int
    end: int
    unfilled: tuple[tuple[int, bytes], ...] = ()


def parts_of(path: Path) -> list[Part]:
    """The files that one holds, in order; [] where it is simply one, as nearly all are. Raises OSError."""
    status = path.stat()
    return list(_parts(path, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=100_000)
def _parts(path: Path, size: int, changed: int) -> tuple[Part, ...]:
    """Size and date are for the memory of it."""
    with path.open("rb") as file:
        head = file.read(10)
        tag = tag_length(head)  # some programs put mp3's tags before FLAC
        file.seek(tag)
        head = file.read(4)
        if head in _UNCOMPRESSED and not tag:
            found = _uncompressed(file, size)
        elif head == b"OggS" and not tag:
            found = _between(_ogg_streams(file, size), size)
        elif head == b"fLaC":
            found = _between(_flac_files(file, tag), size)
        else:
            return ()
    plain = len(found) == 1 and not found[0].unfilled
    return () if plain else tuple(found)


def _between(begins: list[int], size: int) -> list[Part]:
    return [Part(begin, end) for begin, end in zip(begins, [*begins[1:], size], strict=True)]


def _uncompressed(file: io.BufferedReader, size: int) -> list[Part]:
    parts: list[Part] = []
    at = 0
    while (data := find_data(file, at, size)) is not None:
        end = size if data.end is None else min(size, data.end)
        file.seek(end)
        if file.read(4) not in _UNCOMPRESSED:
            end += 1  # a writer may leave the last byte of an odd size out of it
            file.seek(end)
        last = find_data(file, end, size) is None if end < size else True
        unfilled = tuple((place - at, filling) for place, filling in data.unfilled.items())
        parts.append(Part(at, size if last else end, unfilled))
        if last:
            break
        at = end
    return parts or [Part(0, size)]


def _ogg_streams(file: io.BufferedReader, size: int) -> list[int]:
    """Where a chain's streams begin: pages that open one, behind pages that do not."""
    begins, at, opening = [0], 0, True
    while at + 27 <= size:
        file.seek(at)
        head = file.read(27)
        if head[:4] != b"OggS":
            break  # damage: what is behind it belongs to the stream before
        opens = bool(head[5] & 2)
        if opens and not opening:
            begins.append(at)
        opening = opens
        at += 27 + head[26] + sum(file.read(head[26]))
    return begins


def _flac_files(file: io.BufferedReader, begin: int) -> list[int]:
    """The parts of a file of flac files; ``begin``: where the first one's ``fLaC`` is, behind its tag.

    A later one's tag is left at the end of the part before it.
    """
    begins, at = [0], begin
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        while (at := data.find(_FLAC, at + 4)) > 0:
            begins.append(at)
    return begins


def films_in(path: Path) -> int:
    """How many mp4 or mov files one holds behind each other: FFmpeg plays the first. Raises OSError."""
    count, at, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            length, name = int.from_bytes(file.read(4), "big"), file.read(4)
            if length == 1:
                length = int.from_bytes(file.read(8), "big")
            if name == b"ftyp":
                count += 1
            if length < 8:  # to the end of the file, or damage
                break
            at += length
    return max(1, count)


class PartFile(io.RawIOBase):
    """A part as a file of its own, with its header filled in."""

    def __init__(self, path: Path, part: Part) -> None:
        self._file = path.open("rb")
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def seekable(self) -> bool:
        """See ``io.RawIOBase``."""
        return True

    def tell(self) -> int:
        """See ``io.RawIOBase``."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """See ``io.RawIOBase``; bytes of the part."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._part.end - self._part.begin}
        self._at = max(0, base[whence] + offset)
        return self._at

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        """See ``io.RawIOBase``."""
        begin = self._part.begin + self._at
        self._file.seek(begin)
        data = bytearray(self._file.read(max(0, min(len(buffer), self._part.end - begin))))
        for place, filling in self._part.unfilled:
            for i, byte in enumerate(filling, place - self._at):
                if 0 <= i < len(data):
                    data[i] = byte
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """See ``io.RawIOBase``."""
        if not self.closed:
            self._file.close()
        super().close()
