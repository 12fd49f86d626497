"""A stream of sound is the file, block by block, and windows of it are what reading the range gives."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from affuse.errors import ClipError
from affuse.inference.sound_scan import scan_sound
from affuse.media.audio import read_waveform
from affuse.media.remarks import remarks
from affuse.media.sound_stream import SoundStream, SoundWindows
from audio_files import speechlike, write_sound, write_track

RATE = 22_050
OPUS = 48_000  # the only rate its encoder takes here


def whole(stream: SoundStream):
    blocks = list(stream)
    assert all(len(block) <= stream.rate for block in blocks)
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.mkv", "aac"), ("a.opus", "libopus"), ("a.wav", None)],
)  # fmt: skip
@pytest.mark.parametrize("channel", [None, 1])
def test_the_stream_is_the_whole_file(
    tmp_path: Path, name: str, codec: str | None, channel: int | None
) -> None:
    rate = OPUS if codec == "libopus" else RATE
    sound = np.stack([speechlike(3.3, rate, 1), speechlike(3.3, rate, 2)], axis=1)
    path = tmp_path / name
    if codec:
        write_track(path, sound, rate, codec)
    else:
        write_sound(path, sound, rate)
    stream = SoundStream(path, channel)
    found = whole(stream)
    np.testing.assert_array_equal(found, read_waveform(path, stream.rate, channel=channel))
    assert stream.fault == ""
    assert stream.position == len(found)


@pytest.mark.parametrize("rate", [RATE, 16_000])
def test_windows_are_what_reading_the_range_gives_to_the_bit(tmp_path: Path, rate: int) -> None:
    path = write_sound(tmp_path / "a.flac", speechlike(9.0, RATE), RATE)
    windows = SoundWindows(SoundStream(path))
    for start, end in [(0.0, 1.0), (0.5, 1.5), (0.51, 4.2), (4.0, 4.1), (6.123, 8.0), (7.9, 12.0)]:
        found = read_waveform(windows.read(start, end), rate, start, end)
        np.testing.assert_array_equal(found, read_waveform(path, rate, start, end))
    assert len(windows._kept) < 2 * RATE  # what lies behind is forgotten
    with pytest.raises(ValueError, match="given up"):
        windows.read(1.0, 2.0)


def test_a_window_behind_the_end_is_empty_and_reading_it_says_so(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", speechlike(1.0, RATE), RATE)
    sound = SoundWindows(SoundStream(path)).read(3.0, 4.0)
    assert len(sound.samples) == 0
    with pytest.raises(ClipError, match="holds no audio samples"):
        read_waveform(sound, RATE, 3.0, 4.0)


def test_bad_samples_are_silence_and_are_told(tmp_path: Path) -> None:
    sound = speechlike(3.0, RATE)
    sound[30_000:30_010] = np.nan
    path = write_sound(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    stream = SoundStream(path)
    found = whole(stream)
    np.testing.assert_array_equal(found, np.nan_to_num(sound))
    assert "NaN or infinite from 1.00 s on" in stream.fault


def test_lost_packets_leave_silence_so_that_the_rest_keeps_its_time(tmp_path: Path) -> None:
    sound = speechlike(6.0, RATE)
    write_track(tmp_path / "whole.mka", sound, RATE, "pcm_s16le")
    with av.open(str(tmp_path / "whole.mka")) as source, av.open(str(tmp_path / "lost.mka"), "w") as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is None or 2.0 <= float(packet.pts * packet.time_base) < 3.0:
                continue
            packet.stream = track
            target.mux(packet)
    stream = SoundStream(tmp_path / "lost.mka")
    found = whole(stream)
    expected = read_waveform(tmp_path / "whole.mka", RATE)
    assert len(found) == pytest.approx(len(expected), abs=2 * RATE / 1000)
    assert not found[round(2.1 * RATE) : round(2.9 * RATE)].any()
    late = found[round(4 * RATE) : round(4.5 * RATE)]
    shifts = [np.abs(late - expected[round(4 * RATE) + s :][: len(late)]).max() for s in range(-30, 31)]
    assert min(shifts) == 0  # the container's clock is 1 ms coarse: 22 samples
    assert "silence takes its place" in stream.fault


def test_a_damaged_flac_goes_on_behind_the_damage(tmp_path: Path) -> None:
    sound = speechlike(8.0, RATE)
    path = write_sound(tmp_path / "a.flac", sound, RATE)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 600] = bytes(600)
    path.write_bytes(data)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(path)
    stream = SoundStream(path)
    found = whole(stream)
    assert len(found) > 6 * RATE
    np.testing.assert_allclose(found[: 3 * RATE], sound[: 3 * RATE], atol=1e-4)
    assert stream.fault


@pytest.mark.parametrize("name", ["a.wav", "a.mp3"])
def test_a_truncated_file_gives_what_is_there_and_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.wav":
        write_sound(path, speechlike(6.0, RATE), RATE)
    else:
        write_track(path, speechlike(6.0, RATE), RATE, "libmp3lame")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    stream = SoundStream(path)
    assert len(whole(stream)) == pytest.approx(3 * RATE, rel=0.1)
    if name == "a.wav":
        assert stream.fault.endswith(
            "ends after 3.00 s of sound, its headers say 6.00 s; what could be decoded is used."
        )


@pytest.mark.parametrize("claim", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_that_was_written_to_a_pipe_promises_nothing(tmp_path: Path, claim: int) -> None:
    path = write_sound(tmp_path / "a.wav", speechlike(2.0, RATE), RATE)
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = claim.to_bytes(4, "little")
    path.write_bytes(data)
    stream = SoundStream(path)
    assert len(whole(stream)) == 2 * RATE
    assert stream.fault == ""


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW", "MS_ADPCM"])
def test_a_whole_wav_says_nothing(tmp_path: Path, subtype: str) -> None:
    stream = SoundStream(write_sound(tmp_path / "a.wav", speechlike(2.0, RATE), RATE, subtype))
    whole(stream)
    assert stream.fault == ""


def test_a_channel_that_is_not_there(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", speechlike(1.0, RATE), RATE)
    with pytest.raises(ClipError, match="has only channel 0, not channel 2"):
        SoundStream(path, 2)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", None), ("a.mp3", "libmp3lame")])
def test_a_range_is_read_as_training_reads_it(tmp_path: Path, name: str, codec: str | None) -> None:
    """Samples, silence that others leave, and what is said of them; nothing before the range is decoded."""
    wave = speechlike(9, RATE, 1)
    noise = 0.02 * speechlike(9, RATE, 2)
    opposite = np.stack([wave, noise - wave], axis=1)
    path = tmp_path / name
    if codec:
        write_track(path, opposite, RATE, codec)
    else:
        write_sound(path, opposite, RATE)
    with remarks() as said:
        expected = read_waveform(path, RATE, 5.0, 7.5)
    assert "they cancel each other" in said[0]
    stream = SoundStream(path, start=5.0, end=7.5)
    np.testing.assert_array_equal(np.concatenate(list(stream)), expected)
    assert stream.position == round(7.5 * RATE)
    assert stream.remarks == said == list(scan_sound(path, None, False, 5.0, 7.5).remarks)
    windows = SoundWindows(SoundStream(path, start=5.0))
    window = windows.read(6.0, 7.5)
    np.testing.assert_array_equal(window.cut(6.0, 7.5), expected[round(6.0 * RATE) - round(5.0 * RATE) :])
    beyond = scan_sound(path, None, False, 20.0, 30.0)
    assert beyond.speech == []
    assert beyond.seconds == pytest.approx(9, abs=0.1)
