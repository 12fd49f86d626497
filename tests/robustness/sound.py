"""Sound: the lines of docs/robustness.md on it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from audio_files import join, sine, write_sound, write_track, write_tracks
from robustness.situations import Command, Place, situation
from voices import RATE, recording


def speech(place: Place, name: str = "good.wav"):
    """A recording of 3.5 s that the model can predict."""
    return write_sound(place.folder / name, recording(0.5, ("neu", 2.5), 0.5), RATE)


@situation("sound-empty")
def _empty(place: Place) -> Command:
    (place.folder / "empty.mp3").write_bytes(b"")
    return Command(["predict", place.model, "empty.mp3", speech(place), "--out", place.out])


def predict(place: Place, path: Path, *more: object, seconds: float | None = None) -> Command:
    """Of a clip of ``seconds``, all of which must be predicted."""

    def check(place: Place) -> None:
        if seconds is not None:
            found = json.loads(next(place.out.glob("*.json")).read_text())
            assert abs(found["seconds"] - seconds) < 0.1

    return Command(["predict", place.model, path.name, "--no-vad", "--out", place.out, *more], check)


def mp3(place: Place, name: str, rate: int, channels: int = 1) -> Path:
    """2 s."""
    wave = np.stack([sine(2, rate)] * channels, axis=1)
    return write_track(place.folder / name, wave, rate, "libmp3lame")


@situation("sound-rate-changes")
def _rate(place: Place) -> Command:
    parts = mp3(place, "a.mp3", 44_100), mp3(place, "b.mp3", 48_000)
    return predict(place, join(place.folder / "ab.mp3", *parts), seconds=4.05)


@situation("sound-channels-change")
def _channels(place: Place) -> Command:
    parts = mp3(place, "a.mp3", 44_100, 2), mp3(place, "b.mp3", 44_100)
    return predict(place, join(place.folder / "ab.mp3", *parts), seconds=4.05)


@situation("sound-joined")
def _joined(place: Place) -> Command:
    part = write_sound(place.folder / "a.flac", sine(1, RATE), RATE)
    return predict(place, join(place.folder / "b.flac", part, part), seconds=2)


@situation("sound-joined-behind-tags")
def _joined_behind_tags(place: Place) -> Command:
    part = write_sound(place.folder / "a.flac", sine(1, RATE), RATE)
    part.write_bytes(b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128) + part.read_bytes())
    return predict(place, join(place.folder / "b.flac", part, part), seconds=2)


@situation("sound-16-bit-floats")
def _units(place: Place) -> Command:
    return predict(place, write_sound(place.folder / "a.wav", sine(1, RATE, peak=29_490), RATE, "FLOAT"))


@situation("sound-strange-floats")
def _strange(place: Place) -> Command:
    return predict(place, write_sound(place.folder / "a.wav", sine(1, RATE, peak=100), RATE, "FLOAT"))


@situation("sound-inverted")
def _inverted(place: Place) -> Command:
    stereo = np.stack([sine(1, RATE), -0.9 * sine(1, RATE)], axis=1)
    return predict(place, write_sound(place.folder / "a.wav", stereo, RATE))


def two_tracks(place: Place) -> Path:
    tracks = {"Desktop": sine(1, RATE, 300), "Microphone": sine(1, RATE, 500)}
    return write_tracks(place.folder / "a.mkv", tracks, RATE)


@situation("sound-two-tracks")
def _tracks(place: Place) -> Command:
    return predict(place, two_tracks(place))


@situation("sound-track")
def _track(place: Place) -> Command:
    return predict(place, two_tracks(place), "--track", "1", seconds=1)


@situation("sound-no-such-track")
def _no_track(place: Place) -> Command:
    return predict(place, two_tracks(place), "--track", "2")


def with_size(place: Place, size: int) -> Path:
    """A wav of 1 s whose header says ``size`` bytes."""
    path = write_sound(place.folder / "a.wav", sine(1, RATE), RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[4:8], data[at : at + 4] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    path.write_bytes(data)
    return path


@situation("sound-piped-wav")
def _piped(place: Place) -> Command:
    return predict(place, with_size(place, 0x7FFFF000), seconds=1)


@situation("sound-cut-wav")
def _cut(place: Place) -> Command:
    return predict(place, with_size(place, 8 * RATE), seconds=1)
