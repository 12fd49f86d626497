"""read_waveform and probe_audio against real files whose samples are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile

from affuse.errors import ClipError
from affuse.media.audio import probe_audio, read_waveform
from audio_files import sine, speechlike, write_sound, write_track

# suffix, codec, rate, with a picture, largest error of the codec on noise in [-0.5, 0.5], samples late
TRACKS = [
    ("mp3", "libmp3lame", 44100, False, 0.05, 0),
    ("m4a", "aac", 44100, False, 0.15, 0),
    ("mp4", "aac", 48000, True, 0.15, 0),
    ("mkv", "aac", 44100, True, 0.15, 0),
    ("mkv", "libopus", 48000, False, 0.10, 0),
    ("webm", "libopus", 48000, False, 0.10, 0),
    ("ogg", "libopus", 48000, False, 0.10, 0),
    ("mkv", "flac", 44100, True, 2e-5, 0),
    ("mov", "pcm_s16le", 22050, True, 2e-5, 0),
    ("avi", "pcm_s16le", 16000, True, 2e-5, 0),
    ("avi", "libmp3lame", 44100, True, 0.05, 1105),  # avi has no field for the codec's delay
]


def peak_hertz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.aiff"])
@pytest.mark.parametrize(("native", "rate"), [(16000, 16000), (44100, 16000), (8000, 16000), (48000, 22050)])
def test_soundfile_formats_at_any_rate(tmp_path: Path, name: str, native: int, rate: int) -> None:
    path = write_sound(tmp_path / name, sine(1.0, native, 440), native)
    samples = read_waveform(path, rate)
    assert samples.dtype == np.float32
    assert samples.shape == (rate,)
    assert samples.flags.c_contiguous
    # in place, too: the sine starts at phase 0 (edges left out, where the resampler rings)
    inner = slice(rate // 10, -rate // 10)
    assert np.abs(samples - sine(1.0, rate, 440))[inner].max() < (0.02 if name == "a.ogg" else 2e-4)
    assert probe_audio(path) == (native, 1, 1.0)


@pytest.mark.parametrize(("suffix", "codec", "rate", "video", "error", "late"), TRACKS)
def test_every_container_and_its_ranges(
    tmp_path: Path, suffix: str, codec: str, rate: int, video: bool, error: float, late: int
) -> None:
    source = speechlike(6, rate)
    path = write_track(tmp_path / f"a.{suffix}", source, rate, codec, video)
    whole = read_waveform(path, rate)
    aligned = whole[late : late + len(source)]
    assert len(aligned) == len(source)
    assert np.abs(aligned - source).max() < error  # a shift of one sample alone would be a larger error
    info = probe_audio(path)
    assert info[:2] == (rate, 1)
    assert info.seconds == pytest.approx(6, abs=0.1)
    # short of the point where seeking pays, across it, and up to the end
    for start, end in ((0.0, 0.25), (1.013, 2.5), (2.9, 3.3), (3.777, 4.001), (5.5, None)):
        part = read_waveform(path, rate, start, end)
        first = round(start * rate)
        last = len(whole) if end is None else round(end * rate)
        assert len(part) == last - first
        # AAC fills bands with noise whose random state depends on where decoding began; others are bit-equal
        assert np.abs(part - whole[first:last]).max() < (0.01 if codec == "aac" else 1e-6)
        assert np.abs(part[1:] - whole[first : last - 1]).max() > 0.05  # one sample off would show


def test_ranges_equal_slices_but_for_the_resampler_edges(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", speechlike(4, 44100), 44100)
    whole = read_waveform(path, 16000)
    part = read_waveform(path, 16000, 1.0, 3.0)
    assert part.shape == (32000,)
    edge = 160  # 10 ms
    assert np.abs(part - whole[16000:48000])[edge:-edge].max() < 1e-4


def test_a_sine_keeps_its_pitch_through_a_lossy_video(tmp_path: Path) -> None:
    path = write_track(tmp_path / "a.mp4", sine(2, 48000, 1234), 48000, "aac", video=True)
    assert peak_hertz(read_waveform(path, 16000), 16000) == pytest.approx(1234, abs=1)


@pytest.mark.parametrize("name", ["a.wav", "a.mp4"])
def test_channels(tmp_path: Path, name: str) -> None:
    left, right = sine(1, 16000, 300), sine(1, 16000, 700)
    both = np.stack([left, right], axis=1)
    path = tmp_path / name
    write_sound(path, both, 16000) if name == "a.wav" else write_track(path, both, 16000, "aac")
    assert probe_audio(path).channels == 2
    assert peak_hertz(read_waveform(path, 16000, channel=0), 16000) == pytest.approx(300, abs=1)
    assert peak_hertz(read_waveform(path, 16000, channel=1), 16000) == pytest.approx(700, abs=1)
    mean = read_waveform(path, 16000)[:16000]
    tolerance = 1e-4 if name == "a.wav" else 0.08
    assert np.abs(mean - both.mean(axis=1)).max() < tolerance
    with pytest.raises(ClipError, match=r"has channels 0 to 1, not channel 2; correct its channel"):
        read_waveform(path, 16000, channel=2)


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 32)])
def test_integer_pcm_scales_to_minus_one_up_to_one(tmp_path: Path, subtype: str, bits: int) -> None:
    steps = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, 2 ** (bits - 2)], dtype=np.int64)
    path = tmp_path / "a.wav"
    soundfile.write(path, (steps << (32 - bits)).astype(np.int32), 8000, subtype=subtype)
    expected = (steps / 2 ** (bits - 1)).astype(np.float32)
    assert read_waveform(path, 8000).tolist() == expected.tolist()
    if bits == 16:  # the same through PyAV
        track = write_track(tmp_path / "a.mov", np.tile(expected, 500), 8000, "pcm_s16le")
        assert read_waveform(track, 8000)[:4].tolist() == expected.tolist()


def test_the_same_samples_every_time(tmp_path: Path) -> None:
    path = write_track(tmp_path / "a.mp3", speechlike(5, 44100), 44100, "libmp3lame")
    first = read_waveform(path, 16000, 3.5, 4.5)
    assert (first == read_waveform(path, 16000, 3.5, 4.5)).all()


def test_an_end_past_the_file_is_its_end(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", speechlike(2, 16000), 16000)
    assert len(read_waveform(path, 16000, 1.5, 9.0)) == 8000


def test_truncated_files_give_what_is_there(tmp_path: Path) -> None:
    source = speechlike(4, 16000)
    wav = write_sound(tmp_path / "a.wav", source, 16000)
    wav.write_bytes(wav.read_bytes()[: 44 + 2 * 20000])
    samples = read_waveform(wav, 16000)
    assert samples.shape == (20000,)
    assert np.abs(samples - source[:20000]).max() < 4e-5
    flac = write_sound(tmp_path / "a.flac", source, 16000)
    flac.write_bytes(flac.read_bytes()[: flac.stat().st_size // 2])
    samples = read_waveform(flac, 16000)
    assert 10000 < len(samples) < 40000
    assert np.abs(samples - source[: len(samples)]).max() < 4e-5
    mkv = write_track(tmp_path / "a.mkv", source, 16000, "aac", video=True)
    mkv.write_bytes(mkv.read_bytes()[: mkv.stat().st_size // 2])
    assert 10000 < len(read_waveform(mkv, 16000)) < 50000


def test_damage_in_the_middle_does_not_lose_the_rest(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.flac", speechlike(4, 16000), 16000)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    path.write_bytes(data)
    assert len(read_waveform(path, 16000)) > 40000


@pytest.mark.parametrize("size", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff"])
def test_a_header_that_was_never_closed(tmp_path: Path, size: bytes) -> None:
    path = write_sound(tmp_path / "a.wav", speechlike(1, 16000), 16000)
    data = path.read_bytes()
    assert data[36:40] == b"data"
    path.write_bytes(data[:40] + size + data[44:])
    assert len(read_waveform(path, 16000)) == 16000


def bad_file(folder: Path, case: str) -> Path:
    path = folder / "a.wav"
    good = speechlike(1, 16000)
    if case == "folder":
        path.mkdir()
    elif case == "empty":
        path.write_bytes(b"")
    elif case == "text":
        path.write_text("not a recording\n" * 200)
    elif case == "noise":
        path = folder / "a.mp4"
        path.write_bytes(np.random.default_rng(0).bytes(4000))
    elif case == "picture":
        path = folder / "a.png"
        cv2.imwrite(str(path), np.zeros((16, 16, 3), np.uint8))
    elif case == "header only":
        write_sound(path, good, 16000)
        path.write_bytes(path.read_bytes()[:44])
    elif case == "no samples":
        write_sound(path, np.zeros(0, np.float32), 16000)
    elif case == "zeros":
        write_sound(path, np.zeros(16000, np.float32), 16000)
    elif case == "one step":  # of 16 bits, as dither or an open line leaves
        write_sound(path, np.tile(np.float32([0, 1 / 32768]), 800), 16000)
    elif case in ("nan", "inf"):
        good[100:103] = float(case)
        write_sound(path, good, 16000, "FLOAT")
    return path


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing", r"a\.wav does not exist; correct the path or the corpus's media_root\.$"),
        ("folder", r"a\.wav is a folder, not an audio or video file; name a file in it\.$"),
        ("empty", r"a\.wav is empty \(0 bytes\); fetch it again"),
        (
            "text",
            r"a\.wav is not an audio or video file that can be read \(.+\); convert it or fetch it again\.$",
        ),
        ("noise", r"a\.mp4 is not an audio or video file that can be read"),
        ("picture", r"a\.png has no audio track; name a file with sound"),
        ("header only", r"a\.wav holds no audio samples; replace the file"),
        ("no samples", r"a\.wav holds no audio samples; replace the file"),
        ("zeros", r"a\.wav is silent \(its peak is below -90 dBFS\); leave this row out"),
        ("one step", r"a\.wav is silent \(its peak is below -90 dBFS\)"),
        ("nan", r"a\.wav has 3 of 16000 samples that are NaN or infinite; export the recording again"),
        ("inf", r"a\.wav has 3 of 16000 samples that are NaN or infinite"),
    ],
)
def test_unusable_files_are_named_with_cause_and_cure(tmp_path: Path, case: str, message: str) -> None:
    path = bad_file(tmp_path, case)
    with pytest.raises(ClipError, match=message) as caught:
        read_waveform(path, 16000)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_steps_of_16_bits_are_not_silence(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", np.tile(np.float32([0, 2 / 32768]), 800), 16000)
    assert len(read_waveform(path, 16000)) == 1600


@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (5.0, None, r"is [12]\.\d\d s long, so nothing starts at 5 s; correct the row's start\.$"),
        (
            1.0,
            0.5,
            r"from 1 s to 0.5 s, because the end is not after the start; correct the row's start and end",
        ),
        (0.5, 0.5, r"the end is not after the start"),
        (None, 0.0, r"the end is not after the start"),
        (-1.0, None, r"cannot have start -1 s; correct the row's start"),
        (0.0, float("nan"), r"cannot have end nan s; correct the row's end"),
    ],
)
def test_ranges_that_do_not_exist(
    tmp_path: Path, name: str, start: float | None, end: float | None, message: str
) -> None:
    path = tmp_path / name
    source = speechlike(2, 16000)
    write_sound(path, source, 16000) if name == "a.wav" else write_track(path, source, 16000, "aac")
    with pytest.raises(ClipError, match=message):
        read_waveform(path, 16000, start, end)


def test_a_silent_range_of_a_sounding_file(tmp_path: Path) -> None:
    source = np.concatenate([speechlike(1, 16000), np.zeros(16000, np.float32)])
    path = write_sound(tmp_path / "a.wav", source, 16000)
    assert len(read_waveform(path, 16000)) == 32000
    with pytest.raises(ClipError, match=r"from 1\.2 s to 1\.8 s is silent"):
        read_waveform(path, 16000, 1.2, 1.8)


def test_probe_refuses_what_read_refuses_by_its_header(tmp_path: Path) -> None:
    for case in ("missing", "folder"):
        with pytest.raises(ClipError):
            probe_audio(bad_file(tmp_path, case))
    with pytest.raises(ClipError, match="no audio track"):
        probe_audio(bad_file(tmp_path, "picture"))
