"""Files that change their rate or channels on the way, or are several joined by ``cat``: every sample in its place."""

from pathlib import Path

import av
import numpy as np
import pytest

from affuse.corpora.validation.media import Span, check_sound
from affuse.media.audio import probe_audio, read_waveform
from affuse.media.remarks import remarks
from affuse.media.sound_stream import SoundStream, SoundWindows
from audio_files import join, sine, speechlike, write_sound, write_track
from offset_films import Kind, beeps, remux, write_film

SECONDS = 1.8
CODECS = {"mp3": "libmp3lame", "aac": "aac", "ts": "aac", "mka": "libmp3lame", "mpg": "mp2"}
# codecs fill their last packet, and ADTS and joined mp3 have no field for their delay
LONGER = {"mp3": 0.08, "aac": 0.1, "ts": 0.1, "mka": 0.08, "opus": 0.02, "mpg": 0.08}


def write(path: Path, samples: np.ndarray, rate: int):
    suffix = path.suffix[1:]
    if suffix in CODECS:
        return write_track(path, samples, rate, CODECS[suffix])
    if suffix == "opus":
        return write_sound(path.with_suffix(".ogg"), samples, rate, "OPUS")
    return write_sound(path, samples, rate)


def joined(folder: Path, suffix: str, rates: tuple[int, int], channels: tuple[int, int] = (1, 1)):
    """440 Hz, then 660 Hz; 1.8 s each."""
    parts = []
    for i, (rate, count, hertz) in enumerate(zip(rates, channels, (440, 660), strict=True)):
        wave = sine(SECONDS, rate, hertz)
        parts.append(write(folder / f"{i}.{suffix}", np.stack([wave] * count, axis=1), rate))
    return join(folder / f"joined.{suffix}", *parts)


def heard(samples: np.ndarray, rate: int):
    """(hertz to the next 2, whether it is as loud as it was written)."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return round(np.argmax(spectrum) * rate / len(samples) / 2) * 2, abs(np.std(samples) - 0.354) < 0.05


def read_everywhere(path: Path, channel: int | None = None):
    """(samples at the file's rate, rate, what is said), the same by every reader, in ranges too."""
    stream = SoundStream(path, channel)
    streamed = np.concatenate(list(stream))
    with remarks() as said:
        whole = read_waveform(path, stream.rate, channel=channel)
    np.testing.assert_array_equal(streamed, whole)
    assert said == [*([stream.fault] if stream.fault else []), *stream.remarks]
    found = check_sound(path, [Span(0, None, None, channel)], decode=True)
    assert [(fault.message, fault.severity) for fault in found] == [(s.rstrip("."), "warning") for s in said]
    windows = SoundWindows(SoundStream(path, channel))
    for start, end in ((0.2, 0.9), (1.6, 2.1), (3.1, 3.3), (3.2, 9.0)):
        part = read_waveform(path, stream.rate, start, end, channel)
        there = whole[round(start * stream.rate) : round(end * stream.rate)]
        np.testing.assert_allclose(part, there, atol=0.01)  # AAC's noise depends on where decoding begins
        window = windows.read(start, end)
        np.testing.assert_array_equal(read_waveform(window, stream.rate, start, end), there)
    return whole, stream.rate, said


@pytest.mark.parametrize("suffix", ["mp3", "aac", "ts", "flac", "ogg", "wav", "mka"])
@pytest.mark.parametrize("rates", [(44_100, 48_000), (48_000, 32_000)])
def test_a_change_of_rate_changes_neither_pitch_nor_time(
    tmp_path: Path, suffix: str, rates: tuple[int, int]
) -> None:
    path = joined(tmp_path, suffix, rates)
    whole, rate, said = read_everywhere(path)
    assert rate == rates[0]
    assert len(whole) / rate == pytest.approx(2 * SECONDS, abs=LONGER.get(suffix, 1e-9))
    assert heard(whole[rate // 5 : 8 * rate // 5], rate) == (440, True)
    assert heard(whole[2 * rate : 17 * rate // 5], rate) == (660, True)
    (sentence,) = said
    assert f"changes its sampling rate from {rates[0]} to {rates[1]} Hz at 1.8" in sentence


@pytest.mark.parametrize("suffix", ["mp3", "aac", "flac", "opus", "wav"])
@pytest.mark.parametrize(("channels", "channel"), [((1, 2), None), ((2, 1), None), ((2, 1), 0)])
def test_a_change_of_channels_loses_nothing(
    tmp_path: Path, suffix: str, channels: tuple[int, int], channel: int | None
) -> None:
    path = joined(tmp_path, suffix, (48_000, 48_000), channels)
    whole, rate, said = read_everywhere(path, channel)
    assert len(whole) / rate == pytest.approx(2 * SECONDS, abs=LONGER.get(suffix, 1e-9))
    assert heard(whole[rate // 5 : 8 * rate // 5], rate) == (440, True)
    assert heard(whole[2 * rate : 17 * rate // 5], rate) == (660, True)
    (sentence,) = said
    assert "changes from" in sentence


def test_a_channel_that_goes_is_the_mix_from_there_on(tmp_path: Path) -> None:
    left, right = sine(2, 8000, 300), sine(2, 8000, 500)
    write_sound(tmp_path / "a.wav", np.stack([left, right], axis=1), 8000)
    write_sound(tmp_path / "b.wav", left, 8000)
    path = join(tmp_path / "ab.wav", tmp_path / "a.wav", tmp_path / "b.wav")
    found = read_waveform(path, 8000, channel=1)
    np.testing.assert_allclose(found, np.concatenate([right, left]), atol=1e-4)


@pytest.mark.parametrize("suffix", ["mp3", "flac", "ogg", "wav", "aiff", "au", "w64", "ts", "mpg"])
def test_joined_files_of_one_kind_are_read_to_their_end_without_a_word(tmp_path: Path, suffix: str) -> None:
    path = joined(tmp_path, suffix, (48_000, 48_000))
    whole, rate, said = read_everywhere(path)
    assert len(whole) / rate == pytest.approx(2 * SECONDS, abs=LONGER.get(suffix, 1e-9))
    assert heard(whole[2 * rate : 17 * rate // 5], rate) == (660, True)
    assert said == []
    late = [Span(0, 3.0, 3.5), Span(1, 3.0, 60.0), Span(2, 60.0, None)]  # Xing tells the first file's length
    assert [fault.field for fault in check_sound(path, late, decode=True)] == ["end", "start"]


def test_flac_behind_a_tag_of_mp3_is_joined_too(tmp_path: Path) -> None:
    """Some programs put an ID3 tag before FLAC."""
    tag = b"ID3\x03\x00\x00\x00\x00\x01\x00" + bytes(128)
    for name in "ab":
        sound = write_sound(tmp_path / f"{name}.flac", speechlike(1, 8000, ord(name)), 8000)
        sound.write_bytes(tag + sound.read_bytes())
    parts = [tmp_path / "a.flac", tmp_path / "b.flac"]
    path = join(tmp_path / "ab.flac", *parts)
    found = read_waveform(path, 8000)
    np.testing.assert_array_equal(found, np.concatenate([read_waveform(part, 8000) for part in parts]))


@pytest.mark.parametrize("name", ["film.ts", "sound.ts"])
def test_the_length_of_a_joined_stream_is_that_of_its_parts(tmp_path: Path, name: str) -> None:
    """FFmpeg reads it off the last times, which are the second file's."""
    for i, seconds in enumerate((3, 2)):
        video = name == "film.ts"
        write_track(tmp_path / f"{i}.ts", sine(seconds, 48_000), 48_000, "aac", video, "mpegts")
    path = join(tmp_path / name, tmp_path / "0.ts", tmp_path / "1.ts")
    found = len(read_waveform(path, 48_000)) / 48_000
    assert found == pytest.approx(5, abs=0.1)
    assert probe_audio(path).seconds == pytest.approx(found, abs=0.01)
    assert check_sound(path, [Span(0, 3.5, 4.5)], decode=False) == []


def test_packets_that_a_second_film_lost_leave_silence(tmp_path: Path) -> None:
    """Its clock begins anew and is followed from there, so that sound keeps its time beside the pictures."""
    film = write_film(tmp_path / "a.ts", Kind("ts", "aac", 48_000, 0.03))
    cut = remux(film, tmp_path / "b.ts", lost=lambda at: 3.5 < at < 5.5)  # its clock begins at 1.4 s
    path = join(tmp_path / "ab.ts", film, cut)
    stream = SoundStream(path)
    wave = np.concatenate(list(stream))
    assert len(wave) / 48_000 == pytest.approx(16, abs=0.1)
    first, second, third, last = beeps(wave, 48_000)
    assert [first, second, third] == pytest.approx([1.5, 5.2, 9.5], abs=0.06)
    assert last == pytest.approx(13.5, abs=0.06)  # the rest of the beep from 13.2 s on
    assert "has no sound that can be decoded from 11.5" in stream.fault
    np.testing.assert_array_equal(read_waveform(path, 48_000, 13, 14), wave[13 * 48_000 : 14 * 48_000])


def test_many_changes_add_up_to_the_sample(tmp_path: Path) -> None:
    parts = [write_sound(tmp_path / f"{i}.wav", sine(0.1234, rate, 440), rate)
             for i, rate in enumerate([16_000, 44_100, 22_050, 16_000, 48_000, 11_025, 16_000])]  # fmt: skip
    path = join(tmp_path / "all.wav", *parts)
    whole = read_waveform(path, 16_000)
    exact = sum(
        round(0.1234 * rate) / rate for rate in (16_000, 44_100, 22_050, 16_000, 48_000, 11_025, 16_000)
    )
    assert len(whole) == pytest.approx(exact * 16_000, abs=0.5)
    np.testing.assert_allclose(whole[-1900:-100], sine(0.1234, 16_000, 440)[-1900:-100], atol=0.05)


def test_films_joined_byte_by_byte_are_told(tmp_path: Path) -> None:
    for i in range(2):
        write_track(tmp_path / f"{i}.m4a", sine(2, 48_000), 48_000, "aac")
    path = join(tmp_path / "all.m4a", tmp_path / "0.m4a", tmp_path / "1.m4a")
    stream = SoundStream(path)
    assert len(np.concatenate(list(stream))) / 48_000 == pytest.approx(2, abs=0.05)
    assert "holds 2 files joined byte by byte, of which only the first is read" in stream.fault


@pytest.mark.parametrize("suffix", ["ogg", "gsm"])
def test_ranges_are_slices_where_libsndfile_cannot_seek(tmp_path: Path, suffix: str) -> None:
    """It misses places in the last page of a Vorbis file, and cannot seek in telephone codecs."""
    rate = 48_000 if suffix == "ogg" else 8_000
    path = tmp_path / ("a.ogg" if suffix == "ogg" else "a.wav")
    write_sound(path, speechlike(8, rate), rate, None if suffix == "ogg" else "GSM610")
    whole = read_waveform(path, rate)
    for start in (1.234, 6.9, 7.5, 7.9):
        part = read_waveform(path, rate, start, start + 0.5)
        np.testing.assert_array_equal(part, whole[round(start * rate) : round((start + 0.5) * rate)])


def test_eight_planes_of_sound_do_not_end_the_process(tmp_path: Path) -> None:
    wave = speechlike(1, 48_000)
    path = write_track(tmp_path / "a.mkv", np.stack([wave] * 8, axis=1), 48_000, "aac")
    with av.open(str(path)) as container:
        assert next(container.decode(audio=0)).format.is_planar
    assert np.abs(read_waveform(path, 48_000)).max() == pytest.approx(0.5, abs=0.15)
