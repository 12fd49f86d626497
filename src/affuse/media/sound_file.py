"""The sound of one file through soundfile (libsndfile): wav, flac, ogg, aiff, ... It opens fast and seeks by sample."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import soundfile

from affuse.media.joined import Part, PartFile, parts_of
from affuse.media.one_rate import Chunk

# Not tried with soundfile. It does read mp3, but only PyAV reads mp3 tracks inside avi and mkv the same way.
_FOR_PYAV = frozenset({".mp3", ".mp4", ".m4a", ".mkv", ".avi", ".mov", ".webm", ".aac", ".wma"})
_VORBIS_PAGE = 2**20  # samples: no page holds more (255 packets of 4096)
_UNKNOWN_FRAMES = 2**62  # a FLAC through a pipe does not know how many it has


class SoundFiles:
    """A file, or the files that one holds behind each other (``media/joined.py``), opened.

    rate in Hz and channels are the first one's. seconds is the length by what is there, None where it is not known.
    ``broken`` afterwards: the decoder stumbled, and what it gave is not all. lead: see ``AudioTrack``.
    """

    lead = 0
    tracks = 1

    def __init__(self, path: Path, parts: list[Part]) -> None:
        """Raises LibsndfileError where soundfile cannot read the file."""
        self._sounds: list[soundfile.SoundFile] = []
        try:
            for part in parts or [None]:
                self._sounds.append(_open(path, part))
        except soundfile.LibsndfileError:
            self.close()
            raise
        self._first = self._sounds[0]
        self.broken = False
        self.rate: int = self._first.samplerate
        self.channels: int = self._first.channels
        self.is_float = any(sound.subtype in ("FLOAT", "DOUBLE") for sound in self._sounds)
        self.is_joined = len(self._sounds) > 1
        self.is_mended = any(part.unfilled for part in parts)  # its headers say what is there
        self._layout = _layout(path, self.channels)

    @property
    def is_plain(self) -> bool:
        """One file of one or two channels, that gives the same samples wherever reading begins."""
        if self.is_joined or self.is_mended or self.channels > 2:
            return False
        return self._first.format != "OGG" and self._first.seekable()

    @property
    def seconds(self) -> float | None:
        """By what is there; None where it is not known."""
        if any(sound.frames >= _UNKNOWN_FRAMES for sound in self._sounds):
            return None
        return sum(sound.frames / sound.samplerate for sound in self._sounds)

    def close(self) -> None:
        """Close the file."""
        for sound in self._sounds:
            sound.close()

    def chunks(self, first: int, size: int) -> Iterator[Chunk]:
        """From sample ``first`` (at ``rate``) or, where a file of another rate holds it, from that file's beginning.

        size: samples of a chunk, at most
        """
        begin: int | Fraction = 0
        for sound in self._sounds:
            ratio = 1 if sound.samplerate == self.rate else Fraction(self.rate, sound.samplerate)
            end = begin + sound.frames * ratio
            if end <= first:
                begin = end
                continue
            skipped = _seek_before(sound, first - round(begin)) if ratio == 1 else 0
            try:
                if skipped:
                    sound.seek(skipped)
                position = begin + skipped
                while len(block_tc := sound.read(size, dtype="float32", always_2d=True)):
                    yield Chunk(position, block_tc, sound.samplerate, self._layout)
                    position += len(block_tc) * ratio
            except soundfile.LibsndfileError:
                self.broken = True
                if not self.is_joined:
                    return
                position = end
            begin = end if sound.frames < _UNKNOWN_FRAMES else position


def open_sound(path: Path) -> SoundFiles | None:
    """The file if soundfile is the one to read it, else None (PyAV is)."""
    if path.suffix.lower() in _FOR_PYAV:
        return None
    try:
        return SoundFiles(path, parts_of(path))
    except soundfile.LibsndfileError:
        return None


def _seek_before(sound: soundfile.SoundFile, sample: int) -> int:
    """Where to begin, so that what is read is the same as from the beginning."""
    if not sound.seekable():  # telephone codecs: GSM, G.721
        return 0
    if (
        sound.subtype == "VORBIS"
    ):  # libsndfile 1.2.2 misses a place in the last page, and gives other samples for it
        sample = min(sample, sound.frames - _VORBIS_PAGE)
    return max(0, sample)


def _open(path: Path, part: Part | None) -> soundfile.SoundFile:
    try:
        # the whole path: a file that is called "-" would be standard input
        source: Any = PartFile(path, part) if part else os.path.abspath(path)
        sound = soundfile.SoundFile(source)
    except UnicodeEncodeError:  # a name that is no UTF-8
        sound = soundfile.SoundFile(os.open(path, os.O_RDONLY), closefd=True)
    if sound.subtype.startswith("MPEG"):
        sound.close()
        raise soundfile.LibsndfileError(1, "MPEG audio, which is PyAV's: ")
    return sound


def _layout(path: Path, channels: int) -> str:
    """Soundfile does not tell it."""
    if channels <= 2:
        return ""
    import av  # slow to import

    from affuse.media.container import open_container

    try:
        with open_container(path) as container:
            return container.streams.audio[0].layout.name if container.streams.audio else ""
    except (av.FFmpegError, ValueError):
        return ""
