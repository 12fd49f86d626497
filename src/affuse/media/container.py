"""Opening a media file with FFmpeg, or hearing that it is none."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer


def open_container(path: str | Path) -> InputContainer:
    """Only local files: a playlist must not make FFmpeg fetch what it names.

    Raises av.FFmpegError for what is no media, plain text too: FFmpeg would film it as a terminal ("tty").
    """
    import av  # slow to import

    container = av.open(str(path), options={"protocol_whitelist": "file"})
    if container.format.name == "tty":
        container.close()
        raise av.InvalidDataError(errno.EINVAL, "it is text")
    return container
