"""Floats in units of whole numbers are scaled where nothing else explains them, else refused."""

from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.validation.media import Span, check_sound
from affuse.errors import ClipError
from affuse.media.audio import read_waveform
from affuse.media.sound_stream import SoundStream
from audio_files import speechlike, write_sound, write_track

RATE = 16_000
WAVE = speechlike(3.5, RATE) * 2  # peak 1


def write(folder: Path, name: str, samples: np.ndarray):
    path = folder / name
    if name == "a.mkv":
        return write_track(path, samples, RATE, "pcm_f32le")
    return write_sound(path, samples, RATE, "DOUBLE" if name == "double.wav" else "FLOAT")


@pytest.mark.parametrize(
    ("name", "peak", "full"),
    [
        ("a.wav", 29_490, 2**15), ("a.aiff", 40_000, 2**15), ("a.mkv", 900, 2**15), ("double.wav", 1e9, 2**31),
        ("a.au", 5e6, 2**23),
    ],
)  # fmt: skip
def test_units_of_16_24_and_32_bits_are_scaled_and_told(
    tmp_path: Path, name: str, peak: float, full: int
) -> None:
    samples = WAVE.astype(np.float64 if name == "double.wav" else np.float32) * peak
    samples[: RATE // 2] *= 1e-5  # a quiet range is in the same unit
    path = write(tmp_path, name, samples)
    stream = SoundStream(path)
    found = np.concatenate(list(stream))
    np.testing.assert_allclose(found, samples / full, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(read_waveform(path, RATE), found)
    np.testing.assert_array_equal(read_waveform(path, RATE, 0.2, 0.7), found[3200:11200])
    (sentence,) = stream.remarks
    assert f"divided by {full}." in sentence
    (fault,) = check_sound(path, [Span(0, 0.2, 0.7)], decode=True)
    assert (fault.message, fault.severity) == (sentence.rstrip("."), "warning")


@pytest.mark.parametrize("peak", [1.3, 4.0])
def test_mixes_above_1_stay_as_they_are(tmp_path: Path, peak: float) -> None:
    path = write(tmp_path, "a.wav", WAVE * np.float32(peak))
    stream = SoundStream(path)
    np.testing.assert_array_equal(np.concatenate(list(stream)), WAVE * np.float32(peak))
    assert stream.remarks == []


@pytest.mark.parametrize("peak", [100, 1e12])
def test_what_no_unit_explains_is_refused(tmp_path: Path, peak: float) -> None:
    path = write(tmp_path, "a.wav", WAVE * np.float32(peak))
    with pytest.raises(ClipError, match=r"no unit explains it; export it as 16-bit PCM"):
        read_waveform(path, RATE)
    with pytest.raises(ClipError, match="no unit explains it"):
        list(SoundStream(path))
    assert check_sound(path, [Span(0, None, None)], decode=True)[0].severity == "error"


def test_one_wrong_sample_is_no_unit(tmp_path: Path) -> None:
    samples = WAVE.copy()
    samples[1000] = 20_000
    with pytest.raises(ClipError, match="floats that reach 2e\\+04"):
        read_waveform(write(tmp_path, "a.wav", samples), RATE)
