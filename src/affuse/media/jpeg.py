"""Pictures as a camera or a browser sends them: JPEG, whose size is known before anything is decoded."""

from __future__ import annotations

import cv2
import numpy as np

from affuse.errors import ClipError

_BEGIN = b"\xff\xd8"
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length
_NO_FRAMES = {0xC4, 0xC8, 0xCC}  # tables and reserved markers among those of frames


def jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height as the header of the frame says (ITU-T T.81, B.2.2).

    Raises:
        ClipError: It is no JPEG, or has no frame.
    """
    if not data.startswith(_BEGIN):
        raise ClipError("A picture is no JPEG.")
    at = len(_BEGIN)
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker = data[at + 1]
        if marker == 0xFF:  # a byte that fills
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAMES:
            if at + 9 > len(data):
                break
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ClipError("A picture is a damaged JPEG: it does not say how large it is.")


def decode_jpeg(data: bytes) -> np.ndarray | None:
    """(height, width, 3) uint8 RGB, turned as its Exif data say; None: it cannot be decoded."""
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def encode_jpeg(picture: np.ndarray) -> bytes:
    """(height, width, 3) uint8 RGB as a JPEG of good quality; not the same pixels."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, 92)
    )
    if not done:  # more than 65,535 rows or columns
        raise ClipError(
            f"A picture of {picture.shape[1]} x {picture.shape[0]} pixels cannot be a JPEG; make it smaller."
        )
    return data.tobytes()
