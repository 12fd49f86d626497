"""Pictures that are too large to be decoded are refused by what their file says of itself, before any is decoded."""

from __future__ import annotations

from pathlib import Path

import av

from affuse.errors import ClipError
from affuse.media.container import open_container


def check_picture_size(path: Path, pixels: int) -> None:
    """Refuse a file with pictures of more pixels.

    Raises:
        ClipError: It has such pictures.
    """
    try:
        with open_container(path) as container:
            for stream in container.streams.video:
                size = stream.codec_context
                if size is not None and size.width * size.height > pixels:  # pyright: ignore[reportUnnecessaryComparison]
                    raise ClipError(
                        f"{path} has pictures of {size.width} x {size.height} pixels, more than the service takes "
                        f"({pixels:,} in all); send it smaller."
                    )
    except (av.FFmpegError, OSError, ValueError):
        return  # no container, or a damaged one: reading it says what is wrong
