"""The sound of one file as it is read everywhere: in training, evaluation, prediction, recognition and validation.

soundfile reads what it can (``media/sound_file.py``), PyAV the rest and what soundfile finds damaged
(``media/audio_track.py``). Whatever a file changes on its way (sampling rate, channels, sample format, container) is
brought to the rate that it begins with, every sample in its place, and told.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from affuse.errors import ClipError
from affuse.media.audio_track import AudioTrack, no_track
from affuse.media.joined import films_in
from affuse.media.mixdown import CancelMeter, mix
from affuse.media.one_rate import Chunk, at_one_rate
from affuse.media.regular_file import check_file
from affuse.media.riff import promised_share
from affuse.media.samples import Samples
from affuse.media.sound_file import SoundFiles, open_sound
from affuse.media.units import scale_of
from affuse.names import counted

_SHORT = 0.5  # seconds by which a file may be shorter than its headers say, without a word
_CANCEL = (
    "but they cancel each other in their mix (one seems to be inverted); take one of them "
    "alone with channel=N"
)
_OTHER_TRACK = "choose another with track=N"


class Recording:
    """One file's sound, opened. Use it in a ``with`` block, and read blocks from it once.

    rate in Hz, channels: of the file's beginning; seconds: when the sound ends, by the headers; None where they do not
    say or cannot be believed. After the blocks are read, ``fault`` says in a sentence what could not be read ("":
    nothing), and ``remarks`` are sentences on what is particular about the rest.

    Raises:
        ClipError: For a path that is no readable file, is not media, or has no such track or channel.
    """

    def __init__(
        self, path: Path | Samples, channel: int | None = None, track: int | None = None, row: bool = True
    ) -> None:
        """channel, track: from 0; None is the mix of all channels, and the first audio track.

        row: whether a corpus's row names the file
        """
        if isinstance(path, Path):
            check_file(path, row)
        self.path, self.channel, self.track = path, channel, track
        self.fault = ""
        self.remarks: list[str] = []
        self._changed_rate = self._changed_channels = False
        self._source = _open(path, track)
        self.rate: int = self._source.rate
        self.channels: int = self._source.channels
        self._meter = CancelMeter(self.rate)
        if channel is not None and not 0 <= channel < self.channels:
            self.close()
            raise ClipError(no_channel(path, self.channels, channel))
        if isinstance(self._source, AudioTrack) and track is None and self._source.tracks > 1:
            self.remarks.append(f"{path} {self._named_tracks()}, of which 0 is read; {_OTHER_TRACK}.")

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    @property
    def seconds(self) -> float | None:
        """When the sound ends, by the headers."""
        return self._source.seconds

    def blocks(
        self, first: int = 0, last: int | None = None, size: int | None = None
    ) -> Iterator[np.ndarray]:
        """(time,) float32, mono: sample ``first`` up to ``last`` (None: the end), fewer at the end of the file.

        Silence where a film has no sound yet, and where packets were lost. size: samples of a block, at most (None: a
        second).
        """
        size = size or self.rate
        if last is not None:
            size = min(size, max(self.rate, last - first))
        scale = self._scale()
        have = first
        for position, mono in at_one_rate(self._mixed(first, size), self.rate):
            begin = position if last is None else min(position, last)
            if begin > have:
                self._say_lost(have, begin)
                for at in range(have, begin, size):
                    yield np.zeros(min(size, begin - at), np.float32)
                have = begin
            stop = position + len(mono) if last is None else min(last, position + len(mono))
            if stop > have:
                part = mono[have - position : stop - position]
                have = stop
                yield part if scale == 1 else part * np.float32(scale)
            if have == last:
                break
        if have > first and have != last:
            self._say_short(have / self.rate)
        if self._meter.cancels():
            self.remarks.append(f"{self.path} has {self.channels} channels, {_CANCEL}.")

    @property
    def silence(self) -> str:
        """Why the sound that was read so far may be silent, and what to do; it follows "... is silent"."""
        if self._meter.cancels():
            return f": its {self.channels} channels are not, {_CANCEL}"
        if self._source.tracks > 1 and self.track is None:
            return f": it {self._named_tracks()}, of which 0 was read; {_OTHER_TRACK}"
        return ""

    def _named_tracks(self) -> str:
        assert isinstance(self._source, AudioTrack)
        names = ", ".join(f"{i}{name}" for i, name in enumerate(self._source.names))
        return f"has {self._source.tracks} audio tracks ({names})"

    @property
    def sentences(self) -> list[str]:
        """Fault and remarks."""
        return [*([self.fault] if self.fault else []), *self.remarks]

    def _mixed(self, first: int, size: int) -> Iterator[tuple[Chunk, np.ndarray]]:
        for chunk in self._chunks(first, size):
            channels = chunk.samples_tc.shape[1]
            self._say_changes(chunk, channels)
            if self.channel is not None and self.channel < channels:
                mono = chunk.samples_tc[:, self.channel]
            else:
                mono = mix(chunk.samples_tc, chunk.layout)
                if channels > 1:
                    self._meter.hear(chunk.samples_tc, mono, chunk.layout)
            yield chunk, mono

    def _chunks(self, first: int, size: int) -> Iterator[Chunk]:
        source, reached = self._source, first
        for chunk in source.chunks(first, size):
            yield chunk
            reached = round(chunk.position) + len(chunk.samples_tc)
        if not isinstance(source, SoundFiles) or not source.broken or source.is_joined:
            return
        assert isinstance(self.path, Path)
        try:  # damage: FFmpeg goes on behind it where it can
            with AudioTrack(self.path, self.track) as track:
                yield from track.chunks(reached, size)
        except ClipError:
            self._lose(
                f"{self.path} cannot be decoded beyond {reached / self.rate:.2f} s; the sound before that is used."
            )

    def _scale(self) -> float:
        if not self._source.is_float:
            return 1.0
        scale, sentence = file_scale(self.path, self.track)
        if sentence:
            self.remarks.append(sentence)
        return scale

    def _say_changes(self, chunk: Chunk, channels: int) -> None:
        """The first change of each kind: all of a broadcast's would be many."""
        moment = float(chunk.position / self.rate)
        if chunk.rate != self.rate and not self._changed_rate:
            self._changed_rate = True
            self.remarks.append(
                f"{self.path} changes its sampling rate from {self.rate} to {chunk.rate} Hz at {moment:.2f} s; all of "
                f"it is read at {self.rate} Hz."
            )
        if channels != self.channels and not self._changed_channels:
            self._changed_channels = True
            taken = "each part is mixed by itself"
            if self.channel is not None:
                taken = f"channel {self.channel} is read where it is there, the mix of all where it is not"
            self.remarks.append(
                f"{self.path} changes from {counted(self.channels, 'channel')} to {channels} at {moment:.2f} s; "
                f"{taken}."
            )

    def _say_lost(self, begin: int, end: int) -> None:
        """Between two samples nothing could be decoded; before a film's sound begins that is as it should be."""
        begin = max(begin, self._source.lead)
        if end > begin:
            self._lose(
                f"{self.path} has no sound that can be decoded from {begin / self.rate:.2f} s to "
                f"{end / self.rate:.2f} s; silence takes its place."
            )

    def _say_short(self, found: float) -> None:
        source = self._source
        if isinstance(self.path, Samples):
            return
        if isinstance(source, AudioTrack) and source.is_mp4 and (count := films_in(self.path)) > 1:
            self._lose(
                f"{self.path} holds {count} files joined byte by byte, of which only the first is read, {found:.2f} s; "
                "join them by a program that knows the format."
            )
        promised = source.promised if isinstance(source, AudioTrack) else source.seconds
        if (
            isinstance(source, SoundFiles)
            and promised is not None
            and not (source.is_mended or source.is_joined)
        ):
            share = promised_share(self.path)
            promised *= max(1.0, share)  # soundfile counts what is there
            if share < 1 and found / share - found > _SHORT:
                self._lose(
                    f"{self.path} goes on behind the {found:.2f} s that its headers tell of, and that is left out; "
                    "mend its header, or convert it."
                )
        if promised is not None and promised - found > _SHORT:
            self._lose(
                f"{self.path} ends after {found:.2f} s of sound, its headers say {promised:.2f} s; what could be "
                "decoded is used."
            )

    def _lose(self, sentence: str) -> None:
        if not self.fault:  # the first cause is the one to mend
            self.fault = sentence


def no_channel(path: object, channels: int, channel: int) -> str:
    """The sentence about a channel that is not there."""
    known = "only channel 0" if channels == 1 else f"channels 0 to {channels - 1}"
    return f"{path} has {known}, not channel {channel}; correct its channel, or leave that out."


def _open(path: Path | Samples, track: int | None) -> SoundFiles | AudioTrack | Samples:
    if isinstance(path, Samples):
        if track:
            raise ClipError(no_track(path, 1, track))
        return path
    sound = open_sound(path)
    if sound is None:
        return AudioTrack(path, track)
    if sound.seconds == 0:  # damage, or really nothing there
        try:
            found = AudioTrack(path, track)
            sound.close()
            return found
        except ClipError:
            pass
    if track:
        sound.close()
        raise ClipError(no_track(path, 1, track))
    return sound


def file_scale(path: Path | Samples, track: int | None = None) -> tuple[float, str]:
    """``units.scale_of`` of a file or an array of floats.

    Raises:
        ClipError: See there.
    """
    if isinstance(path, Samples):
        return scale_of(path, (chunk.samples_tc for chunk in path.chunks(0, path.rate)))
    status = path.stat()
    return _scale_of(path, track, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=100_000)
def _scale_of(path: Path, track: int | None, size: int, changed: int) -> tuple[float, str]:
    """Of the whole file, once. Size and date are for the memory of it."""
    source = _open(path, track)
    try:
        return scale_of(path, (chunk.samples_tc for chunk in source.chunks(0, source.rate)))
    finally:
        source.close()
