"""The sound of a pipe, decoded as it arrives: nothing is copied, nothing is sought."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.errors import ClipError
from affuse.media.audio_track import AudioTrack
from affuse.media.mixdown import CancelMeter
from affuse.media.recording import Recording, no_channel
from affuse.media.riff import UNKNOWN_SIZE

if TYPE_CHECKING:
    from av.container import InputContainer

NAME = "Standard input"
_BUFFER = 4096  # bytes that are asked for together; fewer come where fewer are there
# bytes and microseconds by which FFmpeg may look ahead for what the headers do not say
_LOOK_AHEAD = {"probesize": "65536", "analyzeduration": "300000"}
_LONGEST_HEAD = 1 << 20  # bytes before the samples of a wav
_PCM, _EXTENSIBLE = 1, 0xFFFE  # format tags; of the second the first two bytes of its subformat tell


class PipedSound(Recording):
    """A ``Recording`` of what cannot be opened twice: blocks as they arrive, with the samples that its file would have.

    What must be known of a whole file is not: whether floats are in other units, whether it is shorter than its headers
    say, and how much of the last packet of a lossy codec is sound (up to 0.1 s more is heard).

    Args:
        read: Gives at most so many bytes as soon as there are some, none at the end: ``os.read`` of a pipe.
        channel: From 0; None is the mix of all.
        track: From 0; None is the first.

    Raises:
        ClipError: Nothing comes, or what comes is no media that can be read in one go, or has no sound, or no such
            channel or track.
    """

    def __init__(
        self, read: Callable[[int], bytes], channel: int | None = None, track: int | None = None
    ) -> None:
        import av  # slow to import

        self.path, self.channel, self.track = Path(NAME), channel, track
        self.fault = ""
        self.remarks: list[str] = []
        self._changed_rate = self._changed_channels = False
        pipe = _Pipe(read)
        if not pipe.peek(1):
            raise ClipError(f"{NAME} is empty (0 bytes); pipe an audio or video file to it.")
        wav, options, kind = _plain_wav(pipe), dict(_LOOK_AHEAD), None
        if wav is not None:
            pipe.begin(wav.begin, wav.size)
            options = {"sample_rate": str(wav.rate), "ch_layout": "mono" if wav.channels == 1 else "stereo"}
            kind = "s16le"
        options["protocol_whitelist"] = "pipe"  # a playlist must not make FFmpeg open what it names
        try:
            container: InputContainer = av.open(
                pipe, "r", format=kind, buffer_size=_BUFFER, options=options, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _not_as_it_arrives(getattr(error, "strerror", None) or error) from None
        if container.format.name == "tty":
            container.close()
            raise ClipError(f"{NAME} is text, not sound; pipe an audio or video file to it.")
        self._source = AudioTrack(self.path, track, container)
        if not self._source.decodes:
            self.close()
            raise _not_as_it_arrives("no sound can be decoded")
        self.rate, self.channels = self._source.rate, self._source.channels
        self._meter = CancelMeter(self.rate)
        if channel is not None and not 0 <= channel < self.channels:
            self.close()
            raise ClipError(no_channel(self.path, self.channels, channel))

    def _scale(self) -> float:
        return 1.0

    def _say_short(self, found: float) -> None:
        """Headers of a pipe say nothing of its end."""


class _Pipe:
    """What PyAV reads from; it has no ``seek``."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._ahead = b""
        self._left: int | None = None  # bytes that are still to be given; None: all that come

    def peek(self, size: int) -> bytes:
        """The first bytes, fewer at the end; they are still to be read."""
        while len(self._ahead) < size and (data := self._read(size - len(self._ahead))):
            self._ahead += data
        return self._ahead[:size]

    def begin(self, at: int, size: int | None) -> None:
        """Give ``size`` bytes from byte ``at`` of what was peeked at, and then no more."""
        self._ahead, self._left = self._ahead[at:], size

    def read(self, size: int) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        if not data and size:
            data = self._read(size)
        if self._left is not None:
            self._left -= len(data)
        return data


def _not_as_it_arrives(reason: object) -> ClipError:
    return ClipError(
        f"{NAME} is not sound that can be read as it arrives ({reason}): raw samples say no rate, and mp4 often has "
        "its index at its end. Pipe wav, mkv, webm, ogg, flac or mp3 (ffmpeg ... -f wav -)."
    )


class _PlainWav(NamedTuple):
    rate: int
    channels: int
    begin: int  # byte of the first sample
    size: int | None  # bytes of samples; None: not told


def _plain_wav(pipe: _Pipe) -> _PlainWav | None:
    """The header of a wav of 16 bits in one or two channels, or None.

    FFmpeg would take 64 kB of such a file, two seconds at 16 kHz, to see whether it holds a film's digital sound.
    """
    head = pipe.peek(12)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None
    at, size, form = 12, 0, b""
    while at < _LONGEST_HEAD:
        chunk = pipe.peek(at + 8)[at:]
        if len(chunk) < 8:
            return None
        name, size = chunk[:4], int.from_bytes(chunk[4:], "little")
        at += 8
        if name == b"data":
            break
        if name == b"fmt ":
            form = pipe.peek(at + min(size, 64))[at:]
        at += size + size % 2
    if len(form) < 16 or at >= _LONGEST_HEAD:
        return None
    tag, channels, rate, _, _, bits = struct.unpack("<HHIIHH", form[:16])
    if tag == _EXTENSIBLE and len(form) >= 26:
        tag = int.from_bytes(form[24:26], "little")
    if tag != _PCM or bits != 16 or channels not in (1, 2) or not rate:
        return None
    return _PlainWav(rate, channels, at, None if size == 0 or size >= UNKNOWN_SIZE else size)
