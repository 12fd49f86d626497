"""Files with several audio tracks: told which is read, and another by its number."""

from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.validation.media import Span, check_sound
from affuse.errors import ClipError
from affuse.media.audio import read_waveform
from affuse.media.remarks import remarks
from affuse.media.sound_stream import SoundStream
from audio_files import speechlike, write_sound, write_tracks

RATE = 16_000
WAVES = {"Desktop": speechlike(4, RATE, 1), "Microphone": speechlike(4, RATE, 2)}


@pytest.mark.parametrize("suffix", ["mkv", "mov"])
def test_the_first_is_read_and_told_and_the_other_by_its_number(tmp_path: Path, suffix: str) -> None:
    path = write_tracks(tmp_path / f"a.{suffix}", WAVES, RATE)
    with remarks() as said:
        first = read_waveform(path, RATE)
    np.testing.assert_allclose(first, WAVES["Desktop"], atol=1e-4)
    assert "has 2 audio tracks (0" in said[0]
    assert "of which 0 is read; choose another with track=N." in said[0]
    assert suffix == "mov" or "(0 'Desktop', 1 'Microphone')" in said[0]
    with remarks() as said:
        other = read_waveform(path, RATE, track=1)
        part = read_waveform(path, RATE, 3.2, 3.7, track=1)  # behind a seek
    assert said == []
    np.testing.assert_allclose(other, WAVES["Microphone"], atol=1e-4)
    np.testing.assert_array_equal(part, other[51_200:59_200])
    np.testing.assert_array_equal(np.concatenate(list(SoundStream(path, track=1))), other)
    rows = [Span(0, None, None), Span(1, None, None, track=1), Span(2, None, None, track=2)]
    found = [(fault.row, fault.field, fault.severity) for fault in check_sound(path, rows, decode=True)]
    assert found == [(0, "audio", "warning"), (2, "track", "error")]


def test_a_silent_first_track_names_the_others(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "a.mkv", WAVES | {"Desktop": np.zeros(RATE)}, RATE)
    with pytest.raises(
        ClipError, match=r"is silent .*: it has 2 audio tracks .*, of which 0 was read; choose another"
    ):
        read_waveform(path, RATE)


def test_a_track_that_is_not_there(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "a.wav", WAVES["Desktop"], RATE)
    with pytest.raises(
        ClipError, match="has only audio track 0, not track 1; correct its track, or leave that out"
    ):
        SoundStream(path, track=1)
    assert len(read_waveform(path, RATE, track=0)) == 4 * RATE
