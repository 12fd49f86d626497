"""Files that say of themselves that they are too much are refused before anything of them is decoded."""

from __future__ import annotations

from affuse.inference.tracks import Tracks
from affuse.serving.limits import Limits


class TooMuchError(Exception):
    """A clip is beyond a limit of the service; the sentence says which."""


def check_declared(tracks: Tracks, limits: Limits) -> None:
    """Check the sizes of a film's pictures, and how many tracks it has, by its headers.

    Raises:
        TooMuchError: They are more than the service takes.
    """
    if tracks.number > limits.tracks:
        raise TooMuchError(
            f"The clip has {tracks.number} tracks, and the service takes {limits.tracks}; send those that matter."
        )
    for width, height in tracks.sizes:
        if width * height > limits.pixels:
            raise TooMuchError(
                f"The clip has pictures of {width} x {height} pixels, and the service takes {limits.pixels:,} "
                "pixels; send it smaller."
            )
