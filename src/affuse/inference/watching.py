"""Where nobody waits for a clip that is read, or limits how long it takes."""

from __future__ import annotations

from affuse.inference.tracks import Tracks


def unwatched(seconds: float = 0.0) -> None:
    """In place of a function that is called again and again while a clip is read, and may end that."""


def unchecked(tracks: Tracks) -> None:
    """In place of a function that refuses clips by what they say of themselves."""
