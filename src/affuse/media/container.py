"""Opening a media file with FFmpeg, or hearing that it is none."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer

_LOCAL = "file:"  # else FFmpeg takes what stands before a colon for a protocol: 09:15.mp3, http:talk.wav, concat:a|b


def open_container(path: str | Path) -> InputContainer:
    """Only local files, whatever they are called: a playlist must not make FFmpeg fetch what it names.

    Raises av.FFmpegError for what is no media, plain text too: FFmpeg would film it as a terminal ("tty").
    """
    import av  # slow to import

    container = av.open(f"{_LOCAL}{path}", options={"protocol_whitelist": "file"})
    if container.format.name == "tty":
        container.close()
        raise av.InvalidDataError(errno.EINVAL, "it is text")
    return container


def path_of(container: InputContainer) -> Path:
    """The path that ``open_container`` was given."""
    return Path(container.name.removeprefix(_LOCAL))
