"""Sound and pictures of one film on one clock, the player's, wherever either of them begins."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from affuse.corpora.validation.media import Span, check_picture, check_sound
from affuse.errors import ClipError
from affuse.media.audio import probe_audio, read_waveform
from affuse.media.clock import clock_rule
from affuse.media.picture_track import PictureTrack
from affuse.media.sound_stream import SoundStream, SoundWindows
from affuse.media.video import read_faces
from audio_files import speechlike, write_sound, write_track
from offset_films import FPS, MOMENTS, Kind, beeps, write_film

KINDS = [
    Kind("mp4", "aac", 48_000, 0.013),
    Kind("mp4", "libmp3lame", 44_100, 0.013),
    Kind("mov", "pcm_s16le", 16_000, 0.0021),
    Kind("mkv", "aac", 44_100, 0.013),
    Kind("mkv", "libopus", 48_000, 0.005),
    Kind("mkv", "flac", 44_100, 0.003),
    Kind("webm", "libopus", 48_000, 0.005),
    Kind("ts", "aac", 48_000, 0.013),
    Kind("flv", "aac", 44_100, 0.013),
]
EXACT = Kind("mov", "pcm_s16le", 16_000, 0.0021)


def film(folder: Path, kind: Kind, sound_at: float = 0.0, pictures_at: float = 0.0, **more: dict[str, Any]):
    return write_film(folder / f"a.{kind.suffix}", kind, sound_at, pictures_at, **more)


def flashes(path: Path):
    """Seconds at which the pictures become white."""
    with PictureTrack(path) as track:
        times = [(k + 0.5) / 200 for k in range(1600)]
        lit = [picture.mean() > 150 for picture in track.pictures(times)]
    return [times[k] for k in range(1, len(lit)) if lit[k] and not lit[k - 1]]


def streamed(path: Path):
    stream = SoundStream(path)
    blocks = list(stream)
    assert all(len(block) <= stream.rate for block in blocks)
    assert stream.fault == ""
    return np.concatenate(blocks)


# sound at, pictures at, the container's name for the player's 0
OFFSETS = [(0.7, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, 0.0), (0.7, 0.0, 1.4), (0.0, 0.3, 1.4)]
CASES = [(kind, *offset) for kind in KINDS for offset in OFFSETS if not offset[2] or kind.codec == "aac"]


@pytest.mark.parametrize(
    ("kind", "sound_at", "pictures_at", "clock"), CASES, ids=lambda one: getattr(one, "suffix", one)
)
def test_beep_and_flash_come_when_a_player_shows_them(
    tmp_path: Path, kind: Kind, sound_at: float, pictures_at: float, clock: float
) -> None:
    path = film(tmp_path, kind, sound_at, pictures_at, clock=clock)
    rate = kind.rate
    whole = read_waveform(path, rate)
    heard = beeps(whole, rate)
    # where the delay of the codec is sound too, the clock begins with it
    assert heard == pytest.approx(MOMENTS, abs=kind.exact + 0.025)
    # the nearest picture changes half a picture before the flash; a step of the search
    assert [flash + 0.5 / FPS for flash in flashes(path)] == pytest.approx(heard, abs=kind.exact + 0.006)
    if sound_at:
        silent = round((sound_at - 0.06) * rate)
        assert not whole[:silent].any()
    assert probe_audio(path).seconds == pytest.approx(len(whole) / rate, abs=0.1)
    np.testing.assert_array_equal(streamed(path), whole)


@pytest.mark.parametrize(
    ("kind", "sound_at", "pictures_at", "clock"),
    [case for case in CASES if case[1] or case[2]],
    ids=lambda one: getattr(one, "suffix", one),
)
def test_ranges_are_slices_of_the_whole(
    tmp_path: Path, kind: Kind, sound_at: float, pictures_at: float, clock: float
) -> None:
    wave = speechlike(8.0 - sound_at, kind.rate)
    path = film(tmp_path, kind, sound_at, pictures_at, clock=clock, wave=wave)
    whole = read_waveform(path, kind.rate)
    windows = SoundWindows(SoundStream(path))
    for start, end in (
        (0.0, 1.0),
        (0.5, 0.9),
        (0.69, 0.75),
        (1.013, 2.5),
        (2.9, 3.9),
        (3.777, 4.001),
        (6.5, 7.0),
    ):
        part = read_waveform(path, kind.rate, start, end)
        first, last = round(start * kind.rate), round(end * kind.rate)
        assert len(part) == last - first
        assert np.abs(part - whole[first:last]).max() < (0.01 if kind.codec == "aac" else 1e-6)
        np.testing.assert_array_equal(
            read_waveform(windows.read(start, end), kind.rate, start, end), whole[first:last]
        )
    late = read_waveform(path, kind.rate, 7.0)
    assert len(late) == len(whole) - 7 * kind.rate


@pytest.mark.parametrize(
    "case", [case for case in CASES if case[1]], ids=lambda case: f"{case[0].suffix}-{case[3]}"
)
def test_late_sound_lies_where_ffmpegs_own_filter_puts_it_to_the_sample(
    tmp_path: Path, case: tuple[Kind, float, float, float]
) -> None:
    """``aresample`` with ``first_pts=0`` is how ffmpeg keeps the sound of a film in time."""
    kind, sound_at, pictures_at, clock = case
    path = film(tmp_path, kind, sound_at, pictures_at, clock=clock)
    tick = Fraction(1, kind.rate)
    parts = []
    with av.open(str(path)) as container:
        form = container.streams.audio[0].codec_context.format.name
        graph = av.filter.Graph()
        source = graph.add_abuffer(sample_rate=kind.rate, format=form, layout="mono", time_base=tick)
        graph.link_nodes(
            source,
            graph.add("aresample", "async=1:first_pts=0"),
            graph.add("aformat", "flt"),
            graph.add("abuffersink"),
        ).configure()
        for frame in [*container.decode(audio=0), None]:
            if frame is not None:
                begins = frame.pts * frame.time_base - Fraction(container.start_time, 1_000_000)
                frame.pts, frame.time_base = round(begins / tick), tick
            graph.push(frame)
            with contextlib.suppress(av.BlockingIOError, av.EOFError):
                while True:
                    parts.append(graph.pull().to_ndarray().reshape(-1))
    np.testing.assert_array_equal(read_waveform(path, kind.rate), np.concatenate(parts))


def test_a_range_before_the_sound_begins_is_silent_and_one_across_it_is_padded(tmp_path: Path) -> None:
    path = film(tmp_path, EXACT, 0.7, wave=speechlike(7.3, 16_000))
    with pytest.raises(ClipError, match=r"from 0 s to 0\.5 s is silent"):
        read_waveform(path, 16_000, 0.0, 0.5)
    part = read_waveform(path, 16_000, 0.6, 0.8)
    assert len(part) == 3200
    assert not part[:1600].any()
    np.testing.assert_allclose(part[1600:], speechlike(7.3, 16_000)[:1600], atol=1e-4)


def test_seconds_count_to_the_end_of_the_sound(tmp_path: Path) -> None:
    path = film(tmp_path, EXACT, 0.7, wave=speechlike(2.0, 16_000))
    assert probe_audio(path).seconds == pytest.approx(2.7)
    assert len(read_waveform(path, 16_000)) == round(2.7 * 16_000)
    with pytest.raises(ClipError, match=r"is 2\.70 s long, so nothing starts at 5 s"):
        read_waveform(path, 16_000, 5.0)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_sound_before_the_movie_begins_is_cut_as_players_cut_it(tmp_path: Path, suffix: str) -> None:
    """An edit list hides what lies before 0; mkv and mpeg-ts have none and begin their clock with the sound."""
    kind = Kind(suffix, "pcm_s16le" if suffix == "mov" else "aac", 48_000, 0.013)
    path = film(tmp_path, kind, -0.3)
    assert beeps(read_waveform(path, 48_000), 48_000) == pytest.approx(MOMENTS, abs=kind.exact)
    assert flashes(path) == pytest.approx(MOMENTS, abs=0.03)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_without_edit_lists_the_clock_begins_with_the_sound(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path, Kind(suffix, "aac", 48_000, 0.013), -0.3)
    later = [moment + 0.3 for moment in MOMENTS]
    assert beeps(read_waveform(path, 48_000), 48_000) == pytest.approx(later, abs=0.025)
    assert flashes(path) == pytest.approx(later, abs=0.045)


def test_a_gap_in_a_fragmented_film_keeps_its_length(tmp_path: Path) -> None:
    """A recorder that writes fragments stretches the first packet of late sound to where the second one begins."""
    kind = Kind("mp4", "aac", 48_000, 0.013)
    path = film(tmp_path, kind, 0.7, options={"movflags": "frag_keyframe+empty_moov"})
    whole = read_waveform(path, kind.rate)
    assert beeps(whole, kind.rate) == pytest.approx(MOMENTS, abs=kind.exact)
    assert beeps(read_waveform(path, kind.rate, 4.0, 7.0), kind.rate, 4.0) == pytest.approx(
        MOMENTS[1:], abs=kind.exact
    )
    np.testing.assert_array_equal(np.concatenate(list(SoundStream(path))), whole)


@pytest.mark.parametrize("seconds", [2, 7200])
def test_a_hole_in_the_sound_is_silence_unless_the_clock_is_broken(tmp_path: Path, seconds: int) -> None:
    wave = speechlike(6.0, 16_000)
    write_film(tmp_path / "whole.mov", EXACT, wave=wave, seconds=6.0)
    path = tmp_path / "hole.mkv"
    with av.open(str(tmp_path / "whole.mov")) as source, av.open(str(path), "w") as target:
        tracks = {stream.index: target.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio" and packet.pts * packet.time_base >= 4:
                packet.pts += round(seconds / packet.time_base)
                packet.dts += round(seconds / packet.time_base)
            packet.stream = tracks[packet.stream.index]
            target.mux(packet)
    whole = read_waveform(path, 16_000)
    hole = seconds * 16_000 if seconds < 3600 else 0
    assert len(whole) == pytest.approx(len(wave) + hole, abs=32)
    np.testing.assert_allclose(whole[:63_000], wave[:63_000], atol=1e-4)
    np.testing.assert_allclose(whole[-31_000:], wave[-31_000:], atol=1e-4)
    stream = SoundStream(path)
    np.testing.assert_array_equal(np.concatenate(list(stream)), whole)
    assert ("silence takes its place" in stream.fault) == (hole > 0)
    part = read_waveform(path, 16_000, 3.5, 7.0)
    np.testing.assert_array_equal(part, whole[56_000:112_000])


def test_an_avi_has_an_offset_only_where_its_header_says_so(tmp_path: Path) -> None:
    kind = Kind("avi", "pcm_s16le", 16_000, 0.0021)
    path = film(tmp_path, kind, wave=speechlike(8.0, 16_000))
    whole = read_waveform(path, 16_000)
    data = bytearray(path.read_bytes())
    start = data.index(b"auds") + 28  # dwStart of the stream's header, in samples
    data[start : start + 4] = (11_200).to_bytes(4, "little")
    path.write_bytes(data)
    late = read_waveform(path, 16_000)
    assert not late[:11_200].any()
    np.testing.assert_array_equal(late[11_200:], whole)
    np.testing.assert_array_equal(streamed(path), late)


def test_written_by_ffmpeg_an_avi_has_no_offsets(tmp_path: Path) -> None:
    path = film(tmp_path, Kind("avi", "pcm_s16le", 16_000, 0.003), 0.7, wave=speechlike(7.3, 16_000))
    np.testing.assert_allclose(read_waveform(path, 16_000), speechlike(7.3, 16_000), atol=1e-4)


def test_less_than_a_picture_is_no_offset(tmp_path: Path) -> None:
    """Codec delays and rounded clocks leave a few ms; the sound keeps its samples there."""
    wave = speechlike(3.0, 16_000)
    near = film(tmp_path, EXACT, 0.03, wave=wave)
    np.testing.assert_allclose(read_waveform(near, 16_000), wave, atol=1e-4)
    np.testing.assert_array_equal(streamed(near), read_waveform(near, 16_000))
    far = film(tmp_path, EXACT, 0.05, wave=wave)
    assert len(read_waveform(far, 16_000)) == len(wave) + 800


def test_sound_alone_counts_from_its_first_sample_wherever_the_clock_begins(tmp_path: Path) -> None:
    wave = speechlike(4.0, 16_000)
    for name in ("a.mka", "a.mov"):
        path = write_track(tmp_path / name, wave, 16_000, "pcm_s16le")
        late = tmp_path / f"late-{name}"
        with av.open(str(path)) as source, av.open(str(late), "w") as target:
            track = target.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(audio=0):
                if packet.dts is None:
                    continue
                packet.pts += round(0.7 / packet.time_base)
                packet.dts += round(0.7 / packet.time_base)
                packet.stream = track
                target.mux(packet)
        np.testing.assert_array_equal(read_waveform(late, 16_000), read_waveform(path, 16_000))
        np.testing.assert_array_equal(streamed(late), read_waveform(path, 16_000))


def test_faces_before_the_first_picture(tmp_path: Path) -> None:
    path = film(tmp_path, EXACT, 0.0, 2.0)
    clip = read_faces(path, start=1.0, end=3.0, fps=5, size=48)
    assert len(clip.frames) == 10
    assert "shows its first picture at 2.00 s" in clip.fault
    assert read_faces(path, start=2.0, end=3.0, fps=5, size=48).fault == ""
    with pytest.raises(ClipError, match=r"shows its first picture at 2\.00 s, so there is none from 0\.5 s"):
        read_faces(path, start=0.5, end=1.5, fps=5, size=48)


def test_a_wav_beside_a_film_keeps_its_own_clock(tmp_path: Path) -> None:
    """Corpora like IEMOCAP: the sentence's wav begins at 0, whatever the dialog's film does."""
    wave = speechlike(2.0, 16_000)
    path = write_sound(tmp_path / "a.wav", wave, 16_000)
    np.testing.assert_allclose(read_waveform(path, 16_000, 0.5, 1.0), wave[8000:16000], atol=4e-5)


@pytest.mark.parametrize("suffix", ["mkv", "ts"])
def test_validation_counts_as_reading_does(tmp_path: Path, suffix: str) -> None:
    path = film(tmp_path, Kind(suffix, "aac", 48_000, 0.013), 0.7, clock=1.4)
    for check in (check_sound, check_picture):
        assert check(path, [Span(0, 7.5, 8.0), Span(1, 1.0, None)], decode=True) == []
        assert [fault.field for fault in check(path, [Span(0, 8.9, 9.0)], decode=True)] == ["start"]


@pytest.mark.parametrize("suffix", ["mp4", "m4a", "mp3", "wav", "ogg", "flac"])
def test_a_film_has_the_rule_of_the_clock_in_its_key_whatever_it_is_called(
    tmp_path: Path, suffix: str
) -> None:
    path = film(tmp_path, Kind("mp4", "aac", 48_000, 0.013), 0.7, seconds=3.0).rename(
        tmp_path / f"b.{suffix}"
    )
    assert not read_waveform(path, 48_000)[:30_000].any()
    assert len(clock_rule(path)) == 1


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", None),
        ("a.flac", None),
        ("a.aiff", None),
        ("a.oga", "libopus"),
        ("a.mp3", "libmp3lame"),
        ("a.m4a", "aac"),
        ("a.ac3", "ac3"),
        ("a.mka", "libopus"),
        ("a.ogg", "libopus"),
        ("a.webm", "libopus"),
        ("a.mp4", "aac"),
    ],
)
def test_sound_alone_keeps_its_key_whatever_holds_it(tmp_path: Path, name: str, codec: str | None) -> None:
    wave = speechlike(1.0, 48_000)
    path = (
        write_track(tmp_path / name, wave, 48_000, codec)
        if codec
        else write_sound(tmp_path / name, wave, 48_000)
    )
    assert clock_rule(path) == []


def test_what_is_no_film_has_no_rule(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no film")
    assert [
        clock_rule(one) for one in (tmp_path / "a.mp4", tmp_path / "gone.mp4", tmp_path, None, "words")
    ] == [[]] * 5


def test_a_file_that_changes_is_looked_at_again(tmp_path: Path) -> None:
    sound = write_track(tmp_path / "a.mp4", speechlike(1.0, 48_000), 48_000, "aac")
    assert clock_rule(sound) == []
    film(tmp_path, Kind("mp4", "aac", 48_000, 0.013))
    assert len(clock_rule(sound)) == 1
