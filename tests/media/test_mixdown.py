"""Several channels as one: FFmpeg's weights, and channels that cancel."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from affuse.corpora.validation.media import Span, check_sound
from affuse.errors import ClipError
from affuse.media.audio import read_waveform
from affuse.media.mixdown import weights_of
from affuse.media.remarks import remarks
from affuse.media.sound_stream import SoundStream, SoundWindows
from audio_files import speechlike, write_sound, write_track

RATE = 16_000
WAVE = speechlike(2.5, RATE)


def ffmpeg_mix(samples_tc: np.ndarray, layout: str):
    """What libswresample makes of it in 16 bits, where the weights' sum is 1."""
    frame = av.AudioFrame.from_ndarray((samples_tc * 32767).astype(np.int16).reshape(1, -1), "s16", layout)
    frame.sample_rate = RATE
    return av.AudioResampler("s16", "mono", RATE).resample(frame)[0].to_ndarray()[0] / 32767


@pytest.mark.parametrize("layout", ["2.1", "3.0", "quad", "5.0", "5.1", "5.1(side)", "6.1", "7.1"])
def test_the_mix_is_ffmpegs(layout: str) -> None:
    from affuse.media.mixdown import mix

    channels = av.AudioLayout(layout).nb_channels
    sound_tc = np.random.default_rng(0).uniform(-0.4, 0.4, (2000, channels)).astype(np.float32)
    np.testing.assert_allclose(mix(sound_tc, layout), ffmpeg_mix(sound_tc, layout), atol=2e-4)
    assert sum(weights_of(layout, channels)) == pytest.approx(1)


def test_what_nobody_can_place_is_averaged() -> None:
    assert weights_of("10 channels", 10) == (0.1,) * 10
    assert weights_of("stereo", 2) == (0.5, 0.5)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mkv"])
def test_the_voice_in_the_center_of_six_is_as_loud_as_ffmpeg_makes_it(tmp_path: Path, name: str) -> None:
    six_tc = np.zeros((len(WAVE), 6), np.float32)
    six_tc[:, 2] = WAVE
    path = tmp_path / name
    write_track(path, six_tc, RATE, "flac") if name == "a.mkv" else write_sound(path, six_tc, RATE)
    expected = WAVE / (2 * np.sqrt(0.5) + 1 + 2 * 0.5)
    found = read_waveform(path, RATE)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(np.concatenate(list(SoundStream(path))), found)
    np.testing.assert_allclose(read_waveform(path, RATE, channel=2), WAVE, atol=1e-4)


def test_a_stereo_file_is_the_mean_to_the_bit(tmp_path: Path) -> None:
    both = np.stack([WAVE, speechlike(2.5, RATE, 1)], axis=1)
    path = write_sound(tmp_path / "a.wav", both, RATE)
    stored, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(read_waveform(path, RATE), stored.mean(axis=1, dtype=np.float32))


@pytest.mark.parametrize("gain", [-0.8, -1.0])
def test_channels_that_cancel_are_told_everywhere(tmp_path: Path, gain: float) -> None:
    path = write_sound(tmp_path / "a.wav", np.stack([WAVE, gain * WAVE], axis=1), RATE)
    cause = "cancel each other in their mix (one seems to be inverted); take one of them alone with channel=N"
    stream = SoundStream(path)
    list(stream)
    assert [cause in sentence for sentence in stream.remarks] == [True]
    (found,) = check_sound(path, [Span(0, None, None)], decode=True)
    assert cause in found.message
    if gain == -1:
        assert found.severity == "error"
        for source in (path, SoundWindows(SoundStream(path)).read(0, 2)):
            with pytest.raises(ClipError, match=r"is silent .*cancel each other"):
                read_waveform(source, RATE)
    else:
        assert found.severity == "warning"
        with remarks() as said:
            read_waveform(path, RATE)
        assert cause in said[0]
    assert check_sound(path, [Span(0, None, None, channel=1)], decode=True) == []


def test_channels_that_cancel_in_a_part_are_told(tmp_path: Path) -> None:
    wave = speechlike(8, RATE)
    right = np.where(np.arange(len(wave)) < 4 * RATE, wave, -wave)
    path = write_sound(tmp_path / "a.flac", np.stack([wave, right], axis=1), RATE)
    stream = SoundStream(path)
    list(stream)
    assert len(stream.remarks) == 1


@pytest.mark.parametrize("right", [0 * WAVE, WAVE, speechlike(2.5, RATE, 1), np.roll(WAVE, 8), 0.1 * WAVE])
def test_usual_stereo_says_nothing(tmp_path: Path, right: np.ndarray) -> None:
    path = write_sound(tmp_path / "a.wav", np.stack([WAVE, right], axis=1), RATE)
    with remarks() as said:
        read_waveform(path, RATE)
    assert said == []
