"""Batches: the lines of docs/robustness.md on them."""

from __future__ import annotations

from robustness.situations import Command, Place, situation
from robustness.sound import speech


@situation("batch-clip-cannot-be-written")
def _unwritable(place: Place) -> Command:
    (place.folder / "clips" / "talk.json").mkdir(parents=True)
    for name in ("talk.json/part.wav", "talk.wav", "zoo.wav"):
        speech(place).rename(place.folder / "clips" / name)

    def check(place: Place) -> None:
        assert (place.out / "talk.json" / "part.json").is_file()
        assert (place.out / "zoo.json").is_file()

    return Command(["predict", place.model, "clips", "--out", place.out, "--jobs", 1], check)


@situation("batch-one-clip-alone")
def _alone(place: Place) -> Command:
    (place.folder / "here.wav").symlink_to("annex/here.wav")
    return Command(["predict", place.model, "here.wav", "--out", place.out])


@situation("batch-folder-cannot-be-written")
def _no_folder(place: Place) -> Command:
    (place.folder / "file").write_text("mine")
    return Command(["predict", place.model, speech(place), "gone.wav", "--out", "file/out"])
