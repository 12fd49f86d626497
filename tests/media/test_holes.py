"""Packets that were lost and clocks that jump: the whole, its ranges and its stream agree, and so do the durations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.corpora.corpus import Utterance
from affuse.corpora.durations import seconds_of
from affuse.corpora.validation.media import Span, check_picture, check_sound
from affuse.inference.tracks import find_tracks
from affuse.media.audio import probe_audio, read_waveform
from affuse.media.sound_stream import SoundStream, SoundWindows
from audio_files import speechlike, write_track
from offset_films import Kind, remux, write_film

AAC = [
    Kind("mp4", "aac", 48_000, 0),
    Kind("mkv", "aac", 48_000, 0),
    Kind("mkv", "aac", 44_100, 0),
    Kind("ts", "aac", 48_000, 0),
    Kind("ts", "aac", 44_100, 0),  # its packets are no whole ticks
]
OPUS = Kind("mkv", "libopus", 48_000, 0)
FLAC = Kind("mkv", "flac", 44_100, 0)
PCM = [Kind("mov", "pcm_s16le", 16_000, 0), Kind("mkv", "pcm_s16le", 16_000, 0)]
PACKET = {"aac": 1024, "libopus": 960}
SECONDS = 10.0

# seconds of the clock that are lost, and by which what follows comes later
HOLES = {
    "one packet": (lambda at: 3.98 <= at < 4.0, lambda at: 0.0),
    "two packets": (lambda at: 3.98 <= at < 4.02, lambda at: 0.0),
    "three or four packets": (lambda at: 3.98 <= at < 4.06, lambda at: 0.0),
    "two and four": (lambda at: 2.0 <= at < 2.04 or 4.0 <= at < 4.08, lambda at: 0.0),
    "no whole packets": (lambda at: False, lambda at: 0.5037 if at >= 4 else 0.0),
    "nearly a packet": (lambda at: False, lambda at: 0.021 if at >= 4 else 0.0),
    "nearly whole packets": (lambda at: False, lambda at: 0.5135 if at >= 4 else 0.0),
    "noise": (lambda at: False, lambda at: 0.007 if 3 <= at < 6 else 0.0),
    "drift": (lambda at: False, lambda at: 0.003 * at),
}  # fmt: skip


def assert_ranges_are_slices(
    path: Path,
    kind: Kind,
    spans: tuple[Any, ...] = ((2.0, 3.0), (4.5, 5.0), (5.0, 6.0), (7.5, 8.5), (8.8, 9.5)),
):
    whole = read_waveform(path, kind.rate)
    stream = SoundStream(path)
    np.testing.assert_array_equal(np.concatenate(list(stream)), whole)
    windows = SoundWindows(SoundStream(path))
    for start, end in spans:
        part = read_waveform(path, kind.rate, start, end)
        there = whole[round(start * kind.rate) : round(end * kind.rate)]
        assert len(part) == len(there)
        assert np.abs(part - there).max() < (0.01 if kind.codec == "aac" else 1e-6), (start, end)
        np.testing.assert_array_equal(read_waveform(windows.read(start, end), kind.rate, start, end), there)
    return whole, stream


@pytest.mark.parametrize("hole", HOLES)
@pytest.mark.parametrize("kind", [*AAC, OPUS, FLAC, *PCM], ids=lambda kind: "-".join(map(str, kind[:3])))
def test_ranges_are_slices_of_the_whole_whatever_was_lost(tmp_path: Path, kind: Kind, hole: str) -> None:
    lost, shift = HOLES[hole]
    source = write_film(
        tmp_path / f"whole.{kind.suffix}", kind, wave=speechlike(SECONDS, kind.rate), seconds=SECONDS
    )
    assert_ranges_are_slices(remux(source, tmp_path / f"a.{kind.suffix}", shift=shift, lost=lost), kind)


@pytest.mark.parametrize("hole", ["one packet", "two packets", "three or four packets"])
@pytest.mark.parametrize("kind", [*AAC, OPUS], ids=lambda kind: "-".join(map(str, kind[:3])))
def test_lost_packets_are_silence_of_their_length(tmp_path: Path, kind: Kind, hole: str) -> None:
    lost, _ = HOLES[hole]
    source = write_film(
        tmp_path / f"whole.{kind.suffix}", kind, wave=speechlike(SECONDS, kind.rate), seconds=SECONDS
    )
    whole = read_waveform(source, kind.rate)
    path = remux(source, tmp_path / f"a.{kind.suffix}", lost=lost)
    found, stream = assert_ranges_are_slices(path, kind)
    assert len(found) == len(whole)
    assert "silence takes its place" in stream.fault
    packets = np.flatnonzero(found == 0).size / PACKET[kind.codec]
    assert min(abs(packets - n) for n in {"one": [1], "two": [2], "thr": [3, 4]}[hole[:3]]) < 0.1
    for start, end in ((1.0, 3.5), (5.0, 9.0)):
        cut = slice(round(start * kind.rate), round(end * kind.rate))
        assert np.abs(found[cut] - whole[cut]).max() < 0.03  # decoders recover; AAC draws its noise anew


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [("a.m4a", "aac", 48_000), ("a.mka", "libopus", 48_000), ("a.mka", "flac", 44_100)],
)
@pytest.mark.parametrize("hole", HOLES)
def test_sound_alone_keeps_its_time_too(tmp_path: Path, name: str, codec: str, rate: int, hole: str) -> None:
    lost, shift = HOLES[hole]
    kind = Kind(name[2:], codec, rate, 0)
    source = write_track(tmp_path / f"whole{name}", speechlike(SECONDS, rate), rate, codec)
    assert_ranges_are_slices(remux(source, tmp_path / name, shift=shift, lost=lost), kind)


JUMPS = [
    Kind("mkv", "libopus", 48_000, 0),
    Kind("mp4", "aac", 48_000, 0),
    Kind("ts", "aac", 48_000, 0),
    Kind("mov", "aac", 48_000, 0),
]


def jumping(
    folder: Path,
    kind: Kind,
    shift: Callable[..., Any],
    seconds: float = 1.5,
    tracks: tuple[Any, ...] = ("audio",),
):
    source = write_film(
        folder / f"source.{kind.suffix}", kind, wave=speechlike(seconds, kind.rate), seconds=seconds
    )
    return remux(source, folder / f"a.{kind.suffix}", shift=shift, tracks=tracks)


@pytest.mark.parametrize("kind", JUMPS, ids=lambda kind: kind.suffix)
@pytest.mark.parametrize("hour", [2, 5])
def test_no_duration_believes_a_broken_clock(tmp_path: Path, kind: Kind, hour: int) -> None:
    path = jumping(tmp_path, kind, lambda at: 3600.0 * hour if at >= 1 else 0.0)
    assert len(read_waveform(path, kind.rate)) / kind.rate == pytest.approx(1.5, abs=0.06)
    assert probe_audio(path).seconds is None
    assert find_tracks(path)[:3] == (True, True, None)
    for kind_of in ("audio", "video"):
        assert seconds_of(Utterance("u", audio=path, video=path), kind_of) is None
    stream = SoundStream(path)
    assert len(list(stream)) > 0
    assert stream.fault == ""
    for check in (check_sound, check_picture):
        assert check(path, [Span(0, 0.2, 1.2)], decode=True) == []


@pytest.mark.parametrize("kind", JUMPS, ids=lambda kind: kind.suffix)
def test_holes_of_less_than_an_hour_are_time_that_passed(tmp_path: Path, kind: Kind) -> None:
    """A camera that was switched off twice, for more than an hour in all."""
    path = jumping(tmp_path, kind, lambda at: 2000.0 * int(at / 0.5), tracks=("audio", "video"))
    assert probe_audio(path).seconds == pytest.approx(4001.5, abs=0.1)
    assert find_tracks(path).seconds == pytest.approx(4001.5, abs=0.1)


def test_sound_alone_with_a_broken_clock(tmp_path: Path) -> None:
    source = write_track(tmp_path / "source.m4a", speechlike(1.5, 48_000), 48_000, "aac")
    path = remux(source, tmp_path / "a.m4a", shift=lambda at: 7200.0 if at >= 1 else 0.0)
    assert probe_audio(path).seconds is None
    assert find_tracks(path).seconds is None
    assert len(read_waveform(path, 48_000)) == pytest.approx(72_000, abs=2048)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_sound_that_begins_hours_late_is_a_broken_clock_too(tmp_path: Path, suffix: str) -> None:
    kind = Kind(suffix, "aac", 48_000, 0)
    path = jumping(tmp_path, kind, lambda at: 7200.0)
    assert len(read_waveform(path, kind.rate)) / kind.rate == pytest.approx(1.5, abs=0.06)
    assert find_tracks(path).seconds is None
    assert probe_audio(path).seconds is None or probe_audio(path).seconds == pytest.approx(1.5, abs=0.1)


def test_a_range_of_the_second_hour_is_counted_through_a_broken_clock(tmp_path: Path) -> None:
    """Holes below an hour stand for hours of sound: what is heard at 5557 s has the time of other sound."""
    kind = Kind("mkv", "pcm_s16le", 8_000, 0)
    path = jumping(tmp_path, kind, lambda at: 3704.0 * (at >= 1) + 1850.0 * int(at / 2), 8.0)
    whole = read_waveform(path, kind.rate)
    assert len(whole) == pytest.approx(5558 * kind.rate, abs=500)
    part = read_waveform(path, kind.rate, 5557.0, 5557.5)
    np.testing.assert_array_equal(part, whole[5557 * kind.rate :][: len(part)])
