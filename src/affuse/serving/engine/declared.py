"""Files that say of themselves that they are too much are refused before anything of them is decoded."""

# pyright: reportUnnecessaryComparison=false
# PyAV's types do not know that codecs may be missing.

from __future__ import annotations

from pathlib import Path

import av

from affuse.media.clock import picture_tracks
from affuse.media.container import open_container
from affuse.serving.limits import Limits


class TooMuchError(Exception):
    """A clip is beyond a limit of the service; the sentence says which."""


def check_declared(path: Path, limits: Limits) -> None:
    """Check the sizes of a film's pictures, and how many tracks it has, by its headers.

    Raises:
        TooMuchError: They are more than the service takes.
    """
    try:
        with open_container(path) as container:
            count = len(container.streams)
            sizes = [
                (track.codec_context.width, track.codec_context.height)
                for track in picture_tracks(container)
                if track.codec_context is not None
            ]
    except (av.FFmpegError, OSError, ValueError):
        return  # no container, or a damaged one: reading it says what is wrong
    if count > limits.tracks:
        raise TooMuchError(
            f"The clip has {count} tracks, and the service takes {limits.tracks}; send those that matter."
        )
    for width, height in sizes:
        if width * height > limits.pixels:
            raise TooMuchError(
                f"The clip has pictures of {width} x {height} pixels, and the service takes {limits.pixels:,} "
                "pixels; send it smaller."
            )
