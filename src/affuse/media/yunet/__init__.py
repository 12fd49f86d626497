"""YuNet's file, which comes with affuse (MIT, see LICENSE beside it): the face detector where no other is named."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from affuse.errors import AffuseError

SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
_FILE = Path(__file__).parent / "face_detection_yunet_2023mar.onnx"


@cache
def packaged_detector() -> Path:
    """The path of the file, whose content is checked once.

    Raises:
        AffuseError: It is missing or altered.
    """
    if not _FILE.is_file() or hashlib.sha256(_FILE.read_bytes()).hexdigest() != SHA256:
        raise AffuseError(
            f"The face detector that comes with affuse is missing or was altered ({_FILE}); install affuse again, or "
            "set the encoder's option crop: window."
        )
    return _FILE
