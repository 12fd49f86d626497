"""Tables: the lines of docs/robustness.md on them."""

from __future__ import annotations

from robustness.situations import Command, Place, situation


@situation("table-two-names-for-a-column")
def _twice(place: Place) -> Command:
    (place.folder / "mine.csv").write_text("audio,emotion,emotion\na.wav,anger,anger\n")
    return Command(["prepare", "csv", "mine.csv", place.out])


@situation("table-track")
def _track(place: Place) -> Command:
    (place.folder / "mine.csv").write_text("audio,emotion,track\na.wav,anger,0.5\n")
    return Command(["prepare", "csv", "mine.csv", place.out])
