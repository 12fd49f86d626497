"""Whether a path is a file that can be read at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from affuse.errors import ClipError


def check_file(path: Path, row: bool = True) -> None:
    """Check that a path is a file that can be read.

    Args:
        path: Of audio or video.
        row: Whether a corpus's row names it, which then may be the one to correct.

    Raises:
        ClipError: It is missing, no regular file, empty or not readable.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        place = " or the corpus's media_root" if row else ""
        raise ClipError(f"{path} does not exist; correct the path{place}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ClipError(f"{path} cannot be reached ({_reason(error)}); correct the path.") from None
    if stat.S_ISDIR(status.st_mode):
        raise ClipError(f"{path} is a folder, not an audio or video file; name a file in it.")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or device could wait forever
        raise ClipError(f"{path} is not a regular file; name an audio or video file.")
    if status.st_size == 0:
        raise ClipError(
            f"{path} is empty (0 bytes); fetch it again{' or leave this row out' if row else ''}."
        )
    if not os.access(path, os.R_OK):
        raise ClipError(f"{path} may not be read by this user; change its permissions.")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()
