"""Sound: the lines of docs/robustness.md on it."""

from __future__ import annotations

from audio_files import write_sound
from robustness.situations import Command, Place, situation
from voices import RATE, recording


def speech(place: Place, name: str = "good.wav"):
    """A recording of 3.5 s that the model can predict."""
    return write_sound(place.folder / name, recording(0.5, ("neu", 2.5), 0.5), RATE)


@situation("sound-empty")
def _empty(place: Place) -> Command:
    (place.folder / "empty.mp3").write_bytes(b"")
    return Command(["predict", place.model, "empty.mp3", speech(place), "--out", place.out])
