"""Paths and names: the lines of docs/robustness.md on them."""

from __future__ import annotations

from audio_files import sine, write_track
from robustness.situations import Command, Place, situation
from voices import RATE


def predict(place: Place, *names: str) -> Command:
    """The clips by their bare names, from the folder they are in."""
    for name in names:
        write_track(place.folder / "made.mp3", sine(1, RATE), RATE, "libmp3lame").rename(place.folder / name)
    return Command(["predict", place.model, *names, "--no-vad", "--out", place.out])


@situation("name-with-colons")
def _colons(place: Place) -> Command:
    return predict(place, "2026-11-26T09:15:00.mp3")


@situation("name-like-a-protocol")
def _protocol(place: Place) -> Command:
    return predict(place, "http:talk.mp3", "concat:a.mp3")
