"""Whether a wav or avi file is as long as its own headers say: decoders pass over a missing end without a word."""

from __future__ import annotations

import struct
from pathlib import Path

_UNKNOWN_SIZE = 0x7FFFFF00  # streaming writers leave sizes this large where they know none
_EVEN = {1, 3, 6, 7, 0xFFFE}  # format tags whose samples all take the same bytes: PCM, floats, A-law, mu-law


def is_cut(path: Path) -> bool:
    """Whether a RIFF file (wav, avi) is shorter than its first header says."""
    size = path.stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(8)
    if head[:4] != b"RIFF" or len(head) < 8:
        return False
    declared = int.from_bytes(head[4:], "little")
    return declared < _UNKNOWN_SIZE and declared + 8 > size


def promised_seconds(path: Path) -> float | None:
    """The seconds of sound that a wav's headers promise, where the file ends before them; else None."""
    size = path.stat().st_size
    with open(path, "rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return None
        per_second = 0
        while len(head := stream.read(8)) == 8:
            length = int.from_bytes(head[4:], "little")
            begin = stream.tell()
            if head[:4] == b"fmt ":
                form = stream.read(16)
                if len(form) < 16:
                    return None
                tag, _, rate, _, frame, _ = struct.unpack("<HHIIHH", form)
                per_second = rate * frame if tag in _EVEN else 0
            elif head[:4] == b"data":
                if not per_second or length >= _UNKNOWN_SIZE or begin + length <= size:
                    return None
                return length / per_second
            stream.seek(begin + length + length % 2)
    return None
