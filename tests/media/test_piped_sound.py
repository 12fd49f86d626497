"""Sound from a pipe, against the file that holds the same bytes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from affuse.errors import ClipError
from affuse.media.piped_sound import PipedSound
from affuse.media.sound_stream import SoundStream
from audio_files import speechlike, write_sound, write_track, write_tracks
from offset_films import Kind, write_film


def reader(data: bytes, seed: int = 0) -> Callable[[int], bytes]:
    """Gives a little at a time, as a pipe does."""
    random, at = np.random.default_rng(seed), 0

    def read(size: int) -> bytes:
        nonlocal at
        part = data[at : at + int(random.integers(1, size + 1))]
        at += len(part)
        return part

    return read


def piped(path: Path, channel: int | None = None, track: int | None = None) -> tuple[np.ndarray, int]:
    with PipedSound(reader(path.read_bytes()), channel, track) as sound:
        return np.concatenate(list(sound.blocks())), sound.rate


def whole(path: Path, channel: int | None = None, track: int | None = None) -> tuple[np.ndarray, int]:
    stream = SoundStream(path, channel, track)
    return np.concatenate(list(stream)), stream.rate


@pytest.mark.parametrize(
    ("name", "channels", "rate", "subtype"),
    [
        ("a.wav", 1, 16_000, "PCM_16"),
        ("b.wav", 2, 44_100, "PCM_16"),
        ("c.wav", 6, 48_000, "PCM_16"),
        ("d.wav", 1, 8_000, "FLOAT"),
        ("e.wav", 2, 48_000, "PCM_24"),
        ("f.flac", 2, 22_050, None),
        ("h.aiff", 1, 16_000, None),
        ("i.au", 1, 16_000, None),
    ],
)
def test_a_pipe_gives_the_samples_of_its_file(
    tmp_path: Path, name: str, channels: int, rate: int, subtype: str | None
) -> None:
    wave = np.stack([speechlike(1.3, rate, seed) for seed in range(channels)], axis=1)
    path = write_sound(tmp_path / name, wave, rate, subtype)
    (found, found_rate), (expected, _) = piped(path), whole(path)
    assert found_rate == rate
    np.testing.assert_allclose(
        found, expected, atol=2e-7
    )  # two decoders round integers of 24 bits differently
    if channels == 2:
        np.testing.assert_allclose(piped(path, channel=1)[0], whole(path, channel=1)[0], atol=2e-7)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "aac"),
        ("b.webm", "libopus"),
        ("c.mp3", "libmp3lame"),
        ("d.ts", "aac"),
        ("e.aac", "aac"),
        ("f.ogg", ""),
    ],
)
def test_packed_sound(tmp_path: Path, name: str, codec: str) -> None:
    wave = speechlike(1.5, 48_000)
    if codec:
        container = {"ts": "mpegts", "aac": "adts"}.get(name.partition(".")[2])
        path = write_track(tmp_path / name, wave, 48_000, codec, container=container)
    else:
        path = write_sound(tmp_path / name, wave, 48_000)
    found, expected = piped(path)[0], whole(path)[0]
    # the end of an mp3 or ogg, where a packet holds more than the sound, is told by what only a file can be asked for
    more = len(found) - len(expected)
    assert 0 <= more < (4_800 if name in ("c.mp3", "f.ogg") else 1)
    # two decoders of Vorbis round differently
    np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-5 if name == "f.ogg" else 0)


def test_sound_that_begins_later_than_its_film_has_silence_before_it(tmp_path: Path) -> None:
    path = write_film(tmp_path / "late.mkv", Kind("mkv", "pcm_s16le", 16_000, 0.0), sound_at=0.5)
    found, expected = piped(path)[0], whole(path)[0]
    assert np.array_equal(found, expected)
    assert not found[: 16_000 // 4].any()


def test_tracks(tmp_path: Path) -> None:
    waves = {"one": speechlike(1.0, 16_000, 1), "two": speechlike(1.0, 16_000, 2)}
    path = write_tracks(tmp_path / "two.mkv", waves, 16_000)
    assert np.array_equal(piped(path, track=1)[0], whole(path, track=1)[0])
    with pytest.raises(ClipError, match="Standard input has audio tracks 0 to 1, not track 2"):
        piped(path, track=2)
    wav = write_sound(tmp_path / "a.wav", waves["one"], 16_000)
    with pytest.raises(ClipError, match="Standard input has only channel 0, not channel 1"):
        piped(wav, channel=1)


def test_what_follows_the_samples_is_no_sound_and_headers_may_not_be_filled_in(tmp_path: Path) -> None:
    wave = np.round(speechlike(0.5, 16_000) * 32_000).astype("<i2")
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    samples = wave.tobytes()
    listed = b"LIST" + struct.pack("<I", 4) + b"abcd"
    for size, behind in (
        (len(samples), b"LIST\x04\0\0\0abcd"),
        (0xFFFFFFFF, b""),
        (0, b""),
        (0x7FFFFFFF, b""),
    ):
        data = (
            b"RIFF\xff\xff\xff\xffWAVE" + listed + form + b"data" + struct.pack("<I", size) + samples + behind
        )
        with PipedSound(reader(data)) as sound:
            assert np.array_equal(np.concatenate(list(sound.blocks())), wave / np.float32(2**15))
    extensible = struct.pack("<IHHIIHHHHI", 40, 0xFFFE, 1, 16_000, 32_000, 2, 16, 22, 16, 4)
    extensible += b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
    data = b"RIFF\xff\xff\xff\xffWAVEfmt " + extensible + b"data\xff\xff\xff\xff" + samples
    with PipedSound(reader(data)) as sound:
        assert np.array_equal(np.concatenate(list(sound.blocks())), wave / np.float32(2**15))


def test_only_the_header_of_a_wav_is_waited_for() -> None:
    """FFmpeg alone would take 64 kB, and a second of sound later say that it is a wav."""
    header = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    read = reader(header + b"data\xff\xff\xff\xff" + b"\1\2" * 100_000)
    asked = 0

    def counted(size: int) -> bytes:
        nonlocal asked
        data = read(size)
        asked += len(data)
        return data

    with PipedSound(counted) as sound:
        next(sound.blocks())
        assert asked < 16_000  # bytes: half a second


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty \\(0 bytes\\)"),
        (
            b"no sound at all, " * 300,
            "Standard input is (text, not sound|not sound that can be read as it arrives)",
        ),
        (
            np.random.default_rng(0).bytes(20_000),
            "not sound that can be read as it arrives .*ffmpeg ... -f wav -",
        ),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "Standard input"),
    ],
)
def test_what_is_no_sound_is_said(data: bytes, said: str) -> None:
    with pytest.raises(ClipError, match=said):
        PipedSound(reader(data))


def test_an_mp4_with_its_index_at_its_end_is_refused_and_at_its_beginning_it_is_read(tmp_path: Path) -> None:
    path = write_track(tmp_path / "a.mp4", speechlike(1.0, 16_000), 16_000, "aac")
    with pytest.raises(ClipError, match="mp4 often has its index at its end"):
        piped(path)
    with (
        av.open(str(path)) as source,
        av.open(str(tmp_path / "b.mp4"), "w", options={"movflags": "frag_keyframe+empty_moov"}) as output,
    ):
        track = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = track
                output.mux(packet)
    assert len(piped(tmp_path / "b.mp4")[0]) >= 16_000


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
    ],
)
def test_a_playlist_opens_no_file(tmp_path: Path, playlist: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        write_track(tmp_path / "a.ts", speechlike(1.0, 16_000), 16_000, "aac", container="mpegts"),
        "a.ts",
    ):
        with pytest.raises(ClipError, match="not sound that can be read as it arrives"):
            PipedSound(reader(playlist.format(name).encode()))


def test_a_cut_file_ends_where_it_ends(tmp_path: Path) -> None:
    wave = speechlike(1.0, 16_000)
    path = write_sound(tmp_path / "a.flac", wave, 16_000)
    data = path.read_bytes()
    with PipedSound(reader(data[: len(data) // 2])) as sound:
        found = np.concatenate(list(sound.blocks()))
    assert 4_000 < len(found) < 12_000
    np.testing.assert_allclose(found, soundfile.read(path, dtype="float32")[0][: len(found)], atol=2e-7)
