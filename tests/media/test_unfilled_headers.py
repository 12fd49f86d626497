"""Sizes as pipes leave them are no fault, and all the sound is read; a file that was cut is told."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from affuse.corpora.validation.media import Span, check_sound
from affuse.media.audio import probe_audio, read_waveform
from affuse.media.sound_stream import SoundStream
from audio_files import speechlike, write_sound

RATE = 16_000
WAVE = speechlike(3, RATE)


class Pipe:
    """Something to write to that cannot seek."""

    def __init__(self, path: Path):
        self.file = path.open("wb")

    def write(self, data: bytes):
        return self.file.write(bytes(data))


def piped(path: Path, container: str, codec: str, options: dict[str, str] | None = None):
    """As ``ffmpeg -f CONTAINER -`` writes it."""
    pipe = Pipe(path)
    with av.open(pipe, "w", format=container, container_options=options or {}) as output:
        stream = output.add_stream(codec, rate=RATE)
        stream.layout = "mono"
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", RATE, stream.codec_context.frame_size or 1024
        )
        frame = av.AudioFrame.from_ndarray(WAVE[None], "fltp", "mono")
        frame.sample_rate, frame.pts = RATE, 0
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(block))
        output.mux(stream.encode(None))
    pipe.file.close()
    return path


def check(path: Path, atol: float = 1e-4):
    stream = SoundStream(path)
    found = np.concatenate(list(stream))
    np.testing.assert_allclose(found[: len(WAVE)], WAVE, atol=atol)
    assert len(found) == len(WAVE)
    assert (stream.fault, stream.remarks) == ("", [])
    np.testing.assert_array_equal(read_waveform(path, RATE), found)
    np.testing.assert_array_equal(read_waveform(path, RATE, 1.0, 2.0), found[RATE : 2 * RATE])
    assert probe_audio(path).seconds in (None, pytest.approx(3, abs=0.02))
    assert check_sound(path, [Span(0, None, None)], decode=True) == []


@pytest.mark.parametrize(
    ("riff", "data"),
    [
        (0x7FFFF024, 0x7FFFF000),  # sox
        (0xFFFFFFFF, 0xFFFFFFFF),  # FFmpeg
        (0x80000024, 0x80000000),  # arecord
        (0, 0), (36, 0), (0xFFFFFFFF, 0),
    ],
)  # fmt: skip
def test_a_wav_through_a_pipe(tmp_path: Path, riff: int, data: int) -> None:
    path = write_sound(tmp_path / "a.wav", WAVE, RATE)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[4:8], content[at : at + 4] = struct.pack("<I", riff), struct.pack("<I", data)
    path.write_bytes(content)
    check(path)


@pytest.mark.parametrize(
    ("container", "codec", "options"),
    [
        ("wav", "pcm_s16le", {}), ("wav", "pcm_s16le", {"rf64": "always"}), ("w64", "pcm_s16le", {}),
        ("aiff", "pcm_s16be", {}), ("au", "pcm_s16be", {}), ("caf", "pcm_s16le", {}), ("flac", "flac", {}),
        ("matroska", "pcm_s16le", {}), ("wav", "pcm_s24le", {}),
    ],
)  # fmt: skip
def test_other_kinds_through_a_pipe(
    tmp_path: Path, container: str, codec: str, options: dict[str, str]
) -> None:
    check(piped(tmp_path / f"a.{container}", container, codec, options))


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "ALAW", "ULAW", "PCM_32"])
def test_any_samples_in_a_header_that_was_never_filled_in(tmp_path: Path, subtype: str) -> None:
    path = write_sound(tmp_path / "a.wav", WAVE, RATE, subtype)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[4:8], content[at : at + 4] = bytes(4), bytes(4)
    path.write_bytes(content)
    check(path, 0.02)


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.au", "a.w64", "a.rf64", "a.flac"])
def test_a_cut_file_is_told_by_every_reader(tmp_path: Path, name: str) -> None:
    path = write_sound(tmp_path / name, speechlike(6, RATE), RATE)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    stream = SoundStream(path)
    list(stream)
    assert (
        "of sound, its headers say 6.00 s; what could be decoded is used." in stream.fault or name == "a.flac"
    )
    assert stream.fault
    (fault,) = check_sound(path, [Span(0, None, None)], decode=True)
    assert (fault.message, fault.severity) == (stream.fault.rstrip("."), "warning")


@pytest.mark.parametrize("whole_riff", [True, False])
def test_sound_behind_the_end_that_a_header_tells_is_told(tmp_path: Path, whole_riff: bool) -> None:
    path = write_sound(tmp_path / "a.wav", WAVE, RATE)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 2 * RATE)
    if not whole_riff:
        content[4:8] = struct.pack("<I", at + 2 * RATE - 4)
    path.write_bytes(content)
    stream = SoundStream(path)
    assert len(np.concatenate(list(stream))) == RATE
    assert "goes on behind the 1.00 s that its headers tell of" in stream.fault


def test_chunks_behind_the_sound_say_nothing(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", WAVE, RATE)
    content = bytearray(path.read_bytes() + b"LIST" + struct.pack("<I", 100_000) + bytes(100_000))
    content[4:8] = struct.pack("<I", len(content) - 8)
    path.write_bytes(content)
    check(path)
