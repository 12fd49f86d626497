"""A file is a file, whatever it is called: FFmpeg sees protocols in names, libsndfile standard input."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from affuse.errors import ClipError
from affuse.inference.tracks import find_tracks
from affuse.media.audio import read_waveform
from affuse.media.container import open_container
from affuse.media.sound_stream import SoundStream
from audio_files import speechlike, write_track

RATE = 16_000
NAMES = [
    "2026-11-26T09:15:00",
    "http:talk",
    "concat:a|b",
    "subfile,,start,0,end,9,,:a",
    "-talk",
    "pipe:0",
    "%03d",
    "caf\udce9",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".mp3", ".wav"])
def test_relative_names_that_look_like_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.chdir(tmp_path)
    wave = speechlike(4, RATE)
    if suffix == ".mp3":
        write_track(tmp_path / "a.mp3", wave, RATE, "libmp3lame")
    else:
        soundfile.write("a.wav", wave, RATE)
    path = Path(name + suffix)
    (tmp_path / f"a{suffix}").rename(path)
    whole = read_waveform(path, RATE)
    assert len(whole) == 4 * RATE
    np.testing.assert_array_equal(read_waveform(path, RATE, 3.2, 3.7), whole[51_200:59_200])
    np.testing.assert_array_equal(np.concatenate(list(SoundStream(path))), whole)
    assert find_tracks(path).sound


def test_a_file_called_like_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open("-", "wb") as file:
        soundfile.write(file, speechlike(1, RATE), RATE, format="WAV")
    assert len(read_waveform("-", RATE)) == RATE


def test_a_playlist_still_cannot_fetch_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "list:1.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises((av.FFmpegError, IndexError)), open_container(path) as container:
        next(container.decode(audio=0))
    with pytest.raises(ClipError):
        read_waveform(path, RATE)
